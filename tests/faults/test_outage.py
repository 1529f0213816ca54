"""The API server is gone, and a worker is killed meanwhile: what was known is served on, by the replacement too."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.crowd import Crowd
from tests.faults.ledger import Ledger
from tests.faults.origins import keeping_books
from tests.faults.shop import objects
from tests.faults.workers import kill_worker
from tests.support import sites
from tests.support.apiserver.harness import ApiServer, in_thread
from tests.support.daemon import Daemon
from tests.support.eventually import soon
from tests.support.origin import origin

HOST = "shop.example"
OUTAGE_REQUESTS = 2400  # about four seconds; the watch then comes back within six more


@pytest.fixture
def api() -> Iterator[ApiServer]:
    with ApiServer() as api:
        api.apply(sites.ingress_class())
        yield api


async def test_api_server_gone(api: ApiServer, ledger: Ledger) -> None:
    async with origin(keeping_books(ledger, "old")) as old, origin(keeping_books(ledger, "new")) as new:
        for one in objects(HOST, [old.port]):
            api.apply(one)
        with Daemon("--kubeconfig", str(api.kubeconfig), "--allow-loopback-endpoints", "--access-log=off") as daemon:
            async with Crowd(ledger, daemon.http_port, HOST, callers=16, per_connection=200, pause_s=0.02) as crowd:
                await crowd.more(500)
                await in_thread(api.down)
                await crowd.more(OUTAGE_REQUESTS // 2)

                killed = await kill_worker(daemon, 0)

                await crowd.more(OUTAGE_REQUESTS // 2)
                assert await in_thread(daemon.is_ready)
                generation = daemon.status()["served_generation"]
                await in_thread(api.up)
                await in_thread(api.apply, objects(HOST, [new.port])[-1])
                await soon(lambda: daemon.status()["served_generation"] > generation, within_s=20.0)
                await ledger.settled(ledger.open())
                heads = old.heads
                await crowd.more(500)
                assert old.heads == heads

    assert crowd.refused == 0
    assert killed.excuses(ledger.unanswered())

"""The API server is gone, and everything else fails meanwhile: what was known is served on.

How long it is gone at least is OUTAGE_S; `make soak` makes it a minute.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.conftest import OUTAGE_S, UPSTREAM_TIMEOUT_S
from tests.faults.crowd import Crowd
from tests.faults.ledger import Ledger
from tests.faults.origins import keeping_books
from tests.faults.shop import IMPATIENT, objects
from tests.faults.stands import called_on, stands
from tests.faults.test_descriptors import survive_flood
from tests.faults.workers import Killed, kill_worker
from tests.support import sites
from tests.support.apiserver.harness import ApiServer, in_thread
from tests.support.daemon import Daemon
from tests.support.eventually import soon
from tests.support.origin import origin, polite

HOST = "shop.example"
OUTAGE_REQUESTS = 2400  # about four seconds
BACK_S = 60.0
"""The watch's longest wait is 30 s; a machine under load may take as long again."""
ROUND_REQUESTS = 60
REQUESTS = 40


@pytest.fixture
def api() -> Iterator[ApiServer]:
    with ApiServer() as api:
        api.apply(sites.ingress_class())
        yield api


def flags(api: ApiServer) -> tuple[str, ...]:
    return "--kubeconfig", str(api.kubeconfig), "--allow-loopback-endpoints", "--access-log=off"


async def test_api_server_gone(api: ApiServer, ledger: Ledger) -> None:
    async with origin(keeping_books(ledger, "old")) as old, origin(keeping_books(ledger, "new")) as new:
        for one in objects(HOST, [old.port]):
            api.apply(one)
        with Daemon(*flags(api)) as daemon:
            async with Crowd(ledger, daemon.http_port, HOST, callers=16, per_connection=200, pause_s=0.02) as crowd:
                await crowd.more(500)
                await in_thread(api.down)
                over = time.monotonic() + OUTAGE_S
                await crowd.more(OUTAGE_REQUESTS // 2)

                killed = await kill_worker(daemon, 0)

                await crowd.more(OUTAGE_REQUESTS // 2)
                while time.monotonic() < over:
                    await crowd.more(100)
                assert await in_thread(daemon.is_ready)
                generation = daemon.status()["served_generation"]
                await in_thread(api.up)
                await in_thread(api.apply, objects(HOST, [new.port])[-1])
                await soon(lambda: daemon.status()["served_generation"] > generation, within_s=BACK_S)
                await ledger.settled(ledger.open())
                heads = old.heads
                await crowd.more(500)
                assert old.heads == heads

    assert crowd.refused == 0
    assert killed.excuses(ledger.unanswered())


async def test_api_server_gone_and_everything_fails(api: ApiServer) -> None:
    """Each way to fail at once, workers killed one after the other, and at last the control process."""
    kills: list[Killed] = []
    async with stands() as made:
        for stand in made:
            for one in objects(stand.host, stand.ports):
                api.apply(one)
        with Daemon(*flags(api), patch=IMPATIENT.format(UPSTREAM_TIMEOUT_S)) as daemon:
            async with called_on(made, daemon.http_port) as more:
                await more(20)
                await in_thread(api.down)
                begun = time.monotonic()
                while not kills or time.monotonic() < begun + OUTAGE_S:
                    await made[-1].kill_and_revive()
                    kills.append(await kill_worker(daemon, len(kills) % 2))
                    await more(ROUND_REQUESTS)
                os.kill(daemon.control, signal.SIGKILL)
                await more(ROUND_REQUESTS)
                gone_s = time.monotonic() - begun
                await in_thread(api.up)
                await soon(daemon.is_ready, within_s=BACK_S)
                await more(ROUND_REQUESTS)
            workers = daemon.workers
    lost = sum(stand.check(kills) for stand in made)

    for stand in made:
        print(f"{stand.name}: {stand.ledger}")
    print(
        f"the API server was gone for {gone_s:.0f} s; {len(kills)} workers were killed with {lost} requests under way"
    )
    assert set(workers) == {0, 1}
    assert all(stand.fault.struck for stand in made if stand.fault is not None)


@pytest.mark.parametrize("first", ["control process", "worker"])
async def test_control_process_and_worker_lost_while_the_api_server_is_gone(api: ApiServer, first: str) -> None:
    """A new worker serves what was known, though the new control process knows nothing; what is new comes after."""
    async with origin(polite) as old, origin(polite) as new:
        for one in objects(HOST, [old.port]):
            api.apply(one)
        with Daemon(*flags(api)) as daemon:
            await soon(lambda: keeps_configuration(daemon))
            await in_thread(api.down)
            control, victim = daemon.control, daemon.workers[0]
            for pid in (control, victim) if first == "control process" else (victim, control):
                os.kill(pid, signal.SIGKILL)
            await soon(lambda: is_back(daemon, control, victim))

            assert await in_thread(statuses, daemon) == {200: REQUESTS}
            assert old.heads == REQUESTS
            await in_thread(api.up)
            await in_thread(api.apply, objects(HOST, [new.port])[-1])
            await soon(lambda: daemon.get("/", host=HOST).status == 200 and new.heads, within_s=BACK_S)


def statuses(daemon: Daemon) -> Counter[int]:
    """Of requests on connections of their own, which both workers get some of."""
    return Counter(daemon.get("/", host=HOST).status for _ in range(REQUESTS))


def keeps_configuration(daemon: Daemon) -> bool:
    links = [link.readlink().name for link in Path(f"/proc/{daemon.supervisor}/fd").iterdir()]
    return any("ingressd-configuration" in link for link in links)


def is_back(daemon: Daemon, control: int, worker: int) -> bool:
    """Whether others have taken the places of both."""
    workers = daemon.workers
    return set(workers) == {0, 1} and workers[0] != worker and daemon.control != control


async def test_out_of_descriptors_while_the_api_server_is_gone(api: ApiServer, ledger: Ledger) -> None:
    async with origin(keeping_books(ledger, "sound")) as sound:
        for one in objects(HOST, [sound.port]):
            api.apply(one)
        with Daemon(*flags(api), "--workers=1") as daemon:
            await in_thread(api.down)
            await survive_flood(daemon, ledger, HOST)


async def test_terminated_while_the_api_server_is_gone(api: ApiServer, ledger: Ledger) -> None:
    """Who has sent a request is answered, and the process ends as if the API server were there."""
    async with origin(keeping_books(ledger, "sound")) as sound:
        for one in objects(HOST, [sound.port]):
            api.apply(one)
        with Daemon(*flags(api)) as daemon:
            async with Crowd(ledger, daemon.http_port, HOST, callers=24, per_connection=300, once=True) as crowd:
                await crowd.more(300)
                await in_thread(api.down)
                await crowd.more(300)

                daemon.process.send_signal(signal.SIGTERM)

                await crowd.gone()
            assert await asyncio.to_thread(daemon.wait, within_s=10.0) == 0

    assert ledger.unanswered() == set()

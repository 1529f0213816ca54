"""As many connections as a worker's descriptors allow: who is in is served, who comes waits, nobody is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingressd.proxy.admission import connections_of
from tests.faults.caller import Caller
from tests.faults.conftest import start_shop
from tests.faults.ledger import Ledger
from tests.faults.origins import keeping_books
from tests.faults.shop import Shop
from tests.support.eventually import soon
from tests.support.origin import origin

DESCRIPTORS = 400
CALLERS = 10
NEWCOMERS = 8
"""Few enough to fit into a listening queue (see ``backlog_of``)."""


@pytest.fixture
def narrow_shop(tmp_path: Path) -> Iterator[Shop]:
    """One worker with few descriptors, from its start."""
    few = f"import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, ({DESCRIPTORS}, {DESCRIPTORS}))\n"
    yield from start_shop(tmp_path, "--workers=1", patch=few)


async def test_at_the_limit(narrow_shop: Shop, ledger: Ledger) -> None:
    daemon = narrow_shop.daemon
    async with origin(keeping_books(ledger, "sound")) as sound:
        host = await narrow_shop.serve([sound.port])
        callers = [await Caller.open(ledger, daemon.http_port, host) for _ in range(CALLERS)]
        for caller in callers:
            await caller.ask()
        crowd = [
            await asyncio.open_connection("127.0.0.1", daemon.http_port)
            for _ in range(connections_of(DESCRIPTORS, 2) - CALLERS)
        ]
        await soon(lambda: "accepting no more" in daemon.log)
        async with asyncio.TaskGroup() as group:
            for _ in range(NEWCOMERS):
                newcomer = await Caller.open(ledger, daemon.http_port, host)
                callers.append(newcomer)
                group.create_task(newcomer.ask())
            for _ in range(10):  # each needs a connection to the endpoint, all at once
                await asyncio.gather(*(caller.ask("POST") for caller in callers[:CALLERS]))
            for _, writer in crowd:
                writer.transport.abort()
        for caller in callers:
            caller.close()
    assert ledger.unanswered() == set()
    await soon(lambda: "accepting again" in daemon.log)

"""A worker runs out of file descriptors: it serves whom it has, does not spin, and recovers by itself."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.faults import processes
from tests.faults.caller import Caller
from tests.faults.conftest import start_shop
from tests.faults.ledger import Ledger
from tests.faults.origins import keeping_books
from tests.faults.shop import Shop
from tests.support.daemon import Daemon
from tests.support.eventually import soon
from tests.support.origin import origin

SPARE = 40
"""Descriptors a worker has left when the flood comes."""
FLOOD = 200
WATCHED_S = 2.0
MOST_CPU_S = 0.5
"""Of WATCHED_S, with a request each 20 ms meanwhile; one that spins takes all of it."""


@pytest.fixture
def lone_shop(tmp_path: Path) -> Iterator[Shop]:
    """One worker, so that it is known who runs out."""
    yield from start_shop(tmp_path, "--workers=1")


async def test_flood_beyond_the_limit(lone_shop: Shop, ledger: Ledger) -> None:
    async with origin(keeping_books(ledger, "sound")) as sound:
        host = await lone_shop.serve([sound.port])
        await survive_flood(lone_shop.daemon, ledger, host)


async def survive_flood(daemon: Daemon, ledger: Ledger, host: str) -> None:
    """Takes its only worker to the limit and back."""
    [worker] = daemon.workers.values()
    callers = [await Caller.open(ledger, daemon.http_port, host) for _ in range(10)]
    await ask_all(callers)
    limit = processes.descriptors(worker) + SPARE
    resource.prlimit(worker, resource.RLIMIT_NOFILE, (limit, limit))
    async with flood(daemon.http_port):
        await soon(lambda: processes.descriptors(worker) >= limit - 1)
        before, loop = processes.cpu_s(worker), asyncio.get_running_loop()
        until = loop.time() + WATCHED_S
        while loop.time() < until:
            for caller in callers:
                await caller.ask("POST")
                await asyncio.sleep(0.02)
        used = processes.cpu_s(worker) - before
    print(f"{used:.2f} s of CPU in {WATCHED_S:g} s at the limit")
    await ask_all(callers)
    for _ in range(50):
        callers.append(await Caller.open(ledger, daemon.http_port, host))
        await callers[-1].ask()
        callers.pop().close()
    for caller in callers:
        caller.close()

    assert ledger.unanswered() == set()
    assert used < MOST_CPU_S
    assert daemon.workers == {0: worker}


async def ask_all(callers: list[Caller]) -> None:
    for caller in callers:
        await caller.ask()


@asynccontextmanager
async def flood(port: int) -> AsyncIterator[None]:
    """More connections than a worker may have; they say nothing."""
    writers = [(await asyncio.open_connection("127.0.0.1", port))[1] for _ in range(FLOOD)]
    yield
    for writer in writers:
        writer.transport.abort()

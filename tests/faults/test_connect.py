"""The upstream cannot be reached: the next endpoint gets the request, whatever its method."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import AsyncExitStack, ExitStack, contextmanager

from tests.faults.crowd import Crowd
from tests.faults.ledger import Ledger
from tests.faults.origins import keeping_books
from tests.faults.shop import Shop
from tests.support.origin import origin

CALLERS = 12


@contextmanager
def closed_port() -> Iterator[int]:
    """Nobody listens there, and nobody else can meanwhile."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@contextmanager
def silent_port() -> Iterator[int]:
    """Its queue is full: the kernel drops whoever knocks."""
    with ExitStack() as stack:
        listening = stack.enter_context(socket.socket())
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for _ in range(4):
            knocking = stack.enter_context(socket.socket())
            knocking.setblocking(False)
            knocking.connect_ex(listening.getsockname())
        yield listening.getsockname()[1]


async def test_refused_by_one_of_two(shared_shop: Shop, ledger: Ledger) -> None:
    with closed_port() as dead:
        async with origin(keeping_books(ledger, "alive")) as alive:
            host = await shared_shop.serve([dead, alive.port])
            async with Crowd(ledger, shared_shop.daemon.http_port, host) as crowd:
                await crowd.more(600)

    assert ledger.unanswered() == set()


async def test_refused_by_all(shared_shop: Shop, ledger: Ledger) -> None:
    with closed_port() as one, closed_port() as other:
        host = await shared_shop.serve([one, other])
        async with Crowd(ledger, shared_shop.daemon.http_port, host) as crowd:
            await crowd.more(100)

    assert set(ledger.outcomes) == {"GET 502", "POST 502"}


async def test_not_accepted_by_one_of_two(impatient_shop: Shop, ledger: Ledger) -> None:
    with silent_port() as silent:
        async with origin(keeping_books(ledger, "alive")) as alive:
            host = await impatient_shop.serve([silent, alive.port])
            async with Crowd(ledger, impatient_shop.daemon.http_port, host) as crowd:
                await crowd.more(48)

    assert ledger.unanswered() == set()


async def test_not_accepted_by_all(impatient_shop: Shop, ledger: Ledger) -> None:
    with silent_port() as silent:
        host = await impatient_shop.serve([silent])
        async with Crowd(ledger, impatient_shop.daemon.http_port, host) as crowd:
            await crowd.more(4)

    assert set(ledger.outcomes) == {"GET 504", "POST 504"}


async def test_killed_under_load(shared_shop: Shop, ledger: Ledger) -> None:
    """With connections open and requests under way: of those, POSTs are lost; a GET is asked again elsewhere."""
    async with origin(keeping_books(ledger, "alive")) as alive, AsyncExitStack() as life:
        dying = await life.enter_async_context(origin(keeping_books(ledger, "dying")))
        host = await shared_shop.serve([dying.port, alive.port])
        async with Crowd(ledger, shared_shop.daemon.http_port, host, callers=CALLERS) as crowd:
            await crowd.more(300)
            await life.aclose()
            await crowd.more(300)

    lost = ledger.unanswered()
    assert {request.method for request in lost} <= {"POST"}
    assert len(lost) == len({request.connection for request in lost}) <= CALLERS  # each has one under way at a time
    assert not any("alive" in ledger.processed.get(request.number, ()) for request in lost)

"""An endpoint leaves its Service under load, as in a rolling update: it finishes what it has, then it is gone."""

from __future__ import annotations

from contextlib import AsyncExitStack

from tests.faults.crowd import Crowd
from tests.faults.ledger import Ledger
from tests.faults.origins import keeping_books
from tests.faults.shop import Shop
from tests.support.origin import Origin, origin

ROUNDS = 6


async def test_endpoints_removed_under_load(shared_shop: Shop, ledger: Ledger) -> None:
    async with AsyncExitStack() as lives:
        stays, _ = await start(lives, ledger, "stays")
        leaving, life = await start(lives, ledger, "number 0")
        host = await shared_shop.serve([stays.port, leaving.port])
        async with Crowd(ledger, shared_shop.daemon.http_port, host, callers=24) as crowd:
            for turn in range(ROUNDS):
                await crowd.more(200)
                new, new_life = await start(lives, ledger, f"number {turn + 1}")

                await shared_shop.serve([stays.port, new.port], host=host)

                await ledger.settled(ledger.open())
                heads = leaving.heads
                await crowd.more(100)
                assert leaving.heads == heads
                await life.aclose()
                leaving, life = new, new_life
            await crowd.more(100)

    assert ledger.unanswered() == set()
    served = {name for names in ledger.processed.values() for name in names}
    assert served == {"stays", *(f"number {turn}" for turn in range(ROUNDS + 1))}


async def start(lives: AsyncExitStack, ledger: Ledger, name: str) -> tuple[Origin, AsyncExitStack]:
    """An origin with a life of its own, that ends with the others' at the latest."""
    life = await lives.enter_async_context(AsyncExitStack())
    return await life.enter_async_context(origin(keeping_books(ledger, name))), life

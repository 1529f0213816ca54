"""A worker is killed under load: only what it had under way may fail, and its replacement takes up the rest."""

from __future__ import annotations

import os
import signal

from tests.faults.crowd import Crowd
from tests.faults.ledger import Ledger, Request
from tests.faults.origins import keeping_books
from tests.faults.shop import Shop
from tests.faults.workers import kill_worker
from tests.support.origin import origin

ROUNDS = 4


async def test_killed_under_load(shop: Shop, ledger: Ledger) -> None:
    excused: set[Request] = set()
    async with origin(keeping_books(ledger, "one")) as one, origin(keeping_books(ledger, "other")) as other:
        host = await shop.serve([one.port, other.port])
        async with Crowd(ledger, shop.daemon.http_port, host, callers=24, per_connection=300) as crowd:
            for turn in range(ROUNDS):
                await crowd.more(500)

                killed = await kill_worker(shop.daemon, turn % 2)

                await crowd.more(500)
                lost = ledger.unanswered() - ledger.open() - excused
                assert killed.excuses(lost)
                excused |= lost

    assert crowd.refused == 0
    assert ledger.unanswered() == excused
    print(f"{len(excused)} requests were under way on {ROUNDS} killed workers")


async def test_connections_wait_for_the_replacement(shop: Shop, ledger: Ledger) -> None:
    """Nobody is refused while there is no worker at all."""
    async with origin(keeping_books(ledger, "sound")) as sound:
        host = await shop.serve([sound.port])
        for pid in shop.daemon.workers.values():
            os.kill(pid, signal.SIGKILL)
        async with Crowd(ledger, shop.daemon.http_port, host, callers=40, per_connection=1) as crowd:
            await crowd.more(200)

    assert crowd.refused == 0
    assert ledger.unanswered() == set()

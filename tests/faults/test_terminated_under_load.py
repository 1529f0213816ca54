"""SIGTERM under load: a request that is on its way over an idle connection is answered, with `Connection: close`."""

from __future__ import annotations

import signal

from tests.faults.crowd import Crowd
from tests.faults.ledger import Ledger
from tests.faults.origins import keeping_books
from tests.faults.shop import Shop
from tests.faults.test_terminated import long_answer_and_tunnel
from tests.support.origin import origin

CALLERS = 40


async def test_under_load(shop: Shop, ledger: Ledger) -> None:
    async with origin(keeping_books(ledger, "sound")) as sound, long_answer_and_tunnel(shop, ledger):
        host = await shop.serve([sound.port])
        port = shop.daemon.http_port
        async with Crowd(ledger, port, host, callers=CALLERS, per_connection=300, once=True) as crowd:
            await crowd.more(1000)

            shop.daemon.process.send_signal(signal.SIGTERM)

            await crowd.gone()

    assert ledger.unanswered() == set()
    assert crowd.refused == CALLERS

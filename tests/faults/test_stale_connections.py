"""Kept connections that the origin closes at the moment of reuse, without having said so."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.faults.crowd import Crowd
from tests.faults.ledger import Ledger
from tests.faults.origins import keeping_books
from tests.faults.shop import Shop
from tests.support.origin import Script, origin

IDLE_S = 0.004
"""About as long as a connection rests in the pool under this load."""


Books = Callable[[Ledger], Script]


def after_requests(ledger: Ledger) -> Script:
    return keeping_books(ledger, "closes after three requests", requests=3)


def when_idle(ledger: Ledger) -> Script:
    return keeping_books(ledger, "closes idle connections", idle_s=IDLE_S)


@pytest.mark.parametrize("script", [after_requests, when_idle])
async def test_closed_at_reuse(shared_shop: Shop, ledger: Ledger, script: Books) -> None:
    await load(shared_shop, ledger, script, "GET")

    assert ledger.unanswered() == set()


@pytest.mark.parametrize("script", [after_requests, when_idle])
async def test_posts_closed_at_reuse(shared_shop: Shop, ledger: Ledger, script: Books) -> None:
    """None is sent on a connection that may be ending; the ledger knows of none done twice."""
    await load(shared_shop, ledger, script, "POST")

    assert ledger.unanswered() == set()


async def load(shop: Shop, ledger: Ledger, script: Books, method: str) -> None:
    """3000 requests, to an origin that opens and closes hundreds of connections meanwhile."""
    async with origin(script(ledger)) as closing:
        host = await shop.serve([closing.port])
        port = shop.daemon.http_port
        async with Crowd(ledger, port, host, methods=(method,), callers=24, pause_s=IDLE_S) as crowd:
            await crowd.more(3000)
        assert len(closing.connections) > 200

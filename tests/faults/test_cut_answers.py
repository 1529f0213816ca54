"""The upstream is reached and then fails: before its answer, in its head, in its body.

One of three endpoints fails every third request it has read whole. What is repeated goes elsewhere and succeeds, so it
is known of every single request what must become of it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.faults.crowd import Crowd
from tests.faults.ledger import Ledger
from tests.faults.origins import Act, Fault, close, die, in_body, in_body_reset, in_head, keeping_books
from tests.faults.shop import Shop
from tests.support.fetch import trusting
from tests.support.origin import origin


@asynccontextmanager
async def one_of_three(shop: Shop, ledger: Ledger, fault: Fault) -> AsyncIterator[str]:
    """A host with two sound endpoints and one that is not."""
    async with (
        origin(keeping_books(ledger, "failing", fault)) as failing,
        origin(keeping_books(ledger, "sound")) as one,
        origin(keeping_books(ledger, "sound, too")) as other,
    ):
        yield await shop.serve([failing.port, one.port, other.port])


@pytest.mark.parametrize("act", [close, die])
async def test_before_the_response(shared_shop: Shop, ledger: Ledger, act: Act) -> None:
    """A GET is asked again elsewhere; a POST may have been acted upon: 502, and never a second time."""
    fault = Fault(act)
    async with (
        one_of_three(shared_shop, ledger, fault) as host,
        Crowd(ledger, shared_shop.daemon.http_port, host) as crowd,
    ):
        await crowd.more(900)

    assert len(ledger.numbered(fault.struck, "GET")) > 20
    assert ledger.unanswered() == ledger.numbered(fault.struck, "POST")
    assert set(ledger.outcomes) == {"GET 200", "POST 200", "POST 502"}


async def test_in_the_head(shared_shop: Shop, ledger: Ledger) -> None:
    """Nothing of it went to the client: as if nothing had been said."""
    fault = Fault(in_head)
    async with (
        one_of_three(shared_shop, ledger, fault) as host,
        Crowd(ledger, shared_shop.daemon.http_port, host) as crowd,
    ):
        await crowd.more(900)

    assert len(ledger.numbered(fault.struck, "GET")) > 20
    assert ledger.unanswered() == ledger.numbered(fault.struck, "POST")
    assert set(ledger.outcomes) == {"GET 200", "POST 200", "POST 502"}


@pytest.mark.parametrize("act", [in_body, in_body_reset])
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_in_the_body(shared_shop: Shop, ledger: Ledger, act: Act, scheme: str) -> None:
    """By length and in chunks: the client sees that something is missing, and the answer was not made up elsewhere."""
    fault = Fault(act)
    daemon = shared_shop.daemon
    port, tls = (daemon.http_port, None) if scheme == "http" else (daemon.https_port, trusting())
    async with one_of_three(shared_shop, ledger, fault) as host, Crowd(ledger, port, host, tls=tls) as crowd:
        await crowd.more(600)

    assert len(fault.struck) > 20
    assert ledger.unanswered() == ledger.numbered(fault.struck)
    assert set(ledger.outcomes) == {"GET 200", "GET cut", "POST 200", "POST cut"}

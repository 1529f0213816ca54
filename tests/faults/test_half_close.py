"""One direction of a connection ends before the other."""

from __future__ import annotations

import asyncio

import pytest

from tests.faults.caller import Caller
from tests.faults.crowd import Crowd
from tests.faults.ledger import Ledger
from tests.faults.origins import Fault, answer_and_half_close, half_close, keeping_books
from tests.faults.shop import Shop
from tests.support.origin import origin


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_client_that_has_said_all(shared_shop: Shop, ledger: Ledger, method: str) -> None:
    async with origin(keeping_books(ledger, "sound")) as sound:
        host = await shared_shop.serve([sound.port])
        for _ in range(50):
            caller = await Caller.open(ledger, shared_shop.daemon.http_port, host)
            await caller.ask(method, half_close=True)
            assert not caller.usable
            caller.close()

    assert ledger.outcomes == {f"{method} 200": 50}


@pytest.mark.parametrize("framing", [b"Content-Length: 100\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n64\r\n"])
async def test_a_client_that_stops_in_its_body(shared_shop: Shop, ledger: Ledger, framing: bytes) -> None:
    """It must not look complete to the origin, which would act upon half of it."""
    async with origin(keeping_books(ledger, "sound")) as sound:
        host = await shared_shop.serve([sound.port])
        for _ in range(20):
            reader, writer = await asyncio.open_connection("127.0.0.1", shared_shop.daemon.http_port)
            writer.write(b"POST /1 HTTP/1.1\r\nHost: %b\r\n%b" % (host.encode(), framing) + b"x" * 50)
            writer.write_eof()

            said = await _all_of(reader)

            assert b"HTTP/1.1 200" not in said
            writer.close()
        async with Crowd(ledger, shared_shop.daemon.http_port, host) as crowd:
            await crowd.more(100)

    assert ledger.unanswered() == set()


async def _all_of(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read()
    except ConnectionError:
        return b""


async def test_an_origin_that_will_say_nothing(shared_shop: Shop, ledger: Ledger) -> None:
    fault = Fault(half_close)
    async with (
        origin(keeping_books(ledger, "failing", fault)) as failing,
        origin(keeping_books(ledger, "sound")) as sound,
    ):
        host = await shared_shop.serve([failing.port, sound.port])
        async with Crowd(ledger, shared_shop.daemon.http_port, host) as crowd:
            await crowd.more(500)

    assert len(ledger.numbered(fault.struck, "GET")) > 20
    assert ledger.unanswered() == ledger.numbered(fault.struck, "POST")
    assert set(ledger.outcomes) == {"GET 200", "POST 200", "POST 502"}


async def test_an_origin_that_has_said_all(shared_shop: Shop, ledger: Ledger) -> None:
    """Its connection takes no further request."""
    fault = Fault(answer_and_half_close)
    async with origin(keeping_books(ledger, "half-closes", fault)) as closing:
        host = await shared_shop.serve([closing.port])
        async with Crowd(ledger, shared_shop.daemon.http_port, host, methods=("GET",)) as crowd:
            await crowd.more(500)

    assert len(fault.struck) > 20
    assert ledger.unanswered() == set()

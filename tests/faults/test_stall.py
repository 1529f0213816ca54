"""An origin that goes on holding the connection but says, or takes, nothing more."""

from __future__ import annotations

import asyncio
import socket

from tests.faults.crowd import Crowd
from tests.faults.ledger import Ledger
from tests.faults.origins import Fault, keeping_books, stall, stall_in_body
from tests.faults.shop import Shop
from tests.support.origin import origin


async def test_before_the_response(impatient_shop: Shop, ledger: Ledger) -> None:
    """Nobody else is asked: the origin may be at work on it, and work must not multiply."""
    fault = Fault(stall, every=20)
    async with (
        origin(keeping_books(ledger, "stalls", fault)) as stalls,
        origin(keeping_books(ledger, "sound")) as sound,
    ):
        host = await impatient_shop.serve([stalls.port, sound.port])
        async with Crowd(ledger, impatient_shop.daemon.http_port, host) as crowd:
            await crowd.more(800)

    assert len(fault.struck) > 5
    assert ledger.unanswered() == ledger.numbered(fault.struck)
    assert set(ledger.outcomes) == {"GET 200", "GET 504", "POST 200", "POST 504"}
    assert all(len(origins) == 1 for origins in ledger.processed.values())


async def test_in_the_body(impatient_shop: Shop, ledger: Ledger) -> None:
    fault = Fault(stall_in_body, every=20)
    async with origin(keeping_books(ledger, "stalls", fault)) as stalls:
        host = await impatient_shop.serve([stalls.port])
        async with Crowd(ledger, impatient_shop.daemon.http_port, host) as crowd:
            await crowd.more(400)

    assert len(fault.struck) > 5
    assert ledger.unanswered() == ledger.numbered(fault.struck)
    assert set(ledger.outcomes) == {"GET 200", "GET cut", "POST 200", "POST cut"}


async def test_an_origin_that_does_not_read(impatient_shop: Shop) -> None:
    body_bytes = 1_000_000
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        host = await impatient_shop.serve([deaf.getsockname()[1]])
        reader, writer = await asyncio.open_connection("127.0.0.1", impatient_shop.daemon.http_port)
        writer.write(b"POST / HTTP/1.1\r\nHost: %b\r\nContent-Length: %d\r\n\r\n" % (host.encode(), body_bytes))
        writer.write(bytes(body_bytes))

        status_line = await reader.readline()

        writer.transport.abort()
    assert status_line.startswith(b"HTTP/1.1 504 ")

"""A client of HTTP/1.0 is sent answers of unknown length that end with the connection: how it ends is all it sees.

RFC 9112 section 8: such an answer is taken for complete when the connection ends in order. So one that is cut must
end out of order: by a reset, or in TLS without close_notify (RFC 8446 section 6.1).
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import ssl
from collections.abc import Callable

import pytest

from tests.faults.ledger import Ledger, Request, answer_body
from tests.faults.origins import Act, Fault, in_body, in_body_reset, keeping_books, stall_in_body
from tests.faults.shop import Shop
from tests.support.fetch import trusting
from tests.support.origin import origin

Read = Callable[[int, bytes], bytes]


def read_plain(port: int, request: bytes) -> bytes:
    """All up to an end in order. Raises ConnectionError for another."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(request)
        return _all_of(connection)


def read_secure(port: int, request: bytes) -> bytes:
    """Up to close_notify. Raises ConnectionError or ssl.SSLError for another end."""
    plain = socket.create_connection(("127.0.0.1", port), timeout=10)
    with trusting().wrap_socket(plain, server_hostname="a.example", suppress_ragged_eofs=False) as connection:
        connection.sendall(request)
        return _all_of(connection)


def _all_of(connection: socket.socket) -> bytes:
    data = b""
    while more := connection.recv(65536):
        data += more
    return data


def issue(ledger: Ledger) -> Request:
    """A request that the origin answers in chunks: the second, as the first is answered by length."""
    ledger.sent.pop(ledger.issue("GET").number)
    return ledger.issue("GET")


def words_of(request: Request, host: str) -> bytes:
    return b"GET /%d HTTP/1.0\r\nHost: %b\r\n\r\n" % (request.number, host.encode())


async def ask(shop: Shop, ledger: Ledger, host: str, read: Read) -> None:
    port = shop.daemon.http_port if read is read_plain else shop.daemon.https_port
    request = issue(ledger)
    try:
        head, _, body = (await asyncio.to_thread(read, port, words_of(request, host))).partition(b"\r\n\r\n")
    except (ConnectionError, ssl.SSLError):
        ledger.settle(request, "cut")
        return
    assert b"content-length" not in head.lower()
    ledger.settle(request, head.split()[1].decode(), body)


@pytest.mark.parametrize("read", [read_plain, read_secure])
async def test_complete(impatient_shop: Shop, ledger: Ledger, read: Read) -> None:
    async with origin(keeping_books(ledger, "sound")) as sound:
        await ask(impatient_shop, ledger, await impatient_shop.serve([sound.port]), read)

    assert ledger.outcomes == {"GET 200": 1}


@pytest.mark.parametrize("read", [read_plain, read_secure])
@pytest.mark.parametrize("act", [in_body, in_body_reset, stall_in_body])
async def test_cut(impatient_shop: Shop, ledger: Ledger, act: Act, read: Read) -> None:
    async with origin(keeping_books(ledger, "cuts", Fault(act, every=1))) as cutting:
        await ask(impatient_shop, ledger, await impatient_shop.serve([cutting.port]), read)

    assert ledger.outcomes == {"GET cut": 1}


async def test_worker_killed(shop: Shop, ledger: Ledger) -> None:
    """The kernel ends its connections then, and would do so in good order."""
    async with origin(keeping_books(ledger, "stalls", Fault(stall_in_body, every=1))) as stalling:
        host = await shop.serve([stalling.port])
        request = issue(ledger)
        reader, writer = await asyncio.open_connection("127.0.0.1", shop.daemon.http_port)
        writer.write(words_of(request, host))
        await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(len(answer_body(request.number)) // 2)

        for pid in shop.daemon.workers.values():
            os.kill(pid, signal.SIGKILL)

        with pytest.raises(ConnectionResetError):
            await reader.read()
        ledger.settle(request, "cut")
        writer.close()

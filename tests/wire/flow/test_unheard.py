"""How a connection ends under a request, at chosen moments, and whether that proves that the endpoint got none of it.

The endpoint's side is a blocking socket of the test itself: nothing happens between two lines that is not written here.
"""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import cast

import pytest

from ingressd.errors import UpstreamError
from ingressd.proxy.upstream import ResponseSink, UpstreamConnection, open_connection
from tests.support.gateway import local_gateway, one_host

REQUEST = b"POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 3\r\n\r\nabc"
HALF = len(REQUEST) // 2
LARGE = REQUEST.replace(b"3", b"%d" % (64 << 20)) + bytes(64 << 20)
NO_LINGER = struct.pack("ii", 1, 0)


class Waiting:
    """The side of a connection that waits for the answer."""

    def __init__(self, connection: UpstreamConnection) -> None:
        self.connection = connection
        self._failed: asyncio.Future[UpstreamError] = asyncio.get_running_loop().create_future()
        connection.begin(cast("ResponseSink", self), b"POST", upgrade=b"", read_s=60.0, send_s=60.0)

    async def failure(self) -> UpstreamError:
        async with asyncio.timeout(10):
            return await self._failed

    def on_upstream_failed(self, error: UpstreamError) -> None:
        self.connection.close()
        self._failed.set_result(error)

    def on_upstream_writable(self, writable: bool) -> None: ...


@asynccontextmanager
async def request_under_way() -> AsyncIterator[tuple[Waiting, socket.socket]]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        async with local_gateway(one_host([port])) as local:
            route = local.gateway.state.find("a.example", "/")
            assert route.backend is not None
            connection = await open_connection(local.gateway, route.backend.endpoints[0], 10.0)
            endpoint, _ = listener.accept()
            with endpoint:
                yield Waiting(connection), endpoint


def read(endpoint: socket.socket, size: int) -> None:
    while size:
        size -= len(endpoint.recv(size))


def reset(endpoint: socket.socket) -> None:
    endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
    endpoint.close()


@pytest.mark.parametrize("request_bytes", [REQUEST, LARGE], ids=["small", "larger than any buffer"])
async def test_closed_before(request_bytes: bytes) -> None:
    async with request_under_way() as (waiting, endpoint):
        endpoint.close()
        waiting.connection.write(request_bytes)
        assert (await waiting.failure()).unheard


async def test_closed_before_and_written_to_twice() -> None:
    """The first write is answered by a RST, the second fails with EPIPE before the end is read."""
    async with request_under_way() as (waiting, endpoint):
        endpoint.close()
        waiting.connection.write(REQUEST[:HALF])
        waiting.connection.write(REQUEST[HALF:])
        assert (await waiting.failure()).unheard


async def test_reset_before() -> None:
    """The write itself fails."""
    async with request_under_way() as (waiting, endpoint):
        reset(endpoint)
        waiting.connection.write(REQUEST)
        assert (await waiting.failure()).unheard


async def test_closed_after_another_request_was_answered() -> None:
    """What came before this request does not count."""
    async with request_under_way() as (first, endpoint):
        first.connection.write(REQUEST)
        read(endpoint, len(REQUEST))
        second = Waiting(first.connection)
        endpoint.close()
        second.connection.write(REQUEST)
        failure = await second.failure()
        assert (failure.reason, failure.unheard) == ("stale_connection", True)


@pytest.mark.parametrize("end", [socket.socket.close, lambda endpoint: endpoint.shutdown(socket.SHUT_WR), reset])
@pytest.mark.parametrize("size", [HALF, len(REQUEST)], ids=["half", "whole"])
async def test_ended_after_reading(end: Callable[[socket.socket], None], size: int) -> None:
    async with request_under_way() as (waiting, endpoint):
        waiting.connection.write(REQUEST[:size])
        read(endpoint, size)
        end(endpoint)
        assert not (await waiting.failure()).unheard


async def test_closed_with_a_part_read_and_written_to_again() -> None:
    async with request_under_way() as (waiting, endpoint):
        waiting.connection.write(REQUEST[:HALF])
        read(endpoint, HALF)
        endpoint.close()
        waiting.connection.write(REQUEST[HALF:-1])
        waiting.connection.write(REQUEST[-1:])
        assert not (await waiting.failure()).unheard


@pytest.mark.parametrize("size", [0, HALF], ids=["nothing", "half"])
async def test_closed_with_some_of_it_unread(size: int) -> None:
    """A RST: the kernel had it, and who read what of it cannot be known."""
    async with request_under_way() as (waiting, endpoint):
        waiting.connection.write(REQUEST)
        read(endpoint, size)
        endpoint.close()
        assert not (await waiting.failure()).unheard


async def test_a_part_of_an_answer_says_that_it_was_heard() -> None:
    async with request_under_way() as (waiting, endpoint):
        endpoint.sendall(b"HTTP/1.1 2")
        endpoint.close()
        waiting.connection.write(REQUEST)
        assert not (await waiting.failure()).unheard

"""What tests of long answers have in common: bodies, endpoints that send them, and a look at what the kernel moved."""

import asyncio
import errno
import os
import select
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from hashlib import sha256
from random import Random
from typing import cast

import pytest

from ingressd.policy.timeouts import Timeouts
from ingressd.proxy import upstream
from ingressd.proxy.downstream import Downstream
from ingressd.proxy.limits import Limits
from tests.support.client import Client, connected
from tests.support.gateway import LocalGateway, local_gateway, one_host
from tests.support.origin import Origin, Script, Seen, origin
from tests.wire.flow.support import GET

LONG = 100_000
"""What counts as long in these tests."""
BODY = Random(1).randbytes(1_000_001)
DIGEST = sha256(BODY).digest()
SMALL = 8192
"""Of a socket's buffer: then little is on its way, and everybody soon waits for everybody."""


class Kernel:
    """``os.splice``, counted. ``failures``: errno of the call of that number, counted from 1."""

    def __init__(self) -> None:
        self.moved = 0  # bytes out of pipes
        self.calls = 0
        self.failures: dict[int, int] = {}
        self._splice = os.splice

    def splice(self, src: int, dst: int, count: int, *, flags: int) -> int:
        self.calls += 1
        if self.calls in self.failures:
            raise OSError(self.failures[self.calls], os.strerror(self.failures[self.calls]))
        moved = self._splice(src, dst, count, flags=flags)
        if os.readlink(f"/proc/self/fd/{src}").startswith("pipe:"):
            self.moved += moved
        return moved


@contextmanager
def watched_kernel(long: int = LONG) -> Iterator[Kernel]:
    kernel = Kernel()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(upstream, "LONG_BODY_BYTES", long)
        patch.setattr(os, "splice", kernel.splice)
        yield kernel


def head_of(size: int, *lines: str) -> bytes:
    return "\r\n".join(("HTTP/1.1 200 OK", f"Content-Length: {size}", *lines, "", "")).encode()


async def generous(seen: Seen) -> None:
    """Answer every request with ``BODY``."""
    while await seen.head():
        await seen.say(head_of(len(BODY)) + BODY)


class Said:
    """An endpoint that says what it is told to, with a send buffer of ``buffer`` bytes."""

    def __init__(self, buffer: int = SMALL) -> None:
        self._buffer = buffer
        self.asked = asyncio.Event()
        self.gone = asyncio.Event()
        self.seen: Seen | None = None

    async def script(self, seen: Seen) -> None:
        shrink(seen.writer.get_extra_info("socket"), self._buffer)
        try:
            while await seen.head():
                self.seen = seen
                self.asked.set()
        finally:
            self.gone.set()

    async def say(self, data: bytes) -> None:
        await self.asked.wait()
        assert self.seen is not None
        with suppress(ConnectionError):
            await self.seen.say(data)

    def write(self, data: bytes) -> None:
        """Say, and wait for nobody."""
        assert self.seen is not None
        self.seen.writer.write(data)


def shrink(sock: socket.socket, size: int = SMALL) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, size)


def only_client(gateway: LocalGateway) -> Downstream:
    [connection] = gateway.gateway.connections
    assert isinstance(connection, Downstream)
    return connection


async def narrow(gateway: LocalGateway) -> None:
    """Little fits between the gateway and its only client."""
    while not gateway.gateway.connections:
        await asyncio.sleep(0)
    shrink(only_client(gateway).transport.get_extra_info("socket"))


async def turns(count: int = 50) -> None:
    """Let whatever is ready happen."""
    for _ in range(count):
        await asyncio.sleep(0)


async def until_blocked(gateway: LocalGateway) -> None:
    """Until the client is the one that is waited for, by a splice."""
    while not only_client(gateway).beside_bytes:
        await asyncio.sleep(0)


def running(gateway: LocalGateway) -> int:
    return gateway.gateway.services.splices.running


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


@asynccontextmanager
async def serving(
    script: Script = generous, *, limits: Limits | None = None, timeouts: Timeouts | None = None, buffer: int = 0
) -> AsyncIterator[tuple[LocalGateway, Client, Origin]]:
    """One endpoint, the gateway, and a client with a receive buffer of ``buffer`` bytes."""
    async with origin(script) as endpoint:
        snapshot = one_host([endpoint.port], timeouts=timeouts or Timeouts())
        async with (
            local_gateway(snapshot, limits=limits) as gateway,
            connected(gateway.http_port, receive_buffer=buffer) as client,
        ):
            yield gateway, client, endpoint


async def download(client: Client, request: bytes = GET) -> None:
    """Ask for ``BODY`` and get it."""
    answer = await client.ask(request)
    assert (answer.status, answer.complete, len(answer.body)) == (200, True, len(BODY))
    assert sha256(answer.body).digest() == DIGEST


async def only_record(gateway: LocalGateway) -> tuple[int, int]:
    """Status and body bytes of the only answer, which is over."""
    [record] = await gateway.log.wait_for(1)  # type: ignore[attr-defined]
    assert gateway.counted() == 1
    assert gateway.sent_bytes() == record.bytes_out
    assert running(gateway) == 0
    return record.status, record.bytes_out


def stop_reading(client: Client) -> None:
    """What comes stays in the kernel."""
    cast("asyncio.ReadTransport", client.writer.transport).pause_reading()


def broken_descriptors(monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    """From now on ``where`` finds no descriptor."""

    def refuse(*_: object) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(os if where == "pipe2" else select, where, refuse)

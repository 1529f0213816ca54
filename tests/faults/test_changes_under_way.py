"""WebSockets and long downloads go on through every change of the configuration, the removal of their route included.

A download advances by one piece, and every WebSocket exchanges a message, before, between and after the changes.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import random
import signal
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve

from tests.faults.shop import slice_of
from tests.support import sites
from tests.support.apiserver.harness import ApiServer, in_thread
from tests.support.authority import Authority
from tests.support.daemon import Daemon
from tests.support.eventually import soon
from tests.support.fetch import trusting
from tests.support.origin import Origin, Seen, origin, polite

HOST = "long.example"
BODY = random.Random(20).randbytes(20_000_000)
PIECE_BYTES = 2_000_000
_quiet = logging.getLogger("tests.websockets")


class Pace:
    """How many pieces of a download its origin may have sent."""

    def __init__(self) -> None:
        self._pieces = 0
        self._more = asyncio.Condition()

    async def allow(self, pieces: int) -> None:
        async with self._more:
            self._pieces = max(self._pieces, pieces)
            self._more.notify_all()

    async def until(self, pieces: int) -> None:
        async with self._more:
            await self._more.wait_for(lambda: self._pieces >= pieces)

    async def send(self, seen: Seen) -> None:
        """A script for ``origin``: one download."""
        await seen.head()
        await seen.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(BODY))
        for number, start in enumerate(range(0, len(BODY), PIECE_BYTES), start=1):
            await self.until(number)
            await seen.say(BODY[start : start + PIECE_BYTES])


class Download:
    def __init__(self, pace: Pace, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._pace = pace
        self._reader = reader
        self._writer = writer
        self._digest = hashlib.sha256()
        self._pieces = 0

    @classmethod
    async def begin(cls, pace: Pace, port: int, tls: ssl.SSLContext | None) -> Download:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=tls, server_hostname=HOST if tls else None
        )
        one = cls(pace, reader, writer)
        assert b"\r\nContent-Length: %d\r\n" % len(BODY) in await one.ask()
        return one

    async def ask(self) -> bytes:
        """The head of what the connection's next request is answered."""
        self._writer.write(b"GET /files/large HTTP/1.1\r\nHost: %b\r\n\r\n" % HOST.encode())
        return await self._reader.readuntil(b"\r\n\r\n")

    async def advance(self) -> None:
        self._pieces += 1
        await self._pace.allow(self._pieces)
        self._digest.update(await self._reader.readexactly(PIECE_BYTES))

    async def finish(self) -> None:
        while self._pieces * PIECE_BYTES < len(BODY):
            await self.advance()
        assert self._digest.digest() == hashlib.sha256(BODY).digest()

    def close(self) -> None:
        self._writer.transport.abort()


class Chat:
    """A real WebSocket client; every message comes back."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._sent = 0

    async def advance(self) -> None:
        for message in (f"message {self._sent}", bytes([self._sent]) * 100_000):
            await self._connection.send(message)
            assert await self._connection.recv() == message
        self._sent += 1

    async def finish(self) -> None:
        await self.advance()
        await self._connection.close()
        assert self._connection.close_code == 1000


class Site:
    """The cluster, the daemon, and what is under way through it: over HTTP and over HTTPS."""

    def __init__(self, api: ApiServer, daemon: Daemon, authority: Authority) -> None:
        self.api = api
        self.daemon = daemon
        self.authority = authority
        self.under_way: list[Download | Chat] = []
        self.downloads: list[Download] = []

    async def advance(self) -> None:
        async with asyncio.timeout(20):
            for one in self.under_way:
                await one.advance()

    async def finish(self) -> None:
        async with asyncio.timeout(60):
            for one in self.under_way:
                await one.finish()

    async def change(self, act: Callable[..., object], *args: object) -> None:
        """Returns when every worker serves what has become of it."""
        before = (await in_thread(self.daemon.status))["generation"]
        await in_thread(act, *args)
        await soon(lambda: self.daemon.status()["served_generation"] > before)

    async def apply(self, obj: sites.Json) -> None:
        await self.change(self.api.apply, obj)

    async def statuses(self, *targets: str) -> list[int]:
        """Of requests on connections of their own; a target is a path at HOST, or a host and a path."""
        split = [target.partition("/") for target in targets]
        return [(await in_thread(self.daemon.get, f"/{path}", host=host or HOST)).status for host, _, path in split]


async def echo(connection: ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


def routes(**more: str) -> sites.Json:
    paths = {"/files": "files", "/chat": "chat"} | {f"/{name}": service for name, service in more.items()}
    return sites.ingress("long", {HOST: paths}, tls={"long-tls": [HOST]})


@asynccontextmanager
async def chat_origin() -> AsyncIterator[int]:
    async with serve(echo, "127.0.0.1", 0, logger=_quiet) as server:
        yield next(iter(server.sockets)).getsockname()[1]


async def begin(site: Site, stack: AsyncExitStack, pace: Pace) -> None:
    for scheme, port in (("ws", site.daemon.http_port), ("wss", site.daemon.https_port)):
        tls = trusting() if scheme == "wss" else None
        url = f"{scheme}://{HOST}:{port}/chat"
        connection = await stack.enter_async_context(
            connect(url, host="127.0.0.1", port=port, ssl=tls, proxy=None, logger=_quiet, ping_interval=None)
        )
        download = await Download.begin(pace, port, tls)
        stack.callback(download.close)
        site.downloads.append(download)
        site.under_way += [Chat(connection), download]


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    authority, pace = Authority(), Pace()
    pair = authority.issue(HOST)
    with ApiServer() as api:
        async with origin(pace.send) as files, chat_origin() as chat, AsyncExitStack() as stack:
            for name, port in (("files", files.port), ("chat", chat)):
                api.apply(sites.service(name))
                api.apply(slice_of(name, 0, port))
            api.apply(sites.tls_secret("long-tls", pair.chain_pem, pair.key_pem))
            api.apply(sites.ingress_class())
            api.apply(routes())
            daemon = stack.enter_context(
                Daemon("--kubeconfig", str(api.kubeconfig), "--allow-loopback-endpoints", "--access-log=off")
            )
            site = Site(api, daemon, authority)
            await begin(site, stack, pace)
            await site.advance()
            yield site


async def others_come_change_and_go(site: Site, new: Origin) -> None:
    other = sites.ingress("other", {HOST: {"/other": "other"}, "other.example": {"/": "other"}})
    for one in (sites.service("other"), slice_of("other", 0, new.port)):
        await in_thread(site.api.apply, one)
    await site.apply(other)
    assert await site.statuses("/other", "other.example/") == [200, 200]
    await site.advance()
    await site.apply(sites.ingress("other", {HOST: {"/another": "other"}}))
    assert await site.statuses("/another", "other.example/") == [200, 404]
    await site.advance()
    await site.change(site.api.delete, "Ingress", "other")
    assert await site.statuses("/another") == [404]


async def their_own_ingress_grows(site: Site, new: Origin) -> None:
    await site.apply(routes(more="files"))


async def their_endpoints_are_replaced(site: Site, new: Origin) -> None:
    for name in ("files", "chat"):
        await site.apply(slice_of(name, 0, new.port))
    assert await site.statuses("/files/large") == [200]


async def their_route_leads_elsewhere(site: Site, new: Origin) -> None:
    for one in (sites.service("new"), slice_of("new", 0, new.port)):
        await in_thread(site.api.apply, one)
    await site.apply(sites.ingress("long", {HOST: {"/": "new"}}, tls={"long-tls": [HOST]}))
    for name in ("files", "chat"):
        await in_thread(site.api.delete, "EndpointSlice", f"{name}-0")
        await in_thread(site.api.delete, "Service", name)
    assert await site.statuses("/files/large") == [200]


async def the_certificate_is_rotated(site: Site, new: Origin) -> None:
    pair = site.authority.issue(HOST)
    await site.apply(sites.tls_secret("long-tls", pair.chain_pem, pair.key_pem))
    answer = await in_thread(site.daemon.get, "/nothing", host=HOST, scheme="https")
    assert answer.certificate == pair.der


async def the_control_process_is_killed(site: Site, new: Origin) -> None:
    old = site.daemon.control
    os.kill(old, signal.SIGKILL)
    await soon(lambda: site.daemon.control != old and site.daemon.is_ready())


CHANGES: tuple[Callable[[Site, Origin], Awaitable[None]], ...] = (
    others_come_change_and_go,
    their_own_ingress_grows,
    their_endpoints_are_replaced,
    the_certificate_is_rotated,
    the_control_process_is_killed,
    their_route_leads_elsewhere,
)


async def test_they_outlive_every_change(site: Site) -> None:
    async with origin(polite) as new:
        for change in CHANGES:
            await change(site, new)
            await site.advance()
        await site.finish()

        for download in site.downloads:
            assert (await download.ask()).startswith(b"HTTP/1.1 200 OK\r\n")  # by the new endpoint
        assert new.received.count(b"GET /files/large ") >= 2


async def test_they_outlive_their_route(site: Site) -> None:
    """What was begun ends as it would have; new requests, on the same connection too, find no route."""
    await site.change(site.api.delete, "Ingress", "long")
    assert await site.statuses("/files/large") == [404]
    await site.advance()
    for name in ("files", "chat"):
        await in_thread(site.api.delete, "EndpointSlice", f"{name}-0")
        await in_thread(site.api.delete, "Service", name)
    await in_thread(site.api.delete, "Secret", "long-tls")

    await site.finish()

    for download in site.downloads:
        assert (await download.ask()).startswith(b"HTTP/1.1 404 ")

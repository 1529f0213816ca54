"""One small exchange of our own beside a client's: a question to an auth service, a copy for a mirror.

It uses the same connections as everything else that goes upstream, with their strict reading, and a pool entry of its
own for each address. What comes back is bounded in bytes and in time.
"""

from __future__ import annotations

import asyncio
import random
from time import monotonic
from typing import TYPE_CHECKING, Final, NamedTuple

from ingressd.errors import UpstreamError
from ingressd.http.response import ResponseFields, ResponseHead
from ingressd.proxy.exchange import STALE
from ingressd.proxy.pool import LiveEndpoint
from ingressd.proxy.resolver import Resolver
from ingressd.proxy.upstream import UpstreamConnection, open_connection
from ingressd.proxy.upstream_tls import EndpointTls, connect_tls
from ingressd.routing.snapshot import Endpoint
from ingressd.tls.client import UpstreamTls

if TYPE_CHECKING:
    from ingressd.proxy.gateway import Gateway

MAX_TARGETS: Final = 1024
"""Addresses whose idle connections are kept; the one not asked for longest is forgotten."""
ATTEMPTS: Final = 3  # of one question, at different addresses if there are several
CONNECT_S: Final = 5.0
SAFE_METHODS: Final = frozenset((b"GET", b"HEAD", b"OPTIONS", b"TRACE"))


class _Target(NamedTuple):
    """An address to ask, with its connections. ``tls`` None: plain HTTP."""

    endpoint: LiveEndpoint
    tls: EndpointTls | None


class Fetched(NamedTuple):
    """An answer. ``fields`` is shared: do not change it. A ``body`` longer than the bound is cut, and not whole."""

    status: int
    fields: ResponseFields
    body: bytes
    is_whole: bool


class _Collector:
    """The sink of one exchange: keeps the answer up to its bound."""

    __slots__ = ("_body", "_fields", "_left", "_status", "answered", "is_finished")

    def __init__(self, loop: asyncio.AbstractEventLoop, max_body_bytes: int) -> None:
        self.answered: asyncio.Future[Fetched] = loop.create_future()
        self.is_finished = False  # the last byte was read: the connection may be used again
        self._left = max_body_bytes
        self._body: list[bytes] = []
        self._status = 0
        self._fields = ResponseFields()

    def on_interim(self, head: ResponseHead) -> None:
        """Nobody waits for one."""

    def on_response_head(self, head: ResponseHead, framing: int) -> None:
        self._status = head.status
        self._fields = head.fields

    def on_response_body(self, data: bytes) -> None:
        if self.answered.done():
            return
        if len(data) > self._left:
            self._body.append(data[: self._left])
            self._settle(is_whole=False)
            return
        self._left -= len(data)
        self._body.append(data)

    def on_long_body(self, left: int) -> None:
        """More than anybody here wants."""

    def on_response_read(self) -> None:
        """The answer is handed on whole."""

    def on_response_end(self, trailers: bytes) -> None:
        if not self.answered.done():
            self.is_finished = True
            self._settle(is_whole=True)

    def on_switched(self, head: ResponseHead) -> None:
        """Not offered, so the connection has refused it."""

    def on_upstream_data(self, data: bytes) -> None:
        """Only after a switch."""

    def on_upstream_eof(self) -> bool:
        return False

    def on_upstream_failed(self, error: UpstreamError) -> None:
        if not self.answered.done():
            self.answered.set_exception(error)

    def on_upstream_writable(self, writable: bool) -> None:
        """The question is written at once, whatever the socket takes; it is bounded by the client's own head."""

    def abandon(self) -> None:
        """What the connection still says is for nobody."""
        if not self.answered.cancel() and not self.answered.cancelled():
            self.answered.exception()  # or asyncio would report one that came as we were cancelled

    def _settle(self, *, is_whole: bool) -> None:
        self.answered.set_result(Fetched(self._status, self._fields, b"".join(self._body), is_whole))


class Fetcher:
    """Sub-requests of one worker. Make one beside the gateway; ``close`` it when the worker ends."""

    __slots__ = ("_gateway", "_targets", "resolver")

    def __init__(self, gateway: Gateway, resolver: Resolver | None = None) -> None:
        self._gateway = gateway
        self._targets: dict[tuple[str, int, str], _Target] = {}  # the one asked last comes last
        self.resolver = resolver or Resolver(gateway.loop)

    def close(self) -> None:
        """Close idle connections; what is under way ends with its task."""
        self.resolver.close()
        while self._targets:
            self._forget_oldest()

    async def fetch(
        self,
        scheme: str,
        host: str,
        port: int,
        head: bytes,
        method: bytes,
        timeout_s: float,
        max_body_bytes: int,
        body: bytes = b"",
    ) -> Fetched:
        """Send ``head`` (and ``body``, framed as the head says) to ``host`` and wait for the answer.

        ``host`` is a name or an address, IPv6 without brackets. Over ``https`` a name is sent (SNI); no certificate
        is verified, as in ingress-nginx. ``timeout_s`` is for everything together. A question goes out again only when
        nobody has heard it, or when its method is safe and a kept connection had ended.

        Raises:
            UpstreamError: no answer in time, or none at all; nothing that is half an answer is returned.
        """
        if scheme not in ("http", "https"):
            raise UpstreamError("scheme_not_supported", f"{scheme}:// to {host} is not spoken here", unheard=True)
        try:
            async with asyncio.timeout(timeout_s):
                return await self._try_addresses(scheme, host, port, head + body, method, timeout_s, max_body_bytes)
        except TimeoutError:
            raise UpstreamError("read_timeout", f"{host}:{port} did not answer within {timeout_s:g} s") from None

    async def _try_addresses(
        self, scheme: str, host: str, port: int, message: bytes, method: bytes, timeout_s: float, max_body_bytes: int
    ) -> Fetched:
        addresses = await self.resolver.addresses(host)
        if not self._gateway.resolves_ipv6 and host not in addresses:
            addresses = tuple(one for one in addresses if ":" not in one)
            if not addresses:
                raise UpstreamError("name_not_resolved", f"{host[:255]} has no IPv4 address", unheard=True)
        first = random.randrange(len(addresses))  # noqa: S311 - balance, not secrecy
        attempts = min(ATTEMPTS, len(addresses) + 1)  # one more, because a kept connection may have ended
        for attempt in range(attempts):
            address = addresses[(first + attempt) % len(addresses)]
            target = self._target(address, port, host if scheme == "https" else "")
            try:
                return await self._exchange(target, message, method, timeout_s, max_body_bytes, fresh=attempt > 0)
            except UpstreamError as error:
                may_repeat = error.unheard or (error.reason == STALE and method in SAFE_METHODS)
                if not may_repeat or attempt + 1 == attempts:
                    raise
        raise AssertionError  # pragma: no cover - the loop returns or raises

    async def _exchange(
        self, target: _Target, message: bytes, method: bytes, timeout_s: float, max_body_bytes: int, *, fresh: bool
    ) -> Fetched:
        endpoint = target.endpoint
        connection = self._gateway.pool.lease(endpoint, fresh=fresh)
        collector = _Collector(self._gateway.loop, max_body_bytes)
        try:
            if connection is None:
                connection = await self._open(target, min(timeout_s, CONNECT_S))
            if not connection.is_open():
                raise UpstreamError("connect_failed", f"{endpoint.label} closed at once", unheard=True)
            connection.begin(collector, method, b"", timeout_s, timeout_s)
            connection.write(message)
            connection.await_response()
            return await collector.answered
        finally:
            collector.abandon()
            self._give_back(endpoint, connection, is_finished=collector.is_finished)

    async def _open(self, target: _Target, timeout_s: float) -> UpstreamConnection:
        endpoint = target.endpoint
        if target.tls is None:
            return await open_connection(self._gateway, endpoint, timeout_s)
        connection = UpstreamConnection(self._gateway, endpoint)
        await connect_tls(self._gateway.loop, connection, endpoint.address, endpoint.port, target.tls, timeout_s)
        return connection

    def _give_back(self, endpoint: LiveEndpoint, connection: UpstreamConnection | None, *, is_finished: bool) -> None:
        if connection is None:
            self._gateway.pool.release(endpoint, None, reusable=False)
            return
        now = monotonic()
        reusable = is_finished and connection.may_be_kept(now) and not connection.has_unsent()
        if self._gateway.pool.release(endpoint, connection, reusable=reusable):
            connection.rest(now)
        elif not connection.closed:
            connection.close()
        else:
            connection.sink = None

    def _target(self, address: str, port: int, tls_name: str) -> _Target:
        """What we have for an address; with TLS for a name at it, because a connection is made for one only."""
        key = (address, port, tls_name)
        target = self._targets.pop(key, None)
        if target is None:
            if len(self._targets) >= MAX_TARGETS:
                self._forget_oldest()
            endpoint = LiveEndpoint(Endpoint(address, port))
            endpoint.named_by = 1
            tls = EndpointTls(UpstreamTls(name=tls_name, server_name=True)) if tls_name else None
            target = _Target(endpoint, tls)
        self._targets[key] = target
        return target

    def _forget_oldest(self) -> None:
        endpoint = self._targets.pop(next(iter(self._targets))).endpoint
        endpoint.named_by = 0  # connections in use close when they come back
        for connection in list(endpoint.idle):
            self._gateway.pool.forget(endpoint, connection)
            connection.close()

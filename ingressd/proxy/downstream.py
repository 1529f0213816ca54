"""A client connection: bytes to request heads, one exchange at a time, answers back in order.

While idle it owns no parser, no buffer and no timer of its own (see ``proxy/timers``): thousands of idle clients are the
normal case.
"""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import TYPE_CHECKING, Protocol, cast

from ingressd.errors import BadRequest
from ingressd.http import hops
from ingressd.http.head import (
    RequestFields,
    RequestHead,
    has_bare_line_end,
    read_request_fields,
    read_request_line,
)
from ingressd.http.target import normalise_host, parse_target
from ingressd.proxy.forward import Forwarding
from ingressd.proxy.respond import own_response, status_of
from ingressd.proxy.timers import NEVER

if TYPE_CHECKING:
    from ingressd.proxy.gateway import Gateway
    from ingressd.proxy.serving import LiveRoute
    from ingressd.proxy.tunnel import Tunnel
    from ingressd.routing.snapshot import Route

_HOLD_UPSTREAM = 1  # the endpoint cannot take the body now
_HOLD_READ_AHEAD = 2  # the client is far enough ahead of the request being answered
_UNREADABLE = RequestHead(b"GET", "/", "", 1, RequestFields())
"""Stands for a request that could not be read when its refusal is worded."""


class RequestSink(Protocol):
    """Who gets what the client sends while a request is under way."""

    def on_downstream_data(self, data: bytes) -> None: ...
    def on_downstream_eof(self) -> bool: ...
    def on_downstream_lost(self) -> None: ...
    def on_downstream_writable(self, writable: bool) -> None: ...
    def on_body_timeout(self) -> None: ...


class Downstream(asyncio.Protocol):
    """See the module's text. ``scheme`` and ``port`` are those of the listener it came in by."""

    __slots__ = (
        "_buffer",
        "_closing",
        "_forwarded",
        "_forwarded_host",
        "_head_begun",
        "_held",
        "_lingered",
        "_no_more",
        "_reading",
        "_waiting_for_body",
        "_write_paused",
        "client",
        "deadline",
        "exchange",
        "gateway",
        "port",
        "requests",
        "scheme",
        "tls_version",
        "transport",
        "wake_at",
    )

    transport: asyncio.Transport

    def __init__(self, gateway: Gateway, scheme: bytes, port: bytes) -> None:
        self.gateway = gateway
        self.scheme = scheme
        self.port = port
        self.client = ""
        self.tls_version: str | None = None
        self.exchange: RequestSink | None = None
        self.requests = 0
        self.deadline = NEVER
        self.wake_at = NEVER
        self._buffer = b""
        self._held = 0
        self._reading = False
        self._closing = False  # nothing is read as a request any more
        self._head_begun = False  # a head is incomplete, and its time is running
        self._no_more = False  # the client has half-closed
        self._lingered = 0
        self._write_paused = False
        self._waiting_for_body = False
        self._forwarded = b""
        self._forwarded_host: bytes | None = None

    # -- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        peer = transport.get_extra_info("peername")
        self.client = peer[0] if peer else "unknown"
        tls = transport.get_extra_info("ssl_object")
        self.tls_version = None if tls is None else tls.version()
        self.gateway.connections.add(self)
        self.arm(monotonic() + self.gateway.limits.header_s)

    def data_received(self, data: bytes) -> None:
        exchange = self.exchange
        if exchange is not None:
            exchange.on_downstream_data(data)
        elif self._closing:
            self._linger(len(data))
        else:
            self._buffer = self._buffer + data if self._buffer else data
            self._read_requests()

    def eof_received(self) -> bool:
        if self.exchange is not None:
            if self.exchange.on_downstream_eof():
                return True
            if self.exchange is not None:
                self.abort()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._closing = True
        self.deadline = NEVER
        self.gateway.wheel.cancel(self)
        self.gateway.connections.discard(self)
        exchange, self.exchange = self.exchange, None
        if exchange is not None:
            exchange.on_downstream_lost()
        self._buffer = b""

    def pause_writing(self) -> None:
        self._write_paused = True
        self.arm(monotonic() + self.gateway.limits.client_write_gap_s)
        if self.exchange is not None:
            self.exchange.on_downstream_writable(False)

    def resume_writing(self) -> None:
        self._write_paused = False
        self.deadline = NEVER
        if self.exchange is not None:
            if self._waiting_for_body:
                self.await_body()
            self.exchange.on_downstream_writable(True)
        elif not self._closing:
            self.arm(monotonic() + self.gateway.limits.keep_alive_s)

    def on_deadline(self, now: float) -> None:
        if self._closing or self._write_paused:
            self.abort()
        elif self.exchange is not None:
            self.exchange.on_body_timeout()
        elif self._buffer:
            self._refuse(BadRequest("header_timeout", "the request head did not arrive in time"), _UNREADABLE)
        else:
            self._close()

    # -- time

    def arm(self, deadline: float) -> None:
        """Act when nothing has moved the deadline until ``deadline`` (monotonic seconds)."""
        self.deadline = deadline
        if deadline < self.wake_at:
            self.gateway.wheel.schedule(self)

    def await_body(self) -> None:
        """The next body bytes are due."""
        self._waiting_for_body = True
        if not self._write_paused:
            self.arm(monotonic() + self.gateway.limits.body_gap_s)

    def stop_waiting(self) -> None:
        """The request is read whole, or its reading is held back by us."""
        self._waiting_for_body = False
        if not self._write_paused:
            self.deadline = NEVER

    # -- reading requests

    def _read_requests(self) -> None:
        """Read heads until one needs an endpoint, or the bytes are used up."""
        if self._reading:
            return
        self._reading = True
        try:
            while self._buffer and self.exchange is None and not self._closing:
                if not self._read_request():
                    break
        finally:
            self._reading = False

    def _read_request(self) -> bool:
        """Take one request from the buffer; False when its head is not complete yet."""
        data = self._buffer
        end = data.find(b"\r\n\r\n")
        if end < 0:
            self._await_head(data)
            return False
        if data.startswith(b"\r\n"):
            self._buffer = data[2:]  # RFC 9112 §2.2: an empty line before a request line is forgiven
            return True
        self._buffer = b""
        try:
            request, other_reading = self._parse(data, end)
        except BadRequest as error:
            self._refuse(error, _UNREADABLE)
            return True
        self.requests += 1
        self._serve(request, other_reading, data[end + 4 :])
        return True

    def _parse(self, data: bytes, end: int) -> tuple[RequestHead, str]:
        limits = self.gateway.limits
        line_end = data.find(b"\r\n", 0, end + 2)
        if line_end > limits.request_line_bytes:
            raise BadRequest("request_line_too_long", f"more than {limits.request_line_bytes} bytes")
        if end - line_end > limits.header_bytes:
            raise BadRequest("header_too_large", f"more than {limits.header_bytes} bytes")
        method, raw_target, minor = read_request_line(data[:line_end])
        fields = read_request_fields(data[line_end + 2 : end + 4], limits.header_fields)
        if method == b"CONNECT" or method == b"TRACE":
            raise BadRequest("method_not_allowed", "neither a tunnel nor a mirror (RFC 9110 §9.3.6, §9.3.8)")
        target = parse_target(raw_target.decode("latin-1"))
        if minor == 0 and fields.chunked:
            raise BadRequest("bad_transfer_encoding", "Transfer-Encoding in an HTTP/1.0 request (RFC 9112 §6.1)")
        if fields.host_field is None and minor == 1:
            raise BadRequest("bad_host", "no Host field (RFC 9112 §3.2)")
        if target.authority and normalise_host(target.authority) != fields.host:
            raise BadRequest("bad_host", "Host is not the authority of the target (RFC 9112 §3.2.2)")
        return RequestHead(method, target.path, target.query, minor, fields), target.other_reading

    def _await_head(self, data: bytes) -> None:
        limits = self.gateway.limits
        newline = data.find(b"\r\n")
        if len(data) > limits.request_line_bytes and (newline < 0 or newline > limits.request_line_bytes):
            self._refuse(BadRequest("request_line_too_long", "no end of the request line in sight"), _UNREADABLE)
        elif len(data) - newline > limits.header_bytes:
            self._refuse(BadRequest("header_too_large", "no end of the header in sight"), _UNREADABLE)
        elif has_bare_line_end(data):
            self._refuse(BadRequest("bad_line_end", "a CR or LF alone (RFC 9112 §2.2)"), _UNREADABLE)
        elif not self._head_begun:
            self._head_begun = True  # further bytes of this head buy no further time
            self.arm(monotonic() + limits.header_s)

    def _serve(self, request: RequestHead, other_reading: str, rest: bytes) -> None:
        fields = request.fields
        state = self.gateway.state
        self._head_begun = False
        route = state.find(fields.host, request.path)
        has_body = fields.chunked or fields.content_length > 0
        if other_reading and state.find(fields.host, other_reading) is not route:
            self._refuse(BadRequest("ambiguous_path", "an encoded slash would lead another server elsewhere"), request)
        elif 0 < route.max_body_bytes < fields.content_length:
            self._refuse(BadRequest("body_too_large", f"more than {route.max_body_bytes} bytes"), request, route)
        elif route.backend is None:
            self._answer(route, request, rest, has_body)
        else:
            self.deadline = NEVER
            forwarding = Forwarding(self, request, route, route.backend)
            self.exchange = forwarding
            forwarding.start(rest)

    def _answer(self, route: LiveRoute, request: RequestHead, rest: bytes, has_body: bool) -> None:
        """A route without a backend answers by itself; a body nobody reads ends the connection."""
        close = has_body or not self.may_keep_alive(request)
        self._write_own(route.route.status, request, close)
        self._count(route, request, route.route.status)
        if close:
            self._close_lingering() if has_body else self._close()
        else:
            self._buffer = rest
            self.arm(monotonic() + self.gateway.limits.keep_alive_s)

    def may_keep_alive(self, request: RequestHead) -> bool:
        """Whether the connection may go on after ``request`` (RFC 9112 §9.3)."""
        if request.fields.close or self.gateway.draining or self.last_request:
            return False
        return request.minor == 1 or request.fields.keep_alive

    @property
    def last_request(self) -> bool:
        """Whether this connection has had its share of requests, or cannot get more."""
        return self._no_more or self.requests >= self.gateway.limits.requests_per_connection

    # -- what an exchange asks of its client connection

    def hold_reading(self, hold: bool) -> None:
        """The endpoint cannot take more of the body, or can again."""
        self._hold(_HOLD_UPSTREAM, hold)

    def _hold(self, reason: int, hold: bool) -> None:
        before = self._held
        self._held = before | reason if hold else before & ~reason
        if self.transport.is_closing():
            return
        if self._held and not before:
            self.transport.pause_reading()
        elif before and not self._held:
            self.transport.resume_reading()

    def read_ahead(self, data: bytes) -> None:
        """Bytes after the request under way: kept, boundedly, for when it is answered."""
        self._buffer += data
        if len(self._buffer) > self.gateway.limits.pipelined_bytes:
            self._hold(_HOLD_READ_AHEAD, True)

    @property
    def has_read_ahead(self) -> bool:
        return bool(self._buffer)

    def no_more_requests(self) -> None:
        """The client has half-closed: what it sent is answered, then the connection ends."""
        self._no_more = True

    def forwarded_fields(self, fields: RequestFields) -> bytes:
        """Our X-Forwarded-* lines; the same for all requests of a connection as long as Host stays the same."""
        host = fields.host_field
        if host is None:
            host = self.local_authority()
        if host != self._forwarded_host:
            self._forwarded_host = host
            self._forwarded = hops.forwarded_fields(
                client=self.client.encode("latin-1"), host_field=host, port=self.port, scheme=self.scheme
            )
        return self._forwarded

    def local_authority(self) -> bytes:
        """Address and port the client connected to: Host for an HTTP/1.0 request that has none."""
        name = self.transport.get_extra_info("sockname")
        if not name:
            return b"localhost"
        address = f"[{name[0]}]" if ":" in name[0] else name[0]
        return f"{address}:{name[1]}".encode()

    def begin_tunnel(self, tunnel: Tunnel) -> None:
        """The client speaks another protocol from here on; bytes it sent ahead belong to it."""
        self.exchange = tunnel
        self.stop_waiting()
        if self._buffer:
            data, self._buffer = self._buffer, b""
            self._hold(_HOLD_READ_AHEAD, False)
            tunnel.on_downstream_data(data)

    def on_tunnel_done(self) -> None:
        self.exchange = None
        self._close()

    def reply(self, status: int, request: RequestHead, *, close: bool, reason: str) -> None:
        """Answer in the endpoint's stead; the exchange has ended."""
        unread = self._ends_unread()
        self.gateway.stats.rejected(reason)
        self._write_own(status, request, close)
        self._exchange_over(close=close, linger=unread)

    def on_exchange_done(self, *, close: bool, unread: bool) -> None:
        """The response is written. ``unread``: the client may still be sending a body that nobody reads."""
        self._exchange_over(close=close, linger=unread)

    def _ends_unread(self) -> bool:
        return isinstance(self.exchange, Forwarding) and not self.exchange.body_done

    def _exchange_over(self, *, close: bool, linger: bool) -> None:
        self.exchange = None
        self._waiting_for_body = False
        if self._held:
            self._hold(_HOLD_UPSTREAM | _HOLD_READ_AHEAD, False)
        if close:
            self._close_lingering() if linger else self._close()
            return
        if not self._write_paused:
            self.arm(monotonic() + self.gateway.limits.keep_alive_s)
        if self._buffer:
            self._read_requests()

    # -- refusing and closing

    def _refuse(self, error: BadRequest, request: RequestHead, route: LiveRoute | None = None) -> None:
        status = status_of(error)
        self.gateway.stats.rejected(error.reason)
        self._count(route or self.gateway.state.fallback, request, status)
        self._write_own(status, request, close=True)
        self._close_lingering()

    def _write_own(self, status: int, request: RequestHead, close: bool) -> None:
        self.transport.write(
            own_response(
                status,
                date=self.gateway.date,
                html=request.fields.accepts_html,
                head_only=request.method == b"HEAD",
                close=close,
                keep_alive=request.minor == 0 and not close,
            )
        )

    def _close(self) -> None:
        self._closing = True
        self._buffer = b""
        self.arm(monotonic() + self.gateway.limits.client_write_gap_s)
        self.transport.close()

    def _close_lingering(self) -> None:
        """Close so that the answer arrives: a reset for unread bytes would overtake it (RFC 9112 §9.6)."""
        if not self.transport.can_write_eof():
            self._close()
            return
        self._closing = True
        self._buffer = b""
        self.transport.write_eof()
        self.arm(monotonic() + self.gateway.limits.linger_s)

    def _linger(self, received: int) -> None:
        self._lingered += received
        if self._lingered > self.gateway.limits.linger_bytes:
            self.abort()

    def abort(self) -> None:
        """Cut the connection: an answer under way must not look complete."""
        self._closing = True
        self.transport.abort()

    def close_when_idle(self) -> None:
        """Part of draining: nothing is under way and nothing was begun, so nothing is lost."""
        if self.exchange is None and not self._buffer and not self._closing:
            self._close()

    # -- seen from outside

    def _count(self, route: LiveRoute, request: RequestHead, status: int) -> None:
        """Count and log an answer that needed no endpoint."""
        route.stats.observe(request.method, status, 0.0, -1.0, 0, 0)
        if self.gateway.log.is_on:
            self._log(request, request.fields.request_id, status, route.route, 0, 0, 0.0, None, None, 0)

    def log_exchange(self, forwarding: Forwarding, duration_s: float, upstream_s: float) -> None:
        """One access record of an exchange that met an endpoint."""
        if self.gateway.log.is_on:
            endpoint = forwarding.endpoint
            self._log(
                forwarding.request,
                forwarding.request_id,
                forwarding.status,
                forwarding.route.route,
                forwarding.bytes_in,
                forwarding.bytes_out,
                duration_s,
                endpoint.label if endpoint is not None else None,
                upstream_s if endpoint is not None else None,
                forwarding.attempts,
            )

    def _log(
        self,
        request: RequestHead,
        request_id: bytes,
        status: int,
        route: Route,
        bytes_in: int,
        bytes_out: int,
        duration_s: float,
        upstream: str | None,
        upstream_s: float | None,
        attempts: int,
    ) -> None:
        fields = request.fields
        self.gateway.log.record(
            self.client,
            request_id.decode("ascii"),
            request.method,
            fields.host_field or b"",
            (request.path + request.query).encode("latin-1"),
            "HTTP/1.1" if request.minor else "HTTP/1.0",
            status,
            bytes_in,
            bytes_out,
            round(duration_s, 6),
            upstream,
            upstream_s if upstream_s is None else round(upstream_s, 6),
            attempts,
            route.namespace,
            route.ingress,
            route.service,
            route.path,
            self.tls_version,
            fields.agent,
            fields.referer,
        )

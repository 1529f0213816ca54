"""A client connection: bytes to request heads, one exchange at a time, answers back in order.

While idle it owns no parser, no buffer and no timer of its own (see ``proxy/timers``): thousands of idle clients are
the normal case.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from struct import Struct
from time import monotonic
from typing import TYPE_CHECKING, Protocol, cast

from ingressd.errors import BadRequest
from ingressd.http.head import RequestHead
from ingressd.proxy.forward import Forwarding
from ingressd.proxy.held import pass_gate
from ingressd.proxy.provenance import Provenance
from ingressd.proxy.records import record_own
from ingressd.proxy.request_head import check_unfinished, read_in_part, read_request
from ingressd.proxy.respond import own_response, status_of
from ingressd.proxy.timers import NEVER

if TYPE_CHECKING:
    from ingressd.policy.ask import Answer
    from ingressd.proxy.gateway import Gateway
    from ingressd.proxy.serving import LiveRoute
    from ingressd.proxy.tunnel import Tunnel

_HOLD_UPSTREAM = 1  # the endpoint cannot take the body now
_HOLD_READ_AHEAD = 2  # the client is far enough ahead of the request being answered
_HOLD_LINGER = 4  # what a refused client still sends has cost enough
_HOLD_OFFER = 8  # it came after an offer to switch protocols and before the answer: never read as a request
_LINGER = Struct("ii")  # struct linger
_END = b"\r\n\r\n"
_CR = 13


class RequestSink(Protocol):
    """Who gets what the client sends while a request is under way."""

    def on_downstream_data(self, data: bytes) -> None: ...
    def on_downstream_eof(self) -> bool: ...
    def on_downstream_lost(self) -> None: ...
    def on_downstream_writable(self, writable: bool) -> None: ...
    def on_body_timeout(self) -> None: ...


class Downstream(Provenance, asyncio.Protocol):
    """See the module's text. ``scheme`` and ``port`` are those of the listener it came in by.

    No request is begun while the client is to take what was written before (``write_paused``).
    """

    __slots__ = (
        "_buffer",
        "_closing",
        "_ends_answer",
        "_head_begun",
        "_held",
        "_is_last",
        "_lingered",
        "_no_more",
        "_reading",
        "exchange",
        "requests",
        "tls_version",
    )

    def __init__(self, gateway: Gateway, scheme: bytes, port: bytes) -> None:
        super().__init__(gateway, scheme, port)
        self.tls_version: str | None = None
        self.exchange: RequestSink | None = None
        self.requests = 0
        self._buffer = b""
        self._held = 0
        self._reading = False
        self._closing = False  # nothing is read as a request any more
        self._ends_answer = False  # the answer under way has no other end than the connection's
        self._head_begun = False  # a head is incomplete, and its time is running
        self._no_more = False  # the client has half-closed
        self._is_last = False  # it is we who end the connection: the next request may be on its way
        self._lingered = 0

    # -- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        peer = transport.get_extra_info("peername")
        self.client = self.seen_client = peer[0] if peer else "unknown"
        tls = transport.get_extra_info("ssl_object")
        self.tls_version = None if tls is None else tls.version()
        gateway = self.gateway
        gateway.connections.add(self)
        gateway.admission.opened()
        self.arm(monotonic() + gateway.limits.header_s)
        if not gateway.admission.enter(self.client):
            self._refuse(BadRequest("too_many_connections_of_client", self.client), RequestHead())

    def data_received(self, data: bytes) -> None:
        exchange = self.exchange
        if exchange is not None:
            exchange.on_downstream_data(data)
        elif self._closing:
            self._linger(len(data))
        elif self._buffer:
            self._read_more(data)
        elif 0 < data.find(_END) == len(data) - 4 and data[0] != _CR and not self.write_paused:
            self._begin(data, len(data) - 4)  # one whole request, as nearly always
        else:
            self._buffer = data
            self._read_requests()

    def eof_received(self) -> bool:
        if self.exchange is not None:
            if self.exchange.on_downstream_eof():
                return True
            if self.exchange is not None:
                self.abort()
        elif self._buffer and self.write_paused:
            self._no_more = True  # requests that wait for the client to read what it has asked for before
            return True
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._closing = True
        self.deadline = NEVER
        self.gateway.wheel.cancel(self)
        gateway = self.gateway
        gateway.connections.discard(self)
        gateway.admission.closed()
        gateway.admission.leave(self.client)
        exchange, self.exchange = self.exchange, None
        if exchange is not None:
            exchange.on_downstream_lost()
        self._buffer = b""

    def pause_writing(self) -> None:
        self.write_paused = True
        self.await_reader()
        if self.exchange is not None:
            self.exchange.on_downstream_writable(False)

    def resume_writing(self) -> None:
        self.write_paused = False
        if self._closing:
            return  # what is left is still to be taken
        self.deadline = NEVER
        if self.exchange is not None:
            self.await_body_anew()
            self.exchange.on_downstream_writable(True)
        else:
            self.arm(monotonic() + self.gateway.limits.keep_alive_s)
            self._read_requests()

    def on_deadline(self, now: float) -> None:
        if self._closing or self.write_paused:
            self.abort_unless_taking(now)
        elif self.exchange is not None:
            self.exchange.on_body_timeout()
        elif self._has_begun_head:
            self._refuse(BadRequest("header_timeout", "the request head did not arrive in time"), RequestHead())
        else:
            self._close()

    # -- reading requests

    def _read_requests(self) -> None:
        """Read heads until one needs an endpoint, the client must read first, or the bytes are used up."""
        if self._reading:
            return
        self._reading = True
        try:
            while self._buffer and self.exchange is None and not self._closing and not self.write_paused:
                if not self._read_request():
                    break
        finally:
            self._reading = False
        if self._held or len(self._buffer) > self.gateway.limits.pipelined_bytes:
            # An unfinished head has limits of its own, and without more bytes it never ends.
            self._hold(
                _HOLD_READ_AHEAD, not self._head_begun and len(self._buffer) > self.gateway.limits.pipelined_bytes
            )
        if self.exchange is None and not self._closing and not self.write_paused:
            if self._no_more:
                self._close()
            elif self.gateway.draining:
                self.close_when_idle()

    def _read_request(self) -> bool:
        """Take one request from the buffer; False when its head is not complete yet."""
        data = self._buffer
        try:
            if data.startswith(b"\r\n") and len(data) > 2:
                data = data[2:]  # RFC 9112 §2.2: one empty line before a request line is forgiven
                if data.startswith(b"\r"):
                    raise BadRequest("bad_request_line", "more than one empty line before it")
            end = data.find(_END)
            if end < 0:
                check_unfinished(data, self.gateway.limits)
                self._buffer = data
                self._await_head()
                return False
        except BadRequest as error:
            self._refuse(error, RequestHead())
            return True
        self._buffer = b""
        self._begin(data, end)
        return True

    def _begin(self, data: bytes, end: int) -> None:
        """The head that ends at ``end`` is complete."""
        try:
            request = read_request(data, end, self.gateway.limits)
        except BadRequest as error:
            self._refuse(error, read_in_part(data, end, self.gateway.limits))
            return
        self._head_begun = False
        self.requests += 1
        self._serve(request, data[end + 4 :])

    def _read_more(self, data: bytes) -> None:
        """Bytes behind others that could not be used yet. Of an unfinished head only what is new is looked at: a large
        one that comes byte by byte would cost the square of its length.
        """
        seen = len(self._buffer)
        self._buffer += data
        if not self._head_begun or self.write_paused or self._buffer.find(_END, max(0, seen - 3)) >= 0:
            self._read_requests()
            return
        try:
            check_unfinished(self._buffer, self.gateway.limits, seen)
        except BadRequest as error:
            self._refuse(error, RequestHead())

    @property
    def _has_begun_head(self) -> bool:
        return self._buffer not in (b"", b"\r", b"\r\n")  # some clients end a body with one CRLF too many

    def _await_head(self) -> None:
        if not self._head_begun and self._has_begun_head:
            self._head_begun = True  # further bytes of this head buy no further time
            self.arm(monotonic() + self.gateway.limits.header_s)

    def _serve(self, request: RequestHead, rest: bytes) -> None:
        line, fields = request.line, request.fields
        gateway = self.gateway
        state = gateway.state
        route = state.table.find(fields.host, line.path) or state.fallback
        if line.other_reading and state.find(fields.host, line.other_reading) is not route:
            self._refuse(BadRequest("ambiguous_path", "an encoded slash would lead another server elsewhere"), request)
        elif route.gate is not None and not self._is_spared(route):
            pass_gate(self, request, route, route.gate, rest)
        elif 0 < route.max_body_bytes < fields.content_length:
            self._refuse(BadRequest("body_too_large", f"more than {route.max_body_bytes} bytes"), request, route)
        elif route.backend is None:
            self._answer(route, request, rest)
        else:
            self.deadline = NEVER
            forwarding = gateway.exchange_type(self, request, route, route.backend)
            if route.gate is not None:  # which it is spared
                forwarding.edit = route.over_tls if self.scheme == b"https" else route.over_http
            self.exchange = forwarding
            forwarding.start(rest)

    def _is_spared(self, route: LiveRoute) -> bool:
        """Whether the route's gate has nothing to say to this kind of connection."""
        spares = route.spares_tls if self.scheme == b"https" else route.spares_http
        return spares and self.gateway.forwarding is None

    def _answer(self, route: LiveRoute, request: RequestHead, rest: bytes) -> None:
        """A route without a backend answers by itself; a body nobody reads ends the connection."""
        if self.gateway.forwarding is not None:
            self.forwarded_fields(request.fields)
        self._buffer = rest
        spoilt = bool(rest) and request.fields.offers_h2c
        close = spoilt or request.fields.has_body or not self.may_keep_alive(request)
        self._write_own(route.route.status, request, close)
        record_own(self, route, request, route.route.status)
        if close:
            self._close(linger=request.fields.has_body or bool(rest))
        elif not self.write_paused:
            self.arm(monotonic() + self.gateway.limits.keep_alive_s)

    def begin(self, sink: RequestSink) -> None:
        """From here on ``sink`` gets what the client sends."""
        self.deadline = NEVER
        self.exchange = sink

    def answer(self, answer: Answer, fields: bytes, request: RequestHead, rest: bytes, *, close: bool) -> None:
        """A policy answers; ``fields`` are whole lines. As in ``_answer``, a body nobody reads ends the connection."""
        if answer.reason:
            self.gateway.stats.rejected(answer.reason)
        has_body, self._buffer = request.fields.has_body, rest
        offers = request.fields.upgrade or (rest and request.fields.offers_h2c)
        close = close or bool(offers) or has_body or not self.may_keep_alive(request)
        self._write_own(answer.status, request, close, fields, answer.body)
        self.on_exchange_done(monotonic(), close=close, unread=has_body)

    def may_keep_alive(self, request: RequestHead) -> bool:
        """Whether the connection may go on after ``request`` (RFC 9112 §9.3).

        Not when it has had its share of requests, nor when no other one can follow.
        """
        gateway = self.gateway
        if request.fields.close:
            return False
        if gateway.draining or self.requests >= gateway.limits.requests_per_connection:
            self._is_last = True
            return False
        if self._no_more and _END not in self._buffer:
            return False
        return request.line.minor == 1 or request.fields.keep_alive

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
        self._buffer = self._buffer + data if self._buffer else data
        if len(self._buffer) > self.gateway.limits.pipelined_bytes:
            self._hold(_HOLD_READ_AHEAD, True)
        if isinstance(self.exchange, Forwarding) and self.exchange.request.fields.offers_h2c:
            self._hold(_HOLD_OFFER, True)
            self.requests = self.gateway.limits.requests_per_connection  # the last one, which the answer says if it can

    def no_more_requests(self) -> None:
        """The client has half-closed: what it sent is answered, then the connection ends."""
        self._no_more = True

    @property
    def is_half_closed(self) -> bool:
        """Whether the client will send nothing more."""
        return self._no_more

    def begin_tunnel(self, tunnel: Tunnel) -> None:
        """The client speaks another protocol from here on; bytes it sent ahead belong to it."""
        self.exchange = tunnel
        self.stop_waiting()
        if self._buffer:
            data, self._buffer = self._buffer, b""
            self._hold(_HOLD_READ_AHEAD, False)
            tunnel.on_downstream_data(data)
        if self._no_more:
            tunnel.on_downstream_eof()

    def on_tunnel_done(self) -> None:
        self.exchange = None
        if not self._closing:
            self._close()

    def end_with_answer(self) -> None:
        """The answer has no length: how the connection ends says whether it is whole (RFC 9112 §8).

        Until it is, the connection ends by a reset, whoever ends it: the kernel does when this process dies.
        """
        self._ends_answer = True
        self._reset_at_end(True)

    def _reset_at_end(self, reset: bool) -> None:
        connection = self.transport.get_extra_info("socket")
        if connection is not None:
            with suppress(OSError):  # it is gone already
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER.pack(reset, 0))

    def reply(
        self, status: int, request: RequestHead, *, close: bool, unread: bool, reason: str, fields: bytes = b""
    ) -> None:
        """Answer in the endpoint's stead; the exchange has ended. ``unread`` as in ``on_exchange_done``."""
        self.gateway.stats.rejected(reason)
        self._write_own(status, request, close, fields)
        self.on_exchange_done(monotonic(), close=close, unread=unread)

    def on_exchange_done(self, now: float, *, close: bool, unread: bool) -> None:
        """The response is written. ``unread``: the client may still be sending a body that nobody reads."""
        self.exchange = None
        self._waiting_for_body = False
        if self._held:
            close = close or bool(self._held & _HOLD_OFFER)
            self._hold(_HOLD_UPSTREAM, False)
        if close:
            self._close(linger=unread or bool(self._buffer))
            return
        gateway = self.gateway
        if not self.write_paused:
            self.deadline = now + gateway.limits.keep_alive_s
            if self.deadline < self.wake_at:
                gateway.wheel.schedule(self)
        if self._buffer or self._held or self._no_more or gateway.draining:
            self._read_requests()

    # -- refusing and closing

    def _refuse(self, error: BadRequest, request: RequestHead, route: LiveRoute | None = None) -> None:
        status = status_of(error)
        self.gateway.stats.rejected(error.reason)
        if self.gateway.forwarding is not None:
            self.forwarded_fields(request.fields)
        record_own(self, route or self.gateway.state.fallback, request, status)
        self._write_own(status, request, close=True)
        self._close(linger=True)

    def _write_own(
        self, status: int, request: RequestHead, close: bool, fields: bytes = b"", body: bytes | None = None
    ) -> None:
        self.transport.write(
            own_response(
                status,
                date=self.gateway.date,
                accept=request.fields.accept,
                head_only=request.method == b"HEAD",
                close=close,
                keep_alive=request.minor == 0 and not close,
                fields=fields,
                body=body,
            )
        )

    def _close(self, *, linger: bool = False) -> None:
        """Close when all is sent. ``linger`` when the client may still be sending; so it may when it is we who end it.

        Then it is told that this was all, and what it sends is read and dropped for a while: a reset for unread bytes
        would overtake the answer (RFC 9112 §9.6).
        """
        self._closing = True
        self._buffer = b""
        self.forget_unsent()
        limits = self.gateway.limits
        if self._ends_answer:
            self._reset_at_end(False)
        if self._held:
            self._hold(_HOLD_UPSTREAM | _HOLD_READ_AHEAD | _HOLD_OFFER, False)
        transport, lingers = self.transport, (linger or self._is_last) and not self._no_more
        if lingers and not transport.is_closing() and transport.can_write_eof():
            transport.write_eof()
            self.arm(monotonic() + limits.linger_s)
        else:
            self.transport.close()
            self.arm(monotonic() + limits.client_write_gap_s)

    def _linger(self, received: int) -> None:
        self._lingered += received
        if self._lingered > self.gateway.limits.linger_bytes:
            self._hold(_HOLD_LINGER, True)

    def abort(self) -> None:
        """Cut the connection: an answer under way must not look complete."""
        self._closing = True
        if self._ends_answer:
            self._reset_at_end(True)
        self.transport.abort()

    def close_when_idle(self) -> None:
        """Part of draining: nothing is under way and nothing was begun, so nothing is lost."""
        if self.exchange is None and not self._has_begun_head and not self._closing:
            self._close()

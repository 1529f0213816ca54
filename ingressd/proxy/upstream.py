"""A connection to one endpoint: writes a request, reads its response, is idle in the pool in between.

Reading is strict: whatever cannot be one well-framed response to the one request that was sent ends the connection.
"""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import TYPE_CHECKING, Protocol, cast

from ingressd.errors import UpstreamError
from ingressd.http.framing import ChunkReader, FramingError
from ingressd.http.head import ResponseFields, read_response_fields, read_status_line
from ingressd.proxy.pool import LiveEndpoint
from ingressd.proxy.timers import NEVER

if TYPE_CHECKING:
    from ingressd.proxy.gateway import Gateway

NO_BODY, LENGTH, CHUNKED, UNTIL_CLOSE = range(4)
"""How a response's body is framed (RFC 9112 §6.3)."""

_HEAD, _BODY, _RAW, _IDLE = range(4)


class ResponseSink(Protocol):
    """Who gets what an upstream connection reads. Exactly one of end, switched or failed is called last."""

    def on_interim(self, status: int, reason: bytes, fields: ResponseFields) -> None: ...
    def on_response_head(self, status: int, reason: bytes, fields: ResponseFields, framing: int) -> None: ...
    def on_response_body(self, data: bytes) -> None: ...
    def on_response_read(self) -> None: ...
    def on_response_end(self, trailers: bytes) -> None: ...
    def on_switched(self, reason: bytes, fields: ResponseFields) -> None: ...
    def on_upstream_data(self, data: bytes) -> None: ...
    def on_upstream_eof(self) -> bool: ...
    def on_upstream_failed(self, error: UpstreamError) -> None: ...
    def on_upstream_writable(self, writable: bool) -> None: ...


class UpstreamConnection(asyncio.Protocol):
    """See the module's text. ``sink`` is None while idle; ``reusable`` says whether it may go back to the pool."""

    __slots__ = (
        "_buffer",
        "_chunks",
        "_framing",
        "_gateway",
        "_interim",
        "_left",
        "_method",
        "_step",
        "_switchable",
        "closed",
        "deadline",
        "endpoint",
        "fresh",
        "read_s",
        "requests",
        "reusable",
        "send_s",
        "sink",
        "transport",
        "wake_at",
    )

    transport: asyncio.Transport

    def __init__(self, gateway: Gateway, endpoint: LiveEndpoint) -> None:
        self._gateway = gateway
        self.endpoint = endpoint
        self.sink: ResponseSink | None = None
        self._buffer = b""
        self._chunks: ChunkReader | None = None
        self._step = _IDLE
        self._framing = NO_BODY
        self._left = 0
        self._interim = 0
        self._method = b""
        self._switchable = False
        self.deadline = NEVER
        self.wake_at = NEVER
        self.read_s = self.send_s = 60.0
        self.requests = 0
        self.fresh = True  # no byte of a response to the request under way was read
        self.reusable = True
        self.closed = False

    # -- towards whoever leased it

    def begin(self, sink: ResponseSink, method: bytes, *, switchable: bool, read_s: float, send_s: float) -> None:
        """A request with ``method`` is about to be written; ``switchable`` when it asks for an upgrade."""
        self.sink = sink
        self._method = method
        self._switchable = switchable
        self._step = _HEAD
        self._interim = 0
        self.fresh = True
        self.reusable = True
        self.requests += 1
        self.read_s = read_s
        self.send_s = send_s

    def await_response(self) -> None:
        """The request is written whole: the endpoint's time to answer begins."""
        self.arm(monotonic() + self.read_s)

    def arm(self, deadline: float) -> None:
        """Fail when nothing has moved the deadline until ``deadline`` (monotonic seconds)."""
        self.deadline = deadline
        if deadline < self.wake_at:
            self._gateway.wheel.schedule(self)

    def rest(self) -> None:
        """Become idle; the pool holds it now."""
        self.sink = None
        self._step = _IDLE
        self.arm(monotonic() + self._gateway.limits.upstream_idle_s)

    def close(self) -> None:
        """Close without further notice to the sink."""
        self.sink = None
        self.closed = True
        self.deadline = NEVER
        self._gateway.wheel.cancel(self)
        self.transport.abort()

    # -- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is none by inheritance

    def data_received(self, data: bytes) -> None:
        sink = self.sink
        if sink is None:
            # RFC 9112 §9.2: nobody asked; whatever it says must never become somebody's answer.
            self._gateway.pool.forget(self.endpoint, self)
            self.close()
            return
        self.fresh = False
        if self.deadline != NEVER:
            self.arm(monotonic() + self.read_s)
        try:
            if self._step == _BODY:
                self._read_body(data, sink)
            elif self._step == _HEAD:
                self._read_head(data, sink)
            else:
                sink.on_upstream_data(data)
                return
        except UpstreamError as error:
            self.reusable = False
            sink.on_upstream_failed(error)
            return
        if self.sink is sink:
            sink.on_response_read()

    def eof_received(self) -> bool | None:
        self.reusable = False
        sink = self.sink
        if sink is None:
            self._gateway.pool.forget(self.endpoint, self)
            return None
        if self._step == _RAW:
            return sink.on_upstream_eof()
        return None

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        self.reusable = False
        self.deadline = NEVER
        self._gateway.wheel.cancel(self)
        sink = self.sink
        if sink is None:
            self._gateway.pool.forget(self.endpoint, self)
            return
        if exc is None and self._step == _BODY and self._framing == UNTIL_CLOSE:
            sink.on_response_end(b"")
        else:
            sink.on_upstream_failed(self._closed_early(exc))

    def _closed_early(self, exc: Exception | None) -> UpstreamError:
        reason = "closed_before_response" if self.fresh else "closed_in_response"
        return UpstreamError(reason, str(exc or f"{self.endpoint.label} closed the connection"))

    def pause_writing(self) -> None:
        if self.sink is not None:
            self.arm(monotonic() + self.send_s)
            self.sink.on_upstream_writable(False)

    def resume_writing(self) -> None:
        if self.sink is not None:
            self.deadline = NEVER
            self.sink.on_upstream_writable(True)

    def on_deadline(self, now: float) -> None:
        sink = self.sink
        if sink is None:
            self._gateway.pool.forget(self.endpoint, self)
            self.close()
            return
        self.reusable = False
        waiting = self.transport.get_write_buffer_size() > 0
        reason = "send_timeout" if waiting else "read_timeout"
        sink.on_upstream_failed(UpstreamError(reason, f"{self.endpoint.label} was silent for too long"))

    # -- reading a response

    def _read_head(self, data: bytes, sink: ResponseSink) -> None:
        if self._buffer:
            data = self._buffer + data
            self._buffer = b""
        limits = self._gateway.limits
        while True:
            end = data.find(b"\r\n\r\n")
            if end < 0 or end > limits.response_header_bytes:
                if len(data) > limits.response_header_bytes:
                    raise UpstreamError("response_header_too_large", f"more than {limits.response_header_bytes} bytes")
                self._buffer = data
                return
            line_end = data.find(b"\r\n", 0, end + 2)
            minor, status, reason = read_status_line(data[:line_end])
            fields = read_response_fields(data[line_end + 2 : end + 4], limits.header_fields)
            data = data[end + 4 :]
            if status >= 200:
                break
            if status == 101:
                self._switch(reason, fields, data, sink)
                return
            self._interim += 1
            if self._interim > limits.interim_responses:
                raise UpstreamError("too_many_interim_responses", "1xx without end")
            sink.on_interim(status, reason, fields)
            if not data:
                return
        self._begin_body(minor, status, fields)
        sink.on_response_head(status, reason, fields, self._framing)
        if self._framing == NO_BODY:
            self._end(data, sink)
        else:
            self._step = _BODY
            if data or (self._framing == LENGTH and not self._left):
                self._read_body(data, sink)

    def _begin_body(self, minor: int, status: int, fields: ResponseFields) -> None:
        """RFC 9112 §6.3, steps 1-2, 4-8 (3 was refused with the fields)."""
        if self._method == b"HEAD" or status in (204, 304):
            self._framing = NO_BODY
        elif fields.chunked:
            if minor == 0:
                raise UpstreamError("ambiguous_response_framing", "Transfer-Encoding in an HTTP/1.0 response")
            self._framing = CHUNKED
            self._chunks = ChunkReader()
        elif fields.content_length >= 0:
            self._framing = LENGTH
            self._left = fields.content_length
        else:
            self._framing = UNTIL_CLOSE
            self.reusable = False
        if fields.close or (minor == 0 and not fields.keep_alive):
            self.reusable = False

    def _read_body(self, data: bytes, sink: ResponseSink) -> None:
        if self._framing == LENGTH:
            left = self._left
            if len(data) < left:
                self._left = left - len(data)
                sink.on_response_body(data)
                return
            self._left = 0
            if len(data) == left:
                if data:
                    sink.on_response_body(data)
                self._end(b"", sink)
            else:
                if left:
                    sink.on_response_body(data[:left])
                self._end(data[left:], sink)
        elif self._framing == UNTIL_CLOSE:
            sink.on_response_body(data)
        else:
            self._read_chunks(data, sink)

    def _read_chunks(self, data: bytes, sink: ResponseSink) -> None:
        chunks = self._chunks
        assert chunks is not None  # noqa: S101 - _begin_body made it
        try:
            payload = chunks.feed(data)
        except FramingError as error:
            raise UpstreamError("bad_response_chunks", str(error)) from None
        if payload:
            sink.on_response_body(payload[0] if len(payload) == 1 else b"".join(payload))
        if chunks.done:
            self._chunks = None
            self._end(chunks.rest, sink, chunks.trailers)

    def _end(self, extra: bytes, sink: ResponseSink, trailers: bytes = b"") -> None:
        if extra:
            # More than was announced: the client gets what was, and nobody gets the rest.
            self.reusable = False
        self._step = _IDLE
        sink.on_response_end(trailers)

    def _switch(self, reason: bytes, fields: ResponseFields, data: bytes, sink: ResponseSink) -> None:
        if not self._switchable or not fields.upgrade:
            raise UpstreamError("unexpected_upgrade", "101 to a request that did not ask for it")
        self._step = _RAW
        self.reusable = False
        sink.on_switched(reason, fields)
        if data and self.sink is not None:
            self.sink.on_upstream_data(data)


async def open_connection(gateway: Gateway, endpoint: LiveEndpoint, timeout_s: float) -> UpstreamConnection:
    """Connect to ``endpoint``.

    Raises:
        UpstreamError: ``connect_timeout`` or ``connect_failed``, both before anything was sent.
    """
    connection = UpstreamConnection(gateway, endpoint)
    try:
        async with asyncio.timeout(timeout_s):
            await gateway.loop.create_connection(lambda: connection, endpoint.address, endpoint.port)
    except TimeoutError:
        detail = f"{endpoint.label} did not accept within {timeout_s:g} s"
        raise UpstreamError("connect_timeout", detail, before_send=True) from None
    except OSError as error:
        raise UpstreamError("connect_failed", f"{endpoint.label}: {error}", before_send=True) from None
    return connection

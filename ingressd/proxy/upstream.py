"""A connection to one endpoint: writes a request, reads its response, is idle in the pool in between.

Reading is strict: whatever cannot be one well-framed response to the one request that was sent ends the connection.
"""

from __future__ import annotations

import asyncio
from errno import EMFILE, ENFILE
from time import monotonic
from typing import TYPE_CHECKING, Protocol, cast

from ingressd.errors import OUT_OF_DESCRIPTORS, UpstreamError
from ingressd.http.field_values import list_items
from ingressd.http.framing import ChunkReader, FramingError
from ingressd.http.response import (
    CHUNKED,
    LENGTH,
    NO_BODY,
    UNTIL_CLOSE,
    ResponseHead,
    check_unfinished,
    read_response_head,
)
from ingressd.proxy.pool import LiveEndpoint
from ingressd.proxy.splicing import LONG_BODY_BYTES
from ingressd.proxy.timers import NEVER
from ingressd.proxy.unheard import unacknowledged_bytes
from ingressd.proxy.upstream_tls import connect_tls

if TYPE_CHECKING:
    from ingressd.proxy.gateway import Gateway
    from ingressd.proxy.splicing import Splice

_HEAD, _BODY, _RAW, _IDLE = range(4)


class ResponseSink(Protocol):
    """Who gets what an upstream connection reads. Exactly one of end, switched or failed is called last."""

    def on_interim(self, head: ResponseHead) -> None: ...
    def on_response_head(self, head: ResponseHead, framing: int) -> None: ...
    def on_response_body(self, data: bytes) -> None: ...
    def on_long_body(self, left: int) -> None: ...
    def on_response_read(self) -> None: ...
    def on_response_end(self, trailers: bytes) -> None: ...
    def on_switched(self, head: ResponseHead) -> None: ...
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
        "_offered",
        "_reading_held",
        "_step",
        "_unsent",
        "_written",
        "closed",
        "deadline",
        "endpoint",
        "fresh",
        "max_head_bytes",
        "opened",
        "read_s",
        "requests",
        "reusable",
        "send_s",
        "sink",
        "splice",
        "transport",
        "wake_at",
        "write_paused",
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
        self._offered = b""
        self._reading_held = False
        self._written = 0  # bytes of the request under way
        self._unsent = 0  # bytes in the write buffer when the endpoint's time to take some began
        self.write_paused = False
        self.deadline = NEVER
        self.wake_at = NEVER
        self.read_s = self.send_s = 60.0
        self.max_head_bytes = gateway.limits.response_header_bytes  # who changes it puts it back
        self.opened = monotonic()
        self.requests = 0
        self.fresh = True  # no byte of a response to the request under way was read
        self.reusable = True
        self.closed = False
        self.splice: Splice | None = None  # reads the body in our place

    # -- towards whoever leased it

    def begin(self, sink: ResponseSink, method: bytes, upgrade: bytes, read_s: float, send_s: float) -> None:
        """A request with ``method`` is about to be written; ``upgrade`` names the protocols it offers to switch to."""
        self.sink = sink
        self._written = 0
        self._method = method
        self._offered = upgrade
        self._step = _HEAD
        self._interim = 0
        self.fresh = True
        self.reusable = True
        self.requests += 1
        self.read_s = read_s
        self.send_s = send_s
        self.deadline = NEVER

    def write(self, data: bytes) -> None:
        """More of the request. A write that fails, which ends the connection at once, counts for nothing."""
        self.transport.write(data)
        if not self.transport.is_closing():
            self._written += len(data)

    def await_response(self) -> None:
        """The request is written whole: the endpoint's time to answer begins."""
        self.arm(monotonic() + self.read_s)

    def arm(self, deadline: float) -> None:
        """Fail when nothing has moved the deadline until ``deadline`` (monotonic seconds)."""
        self.deadline = deadline
        if deadline < self.wake_at:
            self._gateway.wheel.schedule(self)

    def hold_reading(self, hold: bool) -> None:
        """The client cannot take more of the response, or can again."""
        if self.splice is not None:
            self.splice.hold(hold)
            return
        if hold is self._reading_held or self.closed:
            return
        self._reading_held = hold
        if hold:
            self.transport.pause_reading()
        else:
            self.transport.resume_reading()

    def read_rest(self, left: int) -> None:
        """Somebody else has read the body but for its last ``left`` bytes."""
        self._left = left
        if not left and self.sink is not None:
            self._end(b"", self.sink)

    def is_open(self) -> bool:
        """Whether a request could be sent."""
        return not self.closed and not self.transport.is_closing()

    def has_unsent(self) -> bool:
        """Whether part of a request is still to be taken by the endpoint."""
        return self.transport.get_write_buffer_size() > 0

    def may_be_kept(self, now: float) -> bool:
        """Whether another request may come over it, as far as it and its bounds are concerned."""
        limits = self._gateway.limits
        return (
            self.reusable
            and self.requests < limits.upstream_requests_per_connection
            and now - self.opened < limits.upstream_age_s
            and self.is_open()
        )

    def rest(self, now: float) -> None:
        """Become idle; the pool holds it now."""
        self.sink = None
        self._step = _IDLE
        if self._reading_held:
            self.hold_reading(False)
        gateway = self._gateway
        self.deadline = now + gateway.limits.upstream_idle_s
        if self.deadline < self.wake_at:
            gateway.wheel.schedule(self)

    def close(self) -> None:
        """Close at once, without further notice to the sink."""
        self.sink = None
        self.closed = True
        self.deadline = NEVER
        self._gateway.wheel.cancel(self)
        if self.splice is not None:
            self.splice.close()
        self.transport.abort()

    def finish(self) -> None:
        """Close when what was written is sent, or could not be in time; without further notice to the sink."""
        self.sink = None
        self.transport.close()
        self.arm(monotonic() + self.send_s)

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
        try:
            if self._step == _HEAD:
                self._read_head(data, sink)
            elif self._step == _BODY:
                self._read_body(data, sink)
            else:
                sink.on_upstream_data(data)
        except UpstreamError as error:
            self.reusable = False
            sink.on_upstream_failed(error)
            return
        if self.sink is sink:  # it has not got everything yet
            if self.deadline != NEVER and not self.write_paused:
                self.arm(monotonic() + self.read_s)
            if self._step != _RAW:
                sink.on_response_read()

    def eof_received(self) -> bool | None:
        self.reusable = False
        sink = self.sink
        if sink is None:
            self._gateway.pool.forget(self.endpoint, self)
            return None
        if self._step == _RAW:
            return sink.on_upstream_eof()
        if self._step == _HEAD:
            sink.on_upstream_failed(self._closed_early(None))
        return None

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        self.reusable = False
        self.deadline = NEVER
        self._gateway.wheel.cancel(self)
        if self.splice is not None:
            self.splice.close()
        sink = self.sink
        if sink is None:
            self._gateway.pool.forget(self.endpoint, self)
            return
        if exc is None and self._step == _BODY and self._framing == UNTIL_CLOSE:
            sink.on_response_end(b"")
        else:
            sink.on_upstream_failed(self._closed_early(exc))

    def _closed_early(self, exc: Exception | None) -> UpstreamError:
        detail = str(exc or f"{self.endpoint.label} closed the connection")
        if not self.fresh:
            in_first_head = self._step == _HEAD and not self._interim
            return UpstreamError("closed_in_head" if in_first_head else "closed_in_response", detail)
        reason = "stale_connection" if self.requests > 1 else "closed_before_response"
        return UpstreamError(reason, detail, unheard=self._is_unheard(exc))

    def _is_unheard(self, exc: Exception | None) -> bool:
        """Whether no byte of the request has reached the endpoint's kernel; False when that is not certain.

        An end without an exception is a FIN. After one, Linux makes EPIPE of a RST, and ECONNRESET without one.
        """
        if not self._written:
            return True
        if self.transport.get_extra_info("ssl_object") is not None:
            return False  # the kernel counts records, and the handshake among them
        return isinstance(exc, BrokenPipeError | None) and unacknowledged_bytes(self.transport) >= self._written

    def pause_writing(self) -> None:
        self.write_paused = True
        if self.sink is not None:
            self._unsent = self.transport.get_write_buffer_size()
            self.arm(monotonic() + self.send_s)
            self.sink.on_upstream_writable(False)

    def resume_writing(self) -> None:
        self.write_paused = False
        if self.sink is not None:
            self.deadline = NEVER
            self.sink.on_upstream_writable(True)

    def on_deadline(self, now: float) -> None:
        sink = self.sink
        if sink is None:
            self._gateway.pool.forget(self.endpoint, self)
            self.close()
            return
        unsent = self.transport.get_write_buffer_size()
        if self.write_paused and 0 < unsent < self._unsent:  # slow, but not stuck
            self._unsent = unsent
            self.arm(now + self.send_s)
            return
        self.reusable = False
        reason = "send_timeout" if unsent else "read_timeout"
        sink.on_upstream_failed(UpstreamError(reason, f"{self.endpoint.label} was silent for too long"))

    # -- reading a response

    def _read_head(self, data: bytes, sink: ResponseSink) -> None:
        if self._buffer:
            data = self._buffer + data
            self._buffer = b""
        limits = self._gateway.limits
        while True:
            end = data.find(b"\r\n\r\n") + 4
            if end < 4 or end - 4 > self.max_head_bytes:
                if len(data) > self.max_head_bytes:
                    raise UpstreamError("response_header_too_large", f"more than {self.max_head_bytes} bytes")
                check_unfinished(data)
                self._buffer = data
                return
            head = read_response_head(data[:end], limits.header_fields)
            data = data[end:]
            if head.status >= 200:
                break
            if head.status == 101:
                self._switch(head, data, sink)
                return
            self._interim += 1
            if self._interim > limits.interim_responses:
                raise UpstreamError("too_many_interim_responses", "1xx without end")
            sink.on_interim(head)
            if not data:
                return
        framing = self._framing = NO_BODY if self._method == b"HEAD" else head.framing
        if not head.keeps_open or framing == UNTIL_CLOSE:
            self.reusable = False
        if framing == LENGTH:
            left = head.fields.content_length - len(data)
            if left < 0:
                raise _excess()
            sink.on_response_head(head, framing)
            if self.sink is not sink:
                return  # it has asked somebody else
            if data:
                sink.on_response_body(data)
            if not left:
                self._step = _IDLE
                sink.on_response_end(b"")
            else:
                self._left = left
                self._step = _BODY
                if left >= LONG_BODY_BYTES:
                    sink.on_long_body(left)
        else:
            self._begin_unusual(head, framing, data, sink)

    def _begin_unusual(self, head: ResponseHead, framing: int, data: bytes, sink: ResponseSink) -> None:
        """A response without a body or whose length is not told: ``data`` followed its head."""
        if data and framing == NO_BODY:
            raise _excess()
        sink.on_response_head(head, framing)
        if self.sink is not sink:
            return
        if framing == NO_BODY:
            if head.fields.content_length > 0 or head.framing in (CHUNKED, UNTIL_CLOSE):
                # It names a body that must not follow (RFC 9112 §6.3). Of those who send it all the same many do so in
                # a second write: it would be read as the answer to whoever has the connection by then.
                self.reusable = False
            self._end(b"", sink)
            return
        self._step = _BODY
        if framing == CHUNKED:
            self._chunks = ChunkReader()
            if data:
                self._read_chunks(data, sink, with_head=True)
        elif data:
            self._read_body(data, sink)

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

    def _read_chunks(self, data: bytes, sink: ResponseSink, *, with_head: bool = False) -> None:
        chunks = self._chunks
        assert chunks is not None  # noqa: S101 - _begin_body made it
        try:
            payload = chunks.feed(data)
        except FramingError as error:
            raise UpstreamError("bad_response_chunks", str(error)) from None
        if with_head and chunks.done and chunks.rest:
            raise _excess()
        if payload:
            sink.on_response_body(payload[0] if len(payload) == 1 else b"".join(payload))
        if chunks.done:
            self._chunks = None
            self._end(chunks.rest, sink, chunks.trailers)

    def _end(self, extra: bytes, sink: ResponseSink, trailers: bytes = b"") -> None:
        if extra:
            # More than was announced, when the head is out: the client gets what was, and nobody gets the rest.
            self.reusable = False
        self._step = _IDLE
        sink.on_response_end(trailers)

    def _switch(self, head: ResponseHead, data: bytes, sink: ResponseSink) -> None:
        """RFC 9110 §7.8: only to what the client offered."""
        chosen = list_items(head.fields.upgrade)
        if not chosen or not set(chosen) <= set(list_items(self._offered)):
            raise UpstreamError("unexpected_upgrade", "101 to a request that did not ask for it")
        self._step = _RAW
        self.reusable = False
        sink.on_switched(head)
        if data and self.sink is not None:
            self.sink.on_upstream_data(data)


def _excess() -> UpstreamError:
    """What an endpoint says behind its message in the read that brought the head: who is so wrong is not believed."""
    return UpstreamError("excess_response_body", "more bytes than the response has")


async def open_connection(gateway: Gateway, endpoint: LiveEndpoint, timeout_s: float) -> UpstreamConnection:
    """Connect to ``endpoint``.

    Raises:
        UpstreamError: ``connect_timeout`` or ``connect_failed``, with TLS ``tls_handshake_timeout`` and
            ``tls_handshake_failed`` too, all of them before anything was sent.
    """
    connection = UpstreamConnection(gateway, endpoint)
    if endpoint.tls is not None:
        await connect_tls(gateway.loop, connection, endpoint.address, endpoint.port, endpoint.tls, timeout_s)
        return connection
    try:
        async with asyncio.timeout(timeout_s):
            await gateway.loop.create_connection(lambda: connection, endpoint.address, endpoint.port)
    except TimeoutError:
        detail = f"{endpoint.label} did not accept within {timeout_s:g} s"
        raise UpstreamError("connect_timeout", detail, unheard=True) from None
    except OSError as error:
        reason = OUT_OF_DESCRIPTORS if error.errno in (EMFILE, ENFILE) else "connect_failed"
        raise UpstreamError(reason, f"{endpoint.label}: {error}", unheard=True) from None
    return connection

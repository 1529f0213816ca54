"""TLS between a TCP transport and a protocol that need not know: OpenSSL over memory, in our own Protocol.

One object is both: towards TCP an ``asyncio.Protocol``, towards the inner protocol its ``asyncio.Transport``. It costs
less per handshake and per idle connection than the event loop's own TLS, which ``benchmarks/handshake.py`` shows.

What the inner protocol may rely on, beyond what any transport promises:

- ``connection_made`` comes after the handshake; before it nothing of the inner protocol exists (``make_inner``).
- ``eof_received`` means that the peer will send no more. When it said so (close_notify), ``truncated`` is False. When
  TCP just ended, ``truncated`` is True: whoever reads up to the end of the stream must then take what it read for
  incomplete (RFC 8446 section 6.1). Either way a true result keeps the other direction open, else the connection is
  closed.
- ``connection_lost`` gets the ``ssl.SSLError`` when the peer broke the protocol, else what TCP says.
- ``write_eof`` says close_notify and leaves TCP open.

Buffers are bounded: while the inner protocol pauses reading, at most what TCP had delivered in one go waits here; what
waits to be sent is bounded by the inner protocol's heeding ``pause_writing``.
"""

import asyncio
import contextlib
import ssl
from collections import deque
from collections.abc import Callable, Iterable
from enum import IntEnum
from typing import Any, Protocol, cast

from ingressd.proxy.timers import NEVER
from ingressd.tls.failure import failure_reason

Buffer = bytes | bytearray | memoryview

_RECORD = 16_384  # plaintext of a TLS record (RFC 8446 section 5.1)
# Fed to OpenSSL, and taken from it, at a time. Its memory buffers grow to what they once held and never shrink, so this
# bounds what a connection that carried a large body keeps when idle.
_SLICE = 2 * _RECORD
_TURN = 1 << 20  # encrypted before other connections get their turn: about 1 ms

_HANDSHAKE_RECORD = 0x16  # first byte of a ClientHello


class TlsOwner(Protocol):
    """Who accepted the connection: counts, and sets time limits, until there is an inner protocol."""

    def handshake_started(self, transport: "TlsTransport") -> None:
        """TCP is open. It is the owner's to call ``abort`` when ``handshake_done`` does not come true in time."""

    def handshake_ended(self, transport: "TlsTransport", failure: str) -> None:
        """Once after each start; "" before ``connection_made``, else why not, when the connection is gone.

        ``failure`` is one of: aborted, closed, no_certificate, no_shared_cipher, not_tls, peer_alert, plain_http,
        protocol_error, protocol_version.
        """

    def plain_http(self, data: bytes) -> bytes:
        """What to answer, in plain text, to someone who speaks HTTP without TLS and begins with ``data``."""


class _Phase(IntEnum):
    """Ordered: a connection only moves down this list."""

    WAITING = 0  # for the first byte; OpenSSL is not bothered yet
    HANDSHAKE = 1
    OPEN = 2
    CLOSING = 3  # what is written is still sent, what is received is dropped
    LOST = 4


# Looking into an enum costs as much as a comparison: once is enough.
_WAITING, _HANDSHAKE, _OPEN, _CLOSING, _LOST = _Phase


class TlsTransport(asyncio.Transport, asyncio.Protocol):
    """The server's side of one TLS connection. Make one per accepted connection, as the TCP transport's protocol."""

    __slots__ = (
        "_backlog",
        "_backlog_bytes",
        "_close_notify",
        "_context",
        "_delivering",
        "_eof_seen",
        "_eof_written",
        "_error",
        "_failure",
        "_incoming",
        "_inner",
        "_make_inner",
        "_outgoing",
        "_owner",
        "_phase",
        "_reading_paused",
        "_ssl",
        "_tcp",
        "_tcp_full",
        "_undecrypted",
        "_writing_paused",
        "deadline",
        "handshake_done",
        "truncated",
        "wake_at",
    )

    _tcp: asyncio.Transport

    def __init__(self, context: ssl.SSLContext, make_inner: Callable[[], asyncio.Protocol], owner: TlsOwner) -> None:
        self._context = context
        self._make_inner = make_inner
        self._owner: TlsOwner | None = owner
        self._inner: asyncio.Protocol | None = None
        self._phase: _Phase = _WAITING
        # None until the first byte has come, and again when the connection is lost.
        self._ssl = cast("ssl.SSLObject", None)
        self._incoming = cast("ssl.MemoryBIO", None)
        self._outgoing = cast("ssl.MemoryBIO", None)
        self._undecrypted: Buffer = b""  # arrived, not yet given to OpenSSL
        self._backlog: deque[memoryview] | None = None  # plaintext not yet encrypted
        self._backlog_bytes = 0
        self._delivering = False  # inside the inner protocol's data_received: flush once, after it
        self._reading_paused = False  # by the inner protocol
        self._tcp_full = False  # TCP asked us to pause writing
        self._writing_paused = False  # we asked the inner protocol to
        self._close_notify = False  # received
        self._eof_seen = False  # by the inner protocol
        self._eof_written = False
        self._failure = ""
        self._error: OSError | None = None
        self.handshake_done = False
        self.truncated = False
        self.deadline = NEVER  # the owner's, of the handshake; the transport can be put into its timer wheel
        self.wake_at = NEVER

    def on_deadline(self, now: float) -> None:
        """The handshake takes too long."""
        self.abort()

    # ── Towards TCP: asyncio.Protocol ──

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._tcp = cast("asyncio.Transport", transport)
        if self._owner is not None:
            self._owner.handshake_started(self)

    def data_received(self, data: bytes) -> None:
        if self._undecrypted or self._reading_paused:  # a transport that ignores pause_reading: keep the order
            self._undecrypted = bytes(self._undecrypted) + data
        elif len(data) <= _SLICE:
            self._receive(data)
        else:
            self._undecrypted = memoryview(data)
            self._receive_slices()

    def eof_received(self) -> bool:
        """The peer's TCP has ended. True keeps ours open: we close it ourselves, when all is sent."""
        if self._phase is _OPEN:
            if not self._eof_seen:
                self.truncated = not self._close_notify
                self._end_of_stream()
            return True
        return self._phase is _CLOSING and bool(self._backlog)

    def connection_lost(self, exc: Exception | None) -> None:
        self._phase = _LOST
        self._forget()
        self._ssl = self._incoming = self._outgoing = cast("Any", None)
        if self._owner is not None:
            owner, self._owner = self._owner, None
            owner.handshake_ended(self, self._failure or "closed")
        if self._inner is not None:
            inner, self._inner = self._inner, None
            inner.connection_lost(self._error or exc)

    def pause_writing(self) -> None:
        self._tcp_full = True
        self._pause_inner()

    def resume_writing(self) -> None:
        self._tcp_full = False
        self._encrypt_backlog()

    # ── Towards the inner protocol: asyncio.Transport ──

    def write(self, data: Buffer) -> None:
        if self._phase is not _OPEN:
            return  # the inner protocol hears, or heard, connection_lost
        if self._eof_written:
            raise RuntimeError("Cannot call write() after write_eof()")
        if self._backlog:
            self._enqueue(data)  # when it is its turn is known already
            return
        if len(data) > _SLICE:
            self._enqueue(data)
            self._encrypt_backlog()
            return
        if not data:
            return
        try:
            self._ssl.write(data)  # written whole: memory always has room
        except OSError as error:
            self._break(error)
            return
        if not self._delivering or self._outgoing.pending > _SLICE:
            self._tcp.write(self._outgoing.read())

    def writelines(self, list_of_data: Iterable[Buffer]) -> None:
        parts = list(list_of_data)
        if len(parts) == 1 or sum(map(len, parts)) <= _SLICE:
            self.write(b"".join(parts))
        else:
            for part in parts:
                self.write(part)

    def write_eof(self) -> None:
        if self._phase is _OPEN and not self._eof_written:
            self._eof_written = True
            if not self._backlog:
                self._say_close_notify()

    def can_write_eof(self) -> bool:
        return True

    def close(self) -> None:
        """Send what is written, say close_notify, close TCP. The peer's own close_notify is not waited for."""
        if self._phase < _OPEN:
            self._phase = _CLOSING
            self._failure = self._failure or "aborted"
            self._tcp.close()
        elif self._phase is _OPEN:
            self._phase = _CLOSING
            self._undecrypted = b""
            if not self._backlog:
                self._close_tcp()

    def abort(self) -> None:
        """Close at once; nothing more is sent, not even close_notify."""
        if self._phase < _LOST:
            self._phase = _CLOSING
            self._failure = self._failure or "aborted"
            self._forget()
            self._tcp.abort()

    def is_closing(self) -> bool:
        return self._phase >= _CLOSING or self._tcp.is_closing()

    def pause_reading(self) -> None:
        if self._phase is _OPEN and not self._reading_paused:
            self._reading_paused = True
            if not self._tcp.is_closing():
                self._tcp.pause_reading()

    def resume_reading(self) -> None:
        if self._phase is not _OPEN or not self._reading_paused:
            return
        self._reading_paused = False
        if self._undecrypted or (self._close_notify and not self._eof_seen):
            asyncio.get_running_loop().call_soon(self._continue_reading)  # never data_received out of resume_reading
        else:
            self._resume_tcp()

    def is_reading(self) -> bool:
        return self._phase is _OPEN and not self._reading_paused

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._tcp.set_write_buffer_limits(high, low)

    def get_write_buffer_limits(self) -> tuple[int, int]:
        return self._tcp.get_write_buffer_limits()

    def get_write_buffer_size(self) -> int:
        """Bytes not yet given to the kernel: ciphertext, and plaintext that is to become some."""
        if self._phase is _LOST:
            return 0
        unsent = self._outgoing.pending if self._phase is _OPEN else 0
        return self._tcp.get_write_buffer_size() + self._backlog_bytes + unsent

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """As TCP's, and ``ssl_object``: None before the handshake began and after the connection is lost."""
        if name == "ssl_object":
            return cast("object", self._ssl) or default
        return self._tcp.get_extra_info(name, default)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._inner = cast("asyncio.Protocol", protocol)

    def get_protocol(self) -> asyncio.BaseProtocol:
        return cast("asyncio.Protocol", self._inner)

    # ── The handshake ──

    def _receive_handshake(self, data: Buffer) -> None:
        if self._phase is _WAITING:
            if data[0] != _HANDSHAKE_RECORD:
                self._refuse_plaintext(bytes(data))
                return
            self._begin_handshake()
        self._incoming.write(data)
        try:
            self._ssl.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
        except OSError as error:
            self._failure = failure_reason(error)
            self._break(error)
        else:
            self._open()

    def _begin_handshake(self) -> None:
        # Nothing has been given to OpenSSL yet: the place to look into a ClientHello and hand the connection on.
        self._phase = _HANDSHAKE
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._ssl = self._context.wrap_bio(self._incoming, self._outgoing, server_side=True)

    def _refuse_plaintext(self, data: bytes) -> None:
        self._phase = _CLOSING
        if not (data[:1].isalpha() and data[:1].isupper()):  # no request method begins so
            self._failure = "not_tls"
            self._tcp.close()
            return
        self._failure = "plain_http"
        if self._owner is not None:
            self._tcp.write(self._owner.plain_http(data))
        self._tcp.write_eof()  # and wait for the peer's end: closing with unread data would reset the answer away

    def _open(self) -> None:
        self._phase = _OPEN
        self.handshake_done = True
        if self._owner is not None:
            owner, self._owner = self._owner, None
            owner.handshake_ended(self, "")
        self._inner = self._make_inner()
        self._inner.connection_made(self)
        if self._tcp_full:
            self._pause_inner()
        if self._phase is _OPEN:
            self._deliver()  # a request may have come with the client's Finished; session tickets leave with its answer

    # ── Receiving ──

    def _receive(self, data: Buffer) -> None:
        if self._phase is _OPEN:
            if not self._close_notify:
                self._incoming.write(data)
                self._deliver()
        elif self._phase < _OPEN:
            self._receive_handshake(data)

    def _receive_slices(self) -> None:
        while self._undecrypted and not self._reading_paused:
            data = self._undecrypted
            self._undecrypted = data[_SLICE:]
            self._receive(data[:_SLICE])

    def _deliver(self) -> None:
        """Hand on what has arrived, and send what the inner protocol answers, in one piece each."""
        plaintext = self._decrypt()
        if plaintext and self._inner is not None:
            self._delivering = True
            try:
                self._inner.data_received(plaintext)
            finally:
                self._delivering = False
        if self._phase is not _OPEN:
            return
        if self._error is not None:
            self._break(self._error)
            return
        if self._outgoing.pending:
            self._tcp.write(self._outgoing.read())
        if self._close_notify and not self._reading_paused:
            self._end_of_stream()

    def _decrypt(self) -> bytes:
        """The plaintext of all complete records, at most about _SLICE. A breach of protocol is left in ``_error``."""
        parts = []
        try:
            while self._incoming.pending:  # OpenSSL buffers less than a record itself, so then there is nothing to read
                part = self._ssl.read(_RECORD)
                if not part:
                    self._close_notify = True
                    break
                parts.append(part)
        except ssl.SSLWantReadError:
            pass  # the rest of a record is still to come
        except ssl.SSLZeroReturnError:  # close_notify, after ours
            self._close_notify = True
        except OSError as error:
            self._error = error
        return b"".join(parts)

    def _end_of_stream(self) -> None:
        self._eof_seen = True
        self._undecrypted = b""
        if self._inner is not None and not self._inner.eof_received():
            self.close()

    def _continue_reading(self) -> None:
        if self._phase is not _OPEN or self._reading_paused:
            return
        self._receive_slices()
        if self._phase is not _OPEN or self._reading_paused:
            return
        if self._close_notify and not self._eof_seen:
            self._end_of_stream()
        self._resume_tcp()

    def _resume_tcp(self) -> None:
        if not self._tcp.is_closing():
            self._tcp.resume_reading()

    # ── Sending ──

    def _enqueue(self, data: Buffer) -> None:
        if self._backlog is None:
            self._backlog = deque()
        self._backlog.append(memoryview(data if isinstance(data, bytes) else bytes(data)))
        self._backlog_bytes += len(data)

    def _encrypt_backlog(self) -> None:
        """As much as TCP takes and one turn allows; the rest when TCP resumes us, or in the loop's next round."""
        budget = _TURN
        while self._backlog and not self._tcp_full and budget > 0:
            budget -= self._encrypt_slice(self._backlog)
        if not self._backlog:
            self._after_backlog()
            return
        self._pause_inner()
        if not self._tcp_full:
            asyncio.get_running_loop().call_soon(self._encrypt_backlog)

    def _encrypt_slice(self, backlog: deque[memoryview]) -> int:
        room = _SLICE
        try:
            while backlog and room:
                view = backlog.popleft()
                if len(view) > room:
                    backlog.appendleft(view[room:])
                    view = view[:room]
                self._ssl.write(view)  # written whole: memory always has room
                room -= len(view)
        except OSError as error:
            self._break(error)
            return _SLICE
        self._backlog_bytes -= _SLICE - room
        self._tcp.write(self._outgoing.read())
        return _SLICE - room

    def _after_backlog(self) -> None:
        if self._phase is _LOST or self._tcp.is_closing():
            return
        self._backlog = None
        if self._phase is _CLOSING:
            if self.handshake_done:
                self._close_tcp()
            return
        if self._eof_written:
            self._say_close_notify()
        if self._writing_paused and not self._tcp_full and self._inner is not None:
            self._writing_paused = False
            self._inner.resume_writing()

    def _pause_inner(self) -> None:
        if not self._writing_paused and self._inner is not None:
            self._writing_paused = True
            self._inner.pause_writing()

    def _flush(self) -> None:
        if self._outgoing.pending:
            self._tcp.write(self._outgoing.read())

    # ── Ends ──

    def _say_close_notify(self) -> None:
        with contextlib.suppress(OSError):  # SSLWantReadError: ours is said, the peer's we do not wait for
            self._ssl.unwrap()
        self._flush()

    def _close_tcp(self) -> None:
        self._say_close_notify()
        self._tcp.close()

    def _break(self, error: OSError) -> None:
        """The TLS layer cannot go on: tell the peer why, if it listens, and close."""
        self._error = error
        self._phase = _CLOSING
        self._forget()
        if self._tcp_full:
            self._tcp.abort()
            return
        self._flush()
        self._tcp.close()

    def _forget(self) -> None:
        self._backlog = None
        self._backlog_bytes = 0
        self._undecrypted = b""

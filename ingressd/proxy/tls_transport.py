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
import ssl
from collections.abc import Callable
from typing import Any, Protocol, cast

from ingressd.proxy.timers import NEVER
from ingressd.proxy.tls_sending import CLOSING, HANDSHAKE, LOST, OPEN, RECORD, SLICE, WAITING, Buffer, TlsSending
from ingressd.tls.failure import failure_reason

HANDSHAKE_RECORD = 0x16  # first byte of a ClientHello


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


class TlsTransport(TlsSending, asyncio.Protocol):
    """The server's side of one TLS connection. Make one per accepted connection, as the TCP transport's protocol."""

    __slots__ = (
        "_close_notify",
        "_context",
        "_eof_seen",
        "_failure",
        "_make_inner",
        "_owner",
        "_reading_paused",
        "_undecrypted",
        "deadline",
        "truncated",
        "wake_at",
    )

    def __init__(self, context: ssl.SSLContext, make_inner: Callable[[], asyncio.Protocol], owner: TlsOwner) -> None:
        super().__init__()
        self._context = context
        self._make_inner = make_inner
        self._owner: TlsOwner | None = owner
        self._undecrypted: Buffer = b""  # arrived, not yet given to OpenSSL
        self._reading_paused = False  # by the inner protocol
        self._close_notify = False  # received
        self._eof_seen = False  # by the inner protocol
        self._failure = ""
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
        elif len(data) <= SLICE:
            self._receive(data)
        else:
            self._undecrypted = memoryview(data)
            self._receive_slices()

    def eof_received(self) -> bool:
        """The peer's TCP has ended. True keeps ours open: we close it ourselves, when all is sent."""
        if self._phase is OPEN:
            if not self._eof_seen:
                self.truncated = not self._close_notify
                self._end_of_stream()
            return True
        return self._phase is CLOSING and bool(self._backlog)

    def connection_lost(self, exc: Exception | None) -> None:
        self._phase = LOST
        self._forget()
        self._ssl = self._incoming = self._outgoing = cast("Any", None)
        if self._owner is not None:
            owner, self._owner = self._owner, None
            owner.handshake_ended(self, self._failure or "closed")
        if self._inner is not None:
            inner, self._inner = self._inner, None
            inner.connection_lost(self._error or exc)

    # ── Towards the inner protocol: asyncio.Transport ──

    def close(self) -> None:
        """Send what is written, say close_notify, close TCP. The peer's own close_notify is not waited for."""
        if self._phase < OPEN:
            self._phase = CLOSING
            self._failure = self._failure or "aborted"
            self._tcp.close()
        elif self._phase is OPEN:
            self._phase = CLOSING
            self._undecrypted = b""
            if not self._backlog:
                self._close_tcp()

    def abort(self) -> None:
        """Close at once; nothing more is sent, not even close_notify."""
        if self._phase < LOST:
            self._phase = CLOSING
            self._failure = self._failure or "aborted"
            self._forget()
            self._tcp.abort()

    def is_closing(self) -> bool:
        return self._phase >= CLOSING or self._tcp.is_closing()

    def pause_reading(self) -> None:
        if self._phase is OPEN and not self._reading_paused:
            self._reading_paused = True
            if not self._tcp.is_closing():
                self._tcp.pause_reading()

    def resume_reading(self) -> None:
        if self._phase is not OPEN or not self._reading_paused:
            return
        self._reading_paused = False
        if self._undecrypted or (self._close_notify and not self._eof_seen):
            asyncio.get_running_loop().call_soon(self._continue_reading)  # never data_received out of resume_reading
        else:
            self._resume_tcp()

    def is_reading(self) -> bool:
        return self._phase is OPEN and not self._reading_paused

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
        if self._phase is WAITING:
            if data[0] != HANDSHAKE_RECORD:
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
        self._phase = HANDSHAKE
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._ssl = self._context.wrap_bio(self._incoming, self._outgoing, server_side=True)

    def _refuse_plaintext(self, data: bytes) -> None:
        self._phase = CLOSING
        if not (data[:1].isalpha() and data[:1].isupper()):  # no request method begins so
            self._failure = "not_tls"
            self._tcp.close()
            return
        self._failure = "plain_http"
        if self._owner is not None:
            self._tcp.write(self._owner.plain_http(data))
        self._tcp.write_eof()  # and wait for the peer's end: closing with unread data would reset the answer away

    def _open(self) -> None:
        self._phase = OPEN
        self.handshake_done = True
        if self._owner is not None:
            owner, self._owner = self._owner, None
            owner.handshake_ended(self, "")
        self._inner = self._make_inner()
        self._inner.connection_made(self)
        if self._tcp_full:
            self._pause_inner()
        if self._phase is OPEN:
            self._deliver()  # a request may have come with the client's Finished; session tickets leave with its answer

    # ── Receiving ──

    def _receive(self, data: Buffer) -> None:
        if self._phase is OPEN:
            if not self._close_notify:
                self._incoming.write(data)
                self._deliver()
        elif self._phase < OPEN:
            self._receive_handshake(data)

    def _receive_slices(self) -> None:
        while self._undecrypted and not self._reading_paused:
            data = self._undecrypted
            self._undecrypted = data[SLICE:]
            self._receive(data[:SLICE])

    def _deliver(self) -> None:
        """Hand on what has arrived, and send what the inner protocol answers, in one piece each."""
        plaintext = self._decrypt()
        if plaintext and self._inner is not None:
            self._delivering = True
            try:
                self._inner.data_received(plaintext)
            finally:
                self._delivering = False
        if self._phase is not OPEN:
            return
        if self._error is not None:
            self._break(self._error)
            return
        if self._outgoing.pending:
            self._tcp.write(self._outgoing.read())
        if self._close_notify and not self._reading_paused:
            self._end_of_stream()

    def _decrypt(self) -> bytes:
        """The plaintext of all complete records, at most about SLICE. A breach of protocol is left in ``_error``."""
        parts = []
        try:
            while self._incoming.pending:  # OpenSSL buffers less than a record itself, so then there is nothing to read
                part = self._ssl.read(RECORD)
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
        if self._phase is not OPEN or self._reading_paused:
            return
        self._receive_slices()
        if self._phase is not OPEN or self._reading_paused:
            return
        if self._close_notify and not self._eof_seen:
            self._end_of_stream()
        self._resume_tcp()

    def _resume_tcp(self) -> None:
        if not self._tcp.is_closing():
            self._tcp.resume_reading()

    def _forget(self) -> None:
        super()._forget()
        self._undecrypted = b""

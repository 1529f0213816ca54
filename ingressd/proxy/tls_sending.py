"""The sending half of the TLS transport: plaintext in order, encrypted no faster than TCP takes it; how it all ends."""

import asyncio
import contextlib
import ssl
from collections import deque
from collections.abc import Iterable
from enum import IntEnum
from typing import cast

Buffer = bytes | bytearray | memoryview

RECORD = 16_384  # plaintext of a TLS record (RFC 8446 section 5.1)
# Fed to OpenSSL, and taken from it, at a time. Its memory buffers grow to what they once held and never shrink, so this
# bounds what a connection that carried a large body keeps when idle.
SLICE = 2 * RECORD
TURN = 1 << 20  # encrypted before other connections get their turn: about 1 ms


class Phase(IntEnum):
    """Ordered: a connection only moves down this list."""

    WAITING = 0  # for the first byte; OpenSSL is not bothered yet
    HANDSHAKE = 1
    OPEN = 2
    CLOSING = 3  # what is written is still sent, what is received is dropped
    LOST = 4


# Looking into an enum costs as much as a comparison: once is enough.
WAITING, HANDSHAKE, OPEN, CLOSING, LOST = Phase


class TlsSending(asyncio.Transport):
    """What ``TlsTransport`` does with what the inner protocol writes."""

    __slots__ = (
        "_backlog",
        "_backlog_bytes",
        "_delivering",
        "_eof_written",
        "_error",
        "_incoming",
        "_inner",
        "_outgoing",
        "_phase",
        "_ssl",
        "_tcp",
        "_tcp_full",
        "_writing_paused",
        "handshake_done",
    )

    _tcp: asyncio.Transport

    def __init__(self) -> None:
        # Without asyncio.Transport's own: it makes a dictionary for every connection.
        self._phase: Phase = WAITING
        self._inner: asyncio.Protocol | None = None
        # None until the first byte has come, and again when the connection is lost.
        self._ssl = cast("ssl.SSLObject", None)
        self._incoming = cast("ssl.MemoryBIO", None)
        self._outgoing = cast("ssl.MemoryBIO", None)
        self._backlog: deque[memoryview] | None = None  # plaintext not yet encrypted
        self._backlog_bytes = 0
        self._delivering = False  # inside the inner protocol's data_received: flush once, after it
        self._tcp_full = False  # TCP asked us to pause writing
        self._writing_paused = False  # we asked the inner protocol to
        self._eof_written = False
        self._error: OSError | None = None
        self.handshake_done = False

    def write(self, data: Buffer) -> None:
        if self._phase is not OPEN:
            return  # the inner protocol hears, or heard, connection_lost
        if self._eof_written:
            raise RuntimeError("Cannot call write() after write_eof()")
        if self._backlog:
            self._enqueue(data)  # when it is its turn is known already
            return
        if len(data) > SLICE:
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
        if not self._delivering or self._outgoing.pending > SLICE:
            self._tcp.write(self._outgoing.read())

    def writelines(self, list_of_data: Iterable[Buffer]) -> None:
        parts = list(list_of_data)
        if len(parts) == 1 or sum(map(len, parts)) <= SLICE:
            self.write(b"".join(parts))
        else:
            for part in parts:
                self.write(part)

    def write_eof(self) -> None:
        if self._phase is OPEN and not self._eof_written:
            self._eof_written = True
            if not self._backlog:
                self._say_close_notify()

    def can_write_eof(self) -> bool:
        return True

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._tcp.set_write_buffer_limits(high, low)

    def get_write_buffer_limits(self) -> tuple[int, int]:
        return self._tcp.get_write_buffer_limits()

    def get_write_buffer_size(self) -> int:
        """Bytes not yet given to the kernel: ciphertext, and plaintext that is to become some."""
        if self._phase is LOST:
            return 0
        unsent = self._outgoing.pending if self._phase is OPEN else 0
        return self._tcp.get_write_buffer_size() + self._backlog_bytes + unsent

    # ── TCP's wishes (asyncio.Protocol) ──

    def pause_writing(self) -> None:
        self._tcp_full = True
        self._pause_inner()

    def resume_writing(self) -> None:
        self._tcp_full = False
        self._encrypt_backlog()

    # ── What waits to be encrypted ──

    def _enqueue(self, data: Buffer) -> None:
        if self._backlog is None:
            self._backlog = deque()
        self._backlog.append(memoryview(data if isinstance(data, bytes) else bytes(data)))
        self._backlog_bytes += len(data)

    def _encrypt_backlog(self) -> None:
        """As much as TCP takes and one turn allows; the rest when TCP resumes us, or in the loop's next round."""
        budget = TURN
        while self._backlog and not self._tcp_full and budget > 0:
            budget -= self._encrypt_slice(self._backlog)
        if not self._backlog:
            self._after_backlog()
            return
        self._pause_inner()
        if not self._tcp_full:
            asyncio.get_running_loop().call_soon(self._encrypt_backlog)

    def _encrypt_slice(self, backlog: deque[memoryview]) -> int:
        room = SLICE
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
            return SLICE
        self._backlog_bytes -= SLICE - room
        self._tcp.write(self._outgoing.read())
        return SLICE - room

    def _after_backlog(self) -> None:
        if self._phase is LOST or self._tcp.is_closing():
            return
        self._backlog = None
        if self._phase is CLOSING:
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
        self._phase = CLOSING
        self._forget()
        if self._tcp_full:
            self._tcp.abort()
            return
        self._flush()
        self._tcp.close()

    def _forget(self) -> None:
        self._backlog = None
        self._backlog_bytes = 0

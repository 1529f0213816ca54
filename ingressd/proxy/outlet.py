"""An answer's body on its way through compression and pacing: what must wait, waits here.

The source is paused while anything waits, so what waits is bounded by a read or two.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING

from ingressd.proxy.pacing import Pacer

if TYPE_CHECKING:
    from ingressd.policy.rate_limit import Bandwidth
    from ingressd.proxy.encoding import Encoders, Encoding

_MAX_PIECE_BYTES = 65536
"""What goes to a paced client at once: it is not to wait for a whole second's worth either."""


class Outlet:
    """``send`` gets the bytes that go out now; ``on_room`` is called when nothing waits any more."""

    __slots__ = (
        "_at",
        "_encoders",
        "_encoding",
        "_has_ended",
        "_is_stopped",
        "_loop",
        "_on_room",
        "_pacer",
        "_send",
        "_timer",
        "_waiting",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        encoders: Encoders,
        encoding: Encoding | None,
        bandwidth: Bandwidth | None,
        send: Callable[[bytes], None],
        on_room: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._encoders = encoders
        self._encoding = encoding
        self._pacer = None if bandwidth is None else Pacer(bandwidth, monotonic())
        self._send = send
        self._on_room = on_room
        self._waiting: list[bytes] = []  # for the client's turn, first come first
        self._at = 0  # of the first one so much has gone
        self._timer: asyncio.Handle | None = None
        self._has_ended = False
        self._is_stopped = False  # the client is to take what was sent before

    @property
    def is_full(self) -> bool:
        """Whether something waits: the source must pause, and the end is not there yet."""
        encoding = self._encoding
        return bool(self._waiting) or (encoding is not None and (encoding.pending > 0 or self._has_ended))

    def feed(self, data: bytes) -> None:
        """More of the body."""
        encoding = self._encoding
        self._put(data if encoding is None else encoding.feed(data))
        self._go_on_later()

    def pause(self) -> None:
        """Nothing more is there at the moment: whoever waits for what was sent so far gets it."""
        if self._encoding is not None:
            self._put(self._encoding.flush())

    def end(self) -> bool:
        """The body is complete; whether all of it is out already. If not, ``on_room`` says when."""
        self._has_ended = True
        self._finish_encoding()
        self._go_on_later()
        return not self.is_full

    def stop(self, is_stopped: bool) -> None:
        """The client cannot keep up, or can again."""
        self._is_stopped = is_stopped
        self._go_on_later()

    def close(self) -> None:
        """The answer has ended, however it did."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._waiting = []
        self._drop_encoding()

    # -- what waits

    def _put(self, data: bytes) -> None:
        if not data:
            return
        if self._pacer is None:
            self._send(data)
        else:
            self._waiting.append(data)
            if self._timer is None:
                self._pace(self._pacer)

    def _finish_encoding(self) -> None:
        encoding = self._encoding
        if encoding is not None and not encoding.pending and self._has_ended:
            last = encoding.finish()
            self._drop_encoding()
            self._put(last)

    def _drop_encoding(self) -> None:
        encoding, self._encoding = self._encoding, None
        if encoding is not None:
            self._encoders.close(encoding)

    def _go_on_later(self) -> None:
        if self._timer is None and not self._is_stopped and self.is_full:
            self._timer = self._loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        self._timer = None
        if self._is_stopped:
            return
        if self._waiting and self._pacer is not None:
            self._pace(self._pacer)
        elif self._encoding is not None:
            self._put(self._encoding.more())
            self._finish_encoding()
        if self.is_full:
            self._go_on_later()
        else:
            self._on_room()

    def _pace(self, pacer: Pacer) -> None:
        """Send what may go now, and come again when there is more to wait for."""
        while self._waiting and not self._is_stopped:
            now = monotonic()
            allowed = min(pacer.allowance(now), _MAX_PIECE_BYTES)
            piece = self._waiting[0][self._at : self._at + allowed] if allowed else b""
            self._at += len(piece)
            if self._at >= len(self._waiting[0]):
                del self._waiting[0]
                self._at = 0
            wait_s = pacer.sent(len(piece), now)
            if piece:
                self._send(piece)
            if wait_s and self._waiting:
                self._timer = self._loop.call_later(wait_s, self._go_on)
                return

"""An exchange whose answer's body does not go out as it comes in: it is compressed, or its pace is bounded."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from ingressd.http.response import CHUNKED, ResponseHead
from ingressd.proxy.outlet import Outlet
from ingressd.proxy.tended import ELSEWHERE, Tended, Tending
from ingressd.proxy.timers import NEVER

if TYPE_CHECKING:
    from ingressd.proxy.passage import Passage


class Shaping(Tending):
    """What ``Shaped`` exchanges have in common. An answer that is left alone has no outlet."""

    __slots__ = ELSEWHERE

    _outlet: Outlet | None
    _is_ending: bool
    _trailers: bytes

    def tend(self, passage: Passage) -> None:
        super().tend(passage)
        self._outlet = None
        self._is_ending = False  # the endpoint has said all
        self._trailers = b""  # of an answer whose last bytes are still to go

    def _count_before(self, count: int) -> None:
        """So many bytes came from the endpoint."""

    def _let_go(self) -> None:
        outlet, self._outlet = self._outlet, None
        if outlet is not None:
            outlet.close()
        super()._let_go()

    def _upstream_lines(self, head: ResponseHead, framing: int) -> tuple[bytes, int]:
        rules = self.passage.gate.answers
        lines, encoding = rules.encoding(head, self.passage.ask, self.request)
        if encoding is not None:
            framing = CHUNKED
        if encoding is not None or rules.bandwidth is not None:
            loop = self.gateway.loop
            self._outlet = Outlet(loop, rules.encoders, encoding, rules.bandwidth, self._put, self._on_room)
        return lines, framing

    # -- the answer's body, where it does not go out as it comes in

    def on_response_body(self, data: bytes) -> None:
        outlet = self._outlet
        if outlet is None:
            super().on_response_body(data)
            return
        self._count_before(len(data))
        outlet.feed(data)
        if outlet.is_full:
            self._hold_source(True)

    def on_long_body(self, left: int) -> None:
        if self._outlet is None:
            super().on_long_body(left)

    def on_response_read(self) -> None:
        if self._outlet is not None:
            self._outlet.pause()
        super().on_response_read()

    def on_response_end(self, trailers: bytes) -> None:
        if self._outlet is None or self._outlet.end():
            super().on_response_end(trailers)
            return
        self._trailers = trailers
        self._is_ending = True
        self._release()

    def _release(self) -> None:
        """The endpoint has said all, the client has not got it yet: the connection may serve somebody else."""
        connection, body = self.up, self._body
        self.up = None
        if connection is not None and self.endpoint is not None:
            if body is not None and (not body.done or connection.has_unsent()):
                connection.reusable = False
            self._give_back(self.endpoint, connection, monotonic())

    def _put(self, data: bytes) -> None:
        super().on_response_body(data)

    def _on_room(self) -> None:
        if self._is_ending:
            super().on_response_end(self._trailers)
        else:
            self._hold_source(self.down.write_paused)

    def _hold_source(self, hold: bool) -> None:
        up = self.up
        if up is None:
            return
        up.hold_reading(hold)
        if up.write_paused:
            return
        if hold:
            up.deadline = NEVER  # the endpoint is not the one who waits
        else:
            up.await_response()

    def on_downstream_writable(self, writable: bool) -> None:
        outlet = self._outlet
        if outlet is None:
            super().on_downstream_writable(writable)
            return
        outlet.stop(not writable)
        self._hold_source(not writable or outlet.is_full)

    # -- the end

    def _end(self, now: float) -> None:
        if self._outlet is not None:
            self._outlet.close()
        super()._end(now)


class Shaped(Shaping, Tended):
    """While the log has no format of its own."""

    __slots__ = ("_is_ending", "_outlet", "_trailers")

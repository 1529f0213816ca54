"""How fast an answer's body may go to the client. Arithmetic only: whoever relays the body holds what must wait."""

from ingressd.policy.rate_limit import Bandwidth

_HEAD_START_S = 1.0
"""So much of the rate may go at once: nginx allows a second's worth too."""
_PIECE_S = 0.1
"""Worth waiting for: ten turns a second for a paced answer, however fast it is."""


class Pacer:
    """One answer's budget in bytes. Times are seconds of one clock that does not go back."""

    __slots__ = ("_budget", "_free", "_full", "_rate", "_then")

    def __init__(self, bandwidth: Bandwidth, now: float) -> None:
        self._rate = bandwidth.bytes_per_s
        self._full = bandwidth.bytes_per_s * _HEAD_START_S
        self._free = bandwidth.after_bytes
        self._budget = self._full
        self._then = now

    def allowance(self, now: float) -> int:
        """Bytes that may go now; 0 when there is something to wait for."""
        self._fill(now)
        return self._free + max(0, int(self._budget))

    def sent(self, count: int, now: float) -> float:
        """``count`` bytes went. Returns how many seconds to wait before the next; 0: none.

        More than the allowance may be sent, when a piece cannot be divided: the wait is the longer.
        """
        self._fill(now)
        free = min(self._free, count)
        self._free -= free
        self._budget -= count - free
        if self._free or self._budget >= 1:
            return 0.0
        return _PIECE_S - self._budget / self._rate

    def _fill(self, now: float) -> None:
        if now > self._then:
            self._budget = min(self._full, self._budget + (now - self._then) * self._rate)
            self._then = now

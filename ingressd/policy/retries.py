"""How many second attempts are allowed: a share of the traffic, so that retries cannot multiply an outage."""

SHARE = 0.2
"""Second attempts per request: with every endpoint failing, load on them grows by a fifth, not by the attempts."""
RESERVE = 20.0
"""Attempts allowed beyond the share at first, so that a quiet route can retry at all."""
MAX_SAVED = 200.0


class RetryBudget:
    """Saved up by requests, spent by retries. ``requests`` is counted up by whoever begins one."""

    __slots__ = ("_counted", "_saved", "requests")

    def __init__(self) -> None:
        self.requests = 0
        self._counted = 0
        self._saved = RESERVE

    def spend(self) -> bool:
        """Whether one more attempt is allowed; it is counted when it is."""
        self._saved = min(MAX_SAVED, self._saved + (self.requests - self._counted) * SHARE)
        self._counted = self.requests
        if self._saved < 1.0:
            return False
        self._saved -= 1.0
        return True

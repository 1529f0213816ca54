"""What we believe of an endpoint, from how requests to it went. Pure: the time is passed in.

An endpoint whose connections fail several times in a row is set aside, each time for longer. When its time is over it
gets one request at a time until one succeeds: it comes back gently. Belief belongs to the address, so it outlives every
swap of the table; and it is advice, not a verdict: who picks must still pick somebody when everybody is set aside.
"""

FAILURES_IN_A_ROW = 3
"""A single failure is a restart or a closed keep-alive; three in a row without one success are a fault."""
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 30.0


class EndpointHealth:
    """Of one address, in one worker. Workers learn apart: what breaks one's connections need not break another's."""

    __slots__ = ("_failures", "_pauses", "_probing_since", "aside_until", "has_failed")

    def __init__(self) -> None:
        self.has_failed = False  # since the last success: only then is there anything to say ``succeeded`` for
        self._failures = 0  # in a row
        self._pauses = 0  # in a row
        self._probing_since = 0.0  # when the one request on probation was sent; 0.0: none is under way
        self.aside_until = 0.0  # monotonic seconds; 0.0: in good standing

    def may_try(self, now: float) -> bool:
        """Whether a request may go here. Free of side effects; say ``trying`` when it goes."""
        if not self.aside_until:
            return True
        if now < self.aside_until:
            return False
        # A probe that was lost without a trace must not keep the endpoint out for ever.
        return not self._probing_since or now - self._probing_since > LONGEST_PAUSE_S

    def trying(self, now: float) -> None:
        """A request goes to this endpoint."""
        if self.aside_until:
            self._probing_since = now

    def succeeded(self) -> None:
        """It answered: whatever status, it is alive."""
        self.has_failed = False
        self._failures = 0
        if self.aside_until:
            self.aside_until = self._probing_since = 0.0
            self._pauses = 0

    def failed(self, now: float) -> bool:
        """A connection to it failed, timed out or broke. True when it is set aside because of that."""
        self.has_failed = True
        self._failures += 1
        if self._failures < FAILURES_IN_A_ROW and not self._probing_since:
            return False
        self._pauses += 1
        self._failures = 0
        self._probing_since = 0.0
        self.aside_until = now + min(FIRST_PAUSE_S * 2 ** (self._pauses - 1), LONGEST_PAUSE_S)
        return True

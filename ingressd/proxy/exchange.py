"""One request with its response: what state it is in and what to do when something happens. No I/O here.

``TRANSITIONS`` is the whole life of an exchange; the chart in `docs/request.md` is drawn from it by a test.
"""

from enum import Enum, IntEnum

from ingressd.errors import UpstreamError
from ingressd.policy.retries import RetryBudget


class State(IntEnum):
    """Where an exchange is."""

    CONNECTING = 0  # waiting for a connection to an endpoint
    WAITING = 1  # the request is on its way; no byte of a final response yet
    RESPONDING = 2  # the response head went to the client
    TUNNELLING = 3  # switched to another protocol: bytes both ways
    ENDED = 4


class Happening(IntEnum):
    """What can happen to an exchange."""

    LEASED = 0  # a connection is there and the request is written to it
    RETRY = 1  # the attempt failed and another one is allowed
    HEAD = 2  # a final response head was read
    SWITCHED = 3  # 101
    REPLIED = 4  # we answered ourselves
    COMPLETE = 5  # the last byte of the response was read
    ABORTED = 6  # either side is gone, or failed when it was too late to say so


TRANSITIONS: dict[tuple[State, Happening], State] = {
    (State.CONNECTING, Happening.LEASED): State.WAITING,
    (State.CONNECTING, Happening.RETRY): State.CONNECTING,
    (State.CONNECTING, Happening.REPLIED): State.ENDED,
    (State.CONNECTING, Happening.ABORTED): State.ENDED,
    (State.WAITING, Happening.RETRY): State.CONNECTING,
    (State.WAITING, Happening.HEAD): State.RESPONDING,
    (State.WAITING, Happening.SWITCHED): State.TUNNELLING,
    (State.WAITING, Happening.REPLIED): State.ENDED,
    (State.WAITING, Happening.ABORTED): State.ENDED,
    (State.RESPONDING, Happening.COMPLETE): State.ENDED,
    (State.RESPONDING, Happening.ABORTED): State.ENDED,
    (State.TUNNELLING, Happening.COMPLETE): State.ENDED,
    (State.TUNNELLING, Happening.ABORTED): State.ENDED,
}


# The same as rows of a list: no tuple is made, and no name of a member hashed, three times for each request.
_NEXT: list[list[State | None]] = [[TRANSITIONS.get((state, what)) for what in Happening] for state in State]


class Verdict(Enum):
    """What to do about a failed attempt."""

    RETRY = 1
    REPLY = "reply"
    ABORT = "abort"


STALE = "stale_connection"
"""An idle connection had ended when it was used. Nobody is failing, so this takes nothing from the retry budget; it
happens once per request at most, because second attempts get new connections."""
_UNANSWERED = frozenset((STALE, "closed_before_response", "closed_in_head"))


class Exchange:
    """State and facts that decisions are made from. ``proxy/forward`` performs what is decided."""

    __slots__ = ("attempts", "idempotent", "replayable", "state")

    def __init__(self, *, idempotent: bool) -> None:
        self.state = State.CONNECTING
        self.attempts = 0  # connections asked for, leased or refused
        self.idempotent = idempotent  # RFC 9110 §9.2.2: sent twice means the same as sent once
        self.replayable = True  # everything sent so far can be sent again

    def move(self, happening: Happening) -> None:
        """Go where ``TRANSITIONS`` says. A KeyError here is a bug of ours, not a peer's doing."""
        state = _NEXT[self.state][happening]
        if state is None:
            raise KeyError(self.state, happening)
        self.state = state

    def decide(self, error: UpstreamError, *, max_attempts: int, budget: RetryBudget) -> Verdict:
        """Decide about a failed attempt; a retry is taken from ``budget``.

        Once a response head went to the client it is too late for anything but an abort. A request of which the
        endpoint has certainly not got a byte may always go to the next one, as long as its body is at hand. Another
        may only when its connection ended before the head of an answer did and doing it twice does no harm (RFC 9110
        §9.2.2, RFC 9112 §9.3.1). An endpoint that is slow or answers nonsense may be at work on it: asking the next
        one would multiply that work.
        """
        if self.state in (State.RESPONDING, State.TUNNELLING, State.ENDED):
            return Verdict.ABORT
        if self.attempts >= max_attempts or error.reason == "no_endpoints":
            return Verdict.REPLY
        harmless = self.replayable and (error.unheard or (self.idempotent and error.reason in _UNANSWERED))
        return Verdict.RETRY if harmless and (error.reason == STALE or budget.spend()) else Verdict.REPLY

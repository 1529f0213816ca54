"""``Phase.LIMITS`` of one route: may this client make a request now?"""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from ingressd.policy.ask import Answer, Ask
from ingressd.proxy.shared_limits import NOTHING_HELD, TOO_MANY, BoundLimits

if TYPE_CHECKING:
    from ingressd.policy.rate_limit import RateLimits
    from ingressd.proxy.passage import Passage
    from ingressd.proxy.shared_limits import SharedLimits


class Limiting:
    """Settings made ready for one worker. Raises ValueError where clients cannot be counted."""

    __slots__ = ("_limits", "_shared", "_too_fast", "_too_many")

    def __init__(self, settings: RateLimits, shared: SharedLimits | None) -> None:
        if shared is None:
            raise ValueError("this worker shares no counters, so clients cannot be limited")
        self._shared = shared
        self._limits = BoundLimits(settings)
        self._too_fast = Answer(settings.rate_status, "too_many_requests")
        self._too_many = Answer(settings.connections_status, "too_many_connections")

    def apply(self, ask: Ask, passage: Passage) -> Answer | None:
        """Refuse the request, or note what it holds until it ends."""
        held = self.enter(ask.client)
        if held < NOTHING_HELD:
            return self.refusal(held)
        passage.held = held
        return None

    def enter(self, client: str) -> int:
        """As ``SharedLimits.enter``."""
        return self._shared.enter(self._limits, client, int(monotonic() * 1000.0))

    def refusal(self, held: int) -> Answer:
        """The answer to who got less than ``NOTHING_HELD``."""
        return self._too_many if held == TOO_MANY else self._too_fast

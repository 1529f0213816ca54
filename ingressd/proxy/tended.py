"""An exchange of a route that asks for something while it lasts: a place among those under way, another choice of who
is asked next, a cookie that depends on who was chosen.

Bodies that are changed are in ``shaped``; error pages, copies and what else takes more than that in ``planned``.
"""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Final

from ingressd.errors import UpstreamError
from ingressd.http.response import ResponseHead
from ingressd.policy.retries import RetryBudget
from ingressd.proxy.exchange import STALE, Happening, State, Verdict
from ingressd.proxy.forward import Forwarding
from ingressd.proxy.observed import Observed
from ingressd.proxy.shared_limits import NOTHING_HELD

if TYPE_CHECKING:
    from ingressd.policy.next_upstream import NextUpstreamRule
    from ingressd.proxy.passage import Passage
    from ingressd.proxy.pool import LiveEndpoint
    from ingressd.proxy.upstream import UpstreamConnection

ELSEWHERE: Final = ()
"""Slots of a class that is mixed in: whoever is made of it has them."""
_TOO_LATE = (State.RESPONDING, State.TUNNELLING, State.ENDED)


class Tending(Forwarding):
    """What ``Tended`` exchanges have in common; ``tend`` is called by whoever makes one."""

    __slots__ = ELSEWHERE

    passage: Passage

    def tend(self, passage: Passage) -> None:
        """To be called before it starts."""
        self.passage = passage

    @property
    def _tried_since(self) -> float:
        """When the first attempt was made."""
        return self.started

    # -- failures

    def decide(self, error: UpstreamError, *, max_attempts: int, budget: RetryBudget) -> Verdict:
        rule = self.passage.gate.next_upstream
        if rule is None:
            return super().decide(error, max_attempts=max_attempts, budget=budget)
        if self.state in _TOO_LATE:
            return Verdict.ABORT
        if error.reason == "no_endpoints" or not self._rule_allows(rule, error.reason, unheard=error.unheard):
            return Verdict.REPLY
        return Verdict.RETRY if error.reason == STALE or budget.spend() else Verdict.REPLY

    def _rule_allows(self, rule: NextUpstreamRule, reason: str, *, unheard: bool) -> bool:
        return rule.allows(
            reason,
            attempts=self.attempts,
            elapsed_s=monotonic() - self._tried_since,
            unheard=unheard,
            idempotent=self.idempotent,
            replayable=self.replayable,
        )

    def _blame(self, error: UpstreamError) -> None:
        super()._blame(error)
        self._observe_latency()

    def _observe_latency(self) -> None:
        if self.passage.gate.latency_balanced and self.endpoint is not None:
            now = monotonic()
            self.endpoint.latency.observe(now - self.upstream_started, now)

    # -- the response

    def on_response_head(self, head: ResponseHead, framing: int) -> None:
        gate = self.passage.gate
        if gate.latency_balanced:
            self._observe_latency()
        if gate.looks_at_statuses and self._goes_elsewhere(head.status):
            return
        more = self._lines_for(head.status)
        if more or not (gate.answers.is_fixed or gate.answers.leaves(head)):
            self._word(head, framing, more)
        else:
            super().on_response_head(head, framing)

    def _goes_elsewhere(self, status: int) -> bool:
        """Whether nobody gets this answer: the next endpoint is asked."""
        rule, endpoint, reason = self.passage.gate.next_upstream, self.endpoint, f"http_{status}"
        if (
            rule is None
            or status not in rule.statuses
            or not self._rule_allows(rule, reason, unheard=False)
            or not self.gateway.retries.spend()
        ):
            return False
        if endpoint is not None:
            if endpoint.health.has_failed:
                endpoint.health.succeeded()  # it has answered
            self._tried = (*self._tried, endpoint)
        self.gateway.stats.retried(reason)
        self._let_go()
        self.move(Happening.RETRY)
        self._attempt(monotonic())
        return True

    def _lines_for(self, status: int) -> bytes:
        """What only this answer has: cookies of the auth service and of ours."""
        passage = self.passage
        return passage.cookie if passage.allowed is None else passage.allowed.cookies_for(status) + passage.cookie

    def _word(self, head: ResponseHead, framing: int, more: bytes) -> None:
        """Word a head that nobody else gets."""
        passage, rules = self.passage, self.passage.gate.answers
        if rules.editor.shows_server:
            head = head.with_server()
        self._note(head)
        lines, framing = self._upstream_lines(head, framing)
        lines = rules.edited(lines, passage.ask, self.edit)
        line, connection = self._framing_lines(head, framing)
        date = b"" if head.fields.has_date else b"Date: %b\r\n" % self.gateway.date
        start = b"HTTP/1.1 %d %b\r\n" % (head.status, head.reason)
        self._out_head = b"".join((start, lines, more, date, line, connection, b"\r\n"))

    def _note(self, head: ResponseHead) -> None:
        endpoint = self.endpoint
        if endpoint is not None and endpoint.health.has_failed:
            endpoint.health.succeeded()
        self.status = head.status

    def _upstream_lines(self, head: ResponseHead, framing: int) -> tuple[bytes, int]:
        """The end-to-end lines as the body goes on, and how it is framed."""
        return head.fields.onward, framing

    def _switched_lines(self, head: ResponseHead) -> bytes:
        self._note(head)
        passage = self.passage
        return passage.gate.answers.edited(head.fields.onward, passage.ask, self.edit) + self._lines_for(head.status)


class Counted(Forwarding):
    """Whose client has so many requests under way; ``held`` is what ``SharedLimits.enter`` said."""

    __slots__ = ("held",)

    held: int

    def _end(self, now: float) -> None:
        held, self.held = self.held, NOTHING_HELD
        if self.gateway.shared_limits is not None:
            self.gateway.shared_limits.leave(held)
        super()._end(now)


class _Bounding(Forwarding):
    """The endpoint's head has a bound of the route's."""

    __slots__ = ()

    passage: Passage

    def _send(self, connection: UpstreamConnection, now: float) -> None:
        max_bytes = self.passage.gate.max_response_header_bytes
        if max_bytes:
            connection.max_head_bytes = max_bytes
        super()._send(connection, now)

    def _give_back(self, endpoint: LiveEndpoint, connection: UpstreamConnection, now: float) -> None:
        connection.max_head_bytes = self.gateway.limits.response_header_bytes
        super()._give_back(endpoint, connection, now)


class Tended(Tending):
    """While the log has no format of its own."""

    __slots__ = ("passage",)

    def _end(self, now: float) -> None:
        passage, gateway = self.passage, self.gateway
        passage.leave(gateway.shared_limits)
        if passage.gate.access_log:
            super()._end(now)
            return
        gateway.active -= 1
        upstream_s = now - self.upstream_started if self.upstream_started else -1.0
        self.route.stats.observe(
            self.request.line.method, self.status, now - self.started, upstream_s, self.bytes_in, self.bytes_out
        )


class BoundedTended(_Bounding, Tended):
    """For routes with ``max_response_header_bytes``."""

    __slots__ = ()


class TendedObserved(_Bounding, Tending, Observed):
    """While somebody wants to know more."""

    __slots__ = ("passage",)

    def _note(self, head: ResponseHead) -> None:
        super()._note(head)
        self.answered = head
        self.header_s = monotonic() - self.upstream_started

    def _end(self, now: float) -> None:
        self.passage.leave(self.gateway.shared_limits)
        super()._end(now)

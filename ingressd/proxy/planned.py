"""An exchange on a route with policies: what was planned for the request, and for its answer, is done here.

Everything that a plain route does not need is in this file, so that it costs plain routes nothing.
"""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from ingressd.errors import BadRequest, ProxyError, UpstreamError
from ingressd.policy.retries import RetryBudget
from ingressd.proxy.choosing import chooser
from ingressd.proxy.exchange import Happening, State, Verdict
from ingressd.proxy.forward import Forwarding
from ingressd.proxy.request_body import DroppedBody, RequestBody
from ingressd.proxy.respond import status_of
from ingressd.proxy.shaped import Shaping
from ingressd.proxy.tended import TendedObserved

if TYPE_CHECKING:
    from ingressd.proxy.passage import Passage
    from ingressd.proxy.serving import LiveBackend
    from ingressd.proxy.upstream import UpstreamConnection


class PlannedForwarding(Shaping, TendedObserved):
    """See the module's text. ``backend`` is the route's own, should the plan name no other."""

    __slots__ = (
        "_ask",
        "_began",
        "_gate",
        "_is_aside",
        "_is_ending",
        "_is_gathering",
        "_mirror",
        "_outlet",
        "_trailers",
    )

    def __init__(self, passage: Passage, backend: LiveBackend) -> None:
        ask, gate = passage.ask, passage.gate
        super().__init__(passage.down, passage.request, passage.route, backend, ask.request_id)
        self.tend(passage)
        self._ask = ask
        self._gate = gate
        if passage.began:
            self.started = passage.began
        self.edit = gate.answers.edit(passage, is_tls=ask.is_tls)
        self._began = 0.0  # when the first attempt was made
        self._is_aside = False  # somebody else is asked for an error page
        self._is_gathering = False  # the body is read before anything is sent
        self._mirror = gate.mirror
        if passage.backend is not None:
            backend = self.gateway.backends.cell(passage.backend)
            if passage.is_canary:
                self.alternative_name = backend.upstream_name
        self.backend = chooser(gate, backend, ask, passage) if gate.chooses else backend
        if gate.connection:
            self._offered = b""
            self._spare = gate.connection == "close"

    # -- the request

    def _onward_head(self) -> bytes:
        gate = self._gate
        return self._head if self._is_aside else gate.heads.of(self.passage, expects=not gate.buffers_request)

    def start(self, rest: bytes, head: bytes = b"") -> None:
        if self._gate.buffers_request and self._body is not None and not self._is_aside:
            self._is_gathering = True
            if self._expects:
                self._expects = False
                self.down.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if self._mirror is not None and (self._body is None or not self._mirror.body) and not self._is_aside:
            self._send_copy(b"")
        super().start(rest, head)

    def _attempt(self, now: float) -> None:
        if self._is_gathering and self._gathers():
            self.down.await_body(self.bytes_in)
            return
        self._is_gathering = False
        if not self._began:
            self._began = now = monotonic()  # the request may have been held since it came
        super()._attempt(now)

    def _gathers(self) -> bool:
        """Whether more of the body is to be waited for: it is kept whole, and has not grown beyond what is kept."""
        body = self._body
        return body is not None and not body.done and not body.is_large

    def on_downstream_data(self, data: bytes) -> None:
        if not self._is_gathering:
            super().on_downstream_data(data)
            return
        self._take(data)
        if self.state is State.CONNECTING:
            self._attempt(monotonic())

    def _take(self, data: bytes) -> bytes:
        framed = super()._take(data)
        body = self._body
        if self._mirror is not None and body is not None and body.done and body.kept is not None:
            if not body.is_large:
                self._send_copy(b"".join(body.kept))
            self._mirror = None
        return framed

    def _send_copy(self, body: bytes) -> None:
        rule, self._mirror = self._mirror, None
        assert rule is not None  # noqa: S101 - whoever calls has looked
        head = rule.head(self._ask)
        if head is not None:
            self.gateway.services.mirrors.send(rule, head, self._ask.method, body)

    def _await_next(self, connection: UpstreamConnection, body: RequestBody) -> None:
        if self._is_aside and not connection.write_paused:
            self.down.stop_waiting()  # for a body of which nobody gets a byte
            connection.await_response()
        else:
            super()._await_next(connection, body)

    # -- failures

    @property
    def _tried_since(self) -> float:
        return self._began

    def decide(self, error: UpstreamError, *, max_attempts: int, budget: RetryBudget) -> Verdict:
        if self._is_aside:
            return Forwarding.decide(self, error, max_attempts=max_attempts, budget=budget)
        return super().decide(error, max_attempts=max_attempts, budget=budget)

    def _reply(self, error: ProxyError) -> None:
        status = status_of(error)
        if isinstance(error, BadRequest) or self._is_aside or not self._gate.shows_page(status):
            super()._reply(error)
            return
        self.gateway.stats.rejected(error.reason)
        self._go_aside(status)

    # -- answers of somebody else

    def begin_aside(self, status: int) -> None:
        """Ask for the page of ``status`` instead of what the client asked for. Before ``start``."""
        pages = self._gate.pages
        assert pages is not None  # noqa: S101 - shows_page has said so
        self._is_aside = True
        forwarded = self.passage.forwarded
        if self.request_id:
            forwarded = b"X-Request-ID: %b\r\n%b" % (self.request_id, forwarded)
        detour = pages.detour(self._ask, status, forwarded)
        self._head = detour.head
        self.backend = self.gateway.backends.cell(detour.backend)
        self._offered = b""
        self._spare = self._expects = self._is_gathering = False
        self._mirror = None
        self._tried = ()
        self.attempts = 0
        self.replayable = True
        if self._body is not None:
            self._body = DroppedBody(self._body)

    def _go_aside(self, status: int) -> None:
        self._let_go()
        self.move(Happening.RETRY)
        self.down.hold_reading(False)
        self.begin_aside(status)
        self._attempt(monotonic())

    # -- the response

    def _goes_elsewhere(self, status: int) -> bool:
        if self._is_aside:
            return False
        if super()._goes_elsewhere(status):
            return True
        pages = self._gate.pages
        if pages is None or status not in pages.statuses or not self._gate.shows_page(status):
            return False
        if self.endpoint is not None and self.endpoint.health.has_failed:
            self.endpoint.health.succeeded()  # it has answered
        self._go_aside(status)
        return True

    def _count_before(self, count: int) -> None:
        self.upstream_bytes = max(self.upstream_bytes, 0) + count

"""Takes requests through the gates of their routes, and keeps those that have to wait for somebody's verdict."""

from __future__ import annotations

import asyncio
import logging
from time import monotonic
from typing import TYPE_CHECKING

from ingressd.http.head import RequestHead
from ingressd.policy.ask import Answer, Ask
from ingressd.proxy.passage import Passage, connection_of
from ingressd.proxy.planned import PlannedForwarding
from ingressd.proxy.records import record_own, record_unforwarded

if TYPE_CHECKING:
    from ingressd.proxy.access import Awaited
    from ingressd.proxy.downstream import Downstream
    from ingressd.proxy.gate import Gate
    from ingressd.proxy.serving import LiveRoute

log = logging.getLogger(__name__)

CLIENT_GONE = 499
"""What log and metrics show, as nginx does, when the client left before any response began."""
_BROKEN = Answer(500, "internal")


def pass_gate(down: Downstream, request: RequestHead, route: LiveRoute, gate: Gate, rest: bytes) -> None:
    """Answer ``request``, forward it, or hold it until somebody has decided; ``rest`` came after its head."""
    gated = Gated(down, request, route, gate)
    answer = gate.decide(gated.ask, gated.passage)
    if answer is None and gate.access is not None:
        ruling = gate.access.rule(gated.ask, gated.passage)
        if ruling is not None and not isinstance(ruling, Answer):
            Held(gated, ruling, rest).start()
            return
        answer = ruling
    gated.go_on(answer, rest)


class Gated:
    """One request at a gate, with all that is known of it."""

    __slots__ = ("ask", "down", "gate", "passage", "request", "route", "started")

    def __init__(self, down: Downstream, request: RequestHead, route: LiveRoute, gate: Gate) -> None:
        self.down = down
        self.request = request
        self.route = route
        self.gate = gate
        self.started = monotonic()
        self.passage = passage = Passage()
        if gate.certificates is not None:
            passage.connection = connection_of(down)
        self.ask = _ask(down, request, passage)

    def go_on(self, answer: Answer | None, rest: bytes) -> None:
        """The verdict is there."""
        down, gate, backend = self.down, self.gate, self.route.backend
        if answer is None and backend is not None:
            gate.plan_upstream(self.ask, self.passage, down.gateway.backends.cell)
            self._forward(PlannedForwarding(self, backend), rest)
        elif (
            answer is not None
            and gate.page_backend is not None
            and not self.passage.closes
            and gate.shows_page(answer.status)
        ):
            page = PlannedForwarding(self, gate.page_backend)
            page.begin_aside(answer.status)
            self._forward(page, rest)
        else:
            self._answer(answer or Answer(self.route.route.status, ""), rest)

    def _forward(self, forwarding: PlannedForwarding, rest: bytes) -> None:
        self.down.begin(forwarding)
        forwarding.start(rest)

    def _answer(self, answer: Answer, rest: bytes) -> None:
        down, passage, request = self.down, self.passage, self.request
        self.leave()
        record_own(
            down,
            self.route,
            request,
            answer.status,
            request_id=self.ask.request_id,
            body=answer.body,
            duration_s=monotonic() - self.started,
        )
        fields = answer.fields + self.gate.answers.own(passage, is_tls=self.ask.is_tls)
        down.answer(answer, fields, request, rest, close=passage.closes)

    def leave(self) -> None:
        """The request counts no longer against a limit of connections."""
        self.passage.leave(self.down.gateway.shared_limits)


class Held:
    """A request whose access is being decided: the sink of its client meanwhile.

    What the client sends is kept, boundedly; no time of the client's is running.
    """

    __slots__ = ("_awaited", "_gated", "_rest", "_task")

    def __init__(self, gated: Gated, awaited: Awaited, rest: bytes) -> None:
        self._gated = gated
        self._awaited = awaited
        self._rest = rest
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        down = self._gated.down
        down.begin(self)
        down.stop_waiting()
        down.gateway.active += 1
        self._task = down.gateway.spawn(self._wait())
        self._hold_if_full()

    async def _wait(self) -> None:
        try:
            answer = await self._awaited.answer()
        except Exception:  # whoever cannot be asked has not said yes
            log.exception("access of a request could not be decided")
            answer = _BROKEN
        self._task = None
        down = self._gated.down
        if down.exchange is not self:
            return  # the client is gone
        down.gateway.active -= 1
        down.exchange = None
        down.hold_reading(False)
        self._gated.go_on(answer, self._rest)

    def _hold_if_full(self) -> None:
        down = self._gated.down
        if len(self._rest) > down.gateway.limits.pipelined_bytes:
            down.hold_reading(True)

    # -- from the client

    def on_downstream_data(self, data: bytes) -> None:
        """Its body, or requests after this one: nobody looks into it yet."""
        self._rest += data
        self._hold_if_full()

    def on_downstream_eof(self) -> bool:
        """The client has half-closed; whether it may be served all the same is seen when it is its turn."""
        self._gated.down.no_more_requests()
        return True

    def on_downstream_lost(self) -> None:
        gated = self._gated
        down = gated.down
        down.gateway.active -= 1
        if self._task is not None:
            self._task.cancel()
        self._awaited.drop()
        gated.leave()
        passed_s = monotonic() - gated.started
        record_unforwarded(down, gated.route, gated.request, CLIENT_GONE, gated.ask.request_id, 0, passed_s)

    def on_downstream_writable(self, writable: bool) -> None:
        """Nothing is being written."""

    def on_body_timeout(self) -> None:
        """Nobody waits for the body."""


def _ask(down: Downstream, request: RequestHead, passage: Passage) -> Ask:
    line, fields = request.line, request.fields
    gateway = down.gateway
    request_id = fields.request_id if gateway.keeps_request_id else b""
    certificate = passage.connection.certificate
    passage.forwarded = down.forwarded_fields(fields)
    passage.forwarded_for = down.seen_forwarded_for
    return Ask(
        method=line.method,
        path=line.path,
        query=line.query,
        fields=fields,
        minor=line.minor,
        scheme=down.seen_scheme,
        authority=down.seen_authority,
        port=down.seen_port,
        client=down.seen_client,
        is_tls=down.scheme == b"https",
        request_id=request_id or gateway.new_request_id(),
        client_verdict="" if certificate is None else certificate.verdict,
        client_name="" if certificate is None else certificate.subject,
    )

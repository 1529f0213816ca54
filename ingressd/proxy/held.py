"""Takes requests through the gates of their routes, and keeps those that have to wait for somebody's verdict."""

from __future__ import annotations

import asyncio
import logging
from time import monotonic
from typing import TYPE_CHECKING

from ingressd.http.head import RequestHead
from ingressd.policy.ask import Answer
from ingressd.proxy.choosing import chooser
from ingressd.proxy.forward import Forwarding
from ingressd.proxy.passage import Passage
from ingressd.proxy.planned import PlannedForwarding
from ingressd.proxy.records import record_own, record_unforwarded
from ingressd.proxy.tended import TendedObserved

if TYPE_CHECKING:
    from ingressd.proxy.access import Awaited
    from ingressd.proxy.choosing import Picks
    from ingressd.proxy.downstream import Downstream
    from ingressd.proxy.gate import Gate
    from ingressd.proxy.serving import LiveBackend, LiveRoute

log = logging.getLogger(__name__)

CLIENT_GONE = 499
"""What log and metrics show, as nginx does, when the client left before any response began."""
_BROKEN = Answer(500, "internal")


def pass_gate(down: Downstream, request: RequestHead, route: LiveRoute, gate: Gate, rest: bytes) -> None:
    """Answer ``request``, forward it, or hold it until somebody has decided; ``rest`` came after its head."""
    if gate.shortcut is not None and gate.shortcut.take(down, request, route, rest):
        return
    passage = Passage(down, request, route, gate)
    ask = passage.ask
    for step in gate.steps if request.fields.content_length > 0 else gate.bodyless_steps:
        answer = step(ask, passage)
        if answer is not None:
            go_on(passage, answer, rest)
            return
    if gate.access is not None:
        ruling = gate.access.rule(ask, passage)
        if ruling is not None:
            if isinstance(ruling, Answer):
                go_on(passage, ruling, rest)
            else:
                Held(passage, ruling, rest).start()
            return
    is_soon = gate.is_tended or (gate.is_shaped and down.gateway.exchange_type is Forwarding)
    if is_soon and route.backend is not None:
        _forward_soon(passage, route.backend, rest)
    else:
        go_on(passage, None, rest)


def _forward_soon(passage: Passage, backend: LiveBackend, rest: bytes) -> None:
    """Nearly all that is asked for can be said beforehand: an exchange like any other does it, or one that has an eye
    on its end and its answer.
    """
    down, gate, ask = passage.down, passage.gate, passage.ask
    picks: Picks = backend
    if gate.plans:
        gate.plan_upstream(ask, passage, down.gateway.backends.cell)
        if passage.backend is not None:
            picks = backend = down.gateway.backends.cell(passage.backend)
    if gate.chooses:
        picks = chooser(gate, backend, ask, passage)
    kind, allowed = down.gateway.exchange_type, passage.allowed
    forwarding: Forwarding
    if gate.is_light and not passage.held and (allowed is None or not allowed.cookies):
        forwarding = kind(down, passage.request, passage.route, picks, ask.request_id)
    elif kind is Forwarding:
        forwarding = gate.tended(down, passage.request, passage.route, picks, ask.request_id)
        forwarding.tend(passage)
    else:
        forwarding = TendedObserved(down, passage.request, passage.route, picks, ask.request_id)
        forwarding.tend(passage)
        if passage.is_canary:
            forwarding.alternative_name = backend.upstream_name
    forwarding.edit = gate.answers.edit(passage, is_tls=ask.is_tls)
    down.begin(forwarding)
    forwarding.start(rest, gate.heads.of(passage))


def go_on(passage: Passage, answer: Answer | None, rest: bytes) -> None:
    """The verdict is there."""
    gate, backend = passage.gate, passage.route.backend
    if answer is None and backend is not None:
        gate.plan_upstream(passage.ask, passage, passage.down.gateway.backends.cell)
        _forward(passage, PlannedForwarding(passage, backend), rest)
    elif answer is not None and gate.page_backend is not None and _has_page(passage, answer):
        page = PlannedForwarding(passage, gate.page_backend)
        page.begin_aside(answer.status)
        _forward(passage, page, rest)
    else:
        _answer(passage, answer or Answer(passage.route.route.status, ""), rest)


def _has_page(passage: Passage, answer: Answer) -> bool:
    """What is denied answers 503 to everybody, page or not: a page would have a status of its own."""
    return not passage.closes and answer.reason != "denied" and passage.gate.shows_page(answer.status)


def _forward(passage: Passage, forwarding: PlannedForwarding, rest: bytes) -> None:
    passage.down.begin(forwarding)
    forwarding.start(rest)


def _answer(passage: Passage, answer: Answer, rest: bytes) -> None:
    down, request, ask = passage.down, passage.request, passage.ask
    passage.leave(down.gateway.shared_limits)
    record_own(
        down,
        passage.route,
        request,
        answer.status,
        request_id=ask.request_id,
        body=answer.body,
        duration_s=monotonic() - passage.began if passage.began else 0.0,
    )
    fields = answer.fields + passage.gate.answers.own(passage, is_tls=ask.is_tls)
    down.answer(answer, fields, request, rest, close=passage.closes)


class Held:
    """A request whose access is being decided: the sink of its client meanwhile.

    What the client sends is kept, boundedly; no time of the client's is running.
    """

    __slots__ = ("_awaited", "_passage", "_rest", "_task")

    def __init__(self, passage: Passage, awaited: Awaited, rest: bytes) -> None:
        self._passage = passage
        self._awaited = awaited
        self._rest = rest
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        down = self._passage.down
        self._passage.began = monotonic()
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
        down = self._passage.down
        if down.exchange is not self:
            return  # the client is gone
        down.gateway.active -= 1
        down.exchange = None
        down.hold_reading(False)
        go_on(self._passage, answer, self._rest)

    def _hold_if_full(self) -> None:
        down = self._passage.down
        if len(self._rest) > down.gateway.limits.pipelined_bytes:
            down.hold_reading(True)

    # -- from the client

    def on_downstream_data(self, data: bytes) -> None:
        """Its body, or requests after this one: nobody looks into it yet."""
        self._rest += data
        self._hold_if_full()

    def on_downstream_eof(self) -> bool:
        """The client has half-closed; whether it may be served all the same is seen when it is its turn."""
        self._passage.down.no_more_requests()
        return True

    def on_downstream_lost(self) -> None:
        passage = self._passage
        down = passage.down
        down.gateway.active -= 1
        if self._task is not None:
            self._task.cancel()
        self._awaited.drop()
        passage.leave(down.gateway.shared_limits)
        passed_s = monotonic() - passage.began
        record_unforwarded(down, passage.route, passage.request, CLIENT_GONE, passage.ask.request_id, 0, passed_s)

    def on_downstream_writable(self, writable: bool) -> None:
        """Nothing is being written."""

    def on_body_timeout(self) -> None:
        """Nobody waits for the body."""

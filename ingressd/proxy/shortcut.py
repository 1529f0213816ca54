"""The way past a gate for requests to which none of their route's policies has an answer: nearly all of them.

What these policies change about a request is fixed when the route is bound, or found by looking at one thing. Then no
``Ask`` and no ``Passage`` need be made, which would cost more than all else that a gate does. A shortcut only ever lets
by what the gate itself would forward, in the same words (tests/proxy/test_shortcut.py compares them); whatever it is
not sure of, it leaves to the gate, having done nothing. It refuses only who asks too often, for asking the counters
counts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from ingressd.http.head import RequestFields, RequestHead
from ingressd.policy.address_list import AddressCheck
from ingressd.policy.ask import Answer, Ask, Plan
from ingressd.policy.cors import CorsRules
from ingressd.policy.policies import RoutePolicies
from ingressd.policy.request_fields import RequestEditor
from ingressd.policy.rewrite import Rewriter
from ingressd.proxy.forward import Forwarding
from ingressd.proxy.held import go_on
from ingressd.proxy.passage import Passage, ask_of
from ingressd.proxy.shared_limits import NOTHING_HELD
from ingressd.proxy.tended import Counted

if TYPE_CHECKING:
    from ingressd.policy.response_fields import FixedEdit
    from ingressd.policy.variables import Extra
    from ingressd.proxy.downstream import Downstream
    from ingressd.proxy.gate import Gate
    from ingressd.proxy.onward import OnwardHeads
    from ingressd.proxy.serving import LiveRoute

Quiet = Callable[["Downstream", RequestHead], bool]
"""Whether a policy has neither an answer to a request nor anything to change about it."""

_NOTHING: Final = RoutePolicies()
_UNDERSTOOD: Final = (
    *("addresses", "app_root", "cookies", "cors", "https_redirect", "limits", "request", "response", "rewrite"),
)
"""All that a route with a shortcut asks for; what is not listed makes its requests pass the gate."""
_NOBODY: Final = Ask(method=b"", path="", query="", fields=RequestFields())


def bind_shortcut(policies: RoutePolicies, gate: Gate) -> Shortcut | None:
    """For a gate that ``is_light``. None: requests of this route have to pass it."""
    if replace(policies, **{name: getattr(_NOTHING, name) for name in _UNDERSTOOD}) != _NOTHING:
        return None
    cors = None if policies.cors is None else CorsRules(policies.cors)
    editor = gate.request
    rewriter = None if policies.rewrite is None else Rewriter(policies.rewrite)
    if (rewriter is not None and rewriter.is_redirect) or (
        editor is not None and not editor.has_fixed_host(gate.extra)
    ):
        return None
    return Shortcut(gate, _quiets(policies, gate.addresses), cors, rewriter, editor)


class Shortcut:
    """See the module's text. It holds no gate: a circle of the two would be garbage that nobody collects, since what a
    table holds is frozen (``gc.freeze``).
    """

    __slots__ = (
        "_answers",
        "_changes_head",
        "_cors",
        "_editor",
        "_extra",
        "_heads",
        "_limits",
        "_over_http",
        "_over_tls",
        "_plan",
        "_quiets",
        "_rewriter",
    )

    def __init__(
        self,
        gate: Gate,
        quiets: tuple[Quiet, ...],
        cors: CorsRules | None,
        rewriter: Rewriter | None,
        editor: RequestEditor | None,
    ) -> None:
        self._quiets = quiets
        self._rewriter = rewriter
        self._answers = gate.answers.editor
        self._limits = gate.limits
        self._heads: OnwardHeads = gate.heads
        self._extra: Extra = gate.extra
        self._changes_head = rewriter is not None or editor is not None
        # What the steps would write into each request's plan.
        self._plan = plan = Plan()
        self._cors = cors if cors is not None and not cors.for_any else None
        """Whose fields depend on the origin."""
        if cors is not None:
            cors.apply(_NOBODY, plan)
        self._over_http: FixedEdit | None = gate.answers.edit(plan, is_tls=False)
        self._over_tls: FixedEdit | None = gate.answers.edit(plan, is_tls=True)
        self._editor: RequestEditor | None = None
        if editor is not None:
            editor.apply(_NOBODY, plan, gate.extra)
            if not editor.is_fixed(gate.extra):
                self._editor = editor  # its lines are made for each request
                plan.added = b""

    def take(self, down: Downstream, request: RequestHead, route: LiveRoute, rest: bytes) -> bool:
        """Forward ``request``, or refuse it; False: the gate has to decide."""
        backend, fields = route.backend, request.fields
        if (
            backend is None
            or not backend.endpoints
            or 0 < route.max_body_bytes < fields.content_length
            or fields.host_field is None
        ):
            return False
        forwarded = down.forwarded_fields(fields)  # which works out what ``seen_…`` says
        for is_quiet in self._quiets:
            if not is_quiet(down, request):
                return False
        path, added = None, b""
        if self._rewriter is not None:
            answer, path, added = self._rewriter.rewritten(request.line.path)
            if answer is not None:
                return False
        lines = b"" if self._cors is None else self._cors.fields_for(fields.onward)
        kind, held = down.gateway.exchange_type, NOTHING_HELD
        if self._limits is not None:
            if kind is not Forwarding:
                return False
            held = self._limits.enter(down.seen_client)  # the last one: it has counted the request, whatever it says
            if held < NOTHING_HELD:
                self._refuse(down, request, route, self._limits.refusal(held), lines, rest)
                return True
        forwarding = (
            kind(down, request, route, backend) if held == NOTHING_HELD else _counted(down, request, route, held)
        )
        is_tls = down.scheme == b"https"
        forwarding.edit = self._over_tls if is_tls else self._over_http
        if lines and self._cors is not None:
            forwarding.edit = self._answers.edit_with(lines, self._cors.names, is_tls=is_tls)
        head = self._head(down, request, forwarded, forwarding.request_id, path, added) if self._changes_head else b""
        down.begin(forwarding)
        forwarding.start(rest, head)
        return True

    def _refuse(
        self, down: Downstream, request: RequestHead, route: LiveRoute, answer: Answer, lines: bytes, rest: bytes
    ) -> None:
        assert route.gate is not None  # noqa: S101 - it led here
        passage = Passage(down, request, route, route.gate)
        passage.answer_fields, passage.answer_without = self._plan.answer_fields, self._plan.answer_without
        if lines and self._cors is not None:
            passage.answer_fields, passage.answer_without = lines, self._cors.names
        go_on(passage, answer, rest)

    def _head(
        self,
        down: Downstream,
        request: RequestHead,
        forwarded: bytes,
        request_id: bytes,
        path: str | None,
        added: bytes,
    ) -> bytes:
        heads, plan, editor = self._heads, self._plan, self._editor
        if editor is None:
            added += plan.added
        else:
            added += editor.lines(ask_of(down, request, request_id), self._extra)
        return heads.head(request, heads.ours(request_id, forwarded), plan, path, added, down.seen_authority)


def _counted(down: Downstream, request: RequestHead, route: LiveRoute, held: int) -> Counted:
    assert route.backend is not None  # noqa: S101 - whoever calls has looked
    forwarding = Counted(down, request, route, route.backend)
    forwarding.held = held
    return forwarding


# -- who has nothing to say


def _quiets(policies: RoutePolicies, addresses: AddressCheck | None) -> tuple[Quiet, ...]:
    quiets: list[Quiet] = []
    if policies.app_root is not None:
        quiets.append(_not_the_root)
    if policies.cors is not None:
        quiets.append(_no_preflight)
    if policies.https_redirect is not None:
        quiets.append(_not_in_the_clear)
    if addresses is not None:
        quiets.append(_let_in_by(addresses))
    return tuple(quiets)


def _not_the_root(down: Downstream, request: RequestHead) -> bool:
    return request.line.path != "/"


def _no_preflight(down: Downstream, request: RequestHead) -> bool:
    return request.line.method != b"OPTIONS"


def _not_in_the_clear(down: Downstream, request: RequestHead) -> bool:
    return down.seen_scheme != b"http"


def _let_in_by(addresses: AddressCheck) -> Quiet:
    lets_in = addresses.lets_in
    return lambda down, request: lets_in(down.seen_client)

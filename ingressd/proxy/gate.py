"""What a route asks of a request before it is forwarded: its policies, bound, in the order of ``policy/phases``.

Everything is made ready when a route is bound; a request costs a call for each step that the route has. The first step
with an answer ends the request. ``ACCESS`` alone may have to wait for somebody (see ``proxy/access``), so it stands
apart; what comes after it answers nobody, and is done by ``Gate.plan_upstream``.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from ingressd.policy.address_list import AddressCheck
from ingressd.policy.affinity import Sticky
from ingressd.policy.ask import Answer, Ask
from ingressd.policy.blocks import BlockCheck
from ingressd.policy.canary import CanaryRule
from ingressd.policy.client_certificate import UPSTREAM_FIELDS, may_serve, may_serve_name, needs_tls, upstream_lines
from ingressd.policy.cors import CorsRules
from ingressd.policy.error_pages import ErrorPagesRule
from ingressd.policy.fixed_answer import fixed_answer
from ingressd.policy.mirror import MirrorRule
from ingressd.policy.next_upstream import NextUpstreamRule
from ingressd.policy.pattern import compile_pattern
from ingressd.policy.phases import Phase
from ingressd.policy.policies import RoutePolicies
from ingressd.policy.redirects import app_root, fixed_redirect, https_redirect, www_redirect
from ingressd.policy.request_fields import RequestEditor
from ingressd.policy.rewrite import Rewriter
from ingressd.policy.trailing_slash import trailing_slash
from ingressd.policy.variables import compile_template
from ingressd.policy.varied_rewrite import VariedRewriter
from ingressd.proxy.access import AccessRule
from ingressd.proxy.limiting import Limiting
from ingressd.proxy.moment import moment
from ingressd.proxy.onward import OnwardHeads
from ingressd.proxy.passage import HostCertificates, Passage, route_variables
from ingressd.proxy.response_rules import ResponseRules
from ingressd.proxy.shaped import Shaped
from ingressd.proxy.shortcut import bind_shortcut
from ingressd.proxy.tended import BoundedTended, Tended
from ingressd.routing.snapshot import ANY_HOST, Route

if TYPE_CHECKING:
    from ingressd.proxy.gateway import Gateway
    from ingressd.proxy.serving import LiveBackend

log = logging.getLogger(__name__)

Step = Callable[[Ask, Passage], Answer | None]

NO_ENDPOINTS: Final = Answer(503, "no_endpoints")
_DENIED: Final = "denied"
_PASSWORD: Final = frozenset((b"authorization",))
_NOTHING: Final = RoutePolicies()
_BEFOREHAND: Final = (
    *("client_certificates", "blocks", "app_root", "trailing_slash", "cors", "redirect", "www", "respond", "denied"),
    *("rewrite", "https_redirect", "limits", "addresses", "basic_auth", "external_auth", "satisfy_any"),
    *("varied_rewrite", "request", "hash_by", "secure_backend", "response", "cookies"),
)
"""Policies that are done with a request when it has passed. What is left is said beforehand: a head for the endpoint,
who chooses it, and an edit for every answer.
"""
_TENDED: Final = (
    *("canary", "affinity", "canary_affinity", "latency_balanced", "next_upstream", "location"),
    *("max_response_header_bytes", "access_log"),
)
"""Policies that have to look at an attempt or an answer, and leave bodies alone."""
_SHAPED: Final = ("compression", "bandwidth")


def bind_gate(vhost_name: str, route: Route, gateway: Gateway) -> Gate | None:
    """The gate of a route; None: it asks for nothing. What cannot be bound denies all requests, and is logged once."""
    policies = route.policies
    if policies is None:
        return None
    try:
        if not asks_only_for_tls(policies):
            return Gate(vhost_name, route, policies, gateway)
        # Most routes of hosts with TLS ask for just this, and all of them for the same: one gate serves them.
        key = (policies, route.max_body_bytes)
        gate = gateway.gates.get(key)
        if gate is None:
            nobody = Route("prefix", "/", "", max_body_bytes=route.max_body_bytes)
            gate = gateway.gates[key] = Gate(ANY_HOST, nobody, policies, gateway)
        return gate
    except ValueError as error:
        where = f"{vhost_name}{route.path} of {route.namespace}/{route.ingress}"
        log.error("%s is denied (503), because it asks for what cannot be done: %s", where, error)
        return Gate(vhost_name, route, RoutePolicies(denied=str(error)), gateway)


def asks_only_for_tls(policies: RoutePolicies) -> bool:
    """Whether clients are sent to HTTPS, answers get fixed fields, and that is all: nothing of it is a route's own."""
    return replace(policies, https_redirect=None, response=None) == _NOTHING


class Gate:
    """The policies of one route of one worker. Raises ValueError for settings that cannot be used."""

    __slots__ = (
        "__weakref__",
        "_canary",
        "_canary_sticky",
        "_hash_by",
        "_secure",
        "access",
        "access_log",
        "addresses",
        "answers",
        "bodyless_steps",
        "buffers_request",
        "certificates",
        "chooses",
        "connection",
        "extra",
        "has_fixed_answers",
        "hash_subset",
        "heads",
        "is_light",
        "is_shaped",
        "is_tended",
        "latency_balanced",
        "limits",
        "looks_at_statuses",
        "max_response_header_bytes",
        "mirror",
        "next_upstream",
        "page_backend",
        "pages",
        "plans",
        "policies",
        "request",
        "shortcut",
        "steps",
        "sticky",
        "tended",
    )

    def __init__(self, vhost_name: str, route: Route, policies: RoutePolicies, gateway: Gateway) -> None:
        self.policies = policies
        settings = policies.client_certificates
        self.certificates = None if settings is None else HostCertificates(settings, vhost_name, gateway)
        self.extra = route_variables(route)
        cells = gateway.backends
        self.has_fixed_answers = asks_only_for_tls(policies)
        """A connection that is not redirected need not pass: all there is for it is ``answers.editor``."""
        self.pages = pages = None if policies.error_pages is None else ErrorPagesRule(policies.error_pages)
        self.page_backend = None if pages is None else cells.cell(pages.backend)
        self._bind_upstream(policies)
        self.answers = ResponseRules(policies, gateway.services.encoders)
        self.access_log = policies.access_log
        self.is_light = self._is_among(policies, _BEFOREHAND)
        """Whether, once a request has passed, an exchange that knows no policies can do the rest."""
        self.is_tended = self.is_light or self._is_among(policies, _BEFOREHAND + _TENDED)
        """Whether all that it takes besides is a look at each answer (``proxy/tended``)."""
        self.is_shaped = not self.max_response_header_bytes and self._is_among(
            policies, _BEFOREHAND + _TENDED + _SHAPED
        )
        """Or bodies that are changed (``proxy/shaped``)."""
        if self.is_tended:
            self.tended: type[Tended] = BoundedTended if self.max_response_header_bytes else Tended
        else:
            self.tended = Shaped
        self.plans = any(
            (self._secure, self._canary, self._hash_by, self.request, policies.basic_auth, self.certificates)
        )
        """Whether ``plan_upstream`` has anything to say where ``is_tended`` or ``is_shaped``."""
        self._bind_steps(policies, route, gateway)
        self.shortcut = bind_shortcut(policies, self) if self.is_light else None

    def _bind_steps(self, policies: RoutePolicies, route: Route, gateway: Gateway) -> None:
        self.limits = None if policies.limits is None else Limiting(policies.limits, gateway.shared_limits)
        bound = [(phase, step) for phase, bind in BINDERS.items() if (step := bind(self, route, gateway)) is not None]
        self.access: AccessRule | None = None
        self.addresses: AddressCheck | None = None
        """Who may come in, where nothing else is asked for: it never waits, and is a step like the others."""
        if policies.addresses is not None and policies.basic_auth is None and policies.external_auth is None:
            self.addresses = AddressCheck(policies.addresses)
            bound.append((Phase.ACCESS, self.addresses.apply))
        else:
            self.access = AccessRule.bind(policies, gateway, self.extra)
        if self.is_light and self.access is None and bound and bound[-1][0] is Phase.NO_ENDPOINTS:
            del bound[-1]  # nobody is asked in between, so whoever looks for an endpoint may as well say it
        self.steps: tuple[Step, ...] = tuple(step for _, step in bound)
        self.bodyless_steps = tuple(step for phase, step in bound if phase is not Phase.BODY_SIZE)
        """For requests that announce no body, as most do."""

    def _is_among(self, policies: RoutePolicies, names: tuple[str, ...]) -> bool:
        """Whether a route asks for nothing but these. What is not listed anywhere takes the longest way."""
        others = replace(policies, **{name: getattr(_NOTHING, name) for name in names})
        return others == _NOTHING and not self.connection

    def _bind_upstream(self, policies: RoutePolicies) -> None:
        self.request = None if policies.request is None else RequestEditor(policies.request, moment)
        self.connection = "" if policies.request is None else policies.request.connection.lower()
        """The Connection field that the endpoint gets in place of the client's, if any."""
        replaces = frozenset[bytes]() if self.request is None else self.request.replaces
        self.heads = OnwardHeads(replaces, sets_connection=bool(self.connection))
        self._canary = None if policies.canary is None else CanaryRule(policies.canary)
        self.sticky = None if policies.affinity is None else Sticky(policies.affinity)
        self._canary_sticky = None if policies.canary_affinity is None else Sticky(policies.canary_affinity)
        self._secure = policies.secure_backend
        self._hash_by = None if policies.hash_by is None else compile_template(policies.hash_by.value)
        self.hash_subset = 0 if policies.hash_by is None else policies.hash_by.subset_size
        self.latency_balanced = policies.latency_balanced
        self.chooses = any((self._hash_by, self.sticky, self._canary_sticky, self.latency_balanced))
        """Whether it is not the backend itself that chooses an endpoint."""
        self.next_upstream = None if policies.next_upstream is None else NextUpstreamRule(policies.next_upstream)
        self.looks_at_statuses = self.next_upstream is not None or self.pages is not None
        self.mirror = None if policies.mirror is None else MirrorRule(policies.mirror)
        self.buffers_request = policies.buffers_request
        self.max_response_header_bytes = policies.max_response_header_bytes

    def shows_page(self, status: int) -> bool:
        """Whether somebody else answers in place of an answer of ours, or of one of ``pages.statuses``."""
        pages, backend = self.pages, self.page_backend
        return pages is not None and backend is not None and status in pages.own_statuses and bool(backend.endpoints)

    def sticky_for(self, passage: Passage) -> Sticky | None:
        """How clients are kept with an endpoint of the backend that was chosen."""
        return self._canary_sticky if passage.is_canary else self.sticky

    def plan_upstream(self, ask: Ask, passage: Passage, cells: Callable[[str], LiveBackend]) -> None:
        """``Phase.UPSTREAM``: which backend, and what is said to it."""
        passage.is_stand_in = passage.backend is not None
        if not passage.is_stand_in:
            if self._secure and ask.is_tls:
                passage.backend = self._secure
            if self._canary is not None and self._goes_to_canary(self._canary, ask, cells):
                passage.backend = self._canary.secure_backend if ask.is_tls else self._canary.backend
                passage.is_canary = True
        if self._hash_by is not None:
            passage.endpoint_key = self._hash_by.expand(ask, self.extra)
        if self.policies.basic_auth is not None:
            passage.without |= _PASSWORD  # it was for us, whoever let the request pass
        if self.request is not None:
            self.request.apply(ask, passage, self.extra)
        if self.certificates is not None:
            passage.without |= UPSTREAM_FIELDS
            passage.added += upstream_lines(self.certificates.now(), passage.connection)

    def _goes_to_canary(self, canary: CanaryRule, ask: Ask, cells: Callable[[str], LiveBackend]) -> bool:
        if not cells(canary.backend).endpoints:
            return False
        sticky, other = self.sticky, self._canary_sticky
        belongs_to = sticky.sent(ask)[1] if sticky is not None else b""
        return canary.takes(
            ask,
            random.getrandbits(31),
            belongs_to=belongs_to,
            primary=sticky.id if sticky is not None else b"",
            canary=other.id if other is not None else b"",
        )


# -- one binder for each phase: the step, or None when the route does not ask for it

_Binder = Callable[[Gate, "Route", "Gateway"], Step | None]


def _client_certificate(gate: Gate, route: Route, gateway: Gateway) -> Step | None:
    certificates = gate.certificates
    if certificates is None:
        return None

    def step(ask: Ask, passage: Passage) -> Answer | None:
        answer = may_serve(certificates.now(), passage.connection)
        passage.closes = answer is not None
        return answer

    return step


def _blocked(gate: Gate, route: Route, gateway: Gateway) -> Step | None:
    if gate.policies.blocks is None:
        return None
    check = BlockCheck(gate.policies.blocks).check
    return lambda ask, passage: check(ask)


def _certificate_name(gate: Gate, route: Route, gateway: Gateway) -> Step | None:
    certificates, settings = gate.certificates, gate.policies.client_certificates
    if certificates is None or settings is None or not settings.name_pattern:
        return None
    pattern = compile_pattern(settings.name_pattern)

    def step(ask: Ask, passage: Passage) -> Answer | None:
        answer = may_serve_name(certificates.now(), pattern, passage.connection)
        passage.closes = answer is not None
        return answer

    return step


def _app_root(gate: Gate, route: Route, gateway: Gateway) -> Step | None:
    settings = gate.policies.app_root
    return None if settings is None else lambda ask, passage: app_root(settings, ask)


def _body_size(gate: Gate, route: Route, gateway: Gateway) -> Step | None:
    max_bytes = route.max_body_bytes
    if not max_bytes:
        return None
    too_large = Answer(413, "body_too_large")
    return lambda ask, passage: too_large if ask.fields.content_length > max_bytes else None


def _trailing_slash(gate: Gate, route: Route, gateway: Gateway) -> Step | None:
    settings = gate.policies.trailing_slash
    return None if settings is None else lambda ask, passage: trailing_slash(settings, ask)


def _cors(gate: Gate, route: Route, gateway: Gateway) -> Step | None:
    return None if gate.policies.cors is None else CorsRules(gate.policies.cors).apply


def _redirect(gate: Gate, route: Route, gateway: Gateway) -> Step | None:
    """At most one of them is meant; each answers every request."""
    redirect, www, fixed = gate.policies.redirect, gate.policies.www, gate.policies.respond
    if redirect is not None:
        return lambda ask, passage: fixed_redirect(redirect, ask)
    if www is not None:
        return lambda ask, passage: www_redirect(www, ask)
    return None if fixed is None else lambda ask, passage: fixed_answer(fixed, ask)


def _denied(gate: Gate, route: Route, gateway: Gateway) -> Step | None:
    """What the route needs and cannot have denies it, be it known already or found out when a Secret changes."""
    denied = Answer(503, _DENIED)
    if gate.policies.denied:
        return lambda ask, passage: denied
    basic, external = gate.policies.basic_auth, gate.policies.external_auth
    keys = [basic.users] if basic is not None else []
    keys += [external.headers] if external is not None and external.headers else []
    if not keys:
        return None
    cells = [gateway.materials.cell(key) for key in keys]

    def step(ask: Ask, passage: Passage) -> Answer | None:
        for cell in cells:
            if cell.ready is None:
                return denied
        return None

    return step


def _rewrite(gate: Gate, route: Route, gateway: Gateway) -> Step | None:
    if gate.policies.varied_rewrite is not None:
        return VariedRewriter(gate.policies.varied_rewrite, gate.extra).apply
    return None if gate.policies.rewrite is None else Rewriter(gate.policies.rewrite).apply


def _https_redirect(gate: Gate, route: Route, gateway: Gateway) -> Step | None:
    redirect, certificates = gate.policies.https_redirect, gate.certificates
    if certificates is None:
        return None if redirect is None else lambda ask, passage: https_redirect(redirect, ask)

    def step(ask: Ask, passage: Passage) -> Answer | None:
        answer = None if redirect is None else https_redirect(redirect, ask)
        return answer or needs_tls(certificates.now(), passage.connection)

    return step


def _no_endpoints(gate: Gate, route: Route, gateway: Gateway) -> Step | None:
    """The route's own backend counts, not a canary's, as in ingress-nginx."""
    if not route.backend:
        return None
    plain = gateway.backends.cell(route.backend)
    secure = gateway.backends.cell(gate.policies.secure_backend) if gate.policies.secure_backend else plain
    pages, stand_in = gate.pages, gate.page_backend

    def step(ask: Ask, passage: Passage) -> Answer | None:
        if (secure if ask.is_tls else plain).endpoints:
            return None
        if pages is None or stand_in is None or not stand_in.endpoints:
            return NO_ENDPOINTS
        pages.stand_in(ask, passage)
        return None

    return step


def _limits(gate: Gate, route: Route, gateway: Gateway) -> Step | None:
    return None if gate.limits is None else gate.limits.apply


BINDERS: Final[dict[Phase, _Binder]] = {
    Phase.CLIENT_CERTIFICATE: _client_certificate,
    Phase.BLOCKED: _blocked,
    Phase.CERTIFICATE_NAME: _certificate_name,
    Phase.APP_ROOT: _app_root,
    Phase.BODY_SIZE: _body_size,
    Phase.TRAILING_SLASH: _trailing_slash,
    Phase.CORS_PREFLIGHT: _cors,
    Phase.REDIRECT: _redirect,
    Phase.DENIED: _denied,
    Phase.REWRITE: _rewrite,
    Phase.HTTPS_REDIRECT: _https_redirect,
    Phase.NO_ENDPOINTS: _no_endpoints,
    Phase.LIMITS: _limits,
}

"""The steps of a gate: for each phase of ``policy/phases``, what a route asks of a request then, bound to its settings.

A step is called for each request and looks at it; what can be known when the route is bound is worked out then.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from ingressd.policy.ask import Answer, Ask
from ingressd.policy.blocks import BlockCheck
from ingressd.policy.client_certificate import may_serve, may_serve_name, needs_tls
from ingressd.policy.cors import CorsRules
from ingressd.policy.fixed_answer import fixed_answer
from ingressd.policy.pattern import compile_pattern
from ingressd.policy.phases import Phase
from ingressd.policy.redirects import app_root, fixed_redirect, https_redirect, www_redirect
from ingressd.policy.rewrite import Rewriter
from ingressd.policy.trailing_slash import trailing_slash
from ingressd.policy.varied_rewrite import VariedRewriter
from ingressd.proxy.passage import Passage

if TYPE_CHECKING:
    from ingressd.proxy.gate import Gate
    from ingressd.proxy.gateway import Gateway
    from ingressd.routing.snapshot import Route

Step = Callable[[Ask, Passage], Answer | None]

NO_ENDPOINTS: Final = Answer(503, "no_endpoints")
_DENIED: Final = "denied"

_Binder = Callable[["Gate", "Route", "Gateway"], Step | None]
"""The step, or None when the route does not ask for it."""


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

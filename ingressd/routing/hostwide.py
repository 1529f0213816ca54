"""What the annotations of Ingresses ask for a whole host: the first one that says it decides, the others are told."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from ingressd.model.finding import Finding
from ingressd.policy.client_certificate import ClientCertificates
from ingressd.policy.policies import HostTls, RoutePolicies
from ingressd.policy.redirects import AppRoot
from ingressd.policy.upstream_tls import BackendTls
from ingressd.routing.claims import HostClaim, HostWishes, RouteClaim
from ingressd.routing.place import Place
from ingressd.routing.policies.context import PolicyContext
from ingressd.routing.policies.secure import with_tls
from ingressd.routing.snapshot import ANY_HOST

T = TypeVar("T")

_NOTHING = RoutePolicies()


class HostSettings(Struct, frozen=True, gc=False):
    """``needs_tls``: some of its claims do not know yet that the host has a certificate. ``aliases`` are further names;
    ``www``: the sibling redirects here, because of that place.
    """

    has_tls: bool = False
    needs_tls: bool = False
    app_root: AppRoot | None = None
    certificates: ClientCertificates | None = None
    backend_tls: BackendTls | None = None
    tls: HostTls | None = None
    aliases: tuple[str, ...] = ()
    alias_place: Place | None = None
    www: Place | None = None
    passthrough: Place | None = None

    def apply(self, claims: list[RouteClaim], context: PolicyContext) -> tuple[list[RouteClaim], RouteClaim]:
        """The claims as they hold on this host; the last is the fallback."""
        if self.needs_tls or self.app_root or self.certificates or self.backend_tls:
            claims = [self._applied(claim, context) for claim in claims]
        return claims[:-1], claims[-1]

    def _applied(self, claim: RouteClaim, context: PolicyContext) -> RouteClaim:
        tls = self.backend_tls
        if tls is not None and claim.target is not None and claim.target.tls is not None:
            target = replace(claim.target, tls=tls)
            claim = replace(claim, target=target, route=replace(claim.route, backend=target.key))
        elif tls is not None and claim.route.policies is not None and claim.route.policies.secure_backend:
            claim = _with_secure(claim, claim.route.policies, tls)
        return replace(claim, route=replace(claim.route, policies=self._policies(claim, context)))

    def _policies(self, claim: RouteClaim, context: PolicyContext) -> RoutePolicies | None:
        route = claim.route
        policies = with_tls(route.policies, claim.tls_redirect, context) if self.has_tls else route.policies
        if self.app_root is None and self.certificates is None:
            return policies
        made = policies or _NOTHING
        if self.app_root is not None and _may_match_root(route.path):
            made = replace(made, app_root=self.app_root)
        if self.certificates is not None:
            made = replace(made, client_certificates=self.certificates)
        return None if made == _NOTHING else made

    def pass_through(
        self, granted: list[RouteClaim], findings: list[Finding]
    ) -> tuple[list[RouteClaim], HostTls | None]:
        """TLS goes to the Service of ``/`` as it comes; nothing else of the host counts over TLS then."""
        for number, claim in enumerate(granted):
            if claim.route.path == "/" and claim.target is not None:
                target = replace(claim.target, tls=None, cluster_ip=True)
                changed = replace(claim, others=(*claim.others, target))
                tls = replace(self.tls or HostTls(), passthrough=target.key)
                return [*granted[:number], changed, *granted[number + 1 :]], tls
        if self.passthrough is not None:
            message = "the host has no path / with a Service: TLS ends here"
            findings.append(self.passthrough.finding("error", "NothingToPassTo", message))
        return granted, self.tls


def settle_wishes(claims: Sequence[HostClaim], context: PolicyContext, findings: list[Finding]) -> HostSettings:
    """What holds for the host of ``claims``, given in order of seniority."""
    has_tls = any(claim.has_tls for claim in claims)
    needs_tls = has_tls and not all(claim.has_tls for claim in claims)
    wishing = [(claim.place, claim.wishes) for claim in claims if claim.wishes is not None]
    if not wishing:
        if not has_tls:
            return _PLAIN
        return _LATE_TLS if needs_tls else _PLAIN_TLS
    first = _First(wishing, findings)
    certificates = first("auth-tls-secret", lambda one: one.certificates)
    depth = next((one.verify_depth for _, one in wishing if one.certificates is not None), 1)
    ciphers = first("ssl-ciphers", lambda one: one.ciphers) or ""
    order = first("ssl-prefer-server-ciphers", lambda one: one.prefers_server_order)
    trust = certificates.trust if certificates is not None else ""
    tls = HostTls(trust=trust, verify_depth=depth, ciphers=ciphers, prefers_server_order=order)
    host = claims[0].host
    return HostSettings(
        has_tls=has_tls,
        needs_tls=needs_tls,
        app_root=first("app-root", lambda one: one.app_root),
        certificates=certificates,
        backend_tls=first("proxy-ssl-secret", lambda one: one.backend_tls),
        tls=tls if trust or ciphers or order is not None else None,
        aliases=first("server-alias", lambda one: one.aliases) or () if host != ANY_HOST else (),
        alias_place=first.place(lambda one: one.aliases),
        www=first.place(lambda one: one.www or None) if host != ANY_HOST and not host.startswith("*.") else None,
        passthrough=first.place(lambda one: one.passthrough or None),
    )


_PLAIN, _PLAIN_TLS = HostSettings(), HostSettings(has_tls=True)
_LATE_TLS = HostSettings(has_tls=True, needs_tls=True)


class _First:
    """Wishes in order of seniority: the first that is there, and a finding for later ones that differ."""

    def __init__(self, wishing: list[tuple[Place, HostWishes]], findings: list[Finding]) -> None:
        self._wishing = wishing
        self._findings = findings

    def __call__(self, name: str, wish: Callable[[HostWishes], T]) -> T | None:
        winner: Place | None = None
        found: T | None = None
        for place, value in self._said(wish):
            if winner is None:
                winner, found = place, value
            elif value != found:
                self._beaten(name, place, winner)
        return found

    def place(self, wish: Callable[[HostWishes], object]) -> Place | None:
        return next((place for place, _ in self._said(wish)), None)

    def _said(self, wish: Callable[[HostWishes], T]) -> Iterator[tuple[Place, T]]:
        for place, one in self._wishing:
            value = wish(one)
            if value is not None and value != () and value != "":
                yield place, value

    def _beaten(self, name: str, loser: Place, winner: Place) -> None:
        reason = "ServerAliasConflict" if name == "server-alias" else "HostAnnotationConflict"
        message = f"{name} of this host is already decided by Ingress {winner.namespace}/{winner.name}"
        self._findings.append(loser.finding("warning", reason, message))


def _with_secure(claim: RouteClaim, policies: RoutePolicies, tls: BackendTls) -> RouteClaim:
    """AUTO_HTTP: the host's settings for the backend that clients over TLS meet."""
    others = tuple(replace(one, tls=tls) if one.key == policies.secure_backend else one for one in claim.others)
    changed = next(new for old, new in zip(claim.others, others, strict=True) if old.key == policies.secure_backend)
    route = replace(claim.route, policies=replace(policies, secure_backend=changed.key))
    return replace(claim, route=route, others=others)


def _may_match_root(path: str) -> bool:
    """Whether a request for ``/`` may meet the route: ``/`` itself, or a pattern such as ``/(.*)`` or ``/+``."""
    return path == "/" or any(character in path for character in "(|?*+{[$.\\^")

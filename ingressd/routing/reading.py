"""One Ingress on its own → what it claims: hosts, paths, fallbacks, server names. Pure, so it is done once per version.

Whether a claim is granted depends on other objects and is decided elsewhere: ``precedence`` for hosts and paths,
``certificates`` for server names, ``endpoints`` for what stands behind a Service port. What the annotations ask for is
worked out in ``policies``.
"""

import re
from functools import lru_cache

from msgspec.structs import replace

from ingressd.model.finding import Finding, Level
from ingressd.model.objects import Ingress, IngressBackend, IngressPath, IngressRule, Meta
from ingressd.policy.pattern import PatternError, location_pattern
from ingressd.policy.policies import RoutePolicies
from ingressd.routing.annotations import read_annotations
from ingressd.routing.annotations.rows import paths as path_rows
from ingressd.routing.claims import (
    NO_ROOT,
    CanaryClaim,
    HostClaim,
    HostWishes,
    ReadIngress,
    Root,
    RouteClaim,
    Seniority,
    ServerNameClaim,
)
from ingressd.routing.declared import DeclaredError, normal_host, normal_path, pattern_path, second_reading
from ingressd.routing.endpoints import ServiceTarget
from ingressd.routing.place import Place, place_of
from ingressd.routing.policies import canary
from ingressd.routing.policies.build import ingress_policies
from ingressd.routing.policies.context import PathPolicies, PolicyContext
from ingressd.routing.policies.hosts import host_wishes
from ingressd.routing.policies.secure import with_tls
from ingressd.routing.snapshot import ANY_HOST, MatchKind, Route
from ingressd.routing.tls_entries import TlsEntries

_LITERAL = re.compile(r"/[A-Za-z0-9._\-/]*")


def seniority(meta: Meta) -> Seniority:
    """An unknown creation time (a manifest) counts as oldest. Kubernetes: oldest first, then namespace/name."""
    return meta.created, meta.namespace, meta.name


def read_ingress(ingress: Ingress, context: PolicyContext, last_resort: RouteClaim, *, denied: str = "") -> ReadIngress:
    """What an Ingress claims. ``last_resort`` stands in for an unknown kind of backend when there is no default.

    A version that its annotations freeze claims nothing, unless ``denied`` says why all it claims is to answer 503.
    """
    reader = _Reader(ingress, context, last_resort, denied)
    return reader.frozen() if reader.is_frozen and not denied else reader.read()


class _Reader:
    """Gathers findings while the parts of one Ingress are read."""

    def __init__(self, ingress: Ingress, context: PolicyContext, last_resort: RouteClaim, denied: str) -> None:
        self._ingress = ingress
        self._context = context
        self._defaults = context.defaults
        self._last_resort = last_resort
        self._findings: list[Finding] = []
        self._tls = TlsEntries(ingress, self._findings) if ingress.tls else None
        meta = ingress.meta
        self._values = (
            read_annotations(meta, prefix=self._defaults.annotations_prefix, config=context.config)
            if meta.annotations
            else context.unset
        )
        self.is_frozen = self._values.frozen
        self._policies = ingress_policies(meta, self._values, context, denied)
        self._wishes: HostWishes | None = None if self._policies.is_plain else host_wishes(self._policies.wishes)
        self._fallback = self._default_backend()

    def frozen(self) -> ReadIngress:
        return ReadIngress(seniority(self._ingress.meta), (), (), self._values.findings, frozen=True)

    def read(self) -> ReadIngress:
        rules = self._rules()
        wishes = self._policies.wishes
        if not self._policies.is_plain and canary.is_canary(wishes):
            return self._read_canary(rules)
        hosts = self._hosts(rules)
        names = self._server_names([host for _, host, _ in rules if host != ANY_HOST])
        if self._policies.is_plain:  # shared by all that ask for nothing: what it gathered is nobody's
            return ReadIngress(seniority(self._ingress.meta), hosts, names, (*self._values.findings, *self._findings))
        return ReadIngress(
            seniority(self._ingress.meta),
            hosts,
            names,
            (*self._values.findings, *wishes.findings, *self._findings),
            materials=tuple(wishes.materials.items()),
            sources=wishes.sources,
        )

    def _read_canary(self, rules: list[tuple[int, str, IngressRule]]) -> ReadIngress:
        """It claims nothing of its own, and what it asks for beside its share is not looked at."""
        canaries = self._canaries(rules)
        wishes = self._policies.wishes
        findings = canary.findings(wishes, (*self._values.findings, *wishes.findings, *self._findings))
        return ReadIngress(seniority(self._ingress.meta), (), (), findings, canaries, sources=wishes.sources)

    def _place(self, field: str) -> Place:
        return place_of(self._ingress.meta, field)

    def _say(self, field: str, level: Level, reason: str, message: str) -> None:
        self._findings.append(self._place(field).finding(level, reason, message))

    # ── hosts and paths ─────────────────────────────────────────────────────────────────────────────────────────────

    def _rules(self) -> list[tuple[int, str, IngressRule]]:
        """The rules that can be served: their number, normal host and text."""
        usable = []
        for number, rule in enumerate(self._ingress.rules):
            field = f"spec.rules[{number}].host"
            try:
                host = normal_host(rule.host)
            except DeclaredError as error:
                self._say(field, "error", error.reason, f"{error}; the rule is not served")
                continue
            if host == ANY_HOST and self._defaults.disable_catch_all:
                self._say(field, "warning", "CatchAllIgnored", "a rule without host is ignored: --disable-catch-all")
                continue
            usable.append((number, host, rule))
        return usable

    def _hosts(self, rules: list[tuple[int, str, IngressRule]]) -> tuple[HostClaim, ...]:
        if not self._ingress.rules:
            return self._catch_all()
        paths: dict[str, list[RouteClaim]] = {}
        for number, host, rule in rules:
            claims = paths.setdefault(host, [])
            for position, path in enumerate(rule.paths):
                claim = self._path(host, path, _path_field(number, position))
                if claim is not None:
                    claims.append(claim)
        return tuple(self._host(host, tuple(claims)) for host, claims in paths.items())

    def _host(self, host: str, paths: tuple[RouteClaim, ...]) -> HostClaim:
        has_tls = self._has_tls(host)
        place = self._place("metadata.annotations")
        return HostClaim(host, paths, self._fallback_of(host), place, has_tls, self._root_of(host), self._wishes)

    def _has_tls(self, host: str) -> bool:
        return self._tls is not None and self._tls.name(host)

    def _server_names(self, rule_hosts: list[str]) -> tuple[ServerNameClaim, ...]:
        return () if self._tls is None else self._tls.claims(rule_hosts, self._wishes)

    def _for_path(self, host: str, path: str, target: ServiceTarget | None) -> PathPolicies:
        """With what the certificate of this Ingress adds; that of another one is added when the host is settled."""
        made = self._policies.for_path(host, path, target, self._last_resort.route.backend)
        if not self._has_tls(host):
            return made
        if made is self._policies.usual:
            return self._context.usual_with_tls or self._made_usual(made)
        policies = with_tls(made.policies, made.tls_redirect, self._context)
        return PathPolicies(policies, made.tls_redirect, made.others)

    def _made_usual(self, made: PathPolicies) -> PathPolicies:
        policies = with_tls(made.policies, made.tls_redirect, self._context)
        self._context.usual_with_tls = usual = PathPolicies(policies, made.tls_redirect)
        return usual

    def _fallback_of(self, host: str) -> RouteClaim | None:
        claim = self._fallback
        if claim is None or (self._policies.is_plain and not self._has_tls(host)):
            return claim
        made = self._for_path(host, "/", claim.target)
        route = replace(claim.route, policies=made.policies)
        return replace(claim, route=route, others=made.others, other_places=self._policies.other_places)

    def _root_of(self, host: str) -> Root:
        """Rules without a host have none: what one of them asks for holds for no other name that comes along."""
        if host == ANY_HOST:
            return NO_ROOT
        made = self._for_path(host, "/", None)
        is_pattern = self._policies.makes_pattern("/") and not self._policies.only_own_paths
        return Root(made.policies, made.tls_redirect, is_pattern)

    def _catch_all(self) -> tuple[HostClaim, ...]:
        if self._ingress.default_backend is None:
            self._say("spec", "warning", "NothingToServe", "the Ingress has neither rules nor a default backend")
        elif self._defaults.disable_catch_all:
            self._say("spec.defaultBackend", "warning", "CatchAllIgnored", "ignored: --disable-catch-all")
        elif self._fallback is not None:
            return (self._host(ANY_HOST, ()),)
        return ()

    def _path(self, host: str, path: IngressPath, field: str) -> RouteClaim | None:
        declared = path.path or "/"
        is_pattern = self._policies.makes_pattern(declared)
        found = self._match(path, field, is_pattern=is_pattern)
        if found is None:
            return None
        kind, text = found
        if is_pattern and self._policies.only_own_paths:
            kind, is_pattern = "regex", False
        place = self._place(f"{field}.backend")
        target = self._target(path.backend)
        made = self._for_path(host, declared, target)
        policies = made.policies
        if kind == "prefix" and declared.endswith("/") and declared != "/" and self._defaults.replaces_nginx:
            policies = self._policies.with_slash(policies, declared)
        if target is not None:
            route = self._route(kind, text, target.key, path.backend.service, policies)
        else:
            claim = self._claim(kind, text, path.backend, place) or self._instead(kind, text, place)
            route, target = replace(claim.route, policies=policies), claim.target
        written = declared if declared != text else ""
        asides = self._policies.other_places
        return RouteClaim(route, target, place, written, is_pattern, made.tls_redirect, made.others, asides)

    def _match(self, path: IngressPath, field: str, *, is_pattern: bool) -> tuple[MatchKind, str] | None:
        """How requests are matched, and against what; None: it cannot be served, which is said."""
        try:
            kind, text = pattern_path(path) if is_pattern else normal_path(path)
        except DeclaredError as error:
            part = "pathType" if error.reason == "InvalidPathType" else "path"
            self._say(f"{field}.{part}", "error", error.reason, f"{error}; the path is not served")
            return None
        if is_pattern:
            try:
                location_pattern(text)
            except PatternError as error:
                self._say(f"{field}.path", "error", "BadPattern", f"{error}; what begins like it answers 503")
            if path.path_type in ("Exact", "Prefix") and not _LITERAL.fullmatch(text) and self._says_path_types():
                message = "an expression; ingress-nginx's webhook takes them in ImplementationSpecific paths only"
                self._say(f"{field}.pathType", "info", "PatternPathType", message)
        elif why := second_reading(text):
            self._say(f"{field}.path", "warning", "AmbiguousPath", why)
        return kind, text

    def _says_path_types(self) -> bool:
        return self._defaults.replaces_nginx and self._context.config.get(path_rows.STRICT_VALIDATE_PATH_TYPE)

    def _canaries(self, rules: list[tuple[int, str, IngressRule]]) -> tuple[CanaryClaim, ...]:
        claims = []
        for number, host, rule in rules:
            for position, path in enumerate(rule.paths):
                field = _path_field(number, position)
                found = self._match(path, field, is_pattern=True)
                if found is not None:
                    claims.append(self._canary(host, found[0], path.path or "/", path.backend, f"{field}.path"))
        backend = self._ingress.default_backend
        if backend is not None and not self._defaults.disable_catch_all:
            claims.append(self._canary(ANY_HOST, "prefix", "/", backend, "spec.defaultBackend"))
        return tuple(claim for claim in claims if claim is not None)

    def _canary(self, host: str, kind: MatchKind, text: str, backend: IngressBackend, field: str) -> CanaryClaim | None:
        target = self._target(backend)
        if target is None:
            return None
        wishes = self._policies.wishes
        made = canary.canary(wishes, target.key)
        return CanaryClaim(host, kind, text, target, made, canary.sticks(wishes), self._place(field))

    def _default_backend(self) -> RouteClaim | None:
        backend = self._ingress.default_backend
        if backend is None:
            return None
        claim = self._claim("prefix", "/", backend, self._place("spec.defaultBackend"))
        if claim is None:
            return None
        made = self._for_path(ANY_HOST, "/", claim.target)
        route = replace(claim.route, policies=made.policies)
        asides = self._policies.other_places
        return replace(claim, route=route, tls_redirect=made.tls_redirect, others=made.others, other_places=asides)

    def _target(self, backend: IngressBackend) -> ServiceTarget | None:
        """The Service port, and how it is spoken to; None: the backend names no Service."""
        if not backend.service:
            return None
        spoken = self._policies.spoken
        return ServiceTarget(
            self._ingress.meta.namespace,
            backend.service,
            backend.port_number,
            backend.port_name,
            tls=None if spoken.follows_client else spoken.tls,
            cluster_ip=spoken.cluster_ip,
        )

    def _claim(self, kind: MatchKind, path: str, backend: IngressBackend, place: Place) -> RouteClaim | None:
        """None for a resource, which is as if it were not there. A backend that names nothing answers 503."""
        if backend.resource and not backend.service:
            message = f"a backend of kind {backend.resource!r} is not known here; the default backend answers"
            self._findings.append(place.finding("error", "UnknownBackend", message))
            return None
        target = self._target(backend)
        if target is None:
            message = "the backend names neither a Service nor a resource; the answer is 503"
            self._findings.append(place.finding("error", "InvalidBackend", message))
            return RouteClaim(self._route(kind, path, "", "", None, 503), None, place)
        return RouteClaim(self._route(kind, path, target.key, backend.service, None), target, place)

    def _instead(self, kind: MatchKind, path: str, place: Place) -> RouteClaim:
        """The path of an unknown kind of backend: this Ingress's default backend, else the controller's, else 404."""
        stand_in = self._fallback or self._last_resort
        instead = stand_in.route
        return RouteClaim(
            self._route(kind, path, instead.backend, instead.service, None, instead.status), stand_in.target, place
        )

    def _route(
        self, kind: MatchKind, path: str, backend: str, service: str, policies: RoutePolicies | None, status: int = 404
    ) -> Route:
        meta, asked = self._ingress.meta, self._policies
        return Route(
            kind,
            path,
            backend,
            meta.namespace,
            meta.name,
            service,
            status,
            asked.timeouts,
            asked.max_body_bytes,
            policies,
        )


@lru_cache(maxsize=4096)
def _path_field(rule: int, position: int) -> str:
    return f"spec.rules[{rule}].http.paths[{position}]"

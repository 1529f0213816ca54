"""One Ingress on its own → what it claims: hosts, paths, fallbacks, server names. Pure, so it is done once per version.

Whether a claim is granted depends on other objects and is decided elsewhere: ``precedence`` for hosts and paths,
``certificates`` for server names, ``endpoints`` for what stands behind a Service port.
"""

from functools import lru_cache

from msgspec import Struct

from ingressd.model.finding import Finding, Level
from ingressd.model.objects import Ingress, IngressBackend, IngressPath, IngressRule, Meta
from ingressd.routing.declared import DeclaredError, normal_host, normal_path, second_reading
from ingressd.routing.defaults import RouteDefaults
from ingressd.routing.endpoints import ServiceTarget
from ingressd.routing.snapshot import ANY_HOST, MatchKind, Route

Seniority = tuple[float, str, str]
"""Creation time, namespace, name: the smaller has the right of way."""


class Place(Struct, frozen=True, gc=False):
    """A field of an object: where a finding is put."""

    kind: str
    namespace: str
    name: str
    field: str
    source: str = ""

    def finding(self, level: Level, reason: str, message: str) -> Finding:
        return Finding(
            kind=self.kind,
            namespace=self.namespace,
            name=self.name,
            level=level,
            reason=reason,
            field=self.field,
            message=message,
            source=self.source,
        )


class RouteClaim(Struct, frozen=True, gc=False):
    """A route somebody wants. ``target`` is what its backend stands for; None when it answers by itself."""

    route: Route
    target: ServiceTarget | None
    place: Place


class HostClaim(Struct, frozen=True, gc=False):
    """All that one Ingress wants of one host, in the order it says it."""

    host: str
    paths: tuple[RouteClaim, ...]
    fallback: RouteClaim | None


class ServerNameClaim(Struct, frozen=True, gc=False):
    """Secrets that one Ingress offers for one server name, first choice first; "" is the default certificate.

    A name that is not ``listed`` is a host of the rules that no ``tls`` entry mentions: it is claimed only by a
    certificate that happens to be good for it.
    """

    host: str
    offers: tuple[tuple[str, Place], ...]
    listed: bool


class ReadIngress(Struct, frozen=True, gc=False):
    """``hosts`` are different from each other, and so are ``server_names``."""

    seniority: Seniority
    hosts: tuple[HostClaim, ...]
    server_names: tuple[ServerNameClaim, ...]
    findings: tuple[Finding, ...]


def seniority(meta: Meta) -> Seniority:
    """An unknown creation time (a manifest) counts as oldest. Kubernetes: oldest first, then namespace/name."""
    return meta.created, meta.namespace, meta.name


def read_ingress(ingress: Ingress, defaults: RouteDefaults, last_resort: RouteClaim) -> ReadIngress:
    """What an Ingress claims. ``last_resort`` stands in for an unknown kind of backend when there is no default."""
    return _Reader(ingress, defaults, last_resort).read()


def place_of(meta: Meta, field: str) -> Place:
    return Place("Ingress", meta.namespace, meta.name, field, meta.source)


class _Reader:
    """Gathers findings while the parts of one Ingress are read."""

    def __init__(self, ingress: Ingress, defaults: RouteDefaults, last_resort: RouteClaim) -> None:
        self._ingress = ingress
        self._defaults = defaults
        self._last_resort = last_resort
        self._findings: list[Finding] = []
        self._fallback = self._default_backend()

    def read(self) -> ReadIngress:
        rules = self._rules()
        return ReadIngress(
            seniority(self._ingress.meta),
            self._hosts(rules),
            self._server_names([host for _, host, _ in rules if host != ANY_HOST]),
            tuple(self._findings),
        )

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
                claim = self._path(path, _path_field(number, position))
                if claim is not None:
                    claims.append(claim)
        return tuple(HostClaim(host, tuple(claims), self._fallback) for host, claims in paths.items())

    def _catch_all(self) -> tuple[HostClaim, ...]:
        if self._ingress.default_backend is None:
            self._say("spec", "warning", "NothingToServe", "the Ingress has neither rules nor a default backend")
        elif self._defaults.disable_catch_all:
            self._say("spec.defaultBackend", "warning", "CatchAllIgnored", "ignored: --disable-catch-all")
        elif self._fallback is not None:
            return (HostClaim(ANY_HOST, (), self._fallback),)
        return ()

    def _path(self, path: IngressPath, field: str) -> RouteClaim | None:
        try:
            kind, normal = normal_path(path)
        except DeclaredError as error:
            part = "pathType" if error.reason == "InvalidPathType" else "path"
            self._say(f"{field}.{part}", "error", error.reason, f"{error}; the path is not served")
            return None
        if why := second_reading(normal):
            self._say(f"{field}.path", "warning", "AmbiguousPath", why)
        place = self._place(f"{field}.backend")
        claim = self._claim(kind, normal, path.backend, place)
        return claim or self._instead(kind, normal, place)

    def _default_backend(self) -> RouteClaim | None:
        backend = self._ingress.default_backend
        if backend is None:
            return None
        return self._claim("prefix", "/", backend, self._place("spec.defaultBackend"))

    def _claim(self, kind: MatchKind, path: str, backend: IngressBackend, place: Place) -> RouteClaim | None:
        """None for a resource, which is as if it were not there. A backend that names nothing answers 503."""
        if backend.resource and not backend.service:
            message = f"a backend of kind {backend.resource!r} is not known here; the default backend answers"
            self._findings.append(place.finding("error", "UnknownBackend", message))
            return None
        if not backend.service:
            message = "the backend names neither a Service nor a resource; the answer is 503"
            self._findings.append(place.finding("error", "InvalidBackend", message))
            return RouteClaim(self._route(kind, path, "", "", status=503), None, place)
        target = ServiceTarget(self._ingress.meta.namespace, backend.service, backend.port_number, backend.port_name)
        return RouteClaim(self._route(kind, path, target.key, backend.service), target, place)

    def _instead(self, kind: MatchKind, path: str, place: Place) -> RouteClaim:
        """The path of an unknown kind of backend: this Ingress's default backend, else the controller's, else 404."""
        stand_in = self._fallback or self._last_resort
        route = self._route(kind, path, stand_in.route.backend, stand_in.route.service, stand_in.route.status)
        return RouteClaim(route, stand_in.target, place)

    def _route(self, kind: MatchKind, path: str, backend: str, service: str, status: int = 404) -> Route:
        meta = self._ingress.meta
        return Route(
            kind,
            path,
            backend,
            meta.namespace,
            meta.name,
            service,
            status,
            timeouts=self._defaults.timeouts,
            max_body_bytes=self._defaults.max_body_bytes,
        )

    # ── server names ────────────────────────────────────────────────────────────────────────────────────────────────

    def _server_names(self, rule_hosts: list[str]) -> tuple[ServerNameClaim, ...]:
        if not self._ingress.tls:
            return ()
        listed = self._listed_names()
        without_hosts = [
            (entry.secret_name, self._place(f"spec.tls[{number}].secretName"))
            for number, entry in enumerate(self._ingress.tls)
            if not entry.hosts
        ]
        if without_hosts and not rule_hosts:
            self._findings.append(
                without_hosts[0][1].finding(
                    "warning",
                    "NoServerName",
                    "neither the tls entry nor a rule names a host: the certificate is not used",
                )
            )
        claims = {host: ServerNameClaim(host, tuple(offers), True) for host, offers in listed.items()}
        for host in rule_hosts:
            if host not in claims and (offers := without_hosts or self._all_secrets()):
                claims[host] = ServerNameClaim(host, tuple(offers), bool(without_hosts))
        return tuple(claims.values())

    def _listed_names(self) -> dict[str, list[tuple[str, Place]]]:
        names: dict[str, list[tuple[str, Place]]] = {}
        for number, entry in enumerate(self._ingress.tls):
            for position, declared in enumerate(entry.hosts):
                field = f"spec.tls[{number}].hosts[{position}]"
                try:
                    host = normal_host(declared)
                except DeclaredError as error:
                    self._say(field, "error", error.reason, f"{error}; no certificate is served for it")
                    continue
                if host != ANY_HOST:
                    names.setdefault(host, []).append((entry.secret_name, self._place(field)))
        return names

    def _all_secrets(self) -> list[tuple[str, Place]]:
        return [
            (entry.secret_name, self._place(f"spec.tls[{number}].secretName"))
            for number, entry in enumerate(self._ingress.tls)
            if entry.secret_name
        ]


@lru_cache(maxsize=4096)
def _path_field(rule: int, position: int) -> str:
    return f"spec.rules[{rule}].http.paths[{position}]"

"""What Ingresses claim, each on its own: values between reading one Ingress and settling who gets what."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from ingressd.model.cluster import Key
from ingressd.model.finding import Finding
from ingressd.model.objects import ConfigMap
from ingressd.policy.canary import Canary
from ingressd.policy.client_certificate import ClientCertificates
from ingressd.policy.policies import RoutePolicies
from ingressd.policy.redirects import AppRoot, HttpsRedirect
from ingressd.policy.upstream_tls import BackendTls
from ingressd.routing.endpoints import ServiceTarget
from ingressd.routing.place import Place
from ingressd.routing.snapshot import MatchKind, Route

Seniority = tuple[float, str, str]
"""Creation time, namespace, name: the smaller has the right of way."""


class RouteClaim(Struct, frozen=True, gc=False):
    """A route somebody wants. ``target`` is what its backend stands for; None when it answers by itself.

    ``declared`` is the path as it was written where that is not ``route.path``. ``is_pattern``: it makes all paths of
    its host patterns. ``tls_redirect`` holds if the host has a certificate. ``others`` are further backends that the
    route's policies name; ``other_places``, by key, are where, if that is not ``place``.
    """

    route: Route
    target: ServiceTarget | None
    place: Place
    declared: str = ""
    is_pattern: bool = False
    tls_redirect: HttpsRedirect | None = None
    others: tuple[ServiceTarget, ...] = ()
    other_places: Mapping[str, Place] = {}

    @property
    def text(self) -> str:
        return self.declared or self.route.path


class Root(Struct, frozen=True, gc=False):
    """What holds for a host's ``/`` when nobody declares it: the annotations of the first Ingress of the host."""

    policies: RoutePolicies | None = None
    tls_redirect: HttpsRedirect | None = None
    is_pattern: bool = False


NO_ROOT = Root()


class HostWishes(Struct, frozen=True, gc=False):
    """What the annotations of one Ingress ask for its whole host; nothing of it is on unless it is set.

    ``certificates`` with ``trust`` and ``verify_depth`` are about certificates of clients; ``backend_tls`` holds for
    all TLS backends of the host; ``prefers_server_order`` None: as everywhere.
    """

    app_root: AppRoot | None = None
    aliases: tuple[str, ...] = ()
    certificates: ClientCertificates | None = None
    verify_depth: int = 1
    ciphers: str = ""
    prefers_server_order: bool | None = None
    backend_tls: BackendTls | None = None
    www: bool = False
    passthrough: bool = False


class HostClaim(Struct, frozen=True, gc=False):
    """All that one Ingress wants of one host, in the order it says it. ``has_tls``: it has a certificate for it."""

    host: str
    paths: tuple[RouteClaim, ...]
    fallback: RouteClaim | None
    place: Place
    has_tls: bool = False
    root: Root = NO_ROOT
    wishes: HostWishes | None = None


class CanaryClaim(Struct, frozen=True, gc=False):
    """A path of a canary Ingress: it joins the route of the same host, path and kind. ``sticks``: affinity counts."""

    host: str
    kind: MatchKind
    text: str
    target: ServiceTarget
    canary: Canary
    sticks: bool
    place: Place


class ServerNameClaim(Struct, frozen=True, gc=False):
    """Secrets that one Ingress offers for one server name, first choice first; "" is the default certificate.

    A name that is not ``listed`` is a host of the rules that no ``tls`` entry mentions: it is claimed only by a
    certificate that happens to be good for it.
    """

    host: str
    offers: tuple[tuple[str, Place], ...]
    listed: bool


class ReadIngress(Struct, frozen=True, gc=False):
    """``hosts`` are different from each other, and so are ``server_names``.

    ``frozen``: this version is not to be served. ``materials`` are the keys of what its routes need out of Secrets and
    ConfigMaps; ``sources`` the ConfigMaps it was read with.
    """

    seniority: Seniority
    hosts: tuple[HostClaim, ...]
    server_names: tuple[ServerNameClaim, ...]
    findings: tuple[Finding, ...]
    canaries: tuple[CanaryClaim, ...] = ()
    frozen: bool = False
    materials: tuple[tuple[str, Place], ...] = ()
    sources: Mapping[Key, ConfigMap | None] = {}


class NamedPorts(Struct, frozen=True, gc=False):
    """Every Service port that a granted route names: what it stands for, by backend key and sorted; who names it.

    ``asides`` name it for something else than to answer the route's requests.
    """

    targets: Mapping[str, ServiceTarget]
    places: Mapping[str, Sequence[Place]]
    asides: Mapping[str, Sequence[Place]]
    by_service: Mapping[Key, Sequence[str]]

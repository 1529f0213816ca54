"""EndpointSlices → Backend: which addresses get new requests for one Service port.

Rules: Service port by number or name → its name → the port of that name in each slice; slices are joined and addresses
appear once; ready endpoints, else those that still serve while terminating; the Service's first IP family, else the
other. Addresses nobody should be sent to by an object (loopback, link-local …) are refused.
"""

import re
from collections.abc import Iterable, Iterator

from msgspec import Struct
from msgspec.structs import replace

from ingressd.model.cluster import ClusterState, Key
from ingressd.model.finding import Finding, Level
from ingressd.model.objects import EndpointSlice, Service, ServicePort, SliceEndpoint
from ingressd.policy.upstream_tls import BackendTls
from ingressd.routing import addresses
from ingressd.routing.defaults import RouteDefaults
from ingressd.routing.place import place_of
from ingressd.routing.snapshot import Backend, Endpoint

NOBODY_ANSWERS = "; the answer is 503"
"""How the message ends for who names the port for a route."""

_FAMILIES = ("IPv4", "IPv6")
_PORT_NAME = re.compile(r"[a-z0-9-]*[a-z][a-z0-9-]*")  # RFC 6335 §5.1, as Kubernetes has it: with a letter


class ServiceTarget(Struct, frozen=True, gc=False):
    """A Service port as an Ingress spells it: by number, or by name when the number is 0.

    ``first_port``: whatever TCP port the Service lists first, for the default backend service of the command line.
    ``tls``: how its endpoints are spoken to. ``cluster_ip``: the Service's own address is the one endpoint.
    """

    namespace: str
    service: str
    port_number: int = 0
    port_name: str = ""
    first_port: bool = False
    tls: BackendTls | None = None
    cluster_ip: bool = False

    @property
    def port(self) -> str:
        if self.first_port:
            return "*"
        if self.port_number:
            return str(self.port_number)
        if not self.port_name or _PORT_NAME.fullmatch(self.port_name):
            return self.port_name
        return f'"{self.port_name}"'  # only a manifest has such a name ("80"), and it is not the port of that number

    @property
    def key(self) -> str:
        name = f"{self.namespace}/{self.service}:{self.port}"
        if self.cluster_ip:
            name += "|service"
        return name if self.tls is None else name + self.tls.suffix()

    @property
    def service_key(self) -> Key:
        return self.namespace, self.service


class Problem(Struct, frozen=True, gc=False):
    """Why a backend is not what its Ingress asked for; told to each object that refers to it."""

    level: Level
    reason: str
    message: str


class BuiltBackend(Struct, frozen=True, gc=False):
    """``problems`` go to who refers to it, ``findings`` are about the slices; ``external_name`` wants resolving."""

    backend: Backend
    problems: tuple[Problem, ...] = ()
    findings: tuple[Finding, ...] = ()
    external_name: str = ""


def build_backend(target: ServiceTarget, cluster: ClusterState, defaults: RouteDefaults) -> BuiltBackend:
    """What the cluster says of a Service port now. Never fails: what is missing is a Problem and gives no endpoints."""
    service = cluster.services.get(target.service_key)
    if service is None:
        return _without_endpoints(
            target, "error", "ServiceNotFound", f"Service {target.service!r} does not exist; the answer is 503"
        )
    if service.type == "ExternalName":
        return _external(target, service, cluster, defaults)
    port = _service_port(service, target)
    if port is None:
        port = _port_by_target(service, target) if defaults.replaces_nginx else None
        if port is None:
            return _without_endpoints(target, "error", "PortNotFound", _no_such_port(service, target))
        built = _from_slices(target, service, port, cluster.slices.get(target.service_key, ()), defaults)
        return replace(built, problems=(_taken_by_target(target, port), *built.problems))
    if target.cluster_ip and service.cluster_ip not in ("", "None"):
        return _from_service(target, service, port, defaults)
    return _from_slices(target, service, port, cluster.slices.get(target.service_key, ()), defaults)


def _without_endpoints(
    target: ServiceTarget, level: Level, reason: str, message: str, external_name: str = ""
) -> BuiltBackend:
    return BuiltBackend(_backend(target), (Problem(level, reason, message),), (), external_name)


def _backend(target: ServiceTarget, endpoints: tuple[Endpoint, ...] = (), app_protocol: str = "") -> Backend:
    return Backend(target.key, target.namespace, target.service, target.port, endpoints, app_protocol, target.tls)


def _service_port(service: Service, target: ServiceTarget) -> ServicePort | None:
    """Requests travel over TCP only; a UDP port of the same number (DNS, HTTP/3) is another port."""
    return next((port for port in service.ports if port.protocol == "TCP" and _is_named(port, target)), None)


def _is_named(port: ServicePort, target: ServiceTarget) -> bool:
    if target.first_port:
        return True
    if target.port_number:
        return port.port == target.port_number
    return port.name == target.port_name != ""


def _port_by_target(service: Service, target: ServiceTarget) -> ServicePort | None:
    """What an Ingress means that names the pods' port: ingress-nginx takes it, though Kubernetes does not allow it."""
    ports = (port for port in service.ports if port.protocol == "TCP" and target.port)
    return next((port for port in ports if str(port.target_port) == target.port), None)


def _taken_by_target(target: ServiceTarget, port: ServicePort) -> Problem:
    message = (
        f"Service {target.service!r} has no port {target.port!r}; that is the targetPort of its port {port.port}, "
        f"which is taken, as by ingress-nginx: write {port.name or port.port}"
    )
    return Problem("warning", "TargetPortNamed", message)


def _no_such_port(service: Service, target: ServiceTarget) -> str:
    if not target.port:
        return f"the backend names no port of Service {target.service!r}; the answer is 503"
    offered = ", ".join(f"{port.port}/{port.name}" if port.name else str(port.port) for port in service.ports[:10])
    return (
        f"Service {target.service!r} has no TCP port {target.port!r} (it has: {offered or 'none'}); the answer is 503"
    )


def _from_service(target: ServiceTarget, service: Service, port: ServicePort, defaults: RouteDefaults) -> BuiltBackend:
    """``service-upstream``: the cluster chooses the pod. A headless Service has no address, and its slices count."""
    family = "IPv6" if ":" in service.cluster_ip else "IPv4"
    try:
        address = addresses.endpoint_address(
            service.cluster_ip, family, allow_loopback=defaults.allow_loopback_endpoints
        )
    except addresses.AddressError as error:
        return _without_endpoints(target, "error", "AddressRefused", f"Service {target.service!r}: {error}")
    return BuiltBackend(_backend(target, (Endpoint(address, port.port),), port.app_protocol))


# ── from slices ─────────────────────────────────────────────────────────────────────────────────────────────────────


class _Candidates:
    """Addresses of one IP family, ready and (only then of interest) still serving."""

    __slots__ = ("leaving", "ready")

    def __init__(self) -> None:
        self.ready: set[tuple[str, int]] = set()
        self.leaving: set[tuple[str, int]] = set()

    def add(self, endpoint: SliceEndpoint, address: str, port: int) -> None:
        if endpoint.ready:
            self.ready.add((address, port))
        elif endpoint.serving and endpoint.terminating:
            self.leaving.add((address, port))


def _from_slices(
    target: ServiceTarget,
    service: Service,
    port: ServicePort,
    slices: Iterable[EndpointSlice],
    defaults: RouteDefaults,
) -> BuiltBackend:
    by_family = {family: _Candidates() for family in _FAMILIES}
    findings: list[Finding] = []
    app_protocol = port.app_protocol
    for one in slices:
        if one.address_type not in by_family:
            findings.append(_skipped_slice(one))
            continue
        for slice_port in one.ports:
            if slice_port.name == port.name and slice_port.protocol == "TCP" and 0 < slice_port.port < 65536:
                app_protocol = app_protocol or slice_port.app_protocol
                refused = _gather(one, slice_port.port, by_family[one.address_type], defaults)
                findings.extend(_refused_addresses(one, refused))
    chosen = _choose([by_family[family] for family in _family_order(service)])
    backend = _backend(target, tuple(Endpoint(*pair) for pair in sorted(chosen)), app_protocol)
    return BuiltBackend(backend, () if chosen else (_no_endpoints(target),), tuple(findings))


def _gather(one: EndpointSlice, port: int, into: _Candidates, defaults: RouteDefaults) -> list[str]:
    """Add the usable endpoints of a slice; returns what is wrong with the others."""
    refused = []
    for endpoint in one.endpoints:
        try:
            address = addresses.endpoint_address(
                endpoint.address, one.address_type, allow_loopback=defaults.allow_loopback_endpoints
            )
        except addresses.AddressError as error:
            refused.append(str(error))
        else:
            into.add(endpoint, address, port)
    return refused


def _choose(families: Iterable[_Candidates]) -> set[tuple[str, int]]:
    """Ready ones, in the family that has some; endpoints on their way out only when nobody is ready."""
    for candidates in families:
        if candidates.ready:
            return candidates.ready
    return next((candidates.leaving for candidates in families if candidates.leaving), set())


def _family_order(service: Service) -> Iterator[str]:
    """The Service's first family, then the other; IPv4 first when it does not say."""
    first = service.ip_families[0] if service.ip_families and service.ip_families[0] in _FAMILIES else _FAMILIES[0]
    yield first
    yield from (family for family in _FAMILIES if family != first)


def _no_endpoints(target: ServiceTarget) -> Problem:
    return Problem(
        "warning",
        "NoEndpoints",
        f"Service {target.service!r} has no ready endpoint for port {target.port!r}; the answer is 503",
    )


def _skipped_slice(one: EndpointSlice) -> Finding:
    message = f"slices of type {one.address_type!r} are skipped"
    return place_of(one.meta, "addressType", "EndpointSlice").finding("warning", "UnsupportedAddressType", message)


def _refused_addresses(one: EndpointSlice, refused: list[str]) -> Iterator[Finding]:
    if refused:
        more = f" ({len(refused)} endpoints in all)" if len(refused) > 1 else ""
        place = place_of(one.meta, "endpoints", "EndpointSlice")
        yield place.finding("error", "AddressRefused", refused[0] + more)


# ── ExternalName ────────────────────────────────────────────────────────────────────────────────────────────────────


def _external(target: ServiceTarget, service: Service, cluster: ClusterState, defaults: RouteDefaults) -> BuiltBackend:
    """The addresses the name resolved to last, at the Service's port: there is no targetPort behind a DNS name."""
    if not defaults.follow_external_names:
        return _without_endpoints(
            target,
            "error",
            "ExternalNameDisabled",
            f"Service {target.service!r} is of type ExternalName, not followed here",
        )
    port = _external_port(service, target)
    if port is None:
        return _without_endpoints(target, "error", "PortNotFound", _no_such_port(service, target))
    try:
        name = addresses.external_name(service.external_name)
    except addresses.AddressError as error:
        return _without_endpoints(target, "error", "ExternalNameRefused", f"Service {target.service!r}: {error}")
    if addresses.is_literal(name):
        return _resolved(target, service, port, (name,), "")
    found = cluster.resolved.get(name)
    if found is None:
        return BuiltBackend(_backend(target), external_name=name)  # the first answer is on its way
    if not found:
        why = f"{name!r} does not resolve; the answer is 503"
        return _without_endpoints(target, "warning", "ExternalNameUnresolved", why, name)
    return _resolved(target, service, port, found, name)


def _external_port(service: Service, target: ServiceTarget) -> int | None:
    """A number need not be among the Service's ports: an ExternalName Service often lists none."""
    declared = _service_port(service, target)
    number = declared.port if declared else target.port_number
    return number if 0 < number < 65536 else None


def _resolved(target: ServiceTarget, service: Service, port: int, found: tuple[str, ...], name: str) -> BuiltBackend:
    by_family: dict[str, set[tuple[str, int]]] = {family: set() for family in _FAMILIES}
    problems = []
    for text in found:
        try:
            address, family = addresses.external_address(text)
        except addresses.AddressError as error:
            problems.append(Problem("error", "ExternalNameRefused", f"{service.external_name!r}: {error}"))
        else:
            by_family[family].add((address, port))
    chosen: set[tuple[str, int]] = next((by_family[f] for f in _family_order(service) if by_family[f]), set())
    declared = _service_port(service, target)
    backend = _backend(
        target, tuple(Endpoint(*pair) for pair in sorted(chosen)), declared.app_protocol if declared else ""
    )
    return BuiltBackend(backend, tuple(problems[:1]), (), name)

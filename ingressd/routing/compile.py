"""ClusterState → Compiled: the whole configuration, built again from everything, every time.

    classes → read each Ingress → hosts and routes → backends → certificates

Everything is sorted, so equal clusters give equal bytes. A bad object becomes findings and skips only itself. A memo
makes what did not change cheap; it changes no result, but for the last good version of a certificate.
"""

from collections.abc import Collection, Iterable, Mapping

from msgspec import Struct
from msgspec.structs import replace

from ingressd.model.cluster import ClusterState, Key
from ingressd.model.finding import Finding
from ingressd.model.objects import Ingress
from ingressd.routing import classes
from ingressd.routing.backends import BackendIndex, build_backends, refresh_backends
from ingressd.routing.certificates import TlsChoice, choose_certificates
from ingressd.routing.defaults import RouteDefaults
from ingressd.routing.endpoints import ServiceTarget
from ingressd.routing.memo import CompileMemo
from ingressd.routing.precedence import SettledHost, settle_host
from ingressd.routing.reading import HostClaim, Place, ReadIngress, RouteClaim, read_ingress
from ingressd.routing.snapshot import Backend, Route, Snapshot
from ingressd.routing.tls_secrets import SecretShelf

__all__ = ["CompileMemo", "Compiled", "RouteDefaults", "compile_routes", "refresh_endpoints"]


class Compiled(Struct, frozen=True, kw_only=True):
    """``served``: the Ingresses that are ours. ``external_names``: the DNS names wanted in ``ClusterState.resolved``.

    ``backends`` and ``other_findings`` are what ``refresh_endpoints`` goes on from.
    """

    snapshot: Snapshot
    findings: tuple[Finding, ...]
    served: frozenset[Key]
    external_names: frozenset[str]
    backends: BackendIndex
    other_findings: tuple[Finding, ...]


def compile_routes(
    cluster: ClusterState, defaults: RouteDefaults, memo: CompileMemo | None = None, *, now: float = 0.0
) -> Compiled:
    """What to serve, and what is wrong with the objects it comes from. ``now``: seconds since the epoch."""
    memo = memo or CompileMemo()
    memo.use(defaults)
    last_resort = _last_resort(defaults)
    served, class_findings = _served(cluster, defaults)
    reads = _read(served, defaults, last_resort, memo)
    hosts = _settle(reads, last_resort, memo)
    claims = (claim for host in hosts.values() for claim in host.granted)
    backends = build_backends((last_resort, *claims), cluster, defaults, memo)
    shelf = SecretShelf(cluster, memo, now)
    tls = choose_certificates(reads, shelf, defaults)
    shelf.close()
    return _assemble(
        snapshot=_snapshot(hosts, backends, tls, last_resort),
        served=frozenset(served),
        backends=backends,
        other_findings=_sorted(
            (
                *class_findings,
                *(finding for read in reads for finding in read.findings),
                *(finding for host in hosts.values() for finding in host.findings),
                *tls.findings,
            )
        ),
    )


def refresh_endpoints(
    compiled: Compiled,
    cluster: ClusterState,
    defaults: RouteDefaults,
    services: Collection[Key],
    memo: CompileMemo | None = None,
) -> Compiled:
    """The short road for changes of Services, their slices or what they resolve to: only their backends are built.

    Equals what ``compile_routes`` would give if nothing but these changed; ``compiled`` itself when nothing came of it.
    """
    backends = refresh_backends(compiled.backends, cluster, defaults, services, memo or CompileMemo())
    if backends is compiled.backends:
        return compiled
    fresh = {key: backends.built[key].backend for service in services for key in backends.by_service.get(service, ())}
    snapshot = replace(compiled.snapshot, backends={**compiled.snapshot.backends, **fresh})
    return _assemble(
        snapshot=snapshot, served=compiled.served, backends=backends, other_findings=compiled.other_findings
    )


# ── stages ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _last_resort(defaults: RouteDefaults) -> RouteClaim:
    """What answers when nothing else does: the controller's default backend, else the built-in 404."""
    namespace, service = defaults.default_backend_service or ("", "")
    place = Place("Service", namespace, service, "--default-backend-service")
    target = ServiceTarget(namespace, service, first_port=True) if service else None
    route = Route(
        "prefix",
        "/",
        target.key if target else "",
        namespace,
        "",
        service,
        timeouts=defaults.timeouts,
        max_body_bytes=defaults.max_body_bytes,
    )
    return RouteClaim(route, target, place)


def _served(cluster: ClusterState, defaults: RouteDefaults) -> tuple[dict[Key, Ingress], list[Finding]]:
    """Our Ingresses, and what is wrong with classes."""
    ours = classes.our_classes(cluster, defaults)
    findings = list(classes.class_findings(cluster, ours))
    served = {}
    for key, ingress in cluster.ingresses.items():
        if classes.is_served(ingress, ours, defaults):
            served[key] = ingress
        else:
            findings.extend(classes.stranger_findings(ingress, cluster, defaults))
    return served, findings


def _read(
    served: Mapping[Key, Ingress], defaults: RouteDefaults, last_resort: RouteClaim, memo: CompileMemo
) -> list[ReadIngress]:
    """Every served Ingress read on its own, in order of seniority."""
    kept = {}
    for key, ingress in served.items():
        known = memo.read.get(key)
        if known is None or known[0] is not ingress:
            known = ingress, read_ingress(ingress, defaults, last_resort)
        kept[key] = known
    memo.read = kept
    return sorted([read for _, read in kept.values()], key=lambda read: read.seniority)


def _settle(reads: Iterable[ReadIngress], last_resort: RouteClaim, memo: CompileMemo) -> dict[str, SettledHost]:
    """Every host with the claims that were granted, sorted by name."""
    claims: dict[str, list[HostClaim]] = {}
    for read in reads:
        for claim in read.hosts:
            claims.setdefault(claim.host, []).append(claim)
    kept = {}
    for host in sorted(claims):
        wanted = tuple(claims[host])
        known = memo.hosts.get(host)
        if known is None or known[0] != wanted:
            known = wanted, settle_host(wanted, last_resort)
        kept[host] = known
    memo.hosts = kept
    return {host: settled for host, (_, settled) in kept.items()}


def _snapshot(
    hosts: Mapping[str, SettledHost], backends: BackendIndex, tls: TlsChoice, last_resort: RouteClaim
) -> Snapshot:
    built: dict[str, Backend] = {key: one.backend for key, one in backends.built.items()}
    return Snapshot(
        hosts={host: settled.vhost for host, settled in hosts.items()},
        backends=built,
        certificates=tls.certificates,
        server_names=tls.server_names,
        default_certificate=tls.default_certificate,
        fallback=last_resort.route if last_resort.target else None,
    )


def _assemble(
    *, snapshot: Snapshot, served: frozenset[Key], backends: BackendIndex, other_findings: tuple[Finding, ...]
) -> Compiled:
    return Compiled(
        snapshot=snapshot,
        findings=_sorted((*other_findings, *backends.findings())),
        served=served,
        external_names=backends.external_names(),
        backends=backends,
        other_findings=other_findings,
    )


def _sorted(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(set(findings)))

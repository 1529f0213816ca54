"""ClusterState → Compiled: the whole configuration, built again from everything, every time.

    classes, ConfigMap → read each Ingress → hosts and routes → backends → certificates → materials

Everything is sorted, so equal clusters give equal bytes. A bad object becomes findings and skips only itself. A memo
makes what did not change cheap; it changes no result, but for last good versions: of certificates, of Ingresses whose
annotations are bad, of the controller's ConfigMap.
"""

import logging
from collections.abc import Collection, Iterable, Mapping
from operator import is_

from msgspec import Struct
from msgspec.structs import replace

from ingressd.model.cluster import ClusterState, Key
from ingressd.model.finding import Finding
from ingressd.model.objects import Ingress
from ingressd.routing import classes
from ingressd.routing.annotations.rows import clients
from ingressd.routing.backends import BackendIndex, build_backends, named_ports, refresh_backends
from ingressd.routing.canaries import unmatched_host
from ingressd.routing.certificates import choose_certificates
from ingressd.routing.claims import CanaryClaim, HostClaim, ReadIngress, RouteClaim
from ingressd.routing.defaults import RouteDefaults
from ingressd.routing.endpoints import ServiceTarget
from ingressd.routing.materials import gather_materials
from ingressd.routing.memo import CompileMemo, Declared
from ingressd.routing.names import further_names
from ingressd.routing.place import Place
from ingressd.routing.policies.context import PolicyContext, same_data
from ingressd.routing.policies.overall import answering_strangers, config_findings, overall
from ingressd.routing.precedence import SettledHost, settle_host, unsettled_host
from ingressd.routing.snapshot import Route, Snapshot, VirtualHost
from ingressd.routing.tls_secrets import SecretShelf
from ingressd.routing.versions import read_version

log = logging.getLogger(__name__)

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
    context = memo.use(defaults, cluster)
    cluster = _as_resolved(cluster, context)
    last_resort = _last_resort(defaults)
    declared = _declared(cluster, last_resort, context, memo)
    hosts = declared.hosts
    backends = build_backends(declared.ports, cluster, defaults, memo)
    shelf = SecretShelf(cluster, memo, now)
    tls = choose_certificates(declared.reads, shelf, defaults)
    shelf.close()
    names, name_findings = further_names(hosts, tls.server_names, context)
    materials = gather_materials(declared.reads, cluster, memo, now)
    return _assemble(
        snapshot=Snapshot(
            hosts=_with_names({host: settled.vhost for host, settled in hosts.items()}, names),
            backends={key: one.backend for key, one in backends.built.items()},
            certificates=tls.certificates,
            server_names=tls.server_names,
            default_certificate=tls.default_certificate,
            fallback=answering_strangers(last_resort.route, context),
            materials=materials.by_key,
            policies=overall(context),
        ),
        served=declared.served,
        backends=backends,
        other_findings=_sorted(
            (
                *declared.findings,
                *config_findings(context, cluster),
                *name_findings,
                *tls.findings,
                *materials.findings,
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
    memo = memo or CompileMemo()
    cluster = _as_resolved(cluster, memo.use(defaults, cluster))
    backends = refresh_backends(compiled.backends, cluster, defaults, services, memo)
    if backends is compiled.backends:
        return compiled
    by_service = backends.named.by_service
    fresh = {key: backends.built[key].backend for service in services for key in by_service.get(service, ())}
    snapshot = replace(compiled.snapshot, backends={**compiled.snapshot.backends, **fresh})
    return _assemble(
        snapshot=snapshot, served=compiled.served, backends=backends, other_findings=compiled.other_findings
    )


# ── stages ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _as_resolved(cluster: ClusterState, context: PolicyContext) -> ClusterState:
    """Names stand for no IPv6 addresses where the ConfigMap does not want any."""
    if not context.config.get(clients.DISABLE_IPV6_DNS) or not cluster.resolved:
        return cluster
    ipv4 = {name: tuple(one for one in found if ":" not in one) for name, found in cluster.resolved.items()}
    return replace(cluster, resolved=ipv4)


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


def _declared(cluster: ClusterState, last_resort: RouteClaim, context: PolicyContext, memo: CompileMemo) -> Declared:
    """What Ingresses, their classes and ConfigMaps alone decide: the same object when none of those changed."""
    sources = cluster.ingresses, cluster.classes, cluster.config_maps
    known = memo.declared
    if known is not None and known.context is context and all(map(is_, known.sources, sources)):
        return known
    served, class_findings = _served(cluster, context.defaults)
    reads = _read(served, context, last_resort, memo)
    hosts, canary_findings = _settle(reads, last_resort, context, memo)
    claims = (claim for host in hosts.values() for claim in host.granted)
    memo.declared = Declared(
        sources=sources,
        context=context,
        served=frozenset(served),
        reads=reads,
        hosts=hosts,
        ports=named_ports((last_resort, *claims)),
        findings=(
            *class_findings,
            *(finding for read in reads for finding in read.findings),
            *(finding for host in hosts.values() for finding in host.findings),
            *canary_findings,
        ),
    )
    return memo.declared


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
    served: Mapping[Key, Ingress], context: PolicyContext, last_resort: RouteClaim, memo: CompileMemo
) -> list[ReadIngress]:
    """Every served Ingress read on its own, in order of seniority."""
    kept = {}
    for key, ingress in served.items():
        known = memo.read.get(key)
        if known is None or known[0] is not ingress or (known[1].sources and not _is_fresh(known[1], context)):
            known = ingress, read_version(ingress, context, last_resort, memo)
        kept[key] = known
    memo.read = kept
    if memo.good_ingresses.keys() - kept.keys():
        memo.good_ingresses = {key: one for key, one in memo.good_ingresses.items() if key in kept}
    return _in_order([read for _, read in kept.values()], context.defaults)


def _in_order(reads: list[ReadIngress], defaults: RouteDefaults) -> list[ReadIngress]:
    """The oldest first. Of equally old ones, as a chart makes them, ingress-nginx takes the last name first."""
    if not defaults.replaces_nginx:
        return sorted(reads, key=lambda read: read.seniority)
    by_name = sorted(reads, key=lambda read: f"{read.seniority[1]}/{read.seniority[2]}", reverse=True)
    return sorted(by_name, key=lambda read: read.seniority[0])


def _is_fresh(read: ReadIngress, context: PolicyContext) -> bool:
    """Whether the ConfigMaps that the Ingress names still say what they said."""
    return all(same_data(context.config_maps.get(key), before) for key, before in read.sources.items())


def _settle(
    reads: Iterable[ReadIngress], last_resort: RouteClaim, context: PolicyContext, memo: CompileMemo
) -> tuple[dict[str, SettledHost], list[Finding]]:
    """Every host with the claims that were granted, sorted by name; and canaries of hosts that nobody has."""
    claims: dict[str, list[HostClaim]] = {}
    canaries: dict[str, list[CanaryClaim]] = {}
    for read in reads:
        for claim in read.hosts:
            claims.setdefault(claim.host, []).append(claim)
        for canary in read.canaries:
            canaries.setdefault(canary.host, []).append(canary)
    kept = {}
    for host in sorted(claims):
        wanted, trying = tuple(claims[host]), tuple(canaries.pop(host, ()))
        known = memo.hosts.get(host)
        if known is None or known[0] != wanted or known[1] != trying:
            known = wanted, trying, _settled(wanted, trying, last_resort, context, known[2] if known else None)
        kept[host] = known
    memo.hosts = kept
    findings = [unmatched_host(canary) for left in canaries.values() for canary in left]
    return {host: settled for host, (_, _, settled) in kept.items()}, findings


def _settled(
    claims: tuple[HostClaim, ...],
    canaries: tuple[CanaryClaim, ...],
    last_resort: RouteClaim,
    context: PolicyContext,
    before: SettledHost | None,
) -> SettledHost:
    """A host that we stumble over stays as it was, or is closed: a fault of ours must not cost the others a compile."""
    try:
        return settle_host(claims, canaries, last_resort, context)
    except Exception:
        log.exception("settling the host %s failed", claims[0].host)
        return unsettled_host(claims[0], before)


def _with_names(hosts: dict[str, VirtualHost], names: dict[str, VirtualHost]) -> dict[str, VirtualHost]:
    return dict(sorted((hosts | names).items())) if names else hosts


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

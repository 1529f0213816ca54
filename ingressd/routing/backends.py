"""Every Service port that a granted route names → Backend, and what is wrong with it told to whoever names it."""

from collections.abc import Collection, Iterable, Iterator, Mapping

from msgspec import Struct
from msgspec.structs import replace

from ingressd.model.cluster import ClusterState, Key
from ingressd.model.finding import Finding
from ingressd.routing.claims import NamedPorts, RouteClaim
from ingressd.routing.defaults import RouteDefaults
from ingressd.routing.endpoints import NOBODY_ANSWERS, BuiltBackend, ServiceTarget, build_backend
from ingressd.routing.memo import BackendSources, CompileMemo
from ingressd.routing.place import Place


class BackendIndex(Struct, frozen=True, gc=False):
    """All backends of a compile, by key and sorted, with what a refresh needs to find the few that change.

    ``notable`` is the part of ``built`` that has more to it than endpoints: problems, or a name to resolve.
    """

    built: Mapping[str, BuiltBackend]
    notable: Mapping[str, BuiltBackend]
    named: NamedPorts

    def findings(self) -> Iterator[Finding]:
        for key, built in self.notable.items():
            yield from built.findings
            for problem in built.problems:
                for place in self.named.places.get(key, ()):
                    yield place.finding(problem.level, problem.reason, problem.message)
                for place in self.named.asides.get(key, ()):
                    yield place.finding(problem.level, problem.reason, problem.message.removesuffix(NOBODY_ANSWERS))

    def external_names(self) -> frozenset[str]:
        return frozenset(built.external_name for built in self.notable.values() if built.external_name)


def named_ports(claims: Iterable[RouteClaim]) -> NamedPorts:
    """The Service ports that these claims lead to."""
    targets, places, asides = _named(claims)
    by_service: dict[Key, list[str]] = {}
    for key, target in targets.items():
        by_service.setdefault((target.namespace, target.service), []).append(key)
    return NamedPorts(targets, places, asides, by_service)


def build_backends(
    named: NamedPorts, cluster: ClusterState, defaults: RouteDefaults, memo: CompileMemo
) -> BackendIndex:
    """What the cluster says of each of these ports now."""
    before, memo.endpoint_sources = memo.endpoint_sources, (cluster.services, cluster.slices)
    is_same = before is not None and before[0] is cluster.services and before[1] is cluster.slices
    kept = {}
    for key, target in named.targets.items():
        known = memo.backends.get(key) if is_same else None
        if known is None or known[1].external_name:
            known = _build(key, target, cluster, defaults, memo)
        kept[key] = known
    memo.backends = kept
    built = {key: one for key, (_, one) in kept.items()}
    return BackendIndex(built, {key: one for key, one in built.items() if _is_notable(one)}, named)


def refresh_backends(
    index: BackendIndex, cluster: ClusterState, defaults: RouteDefaults, services: Collection[Key], memo: CompileMemo
) -> BackendIndex:
    """The index after a change of these Services or what they resolve to; the same object when nothing came of it."""
    fresh = {}
    memo.endpoint_sources = None  # these Services only were looked at
    for service in services:
        for key in index.named.by_service.get(service, ()):
            memo.backends[key] = _build(key, index.named.targets[key], cluster, defaults, memo)
            built = memo.backends[key][1]
            if built != index.built[key]:
                fresh[key] = built
    if not fresh:
        return index
    notable = {key: one for key, one in {**index.notable, **fresh}.items() if _is_notable(one)}
    return replace(index, built={**index.built, **fresh}, notable=notable)


def _is_notable(built: BuiltBackend) -> bool:
    return bool(built.problems or built.findings or built.external_name)


def _named(
    claims: Iterable[RouteClaim],
) -> tuple[dict[str, ServiceTarget], dict[str, list[Place]], dict[str, list[Place]]]:
    """Targets by backend key, sorted, and the places that name them, in the first place and beside that."""
    places: dict[str, list[Place]] = {}
    asides: dict[str, list[Place]] = {}
    targets: dict[str, ServiceTarget] = {}
    for claim in claims:
        if claim.target is not None:
            key = claim.route.backend
            known = places.get(key)
            if known is None:
                places[key], targets[key] = [claim.place], claim.target
            else:
                known.append(claim.place)
        for other in claim.others:
            key = other.key
            targets.setdefault(key, other)
            aside = claim.other_places.get(key)
            if aside is None:
                places.setdefault(key, []).append(claim.place)
            else:
                asides.setdefault(key, []).append(aside)
    return {key: targets[key] for key in sorted(targets)}, places, asides


def _build(
    key: str, target: ServiceTarget, cluster: ClusterState, defaults: RouteDefaults, memo: CompileMemo
) -> tuple[BackendSources, BuiltBackend]:
    owner = target.service_key
    service, slices = cluster.services.get(owner), cluster.slices.get(owner, ())
    known = memo.backends.get(key)
    if known is not None:
        sources, built = known
        resolved = cluster.resolved.get(built.external_name) if built.external_name else None
        # Tuples of the same objects are equal at a glance; and an equal one built anew gives the same backend.
        if sources.service is service and sources.slices == slices and sources.resolved == resolved:
            return known
    built = build_backend(target, cluster, defaults)
    resolved = cluster.resolved.get(built.external_name) if built.external_name else None
    return BackendSources(service, slices, resolved), built

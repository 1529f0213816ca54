"""What one compile may hand to the next so that unchanged objects cost a comparison.

Only what is last good (certificates, versions of Ingresses, ConfigMap values) changes what is compiled; everything else
gives the same result as starting empty, which a property test holds it to. Each compile replaces the maps by what it
used, so nothing outlives the objects it came from.
"""

from collections.abc import Mapping

from msgspec import Struct

from ingressd.model.cluster import ClusterState, Key
from ingressd.model.finding import Finding
from ingressd.model.objects import ConfigMap, EndpointSlice, Ingress, IngressClass, Secret, Service
from ingressd.routing.annotations import BUILT_IN, GlobalValues, read_config_map
from ingressd.routing.claims import CanaryClaim, HostClaim, NamedPorts, ReadIngress
from ingressd.routing.defaults import RouteDefaults
from ingressd.routing.endpoints import BuiltBackend
from ingressd.routing.policies.context import PolicyContext, same_data
from ingressd.routing.precedence import SettledHost
from ingressd.routing.snapshot import CertificatePair, Material


class JudgedPair(Struct, frozen=True, gc=False, kw_only=False):
    """The verdict on a chain and key: ``pair``, or why not."""

    chain: bytes
    private: bytes
    pair: CertificatePair | None = None
    not_before: float = 0.0
    reason: str = ""
    message: str = ""

    def __repr__(self) -> str:
        return f"JudgedPair({self.pair or self.reason})"


class GoodPair(Struct, frozen=True, gc=False):
    """The last pair of a Secret that could be served. ``uid`` tells a Secret from a later one of the same name."""

    uid: str
    pair: CertificatePair


class BackendSources(Struct, frozen=True, gc=False):
    """What a backend was built from."""

    service: Service | None
    slices: tuple[EndpointSlice, ...]
    resolved: tuple[str, ...] | None


class Declared(Struct, frozen=True, gc=False, kw_only=True):
    """What Ingresses, IngressClasses and ConfigMaps alone decide: all but endpoints, certificates and materials.

    ``sources`` are the very maps it was made of: while they are the same (``kube/store`` hands out the same one as long
    as nothing in it changes), nothing of it has to be looked at again.
    """

    sources: tuple[Mapping[Key, Ingress], Mapping[Key, IngressClass], Mapping[Key, ConfigMap]]
    context: PolicyContext
    served: frozenset[Key]
    reads: list[ReadIngress]
    hosts: dict[str, SettledHost]
    ports: NamedPorts
    findings: tuple[Finding, ...]


class KeptMaterial(Struct, frozen=True, gc=False):
    """A material with the object that it was made of, and what the object's owner should know of it."""

    source: Secret | ConfigMap | None
    material: Material
    note: str


class CompileMemo:
    """Empty to begin with; belongs to one caller of ``compile_routes``.

    ``good_ingresses`` are the last versions that could be served, ``config`` the last reading of the ConfigMap.
    ``endpoint_sources`` are the maps that all of ``backends`` were built from; None: not all from the same.
    """

    def __init__(self) -> None:
        self.context: PolicyContext | None = None
        self.config: tuple[ConfigMap | None, GlobalValues] | None = None
        self.read: dict[Key, tuple[Ingress, ReadIngress]] = {}
        self.good_ingresses: dict[Key, Ingress] = {}
        self.hosts: dict[str, tuple[tuple[HostClaim, ...], tuple[CanaryClaim, ...], SettledHost]] = {}
        self.declared: Declared | None = None
        self.endpoint_sources: tuple[Mapping[Key, Service], Mapping[Key, tuple[EndpointSlice, ...]]] | None = None
        self.backends: dict[str, tuple[BackendSources, BuiltBackend]] = {}
        self.judged: dict[Key, JudgedPair] = {}
        self.good: dict[Key, GoodPair] = {}
        self.materials: dict[str, KeptMaterial] = {}

    def use(self, defaults: RouteDefaults, cluster: ClusterState) -> PolicyContext:
        """What annotations are read against now. What was worked out against something else is forgotten.

        (Not the certificates and materials: those do not depend on it.)
        """
        config_map, config = self._read_config(defaults, cluster)
        if self.context is None or not self.context.holds(defaults, config, cluster.config_maps):
            if self.context is None or self.context.defaults != defaults:
                self.backends, self.endpoint_sources = {}, None
            self.read, self.hosts = {}, {}
            self.context = PolicyContext(defaults, config, config_map, cluster.config_maps)
        self.context.config_maps = cluster.config_maps
        return self.context

    def _read_config(self, defaults: RouteDefaults, cluster: ClusterState) -> tuple[ConfigMap | None, GlobalValues]:
        """A ConfigMap that is gone leaves what it said last: nothing that it closed opens by a slip of somebody's."""
        key = defaults.config_map
        found = cluster.config_maps.get(key) if key is not None else None
        known = self.config
        if known is not None and (found is None or same_data(known[0], found)):
            return known
        config = read_config_map(found, previous=known[1] if known is not None else None)
        if found is not None:
            self.config = found, config
            return self.config
        return None, BUILT_IN

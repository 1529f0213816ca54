"""The table of resources. Adding a kind is adding a row; everything else asks the row."""

from __future__ import annotations

from dataclasses import dataclass

NETWORKING = "networking.k8s.io"


@dataclass(frozen=True, slots=True)
class Kind:
    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True
    short_names: tuple[str, ...] = ()
    has_status: bool = False
    # Only some built-in kinds count their spec's generations; a Service, famously, does not.
    counts_generation: bool = False
    # Leases, Endpoints and Events may be created by PUT.
    create_on_update: bool = False
    unconditional_update: bool = True
    in_category_all: bool = False
    # Both Event APIs show the same stored objects.
    stored_as: str = ""

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def storage(self) -> str:
        return self.stored_as or self.qualified

    @property
    def qualified(self) -> str:
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def root(self) -> str:
        return f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"

    def path(self, namespace: str | None = None, name: str | None = None) -> str:
        parts = [self.root]
        if self.namespaced and namespace:
            parts += ["namespaces", namespace]
        parts.append(self.plural)
        if name:
            parts.append(name)
        return "/".join(parts)


KINDS: tuple[Kind, ...] = (
    Kind("", "v1", "services", "Service", short_names=("svc",), has_status=True, in_category_all=True),
    Kind("", "v1", "secrets", "Secret"),
    Kind("", "v1", "configmaps", "ConfigMap", short_names=("cm",)),
    Kind("", "v1", "namespaces", "Namespace", namespaced=False, short_names=("ns",), has_status=True),
    Kind("", "v1", "nodes", "Node", namespaced=False, short_names=("no",), has_status=True),
    Kind("", "v1", "events", "Event", short_names=("ev",), create_on_update=True),
    Kind("", "v1", "endpoints", "Endpoints", short_names=("ep",), create_on_update=True),
    Kind("", "v1", "pods", "Pod", short_names=("po",), has_status=True, in_category_all=True),
    Kind(NETWORKING, "v1", "ingresses", "Ingress", short_names=("ing",), has_status=True, counts_generation=True),
    Kind(NETWORKING, "v1", "ingressclasses", "IngressClass", namespaced=False, counts_generation=True),
    Kind("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice", counts_generation=True),
    Kind("coordination.k8s.io", "v1", "leases", "Lease", create_on_update=True, unconditional_update=False),
    Kind("events.k8s.io", "v1", "events", "Event", short_names=("ev",), create_on_update=True, stored_as="events"),
)

_BY_RESOURCE = {(kind.group, kind.version, kind.plural): kind for kind in KINDS}
_BY_KIND = {(kind.api_version, kind.kind): kind for kind in KINDS}
NAMESPACES = _BY_RESOURCE["", "v1", "namespaces"]


def find_resource(group: str, version: str, plural: str) -> Kind | None:
    return _BY_RESOURCE.get((group, version, plural))


def find_kind(api_version: str, kind: str) -> Kind | None:
    return _BY_KIND.get((api_version, kind))


def group_versions() -> list[tuple[str, str]]:
    """Every (group, version) served, in table order."""
    return list(dict.fromkeys((kind.group, kind.version) for kind in KINDS))

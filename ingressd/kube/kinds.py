"""The kinds we read: where the API keeps them and which wire struct reads them."""

from collections.abc import Mapping
from types import MappingProxyType

from msgspec import Struct

from ingressd.kube import wire


class Kind(Struct, frozen=True):
    """``path`` is the API's group path (``/apis/networking.k8s.io/v1``), ``plural`` the resource below it."""

    name: str
    path: str
    plural: str
    namespaced: bool
    api_version: str
    wire: type[wire.WireObject]


def _kind(struct: type[wire.WireObject], api_version: str, plural: str, *, namespaced: bool = True) -> Kind:
    group = "/apis/" if "/" in api_version else "/api/"
    return Kind(struct.__name__, group + api_version, plural, namespaced, api_version, struct)


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        kind.name: kind
        for kind in (
            _kind(wire.Ingress, "networking.k8s.io/v1", "ingresses"),
            _kind(wire.IngressClass, "networking.k8s.io/v1", "ingressclasses", namespaced=False),
            _kind(wire.Service, "v1", "services"),
            _kind(wire.EndpointSlice, "discovery.k8s.io/v1", "endpointslices"),
            _kind(wire.Secret, "v1", "secrets"),
            _kind(wire.ConfigMap, "v1", "configmaps"),
            _kind(wire.Namespace, "v1", "namespaces", namespaced=False),
        )
    }
)

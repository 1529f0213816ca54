"""ClusterState: everything that compile may look at, frozen at one moment."""

from collections.abc import Mapping

from msgspec import Struct

from ingressd.model.objects import ConfigMap, EndpointSlice, Ingress, IngressClass, Namespace, Secret, Service

Key = tuple[str, str]
"""(namespace, name); the namespace is "" for cluster-scoped kinds."""


class ClusterState(Struct, frozen=True, gc=False, kw_only=True):
    """Objects by key. Nobody mutates these mappings once a ClusterState holds them.

    ``slices`` is grouped by the Service they belong to. ``resolved`` maps the DNS name of an ExternalName Service to
    the addresses it resolved to last (absent: not resolved yet).
    """

    ingresses: Mapping[Key, Ingress] = {}
    classes: Mapping[Key, IngressClass] = {}
    services: Mapping[Key, Service] = {}
    slices: Mapping[Key, tuple[EndpointSlice, ...]] = {}
    secrets: Mapping[Key, Secret] = {}
    config_maps: Mapping[Key, ConfigMap] = {}
    namespaces: Mapping[Key, Namespace] = {}
    resolved: Mapping[str, tuple[str, ...]] = {}

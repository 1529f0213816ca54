"""Kubernetes objects as far as we use them, cleaned of optionality: lists are tuples, absent text is ``""``.

They are ``msgspec.Struct(frozen=True, gc=False)`` and not dataclasses: the control process holds tens of thousands of
them, and untracked structs keep its cyclic collector out of the way.
"""

from collections.abc import Mapping

from msgspec import Struct


class Meta(Struct, frozen=True, gc=False, kw_only=True):
    """Identity of an object. ``created`` is seconds since the epoch (0.0 when unknown: oldest).

    ``source`` says where a person finds the object when it did not come from a cluster: ``path/to/file.yaml#2``.
    """

    namespace: str = ""
    name: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    created: float = 0.0
    labels: Mapping[str, str] = {}
    annotations: Mapping[str, str] = {}
    source: str = ""


class IngressBackend(Struct, frozen=True, gc=False):
    """A Service port by number or name, or a resource of another kind (``resource`` is then ``Kind/name``)."""

    service: str = ""
    port_number: int = 0
    port_name: str = ""
    resource: str = ""


class IngressPath(Struct, frozen=True, gc=False):
    path: str
    path_type: str  # "Exact" | "Prefix" | "ImplementationSpecific"
    backend: IngressBackend


class IngressRule(Struct, frozen=True, gc=False):
    """``host`` "" stands for any host; ``paths`` is empty for a rule without ``http``."""

    host: str = ""
    paths: tuple[IngressPath, ...] = ()


class IngressTls(Struct, frozen=True, gc=False):
    hosts: tuple[str, ...] = ()
    secret_name: str = ""


class Ingress(Struct, frozen=True, gc=False):
    meta: Meta
    class_name: str | None = None
    rules: tuple[IngressRule, ...] = ()
    default_backend: IngressBackend | None = None
    tls: tuple[IngressTls, ...] = ()
    load_balancer: tuple[str, ...] = ()  # status.loadBalancer: IPs and host names, sorted


class IngressClass(Struct, frozen=True, gc=False):
    meta: Meta
    controller: str = ""
    parameters: str = ""  # "Kind/name" of spec.parameters, "" when there are none


class ServicePort(Struct, frozen=True, gc=False):
    name: str = ""
    port: int = 0
    target_port: int | str = 0  # 0 when absent
    protocol: str = "TCP"
    app_protocol: str = ""


class Service(Struct, frozen=True, gc=False):
    meta: Meta
    type: str = "ClusterIP"
    cluster_ip: str = ""  # "None" for a headless Service
    external_name: str = ""
    external_ips: tuple[str, ...] = ()
    ip_families: tuple[str, ...] = ()  # "IPv4", "IPv6" in the Service's order
    ports: tuple[ServicePort, ...] = ()
    traffic_distribution: str = ""
    load_balancer: tuple[str, ...] = ()  # status.loadBalancer: IPs and host names


class EndpointPort(Struct, frozen=True, gc=False):
    name: str = ""
    port: int = 0  # 0 when null
    protocol: str = "TCP"
    app_protocol: str = ""


class SliceEndpoint(Struct, frozen=True, gc=False):
    """One endpoint of a slice; only ``addresses[0]`` counts. Conditions already have their nil meaning applied."""

    address: str
    ready: bool = True
    serving: bool = True
    terminating: bool = False
    zone: str = ""
    for_zones: tuple[str, ...] = ()
    node: str = ""


class EndpointSlice(Struct, frozen=True, gc=False):
    meta: Meta
    service: str = ""  # label kubernetes.io/service-name
    address_type: str = "IPv4"
    ports: tuple[EndpointPort, ...] = ()
    endpoints: tuple[SliceEndpoint, ...] = ()


class Secret(Struct, frozen=True, gc=False):
    """``data`` is decoded from base64. Its repr shows no value: secrets never reach a log."""

    meta: Meta
    type: str = "Opaque"
    data: Mapping[str, bytes] = {}

    def __repr__(self) -> str:
        return f"Secret({self.meta.namespace}/{self.meta.name}, keys={sorted(self.data)})"


class ConfigMap(Struct, frozen=True, gc=False):
    meta: Meta
    data: Mapping[str, str] = {}


class Namespace(Struct, frozen=True, gc=False):
    meta: Meta


ClusterObject = Ingress | IngressClass | Service | EndpointSlice | Secret | ConfigMap | Namespace

"""Kubernetes objects as they stand on the wire, as far as we read them.

Every field may be absent or null: real servers send ``"endpoints": null``, ``"ports": null``, conditions without a
verdict and list items without kind and apiVersion. Fields not named here (managedFields, say) are skipped while
decoding and never become Python objects. ``translate`` makes sense of the rest.
"""

from typing import Annotated

import msgspec
from msgspec import Struct, field

PortNumber = Annotated[int, msgspec.Meta(ge=0, le=65535)]
"""0 is how Go writes "absent"; anything outside the range would be refused by an API server too."""

Text = str | None
TextMap = dict[str, str | None]


class Meta(Struct, gc=False, rename="camel"):
    name: Text = None
    namespace: Text = None
    uid: Text = None
    resource_version: Text = None
    generation: Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)] | None = None
    creation_timestamp: Text = None
    labels: TextMap | None = None
    annotations: TextMap | None = None


class LoadBalancerAddress(Struct, gc=False):
    ip: Text = None
    hostname: Text = None


class LoadBalancer(Struct, gc=False):
    ingress: tuple[LoadBalancerAddress | None, ...] | None = None


class Status(Struct, gc=False, rename="camel"):
    load_balancer: LoadBalancer | None = None


class TypedReference(Struct, gc=False):
    kind: Text = None
    name: Text = None


# networking.k8s.io/v1 Ingress


class BackendPort(Struct, gc=False):
    number: PortNumber | None = None
    name: Text = None


class BackendService(Struct, gc=False):
    name: Text = None
    port: BackendPort | None = None


class IngressBackend(Struct, gc=False):
    service: BackendService | None = None
    resource: TypedReference | None = None


class IngressPath(Struct, gc=False, rename="camel"):
    path: Text = None
    path_type: Text = None
    backend: IngressBackend | None = None


class IngressHttp(Struct, gc=False):
    paths: tuple[IngressPath | None, ...] | None = None


class IngressRule(Struct, gc=False):
    host: Text = None
    http: IngressHttp | None = None


class IngressTls(Struct, gc=False, rename="camel"):
    hosts: tuple[Text, ...] | None = None
    secret_name: Text = None


class IngressSpec(Struct, gc=False, rename="camel"):
    ingress_class_name: Text = None
    default_backend: IngressBackend | None = None
    tls: tuple[IngressTls | None, ...] | None = None
    rules: tuple[IngressRule | None, ...] | None = None


class Ingress(Struct, gc=False):
    metadata: Meta | None = None
    spec: IngressSpec | None = None
    status: Status | None = None


# networking.k8s.io/v1 IngressClass


class IngressClassSpec(Struct, gc=False):
    controller: Text = None
    parameters: TypedReference | None = None


class IngressClass(Struct, gc=False):
    metadata: Meta | None = None
    spec: IngressClassSpec | None = None


# v1 Service


class ServicePort(Struct, gc=False, rename="camel"):
    name: Text = None
    port: PortNumber | None = None
    target_port: PortNumber | str | None = None
    protocol: Text = None
    app_protocol: Text = None


class ServiceSpec(Struct, gc=False, rename="camel"):
    type: Text = None
    cluster_ip: Text = field(default=None, name="clusterIP")
    external_name: Text = None
    external_ips: tuple[Text, ...] | None = field(default=None, name="externalIPs")
    ip_families: tuple[Text, ...] | None = None
    ports: tuple[ServicePort | None, ...] | None = None
    traffic_distribution: Text = None


class Service(Struct, gc=False):
    metadata: Meta | None = None
    spec: ServiceSpec | None = None
    status: Status | None = None


# discovery.k8s.io/v1 EndpointSlice


class Conditions(Struct, gc=False):
    ready: bool | None = None
    serving: bool | None = None
    terminating: bool | None = None


class NamedHint(Struct, gc=False):
    name: Text = None


class Hints(Struct, gc=False, rename="camel"):
    for_zones: tuple[NamedHint | None, ...] | None = None


class Endpoint(Struct, gc=False, rename="camel"):
    addresses: tuple[Text, ...] | None = None
    conditions: Conditions | None = None
    hints: Hints | None = None
    node_name: Text = None
    zone: Text = None


class EndpointPort(Struct, gc=False, rename="camel"):
    name: Text = None
    port: PortNumber | None = None
    protocol: Text = None
    app_protocol: Text = None


class EndpointSlice(Struct, gc=False, rename="camel"):
    metadata: Meta | None = None
    address_type: Text = None
    ports: tuple[EndpointPort | None, ...] | None = None
    endpoints: tuple[Endpoint | None, ...] | None = None


# v1 Secret, ConfigMap, Namespace


class Secret(Struct, gc=False, rename="camel"):
    """``string_data`` is never sent by a server; people write it in manifests."""

    metadata: Meta | None = None
    type: Text = None
    data: TextMap | None = None
    string_data: TextMap | None = None


class ConfigMap(Struct, gc=False):
    metadata: Meta | None = None
    data: TextMap | None = None


class Namespace(Struct, gc=False):
    metadata: Meta | None = None


WireObject = Ingress | IngressClass | Service | EndpointSlice | Secret | ConfigMap | Namespace

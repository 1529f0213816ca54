"""Small builders of model objects: a test says what matters to it and nothing else.

ingress("shop", rule("shop.example.com", prefix("/", "web:80")))
"""

from collections.abc import Iterable, Mapping, Sequence

from ingressd.model.cluster import ClusterState, Key
from ingressd.model.objects import (
    ClusterObject,
    ConfigMap,
    EndpointPort,
    EndpointSlice,
    Ingress,
    IngressBackend,
    IngressClass,
    IngressPath,
    IngressRule,
    IngressTls,
    Meta,
    Secret,
    Service,
    ServicePort,
    SliceEndpoint,
)

CLASS = "ingressd"
CONTROLLER = "ingressd.io/ingress-controller"


def meta(name: str, namespace: str = "default", **fields: object) -> Meta:
    return Meta(namespace=namespace, name=name, **fields)  # type: ignore[arg-type]


def backend(text: str) -> IngressBackend:
    """``service:80`` or ``service:http``; ``Kind/name`` for a resource."""
    if "/" in text:
        return IngressBackend(resource=text)
    service, _, port = text.partition(":")
    return IngressBackend(service, int(port)) if port.isdigit() else IngressBackend(service, 0, port)


def path(path_type: str, path: str, to: str) -> IngressPath:
    return IngressPath(path, path_type, backend(to))


def prefix(path: str, to: str) -> IngressPath:
    return IngressPath(path, "Prefix", backend(to))


def exact(path: str, to: str) -> IngressPath:
    return IngressPath(path, "Exact", backend(to))


def rule(host: str, *paths: IngressPath) -> IngressRule:
    return IngressRule(host, paths)


def tls(secret_name: str, *hosts: str) -> IngressTls:
    return IngressTls(hosts, secret_name)


def ingress(
    name: str,
    *rules: IngressRule,
    namespace: str = "default",
    created: float = 0.0,
    default: str = "",
    tls: Iterable[IngressTls] = (),
    class_name: str | None = CLASS,
    annotations: Mapping[str, str] | None = None,
) -> Ingress:
    return Ingress(
        meta(name, namespace, created=created, annotations=annotations or {}),
        class_name,
        rules,
        backend(default) if default else None,
        tuple(tls),
    )


def ingress_class(name: str = CLASS, controller: str = CONTROLLER, parameters: str = "") -> IngressClass:
    return IngressClass(meta(name, ""), controller, parameters)


def service(
    name: str,
    *ports: int | ServicePort,
    namespace: str = "default",
    families: Sequence[str] = (),
    type_: str = "ClusterIP",
) -> Service:
    """Plain numbers are unnamed TCP ports; without ports it is 80."""
    declared = tuple(ServicePort("", port) if isinstance(port, int) else port for port in ports or (80,))
    return Service(meta(name, namespace), ip_families=tuple(families), ports=declared)


def external(name: str, external_name: str, *ports: ServicePort, namespace: str = "default") -> Service:
    return Service(meta(name, namespace), "ExternalName", external_name=external_name, ports=ports)


def endpoint_slice(
    service: str,
    *endpoints: str | SliceEndpoint,
    ports: Iterable[int | EndpointPort] = (8080,),
    name: str = "",
    namespace: str = "default",
    address_type: str = "IPv4",
) -> EndpointSlice:
    """Plain texts are ready addresses, plain numbers unnamed TCP ports."""
    return EndpointSlice(
        meta(name or f"{service}-1", namespace),
        service,
        address_type,
        tuple(EndpointPort("", port) if isinstance(port, int) else port for port in ports),
        tuple(SliceEndpoint(one) if isinstance(one, str) else one for one in endpoints),
    )


def secret(name: str, chain: bytes, key: bytes, namespace: str = "default", uid: str = "") -> Secret:
    return Secret(meta(name, namespace, uid=uid), "kubernetes.io/tls", {"tls.crt": chain, "tls.key": key})


def config_map(name: str, data: Mapping[str, str], namespace: str = "default") -> ConfigMap:
    return ConfigMap(meta(name, namespace), dict(data))


def cluster(*objects: ClusterObject, resolved: Mapping[str, tuple[str, ...]] | None = None) -> ClusterState:
    """The objects, and our IngressClass unless there is another."""
    if not any(isinstance(one, IngressClass) for one in objects):
        objects = (*objects, ingress_class())
    slices: dict[Key, tuple[EndpointSlice, ...]] = {}
    for one in objects:
        if isinstance(one, EndpointSlice):
            key = (one.meta.namespace, one.service)
            slices[key] = (*slices.get(key, ()), one)
    return ClusterState(
        ingresses={_key(one): one for one in objects if isinstance(one, Ingress)},
        classes={_key(one): one for one in objects if isinstance(one, IngressClass)},
        services={_key(one): one for one in objects if isinstance(one, Service)},
        config_maps={_key(one): one for one in objects if isinstance(one, ConfigMap)},
        secrets={_key(one): one for one in objects if isinstance(one, Secret)},
        slices=slices,
        resolved=resolved or {},
    )


def _key(one: ClusterObject) -> Key:
    return one.meta.namespace, one.meta.name

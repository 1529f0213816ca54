"""Wire structs → ``ingressd.model.objects``: pure, total, and the only place that gives absence its meaning.

A null means what Go makes of it: the zero value of its type. So a null rule is an empty rule, which also keeps the
positions that findings name; only where nothing could come of an empty item (a port, an endpoint) is it left out.
What a field *says* (a host, a path type, an address) is passed on as written; judging it is routing's work.
"""

import base64
import binascii
from collections.abc import Iterable, Mapping
from datetime import datetime

from ingressd.kube import wire
from ingressd.model import objects
from ingressd.model.objects import ClusterObject

NOTHING: Mapping[str, str] = {}
"""Shared by all objects without labels or annotations; nobody mutates what a model object holds."""

UNREAD_ANNOTATIONS = ("kubectl.kubernetes.io/last-applied-configuration",)
"""A copy of the whole object, as large as the rest of it; nothing here reads it."""

SERVICE_NAME_LABEL = "kubernetes.io/service-name"


class UnusableError(ValueError):
    """The object cannot be taken: ``field`` says where, ``str()`` why, neither shows a value."""

    def __init__(self, reason: str, field: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.field = field


def meta(
    wired: wire.Meta | None, *, namespace: str | None = None, resource_version: str = "", source: str = ""
) -> objects.Meta:
    """Identity of an object; ``namespace`` and ``resource_version`` stand in where the object has none.

    Raises UnusableError when it has no name: nothing could refer to it.
    """
    if wired is None or not wired.name:
        raise UnusableError("MissingName", "metadata.name", "the object has no name")
    return objects.Meta(
        namespace=wired.namespace or namespace or "",
        name=wired.name,
        uid=wired.uid or "",
        resource_version=wired.resource_version or resource_version,
        generation=wired.generation or 0,
        created=epoch_seconds(wired.creation_timestamp) or 0.0,
        labels=_texts(wired.labels),
        annotations=_annotations(wired.annotations),
        source=source,
    )


def epoch_seconds(timestamp: str | None) -> float | None:
    """RFC 3339 → seconds since the epoch; 0.0 for an absent one, None for one that cannot be read."""
    if not timestamp:
        return 0.0
    try:
        moment = datetime.fromisoformat(timestamp)
    except ValueError:
        return None
    return moment.timestamp() if moment.tzinfo is not None else None


def translate(wired: wire.WireObject, identity: objects.Meta) -> ClusterObject:
    """The model object. Raises UnusableError when what it holds cannot be decoded (base64 of a Secret)."""
    match wired:
        case wire.EndpointSlice():
            return _endpoint_slice(wired, identity)
        case wire.Ingress():
            return _ingress(wired, identity)
        case wire.Service():
            return _service(wired, identity)
        case wire.Secret():
            return objects.Secret(identity, type=wired.type or "Opaque", data=_secret_data(wired))
        case wire.IngressClass():
            spec = wired.spec or wire.IngressClassSpec()
            return objects.IngressClass(identity, spec.controller or "", _reference(spec.parameters))
        case wire.ConfigMap():
            return objects.ConfigMap(identity, _texts(wired.data))
        case wire.Namespace():
            return objects.Namespace(identity)


def _ingress(wired: wire.Ingress, identity: objects.Meta) -> objects.Ingress:
    spec = wired.spec or wire.IngressSpec()
    return objects.Ingress(
        identity,
        class_name=spec.ingress_class_name or None,
        rules=tuple(_rule(rule or wire.IngressRule()) for rule in spec.rules or ()),
        default_backend=None if spec.default_backend is None else _backend(spec.default_backend),
        tls=tuple(
            objects.IngressTls(tuple(host or "" for host in tls.hosts or ()), tls.secret_name or "")
            for tls in (tls or wire.IngressTls() for tls in spec.tls or ())
        ),
        load_balancer=tuple(sorted(_load_balancer(wired.status))),
    )


def _rule(rule: wire.IngressRule) -> objects.IngressRule:
    paths = (rule.http.paths if rule.http is not None else None) or ()
    return objects.IngressRule(
        rule.host or "",
        tuple(
            objects.IngressPath(one.path or "", one.path_type or "", _backend(one.backend))
            for one in (one or wire.IngressPath() for one in paths)
        ),
    )


def _backend(wired: wire.IngressBackend | None) -> objects.IngressBackend:
    """A backend that names nothing stays empty: the rule is still there, and answers 503."""
    if wired is None:
        return objects.IngressBackend()
    service = wired.service or wire.BackendService()
    port = service.port or wire.BackendPort()
    return objects.IngressBackend(
        service.name or "", port.number or 0, port.name or "", resource=_reference(wired.resource)
    )


def _reference(wired: wire.TypedReference | None) -> str:
    return "" if wired is None else f"{wired.kind or ''}/{wired.name or ''}"


def _service(wired: wire.Service, identity: objects.Meta) -> objects.Service:
    spec = wired.spec or wire.ServiceSpec()
    return objects.Service(
        identity,
        type=spec.type or "ClusterIP",
        cluster_ip=spec.cluster_ip or "",
        external_name=spec.external_name or "",
        external_ips=_present(spec.external_ips),
        ip_families=_present(spec.ip_families),
        ports=tuple(
            objects.ServicePort(
                port.name or "", port.port or 0, port.target_port or 0, port.protocol or "TCP", port.app_protocol or ""
            )
            for port in spec.ports or ()
            if port is not None
        ),
        traffic_distribution=spec.traffic_distribution or "",
        load_balancer=_load_balancer(wired.status),
    )


def _load_balancer(status: wire.Status | None) -> tuple[str, ...]:
    if status is None or status.load_balancer is None:
        return ()
    addresses = (one.ip or one.hostname for one in status.load_balancer.ingress or () if one is not None)
    return _present(addresses)


def _endpoint_slice(wired: wire.EndpointSlice, identity: objects.Meta) -> objects.EndpointSlice:
    return objects.EndpointSlice(
        identity,
        service=identity.labels.get(SERVICE_NAME_LABEL, ""),
        address_type=wired.address_type or "IPv4",
        ports=tuple(
            objects.EndpointPort(port.name or "", port.port or 0, port.protocol or "TCP", port.app_protocol or "")
            for port in wired.ports or ()
            if port is not None
        ),
        endpoints=tuple(
            _endpoint(one, one.addresses[0])
            for one in wired.endpoints or ()
            if one and one.addresses and one.addresses[0]
        ),
    )


def _endpoint(wired: wire.Endpoint, address: str) -> objects.SliceEndpoint:
    """Conditions by discovery.k8s.io/v1: nil means ready, nil means serving, nil means not terminating."""
    conditions = wired.conditions
    if conditions is None:
        ready, serving, terminating = True, True, False
    else:
        ready, serving, terminating = (
            conditions.ready is not False,
            conditions.serving is not False,
            conditions.terminating is True,
        )
    zones = (wired.hints.for_zones or ()) if wired.hints is not None else ()
    return objects.SliceEndpoint(
        address,
        ready,
        serving,
        terminating,
        wired.zone or "",
        _present(zone.name for zone in zones if zone is not None) if zones else (),
        wired.node_name or "",
    )


def _secret_data(wired: wire.Secret) -> dict[str, bytes]:
    """``data`` decoded, ``stringData`` over it, as an API server joins them."""
    found = {name: _decoded(name, value or "") for name, value in (wired.data or {}).items()}
    for name, text in (wired.string_data or {}).items():
        found[name] = (text or "").encode()
    return found


def _decoded(name: str, value: str) -> bytes:
    """One value of a Secret. Line breaks are allowed, as Go's decoder skips them (and ``base64`` writes them)."""
    try:
        return base64.b64decode(value.replace("\n", "").replace("\r", ""), validate=True)
    except (binascii.Error, ValueError):
        raise UnusableError(
            "BadBase64", f"data[{name}]", "the value is not base64 (text as it is belongs into stringData)"
        ) from None


def _present(values: Iterable[str | None] | None) -> tuple[str, ...]:
    return tuple(value for value in values or () if value)


def _texts(wired: wire.TextMap | None) -> Mapping[str, str]:
    return {name: value or "" for name, value in wired.items()} if wired else NOTHING


def _annotations(wired: wire.TextMap | None) -> Mapping[str, str]:
    if not wired:
        return NOTHING
    return {name: value or "" for name, value in wired.items() if name not in UNREAD_ANNOTATIONS} or NOTHING

"""Small API objects for tests of the watch, as plain dicts."""

import base64
from typing import Any

Json = dict[str, Any]


def ingress(name: str = "web", namespace: str = "default", **changes: Any) -> Json:
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    rule = {"host": "example.com", "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}
    return _object("networking.k8s.io/v1", "Ingress", name, namespace, {"spec": {"rules": [rule]}}, changes)


def service(name: str = "web", namespace: str = "default", **changes: Any) -> Json:
    spec = {"ports": [{"port": 80, "targetPort": 8080}]}
    return _object("v1", "Service", name, namespace, {"spec": spec}, changes)


def endpoint_slice(name: str = "web-1", namespace: str = "default", service: str = "web", **changes: Any) -> Json:
    body = {
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["10.0.0.1"], "conditions": {"ready": True}}],
        "ports": [{"name": "", "port": 8080, "protocol": "TCP"}],
    }
    made = _object("discovery.k8s.io/v1", "EndpointSlice", name, namespace, body, changes)
    if service:
        made["metadata"]["labels"] = {"kubernetes.io/service-name": service}
    return made


def secret(
    name: str = "cert", namespace: str = "default", kind: str = "Opaque", data: dict[str, bytes] | None = None
) -> Json:
    encoded = {key: base64.b64encode(value).decode() for key, value in (data or {}).items()}
    return _object("v1", "Secret", name, namespace, {"type": kind, "data": encoded}, {})


def config_map(name: str, namespace: str = "default", **data: str) -> Json:
    return _object("v1", "ConfigMap", name, namespace, {"data": data}, {})


def namespace(name: str, **labels: str) -> Json:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def _object(api_version: str, kind: str, name: str, namespace: str, body: Json, changes: Json) -> Json:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **body, **changes}

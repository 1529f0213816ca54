"""Cases as manifests, and the objects that they find there: Services, users, headers, certificates."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from tests.annotations.case import Annotations, Case, Json, Path
from tests.annotations.origins import PORT, Origin

PREFIX = "nginx.ingress.kubernetes.io"
CONTROLLER = ("default", "controller")
CLASS = "nginx"
_BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
Fill = Callable[[str], str]


def ingresses(case: Case, name: str, host: str, fill: Fill) -> list[Json]:
    """The case's own, and those beside it."""
    made = [_ingress(name, case.annotations, case.paths, host, fill)]
    spec = made[0]["spec"]
    if case.default:
        spec["defaultBackend"] = _backend(case.default)
    if not case.rules:
        del spec["rules"]
    if case.tls:
        spec["tls"] = [{"hosts": [host], "secretName": "site"}]
    for number, other in enumerate(case.others):
        one = _ingress(f"{name}-{number}", other.annotations, other.paths, fill(other.host) or host, fill)
        one["metadata"]["namespace"] = other.namespace
        one["metadata"]["creationTimestamp"] = _time(other.younger)
        made.append(one)
    return made


def _ingress(name: str, annotations: Annotations, paths: tuple[Path, ...], host: str, fill: Fill) -> Json:
    rule: Json = {"http": {"paths": [_path(one) for one in paths]}} if paths else {}
    if host:
        rule["host"] = host
    full = {key if "/" in key else f"{PREFIX}/{key}": fill(value) for key, value in annotations.items()}
    meta = {"name": name, "namespace": "default", "annotations": full, "creationTimestamp": _time(0)}
    spec: Json = {"ingressClassName": CLASS, "rules": [rule]}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": meta, "spec": spec}


def _path(one: Path) -> Json:
    return {"path": one.path, "pathType": one.kind, "backend": _backend(one.service)}


def _backend(service: str) -> Json:
    return {"service": {"name": service, "port": {"number": PORT}}}


def _time(seconds: int) -> str:
    return (_BEGINNING + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def ingress_class() -> Json:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "IngressClass",
        "metadata": {"name": CLASS},
        "spec": {"controller": "k8s.io/ingress-nginx"},
    }


def config_map(name: str, data: Mapping[str, str], namespace: str = "default") -> Json:
    return _object("v1", "ConfigMap", name, namespace, {"data": dict(data)})


def secret(name: str, data: Mapping[str, bytes], namespace: str = "default", kind: str = "Opaque") -> Json:
    encoded = {key: base64.b64encode(value).decode() for key, value in data.items()}
    return _object("v1", "Secret", name, namespace, {"type": kind, "data": encoded})


def service(name: str, origins: list[Origin], namespace: str = "default", port: int = PORT) -> list[Json]:
    """A Service, and the slice of its endpoints."""
    ports = [{"name": "http", "port": port, "targetPort": PORT, "protocol": "TCP"}]
    # ClusterIP: what service-upstream and ssl-passthrough go to.
    spec = {"clusterIP": origins[0].address if origins else "127.0.0.1", "ports": ports}
    slices = {
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": PORT, "protocol": "TCP"}],
        "endpoints": [{"addresses": [one.address], "conditions": {"ready": True}} for one in origins],
    }
    made = [
        _object("v1", "Service", name, namespace, {"spec": spec}),
        _object("discovery.k8s.io/v1", "EndpointSlice", f"{name}-1", namespace, slices),
    ]
    made[1]["metadata"]["labels"] = {"kubernetes.io/service-name": name}
    return made


def _object(api_version: str, kind: str, name: str, namespace: str, body: Json) -> Json:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": namespace}, **body}

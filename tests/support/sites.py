"""API objects of small web sites, as plain dicts: for kubectl, for the API-server fixture and for manifest files.

site = [ingress_class(), ingress("shop", {"shop.example": {"/api": "api", "/": "web"}}), service("api"), …]
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tests.support.pods import PORT, Pod

Json = dict[str, Any]

CLASS = "ingressd"
NAMESPACE = "default"


def ingress_class(name: str = CLASS, controller: str = "ingressd.io/ingress-controller") -> Json:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "IngressClass",
        "metadata": {"name": name},
        "spec": {"controller": controller},
    }


def ingress(
    name: str, hosts: Mapping[str, Mapping[str, str]], *, tls: Mapping[str, Iterable[str]] | None = None
) -> Json:
    """Host → Prefix path → Service; Secret → its hosts. Hosts with TLS are served by plain HTTP as well."""
    rules = [{"host": host, "http": {"paths": [_path(*one) for one in paths.items()]}} for host, paths in hosts.items()]
    spec: Json = {"ingressClassName": CLASS, "rules": rules}
    if tls:
        spec["tls"] = [{"secretName": secret, "hosts": list(names)} for secret, names in tls.items()]
    made = _object("networking.k8s.io/v1", "Ingress", name, {"spec": spec})
    made["metadata"]["annotations"] = {"nginx.ingress.kubernetes.io/ssl-redirect": "false"}
    return made


def _path(path: str, service: str) -> Json:
    return {
        "path": path,
        "pathType": "Prefix",
        "backend": {"service": {"name": service, "port": {"number": 80}}},
    }


def service(name: str) -> Json:
    ports = [{"name": "http", "port": 80, "targetPort": PORT}]
    return _object("v1", "Service", name, {"spec": {"selector": {"app": name}, "ports": ports}})


def endpoints(service: str, pods: Iterable[Pod]) -> Json:
    made = _object(
        "discovery.k8s.io/v1",
        "EndpointSlice",
        f"{service}-1",
        {
            "addressType": "IPv4",
            "ports": [{"name": "http", "port": PORT, "protocol": "TCP"}],
            "endpoints": [{"addresses": [pod.address], "conditions": {"ready": True}} for pod in pods],
        },
    )
    made["metadata"]["labels"] = {"kubernetes.io/service-name": service}
    return made


def tls_secret(name: str, chain_pem: bytes, key_pem: bytes) -> Json:
    data = {"tls.crt": chain_pem, "tls.key": key_pem}
    encoded = {key: base64.b64encode(value).decode() for key, value in data.items()}
    return _object("v1", "Secret", name, {"type": "kubernetes.io/tls", "data": encoded})


def _object(api_version: str, kind: str, name: str, body: Json) -> Json:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": NAMESPACE}, **body}


def write(directory: Path, *objects: Json) -> None:
    """A file for each object, by rename, so that no reader sees half of one."""
    for one in objects:
        target = directory / f"{one['kind'].lower()}-{one['metadata']['name']}.json"
        beside = directory / f".{target.name}.new"
        beside.write_text(json.dumps(one))
        beside.rename(target)

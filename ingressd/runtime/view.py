"""What the admin server shows: plain values made from what is being served now, never a private key."""

from __future__ import annotations

from typing import Any

import msgspec

from ingressd.model.finding import Finding
from ingressd.routing.snapshot import Backend, CertificatePair, Route, Snapshot, VirtualHost


def routes_of(snapshot: Snapshot) -> list[dict[str, Any]]:
    """Every route, by host and then in the order they are declared; fallbacks last and called so.

    The 404 that ends every host without a default backend of its own is not listed.
    """
    rows = []
    for _, vhost in sorted(snapshot.hosts.items()):
        rows += [_route(vhost.name, route.kind, route, snapshot) for route in vhost.routes]
        if vhost.fallback is not None and vhost.fallback.ingress:
            rows.append(_route(vhost.name, "fallback", vhost.fallback, snapshot))
    if snapshot.fallback is not None and snapshot.fallback.backend:
        rows.append(_route("*", "fallback", snapshot.fallback, snapshot))
    return rows


def count_routes(snapshot: Snapshot) -> int:
    """How many ``routes_of`` lists; the ready line says it."""
    declared = sum(len(vhost.routes) for vhost in snapshot.hosts.values())
    fallbacks = sum(vhost.fallback is not None and vhost.fallback.ingress != "" for vhost in snapshot.hosts.values())
    return declared + fallbacks + (snapshot.fallback is not None and snapshot.fallback.backend != "")


def orphans_of(snapshot: Snapshot) -> dict[tuple[str, str], bool]:
    """Namespace and name of each Ingress, and whether a backend of it has no endpoint."""
    found: dict[tuple[str, str], bool] = {}
    backends = snapshot.backends
    for vhost in snapshot.hosts.values():
        for route in all_routes(vhost):
            if route.ingress and route.backend:
                key = route.namespace, route.ingress
                backend = backends.get(route.backend)
                found[key] = found.get(key, False) or backend is None or not backend.endpoints
    return found


def all_routes(vhost: VirtualHost) -> tuple[Route, ...]:
    """The routes of a virtual host with its fallback."""
    return vhost.routes if vhost.fallback is None else (*vhost.routes, vhost.fallback)


def _route(host: str, kind: str, route: Route, snapshot: Snapshot) -> dict[str, Any]:
    backend = snapshot.backends.get(route.backend)
    row: dict[str, Any] = {
        "host": host,
        "kind": kind,
        "path": route.path,
        "namespace": route.namespace,
        "ingress": route.ingress,
        "service": route.service,
        "backend": route.backend or None,
        "endpoints": [] if backend is None else _addresses(backend),
    }
    if not route.backend:
        row["status"] = route.status
    if route.policies is not None:
        row["policies"] = msgspec.to_builtins(route.policies)
    return row


def _addresses(backend: Backend) -> list[str]:
    return [
        f"[{one.address}]:{one.port}" if ":" in one.address else f"{one.address}:{one.port}"
        for one in backend.endpoints
    ]


def backends_of(snapshot: Snapshot) -> list[dict[str, Any]]:
    """Every backend with the endpoints that get new requests."""
    return [
        {
            "key": backend.key,
            "namespace": backend.namespace,
            "service": backend.service,
            "port": backend.port,
            "app_protocol": backend.app_protocol or None,
            "endpoints": _addresses(backend),
        }
        for _, backend in sorted(snapshot.backends.items())
    ]


def certificates_of(snapshot: Snapshot) -> list[dict[str, Any]]:
    """Every certificate with the names it answers for; public facts only."""
    hosts: dict[str, list[str]] = {}
    for name, key in sorted(snapshot.server_names.items()):
        hosts.setdefault(key, []).append(name)
    return [_certificate(pair, hosts.get(key, []), snapshot) for key, pair in sorted(snapshot.certificates.items())]


def _certificate(pair: CertificatePair, hosts: list[str], snapshot: Snapshot) -> dict[str, Any]:
    return {
        "key": pair.key,
        "server_names": hosts,
        "names": list(pair.names),
        "not_after": pair.not_after,
        "default": pair.key == snapshot.default_certificate,
    }


def findings_of(findings: tuple[Finding, ...]) -> list[dict[str, Any]]:
    """Findings as JSON objects without their empty fields."""
    return [
        {name: value for name in Finding.__struct_fields__ if (value := getattr(finding, name))} for finding in findings
    ]


def describe(finding: Finding) -> str:
    """One line for a person: which object, where in it, what is wrong."""
    name = f"{finding.namespace}/{finding.name}" if finding.namespace else finding.name
    what = f"{finding.kind} {name}".strip()
    source = f"({finding.source})" if what and finding.source else finding.source
    parts = (what, source, finding.field)
    return " ".join(part for part in parts if part) + f": {finding.message}"

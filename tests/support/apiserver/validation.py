"""What a real server refuses about these kinds, as far as a controller's tests can meet it."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable, Iterator
from typing import Any

from tests.support.apiserver.errors import Cause, Json
from tests.support.apiserver.kinds import Kind
from tests.support.apiserver.settings import Settings

Causes = Iterator[Cause]

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_DNS_LABEL = re.compile(_LABEL)
_SERVICE_NAME = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_WILDCARD = re.compile(rf"\*\.{_LABEL}(\.{_LABEL})*")
_QUALIFIED = re.compile(r"(([a-z0-9]([-a-z0-9.]*[a-z0-9])?)/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_BAD_IN_PATH = ("//", "/./", "/../", "%2f", "%2F")
_BAD_AT_END = ("/..", "/.")


def validate(kind: Kind, obj: Json, old: Json | None, settings: Settings) -> list[Cause]:
    causes = [*_metadata(kind, obj["metadata"])]
    if check := _CHECKS.get(kind.kind):
        causes += check(obj, settings)
    if old is not None:
        causes += _immutable(kind, obj, old)
    return causes


def required(field: str, why: str = "Required value") -> Cause:
    return Cause("FieldValueRequired", why, field)


def bad(field: str, value: Any, why: str) -> Cause:
    return Cause("FieldValueInvalid", f"Invalid value: {value!r}: {why}", field)


def _metadata(kind: Kind, metadata: Json) -> Causes:
    name = metadata["name"]
    pattern = {"Service": _SERVICE_NAME, "Namespace": _DNS_LABEL}.get(kind.kind, _SUBDOMAIN)
    longest = 63 if kind.kind in ("Service", "Namespace") else 253
    if len(name) > longest or not pattern.fullmatch(name):
        yield bad("metadata.name", name, "not a valid name for this kind")
    for key, value in (metadata.get("labels") or {}).items():
        if not _QUALIFIED.fullmatch(key):
            yield bad("metadata.labels", key, "not a qualified name")
        if not isinstance(value, str) or not _LABEL_VALUE.fullmatch(value):
            yield bad("metadata.labels", value, "not a label value")
    for key, value in (metadata.get("annotations") or {}).items():
        if not _QUALIFIED.fullmatch(key.lower()):
            yield bad("metadata.annotations", key, "not a qualified name")
        if not isinstance(value, str):
            yield bad("metadata.annotations", value, "not a string")


def _immutable(kind: Kind, obj: Json, old: Json) -> Causes:
    field = {"Secret": "type", "EndpointSlice": "addressType"}.get(kind.kind)
    if field and obj.get(field) != old.get(field):
        yield bad(field, obj.get(field), "field is immutable")
    if kind.kind == "IngressClass" and obj["spec"].get("controller") != old["spec"].get("controller"):
        yield bad("spec.controller", obj["spec"].get("controller"), "field is immutable")
    if kind.kind in ("Secret", "ConfigMap") and old.get("immutable") and obj.get("data") != old.get("data"):
        yield Cause("FieldValueForbidden", "Forbidden: field is immutable when `immutable` is set", "data")


def _service(obj: Json, _: Settings) -> Causes:
    spec = obj["spec"]
    ports = spec.get("ports") or []
    if spec["type"] == "ExternalName":
        if not spec.get("externalName"):
            yield required("spec.externalName")
    elif not ports and spec.get("clusterIP") != "None":
        yield required("spec.ports")
    if spec["type"] not in ("ClusterIP", "NodePort", "LoadBalancer", "ExternalName"):
        yield Cause("FieldValueNotSupported", f"Unsupported value: {spec['type']!r}", "spec.type")
    names = [port.get("name", "") for port in ports]
    for index, port in enumerate(ports):
        field = f"spec.ports[{index}]"
        yield from _port_number(f"{field}.port", port.get("port"))
        if len(ports) > 1 and not names[index]:
            yield required(f"{field}.name")
        if names[index] and names.index(names[index]) < index:
            yield Cause("FieldValueDuplicate", f"Duplicate value: {names[index]!r}", f"{field}.name")


def _port_number(field: str, port: Any) -> Causes:
    if not isinstance(port, int) or not 0 < port < 65536:
        yield bad(field, port, "must be between 1 and 65535, inclusive")


def _secret(obj: Json, _: Settings) -> Causes:
    data = obj.get("data") or {}
    if obj["type"] == "kubernetes.io/tls":
        for key in ("tls.crt", "tls.key"):
            if key not in data:
                yield required(f"data[{key}]")
    for key, value in data.items():
        try:
            base64.b64decode(value, validate=True)
        except (binascii.Error, TypeError, ValueError):
            yield bad(f"data[{key}]", value, "not base64")


def _ingress(obj: Json, _: Settings) -> Causes:
    spec = obj["spec"]
    if not spec.get("rules") and not spec.get("defaultBackend"):
        yield bad("spec", spec, "either `defaultBackend` or `rules` must be specified")
    if spec.get("defaultBackend") is not None:
        yield from _backend("spec.defaultBackend", spec["defaultBackend"])
    for index, rule in enumerate(spec.get("rules") or ()):
        yield from _rule(f"spec.rules[{index}]", rule)
    for index, tls in enumerate(spec.get("tls") or ()):
        for host in tls.get("hosts") or ():
            yield from _host(f"spec.tls[{index}].hosts", host)


def _rule(field: str, rule: Json) -> Causes:
    if rule.get("host"):
        yield from _host(f"{field}.host", rule["host"])
    if rule.get("http") is None:
        return
    if not rule["http"].get("paths"):
        yield required(f"{field}.http.paths")
    for index, path in enumerate(rule["http"].get("paths") or ()):
        yield from _path(f"{field}.http.paths[{index}]", path)


def _host(field: str, host: str) -> Causes:
    pattern = _WILDCARD if host.startswith("*") else _SUBDOMAIN
    if not pattern.fullmatch(host):
        yield bad(field, host, "not a DNS name")
    try:
        ipaddress.ip_address(host)
        yield bad(field, host, "must be a DNS name, not an IP address")
    except ValueError:
        pass


def _path(field: str, path: Json) -> Causes:
    text, path_type = path.get("path") or "", path.get("pathType")
    if path_type is None:
        yield required(f"{field}.pathType", "Required value: pathType must be specified")
    elif path_type not in ("Exact", "Prefix", "ImplementationSpecific"):
        yield Cause("FieldValueNotSupported", f"Unsupported value: {path_type!r}", f"{field}.pathType")
    if path_type in ("Exact", "Prefix"):
        if not text.startswith("/"):
            yield bad(f"{field}.path", text, "must be an absolute path")
        for part in _BAD_IN_PATH:
            if part in text:
                yield bad(f"{field}.path", text, f"must not contain {part!r}")
        if text.endswith(_BAD_AT_END):
            yield bad(f"{field}.path", text, "must not end with '/.' or '/..'")
    elif text and not text.startswith("/"):
        yield bad(f"{field}.path", text, "must be an absolute path")
    yield from _backend(f"{field}.backend", path.get("backend") or {})


def _backend(field: str, backend: Json) -> Causes:
    service, resource = backend.get("service"), backend.get("resource")
    if service and resource:
        yield bad(field, "", "cannot set both resource and service backends")
    if service is None and resource is None:
        yield required(field, "Required value: service or resource backend is required")
    if service is None:
        return
    if not service.get("name"):
        yield required(f"{field}.service.name")
    port = service.get("port") or {}
    if bool(port.get("name")) == bool(port.get("number")):
        yield required(f"{field}.service.port", "Required value: exactly one of name and number")


def _ingress_class(obj: Json, _: Settings) -> Causes:
    controller = (obj.get("spec") or {}).get("controller") or ""
    if "/" not in controller:
        yield bad("spec.controller", controller, "must be a domain-prefixed path (such as example.com/ingress)")


def _slice(obj: Json, settings: Settings) -> Causes:
    family = obj.get("addressType")
    if family not in ("IPv4", "IPv6", "FQDN"):
        yield required("addressType") if not family else bad("addressType", family, "not supported")
        return
    endpoints = obj.get("endpoints") or []
    if len(endpoints) > 1000:
        yield Cause("FieldValueTooMany", "Too many: must have at most 1000 items", "endpoints")
    for index, endpoint in enumerate(endpoints):
        field = f"endpoints[{index}].addresses"
        if not endpoint.get("addresses"):
            yield required(field)
        for address in endpoint.get("addresses") or ():
            yield from _address(field, family, address, settings.strict_addresses)


def _address(field: str, family: str, text: str, strict: bool) -> Causes:
    if family == "FQDN":
        if not _SUBDOMAIN.fullmatch(text):
            yield bad(field, text, "not a DNS name")
        return
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        yield bad(field, text, "not an IP address")
        return
    if f"IPv{address.version}" != family:
        yield bad(field, text, f"not an {family} address")
    refused = address.is_loopback or address.is_link_local or address.is_unspecified or address.is_multicast
    if strict and refused:
        yield bad(field, text, "may not be loopback, link-local, unspecified or multicast")


def _event(obj: Json, _: Settings) -> Causes:
    about = obj["involvedObject"].get("namespace") or "default"
    if obj["metadata"].get("namespace") != about:
        yield bad("involvedObject.namespace", about, "does not match event.namespace")


def _lease(obj: Json, _: Settings) -> Causes:
    duration = (obj.get("spec") or {}).get("leaseDurationSeconds")
    if duration is not None and duration <= 0:
        yield bad("spec.leaseDurationSeconds", duration, "must be greater than 0")


_CHECKS: dict[str, Callable[[Json, Settings], Causes]] = {
    "Service": _service,
    "Secret": _secret,
    "Ingress": _ingress,
    "IngressClass": _ingress_class,
    "EndpointSlice": _slice,
    "Event": _event,
    "Lease": _lease,
}

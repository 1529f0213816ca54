"""Bodies in protobuf, which kubectl 1.32 sends for `create secret`, `create configmap` and their like.

Only bodies: answers are always JSON, which those clients accept too. Field numbers are the published ones of the
Kubernetes API (generated.proto); a type not in the table is answered 415.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterator
from typing import Any

from tests.support.apiserver.errors import ApiError, Json, bad_request

MEDIA_TYPE = "application/vnd.kubernetes.protobuf"
_MAGIC = b"k8s\x00"

# Message → field number → (JSON name, type). `[T]` repeats, `{T}` is a map from text, a lower-case type is a scalar,
# and a name of "" is a message whose fields JSON shows inline.
_MESSAGES: dict[str, dict[int, tuple[str, str]]] = {
    "ObjectMeta": {
        1: ("name", "text"),
        2: ("generateName", "text"),
        3: ("namespace", "text"),
        5: ("uid", "text"),
        6: ("resourceVersion", "text"),
        11: ("labels", "{text}"),
        12: ("annotations", "{text}"),
        14: ("finalizers", "[text]"),
    },
    "Secret": {
        1: ("metadata", "ObjectMeta"),
        2: ("data", "{bytes}"),
        3: ("type", "text"),
        4: ("stringData", "{text}"),
        5: ("immutable", "bool"),
    },
    "ConfigMap": {
        1: ("metadata", "ObjectMeta"),
        2: ("data", "{text}"),
        3: ("binaryData", "{bytes}"),
        4: ("immutable", "bool"),
    },
    "Namespace": {1: ("metadata", "ObjectMeta"), 2: ("spec", "NamespaceSpec")},
    "NamespaceSpec": {1: ("finalizers", "[text]")},
    "Service": {1: ("metadata", "ObjectMeta"), 2: ("spec", "ServiceSpec")},
    "ServiceSpec": {
        1: ("ports", "[ServicePort]"),
        2: ("selector", "{text}"),
        3: ("clusterIP", "text"),
        4: ("type", "text"),
        5: ("externalIPs", "[text]"),
        7: ("sessionAffinity", "text"),
        10: ("externalName", "text"),
    },
    "ServicePort": {
        1: ("name", "text"),
        2: ("protocol", "text"),
        3: ("port", "int"),
        4: ("targetPort", "IntOrString"),
        5: ("nodePort", "int"),
        6: ("appProtocol", "text"),
    },
    "IntOrString": {1: ("type", "int"), 2: ("intVal", "int"), 3: ("strVal", "text")},
    "Ingress": {1: ("metadata", "ObjectMeta"), 2: ("spec", "IngressSpec")},
    "IngressSpec": {
        1: ("defaultBackend", "IngressBackend"),
        2: ("tls", "[IngressTLS]"),
        3: ("rules", "[IngressRule]"),
        4: ("ingressClassName", "text"),
    },
    "IngressBackend": {3: ("resource", "TypedLocalObjectReference"), 4: ("service", "IngressServiceBackend")},
    "TypedLocalObjectReference": {1: ("apiGroup", "text"), 2: ("kind", "text"), 3: ("name", "text")},
    "IngressServiceBackend": {1: ("name", "text"), 2: ("port", "ServiceBackendPort")},
    "ServiceBackendPort": {1: ("name", "text"), 2: ("number", "int")},
    "IngressTLS": {1: ("hosts", "[text]"), 2: ("secretName", "text")},
    "IngressRule": {1: ("host", "text"), 2: ("", "IngressRuleValue")},
    "IngressRuleValue": {1: ("http", "HTTPIngressRuleValue")},
    "HTTPIngressRuleValue": {1: ("paths", "[HTTPIngressPath]")},
    "HTTPIngressPath": {1: ("path", "text"), 2: ("backend", "IngressBackend"), 3: ("pathType", "text")},
}


def decode_object(body: bytes) -> Json:
    """The object in a Kubernetes protobuf envelope: magic, then type and raw bytes."""
    if not body.startswith(_MAGIC):
        raise bad_request("the body has no protobuf envelope")
    try:
        envelope = dict(_fields(body[len(_MAGIC) :]))
        head = dict(_fields(envelope[1]))
        api_version, kind = head[1].decode(), head[2].decode()
        if kind not in _MESSAGES:
            raise ApiError(415, "UnsupportedMediaType", f"{kind} is not accepted in protobuf")
        return {"apiVersion": api_version, "kind": kind} | _message(kind, envelope[2])
    except (IndexError, KeyError, UnicodeDecodeError, struct.error) as error:
        raise bad_request(f"the protobuf body cannot be decoded: {error!r}") from error


def _message(name: str, encoded: bytes) -> Json:
    message: Json = {}
    for number, value in _fields(encoded):
        field, kind = _MESSAGES[name].get(number, ("", ""))
        if kind.startswith("["):
            message.setdefault(field, []).append(_value(kind[1:-1], value))
        elif kind.startswith("{"):
            entry = dict(_fields(value))
            message.setdefault(field, {})[entry.get(1, b"").decode()] = _value(kind[1:-1], entry.get(2, b""))
        elif kind and not field:
            message |= _message(kind, value)
        elif kind and (decoded := _value(kind, value)) not in ("", 0, None):
            # Unset text and numbers are on the wire as empty ones, and absent from JSON.
            message[field] = decoded
    return message


def _value(kind: str, value: Any) -> Any:
    if kind == "text":
        return value.decode()
    if kind == "bytes":
        return base64.b64encode(value).decode()
    if kind == "bool":
        return bool(value)
    if kind == "int":
        return value
    message = _message(kind, value)
    if kind == "IntOrString":
        return message.get("strVal", "") if message.get("type") else message.get("intVal", 0)
    return message


def _fields(encoded: bytes) -> Iterator[tuple[int, Any]]:
    at = 0
    while at < len(encoded):
        tag, at = _varint(encoded, at)
        number, wire_type = tag >> 3, tag & 7
        if wire_type == 0:
            value, at = _varint(encoded, at)
            yield number, value
        elif wire_type == 2:
            length, at = _varint(encoded, at)
            yield number, encoded[at : at + length]
            at += length
        else:
            at += 8 if wire_type == 1 else 4


def _varint(encoded: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = encoded[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at

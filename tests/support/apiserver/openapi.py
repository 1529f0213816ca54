"""OpenAPI as far as kubectl looks before it applies: which kinds can be patched, and by which query parameters.

Clients up to 1.26 read version 2 as protobuf (the gnostic model); newer ones read version 3 as JSON. There are no
schemas in either, so clients leave checking to the server, and `kubectl explain` has nothing to show.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from tests.support.apiserver.errors import Json
from tests.support.apiserver.kinds import KINDS, Kind, group_versions

# Not the type they ask for: Go cannot parse the "@" in that.
V2_CONTENT_TYPE = "application/octet-stream"
_PARAMETERS = ("dryRun", "fieldManager", "fieldValidation", "force")


def openapi_v3_paths() -> Json:
    roots = [f"apis/{group}/{version}" if group else f"api/{version}" for group, version in group_versions()]
    return {"paths": {root: {"serverRelativeURL": f"/openapi/v3/{root}?hash=fixture"} for root in roots}}


def openapi_v3(group: str, version: str) -> Json:
    kinds = [kind for kind in KINDS if (kind.group, kind.version) == (group, version)]
    head = {"openapi": "3.0.0", "info": {"title": "Kubernetes", "version": "fixture"}}
    return head | {"paths": {_item_path(kind): {"patch": _v3_operation(kind)} for kind in kinds}}


def openapi_v2_json() -> Json:
    paths = {_item_path(kind): {"patch": _v3_operation(kind)} for kind in KINDS}
    return {"swagger": "2.0", "info": {"title": "Kubernetes", "version": "fixture"}, "paths": paths}


def openapi_v2_protobuf() -> bytes:
    info = _text(1, "Kubernetes") + _text(2, "fixture")
    paths = b"".join(_bytes(2, _v2_named_path(kind)) for kind in KINDS)
    return _text(1, "2.0") + _bytes(2, info) + _bytes(8, paths)


def _item_path(kind: Kind) -> str:
    return kind.path("{namespace}", "{name}")


def _group_version_kind(kind: Kind) -> dict[str, str]:
    return {"group": kind.group, "version": kind.version, "kind": kind.kind}


def _v3_operation(kind: Kind) -> Json:
    parameters = [{"name": name, "in": "query", "schema": {"type": "string"}} for name in _PARAMETERS]
    return {
        "parameters": parameters,
        # No strategic-merge type in it: with one, kubectl would look for patch strategies in schemas we do not have.
        "requestBody": {"content": {"application/apply-patch+yaml": {}}},
        "responses": {"200": {"description": "OK"}},
        "x-kubernetes-action": "patch",
        "x-kubernetes-group-version-kind": _group_version_kind(kind),
    }


# Field numbers below are those of gnostic's OpenAPIv2.proto.


def _v2_named_path(kind: Kind) -> bytes:
    path_item = _bytes(8, _v2_operation(kind))  # PathItem.patch
    return _text(1, _item_path(kind)) + _bytes(2, path_item)  # NamedPathItem


def _v2_operation(kind: Kind) -> bytes:
    value = _bytes(2, _text(2, json.dumps(_group_version_kind(kind))))  # NamedAny.value, its Any.yaml
    extension = _text(1, "x-kubernetes-group-version-kind") + value
    parameters = b"".join(_bytes(8, parameter) for parameter in _v2_parameters())
    return parameters + _bytes(13, extension)  # Operation.parameters, .vendor_extension


def _v2_parameters() -> Iterator[bytes]:
    for name in _PARAMETERS:
        query = _text(2, "query") + _text(4, name)  # QueryParameterSubSchema.in, .name
        # Wrapped as ParametersItem > Parameter > NonBodyParameter > query.
        yield _bytes(1, _bytes(2, _bytes(3, query)))


def _text(number: int, text: str) -> bytes:
    return _bytes(number, text.encode())


def _bytes(number: int, content: bytes) -> bytes:
    """One length-delimited protobuf field."""
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)

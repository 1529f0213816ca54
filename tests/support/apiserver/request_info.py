"""What a request asks for: its path and query as verb, kind, namespace, name, subresource."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from tests.support.apiserver.kinds import Kind, find_resource

_SUBRESOURCES_OF_NAMESPACE = ("status", "finalize")
_VERBS_ON_ONE = {"GET": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete", "HEAD": "get"}
_VERBS_ON_MANY = {"GET": "list", "POST": "create", "DELETE": "deletecollection", "HEAD": "list"}


@dataclass(frozen=True, slots=True)
class RequestInfo:
    verb: str  # an API verb, or the lower-case method for paths that are no resource
    path: str
    kind: Kind | None = None
    namespace: str = ""
    name: str = ""
    subresource: str = ""

    @property
    def resource(self) -> str:
        return self.kind.plural if self.kind else ""


def is_true(text: str | None) -> bool:
    return text in ("true", "1", "True")


def read_request(method: str, path: str, query: Mapping[str, str]) -> RequestInfo:
    other = RequestInfo(method.lower(), path)
    parts = [unquote(part) for part in path.strip("/").split("/")]
    if parts[0] == "api" and len(parts) > 2:
        group, version, rest = "", parts[1], parts[2:]
    elif parts[0] == "apis" and len(parts) > 3:
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        return other
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2 and rest[2] not in _SUBRESOURCES_OF_NAMESPACE:
        namespace, rest = rest[1], rest[2:]
    kind = find_resource(group, version, rest[0])
    if kind is None or len(rest) > 3 or (namespace and not kind.namespaced):
        return other
    name, subresource = (*rest[1:], "", "")[:2]
    verb = (_VERBS_ON_ONE if name else _VERBS_ON_MANY).get(method, "")
    if verb == "list" and is_true(query.get("watch")):
        verb = "watch"
    return RequestInfo(verb, path, kind, namespace, name, subresource)

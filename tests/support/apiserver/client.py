"""A small synchronous client for objects, used by the harness against its control port or a real server."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from tests.support.apiserver.errors import Json
from tests.support.apiserver.kinds import KINDS, Kind, find_kind

PATCH_TYPES = {
    "merge": "application/merge-patch+json",
    "strategic": "application/strategic-merge-patch+json",
    "json": "application/json-patch+json",
    "apply": "application/apply-patch+yaml",
}
_TIMEOUT_S = 60.0


class RefusedError(Exception):
    """The server's Status, as an exception."""

    def __init__(self, code: int, body: str) -> None:
        super().__init__(f"{code}: {body}")
        self.code = code
        self.status: Json = json.loads(body) if body.startswith("{") else {"message": body}

    @property
    def reason(self) -> str:
        return str(self.status.get("reason", ""))


class ObjectClient:
    """Objects are plain dicts with kind and apiVersion; kinds may be named `ingresses`, `Ingress` or by Kind."""

    def __init__(
        self, url: str, context: ssl.SSLContext | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        self.api_url = url
        self._headers = {"User-Agent": "harness"} | dict(headers or {})
        # Proxies of the environment are none of a test's business.
        handlers: list[Any] = [urllib.request.ProxyHandler({})]
        if context:
            handlers.append(urllib.request.HTTPSHandler(context=context))
        self._opener = urllib.request.build_opener(*handlers)

    def send(
        self, method: str, path: str, body: Any = None, query: Mapping[str, str] | None = None, media: str = ""
    ) -> Any:
        url = self.api_url + path + (f"?{urlencode(query)}" if query else "")
        data = None if body is None else json.dumps(body).encode()
        headers = self._headers | {"Content-Type": media or "application/json"}
        request = urllib.request.Request(url, data, headers, method=method)
        try:
            with self._opener.open(request, timeout=_TIMEOUT_S) as response:
                answer = response.read()
        except urllib.error.HTTPError as error:
            with error:
                raise RefusedError(error.code, error.read().decode(errors="replace")) from None
        return json.loads(answer)

    def create(self, obj: Json) -> Json:
        kind = _kind_of(obj)
        created: Json = self.send("POST", kind.path(_namespace_of(kind, obj)), obj)
        return created

    def replace(self, obj: Json, subresource: str = "") -> Json:
        replaced: Json = self.send("PUT", _path_of(obj, subresource), obj)
        return replaced

    def apply(self, obj: Json) -> Json:
        """Makes the object be so: spec, then status if it has one, in a namespace made when needed."""
        kind = _kind_of(obj)
        namespace = _namespace_of(kind, obj)
        if namespace:
            self.ensure_namespace(namespace)
        try:
            applied = self.create(obj)
        except RefusedError as refused:
            if refused.reason != "AlreadyExists":
                raise
            applied = self.replace(_without_version(obj))
        if kind.has_status and obj.get("status"):
            return self.replace(applied | {"status": obj["status"]}, "status")
        return applied

    def ensure_namespace(self, name: str) -> None:
        try:
            self.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        except RefusedError as refused:
            if refused.reason != "AlreadyExists":
                raise

    def get(self, kind: str | Kind, name: str, namespace: str = "default") -> Json:
        found: Json = self.send("GET", as_kind(kind).path(namespace, name))
        return found

    def list(self, kind: str | Kind, namespace: str = "", **query: str) -> list[Json]:
        listed: list[Json] = self.send("GET", as_kind(kind).path(namespace), query=query)["items"]
        return listed

    def patch(
        self,
        kind: str | Kind,
        name: str,
        patch: Any,
        namespace: str = "default",
        *,
        how: str = "merge",
        subresource: str = "",
        **query: str,
    ) -> Json:
        path = as_kind(kind).path(namespace, name) + (f"/{subresource}" if subresource else "")
        patched: Json = self.send("PATCH", path, patch, query, PATCH_TYPES[how])
        return patched

    def delete(self, kind: str | Kind, name: str, namespace: str = "default") -> None:
        self.send("DELETE", as_kind(kind).path(namespace, name))

    def delete_object(self, obj: Json) -> None:
        self.send("DELETE", _path_of(obj))


def as_kind(kind: str | Kind) -> Kind:
    if isinstance(kind, Kind):
        return kind
    wanted = kind.lower()
    for row in KINDS:
        if wanted in (row.plural, row.kind.lower(), row.qualified, *row.short_names):
            return row
    raise KeyError(kind)


def _kind_of(obj: Json) -> Kind:
    kind = find_kind(obj["apiVersion"], obj["kind"])
    if kind is None:
        raise KeyError(f"{obj['apiVersion']} {obj['kind']}")
    return kind


def _namespace_of(kind: Kind, obj: Json) -> str:
    return obj["metadata"].get("namespace", "default") if kind.namespaced else ""


def _path_of(obj: Json, subresource: str = "") -> str:
    kind = _kind_of(obj)
    path = kind.path(_namespace_of(kind, obj), obj["metadata"]["name"])
    return f"{path}/{subresource}" if subresource else path


def _without_version(obj: Json) -> Json:
    metadata = {key: value for key, value in obj["metadata"].items() if key not in ("resourceVersion", "uid")}
    return obj | {"metadata": metadata}

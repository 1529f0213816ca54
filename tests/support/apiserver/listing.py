"""LIST: consistent pages at one version, and which version a client may ask for."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.support.apiserver.errors import ApiError, Json, bad_request, expired, invalid_options
from tests.support.apiserver.errors import too_large_resource_version as too_large
from tests.support.apiserver.request_info import RequestInfo
from tests.support.apiserver.selectors import Predicate, everything, parse_selectors
from tests.support.apiserver.settings import Settings
from tests.support.apiserver.store import Key, Store


@dataclass(frozen=True, slots=True)
class Page:
    objects: Sequence[Json]
    metadata: Json


@dataclass(frozen=True, slots=True)
class _Position:
    """Where a list goes on: after this key, at this version (0: whatever is newest)."""

    revision: int
    after: Key

    def as_token(self) -> str:
        packed = json.dumps({"v": "meta.k8s.io/v1", "rv": self.revision, "start": list(self.after)})
        return base64.urlsafe_b64encode(packed.encode()).decode().rstrip("=")


def parse_version(text: str) -> int:
    if not text.isascii() or (text and not text.isdigit()):
        raise bad_request(f"Invalid value: {text!r}: resourceVersion must be a number")
    return int(text or "0")


def list_objects(store: Store, settings: Settings, info: RequestInfo, query: Mapping[str, str]) -> Page:
    assert info.kind is not None
    selector = parse_selectors(info.kind, query.get("labelSelector", ""), query.get("fieldSelector", ""))
    limit = parse_version(query.get("limit", ""))
    position = _read_token(query["continue"]) if query.get("continue") else None
    if position and query.get("resourceVersion") not in (None, "", "0"):
        raise bad_request("specifying resource version is not allowed when using continue")
    revision = position.revision if position else _asked_revision(store, query, limit)
    if settings.watch_cache and not position and query.get("resourceVersion") == "0":
        limit = 0
    try:
        items = store.items(info.kind.storage, revision or None)
    except ApiError as error:
        if position is None or error.code != 410:
            raise
        fresh = _Position(0, position.after).as_token()
        raise expired("the list behind this continue token is compacted away; start again", fresh) from error
    items = _selected(items, info.namespace, selector)
    return _page(items, position, limit, revision or store.revision, selector is not None)


def check_not_too_large(store: Store, text: str) -> None:
    if parse_version(text) > store.revision:
        raise too_large(parse_version(text), store.revision)


def _asked_revision(store: Store, query: Mapping[str, str], limit: int) -> int:
    """The exact version to list at, or 0 for the newest."""
    text, match = query.get("resourceVersion", ""), query.get("resourceVersionMatch", "")
    if match and not text:
        raise invalid_options("resourceVersionMatch", "forbidden unless resourceVersion is provided")
    if match not in ("", "Exact", "NotOlderThan"):
        raise invalid_options("resourceVersionMatch", f"unsupported value {match}")
    asked = parse_version(text)
    if match == "Exact" and asked == 0:
        raise invalid_options("resourceVersionMatch", "Exact is forbidden for resourceVersion 0")
    check_not_too_large(store, text)
    # Without a match a limit makes the version exact: pages must agree with each other.
    exact = match == "Exact" or (not match and limit > 0)
    return asked if exact else 0


def _selected(items: list[tuple[Key, Json]], namespace: str, selector: Predicate | None) -> list[tuple[Key, Json]]:
    wanted = selector or everything
    return [item for item in items if (not namespace or item[0][0] == namespace) and wanted(item[1])]


def _page(
    items: list[tuple[Key, Json]], position: _Position | None, limit: int, revision: int, selective: bool
) -> Page:
    if position:
        items = [item for item in items if item[0] > position.after]
    metadata: Json = {"resourceVersion": str(revision)}
    if limit and len(items) > limit:
        left = len(items) - limit
        items = items[:limit]
        metadata["continue"] = _Position(revision, items[-1][0]).as_token()
        if not selective:
            metadata["remainingItemCount"] = left
    return Page([obj for _, obj in items], metadata)


def _read_token(token: str) -> _Position:
    try:
        packed = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        namespace, name = packed["start"]
        return _Position(int(packed["rv"]), (namespace, name))
    except (binascii.Error, KeyError, TypeError, ValueError) as error:
        raise bad_request("continue key is not valid") from error

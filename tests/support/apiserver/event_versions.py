"""The two Event APIs. Objects are stored as core/v1; events.k8s.io/v1 sees and writes the same ones by other names."""

from __future__ import annotations

from tests.support.apiserver.errors import Json
from tests.support.apiserver.kinds import Kind

_NEW_TO_STORED = {
    "regarding": "involvedObject",
    "note": "message",
    "reportingController": "reportingComponent",
    "deprecatedSource": "source",
    "deprecatedFirstTimestamp": "firstTimestamp",
    "deprecatedLastTimestamp": "lastTimestamp",
    "deprecatedCount": "count",
}
_STORED_TO_NEW = {stored: new for new, stored in _NEW_TO_STORED.items()}


def to_stored(kind: Kind, obj: Json) -> Json:
    return _renamed(obj, _NEW_TO_STORED) if kind.group == "events.k8s.io" else obj


def to_served(kind: Kind, obj: Json) -> Json:
    """The object as this kind's clients read it, with kind and apiVersion."""
    if kind.group == "events.k8s.io":
        obj = _renamed(obj, _STORED_TO_NEW)
    return {"kind": kind.kind, "apiVersion": kind.api_version} | obj


def _renamed(obj: Json, names: dict[str, str]) -> Json:
    return {names.get(key, key): value for key, value in obj.items()}

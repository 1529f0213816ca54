"""Label and field selectors."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from tests.support.apiserver.errors import Json, bad_request
from tests.support.apiserver.kinds import Kind

Predicate = Callable[[Json], bool]

_EVENT_FIELDS = tuple(
    f"involvedObject.{field}"
    for field in ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
)
# metadata.name and metadata.namespace work for every kind; these are the further ones a real server knows.
_FIELDS: dict[str, tuple[str, ...]] = {
    "secrets": ("type",),
    "services": ("spec.clusterIP", "spec.type"),
    "namespaces": ("status.phase",),
    "nodes": ("spec.unschedulable",),
    "events": (*_EVENT_FIELDS, "reason", "reportingComponent", "source", "type"),
    "pods": ("spec.nodeName", "spec.restartPolicy", "spec.serviceAccountName", "status.phase", "status.podIP"),
}
_SET_TERM = re.compile(r"^\s*(\S+)\s+(in|notin)\s*\(([^)]*)\)\s*$")
_TOP_LEVEL_COMMA = re.compile(r",(?![^(]*\))")


def everything(_: Json) -> bool:
    return True


def parse_selectors(kind: Kind, labels: str, fields: str) -> Predicate | None:
    """None means no selector at all, which lists treat differently from one that matches everything."""
    terms = [_label_term(term) for term in _TOP_LEVEL_COMMA.split(labels) if term.strip()]
    terms += [_field_term(kind, term) for term in fields.split(",") if term.strip()]
    return (lambda obj: all(term(obj) for term in terms)) if terms else None


def _labels_of(obj: Json) -> dict[str, str]:
    return obj["metadata"].get("labels") or {}


def _label_term(term: str) -> Predicate:
    if found := _SET_TERM.match(term):
        key, operator, listed = found.groups()
        values = {value.strip() for value in listed.split(",")}
        if operator == "in":
            return lambda obj: _labels_of(obj).get(key) in values
        return lambda obj: _labels_of(obj).get(key) not in values
    if "=" in term:
        key, wanted, equal = _comparison(term)
        return lambda obj: (_labels_of(obj).get(key) == wanted) is equal
    key = term.strip()
    if key.startswith("!"):
        return lambda obj: key[1:] not in _labels_of(obj)
    if not re.fullmatch(r"[\w./-]+", key):
        raise bad_request(f"unable to parse label selector {term!r}")
    return lambda obj: key in _labels_of(obj)


def _field_term(kind: Kind, term: str) -> Predicate:
    if "=" not in term:
        raise bad_request(f"invalid field selector {term!r}: no operator")
    field, wanted, equal = _comparison(term)
    if kind.group == "events.k8s.io":
        field = field.replace("regarding.", "involvedObject.", 1).replace("reportingController", "reportingComponent")
    if field not in ("metadata.name", "metadata.namespace", *_FIELDS.get(kind.storage, ())):
        raise bad_request(f"field label not supported: {field}")
    path = ("source", "component") if field == "source" else tuple(field.split("."))
    return lambda obj: (_text_at(obj, path) == wanted) is equal


def _comparison(term: str) -> tuple[str, str, bool]:
    for operator, equal in (("!=", False), ("==", True), ("=", True)):
        left, found, right = term.partition(operator)
        if found:
            return left.strip(), right.strip(), equal
    raise bad_request(f"unable to parse selector {term!r}")


def _text_at(obj: Json, path: tuple[str, ...]) -> str:
    value: Any = obj
    for step in path:
        value = value.get(step) if isinstance(value, dict) else None
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)

"""Field sets of managedFields: an object's leaves as paths, and paths as FieldsV1.

A path is a tuple of FieldsV1 steps: `f:name` for a field, `k:{…}` for an element of a keyed list, `v:…` for a member of
a set. A list that server-side apply takes whole is one leaf.
"""

from __future__ import annotations

import json
from typing import Any

from tests.support.apiserver.errors import Json
from tests.support.apiserver.list_keys import SET, element_key, list_keys

Path = tuple[str, ...]
FieldSet = frozenset[Path]

_MISSING = object()
# The server's own fields belong to nobody.
_SERVER_METADATA = (
    "name",
    "namespace",
    "uid",
    "resourceVersion",
    "generation",
    "generateName",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "managedFields",
    "selfLink",
)
_UNOWNED = frozenset(("f:metadata", f"f:{field}") for field in _SERVER_METADATA) | {("f:apiVersion",), ("f:kind",)}


def leaves(kind: str, obj: Json) -> dict[Path, Any]:
    found: dict[Path, Any] = {}
    _collect(kind, "", (), obj, found)
    return found


def _collect(kind: str, dotted: str, path: Path, value: Any, found: dict[Path, Any]) -> None:
    if path[:2] in _UNOWNED or path[:1] in _UNOWNED:
        return
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            _collect(kind, f"{dotted}.{key}" if dotted else key, (*path, f"f:{key}"), inner, found)
        return
    keys = list_keys(kind, dotted) if isinstance(value, list) else None
    if keys is None or not keys.apply:
        if path:
            found[path] = value
        return
    for element in value:
        _collect(kind, dotted, (*path, element_step(element, keys.apply)), element, found)


def element_step(element: Any, fields: tuple[str, ...]) -> str:
    prefix = "v:" if fields == (SET,) else "k:"
    return prefix + json.dumps(element_key(element, fields), separators=(",", ":"), sort_keys=True)


def encode(paths: FieldSet) -> Json:
    tree: Json = {}
    for path in sorted(paths):
        node = tree
        for step in path:
            node = node.setdefault(step, {})
            if step.startswith(("k:", "v:")) and step is not path[-1]:
                node.setdefault(".", {})
    return tree


def decode(tree: Json) -> FieldSet:
    found: set[Path] = set()
    _decode(tree, (), found)
    return frozenset(found)


def _decode(tree: Json, path: Path, found: set[Path]) -> None:
    if not tree and path:
        found.add(path)
    for step, inner in tree.items():
        if step != ".":
            _decode(inner, (*path, step), found)


def remove_leaf(kind: str, obj: Json, path: Path) -> None:
    """Removes one leaf, and the maps and list elements that become empty by it."""
    _remove(kind, "", obj, path)


def _remove(kind: str, dotted: str, node: Any, path: Path) -> None:
    step, rest = path[0], path[1:]
    if isinstance(node, list):
        _remove_from_list(kind, dotted, node, path)
        return
    key = step.removeprefix("f:")
    if not isinstance(node, dict) or key not in node:
        return
    if rest:
        _remove(kind, f"{dotted}.{key}" if dotted else key, node[key], rest)
    if not rest or node[key] in ({}, []):
        del node[key]


def _remove_from_list(kind: str, dotted: str, elements: list[Any], path: Path) -> None:
    keys = list_keys(kind, dotted)
    if keys is None:
        return
    for index, element in enumerate(elements):
        if element_step(element, keys.apply) == path[0]:
            if len(path) > 1:
                _remove(kind, dotted, element, path[1:])
            if len(path) == 1:
                del elements[index]
            return


def merge_applied(kind: str, live: Any, config: Any, dotted: str = "") -> Any:
    """The live value with an applied configuration laid over it, keyed lists merged by key."""
    if isinstance(live, dict) and isinstance(config, dict):
        merged = dict(live)
        for key, value in config.items():
            merged[key] = merge_applied(kind, live.get(key), value, f"{dotted}.{key}" if dotted else key)
        return merged
    keys = list_keys(kind, dotted) if isinstance(live, list) and isinstance(config, list) else None
    if keys is None or not keys.apply:
        return config
    merged_list = list(live)
    places = {element_step(element, keys.apply): index for index, element in enumerate(live)}
    for element in config:
        index = places.get(element_step(element, keys.apply))
        if index is None:
            merged_list.append(element)
        else:
            merged_list[index] = merge_applied(kind, merged_list[index], element, dotted)
    return merged_list

"""Strategic merge patch: merge patch that knows which lists are maps, with its `$` directives."""

from __future__ import annotations

from typing import Any

from tests.support.apiserver.errors import Json, bad_request
from tests.support.apiserver.list_keys import SET, list_keys

_DELETE_VALUES = "$deleteFromPrimitiveList/"
_ORDER = "$setElementOrder/"


def strategic_patch(kind: str, target: Json, patch: Json) -> Json:
    return _merge_map(kind, "", target, patch)


def _merge_map(kind: str, path: str, target: Json, patch: Json) -> Json:
    directive = patch.get("$patch")
    if directive == "delete":
        return {}
    merged: Json = {} if directive == "replace" else dict(target)
    if "$retainKeys" in patch:
        merged = {key: value for key, value in merged.items() if key in patch["$retainKeys"]}
    for key, value in patch.items():
        if key.startswith(_DELETE_VALUES):
            field = key.removeprefix(_DELETE_VALUES)
            merged[field] = [kept for kept in merged.get(field) or () if kept not in value]
        elif not key.startswith("$"):
            _merge_field(kind, f"{path}.{key}" if path else key, merged, key, value)
    for key, order in patch.items():
        if key.startswith(_ORDER):
            field = key.removeprefix(_ORDER)
            merged[field] = _in_order(kind, f"{path}.{field}" if path else field, merged.get(field) or [], order)
            if not merged[field]:
                del merged[field]
    return merged


def _merge_field(kind: str, path: str, merged: Json, key: str, value: Any) -> None:
    if value is None:
        merged.pop(key, None)
    elif isinstance(value, dict):
        current = merged.get(key)
        merged[key] = _merge_map(kind, path, current if isinstance(current, dict) else {}, value)
        if value.get("$patch") == "delete":
            del merged[key]
    elif isinstance(value, list):
        merged[key] = _merge_list(kind, path, merged.get(key) or [], value)
    else:
        merged[key] = value


def _merge_list(kind: str, path: str, target: list[Any], patch: list[Any]) -> list[Any]:
    keys = list_keys(kind, path)
    if keys is None:
        return [_without_directives(element) for element in patch]
    if keys.strategic == SET:
        return target + [value for value in patch if value not in target]
    if {"$patch": "replace"} in patch:
        return [element for element in patch if "$patch" not in element]
    merged = list(target)
    for element in patch:
        _merge_element(kind, path, merged, element, keys.strategic)
    return merged


def _merge_element(kind: str, path: str, merged: list[Any], element: Json, key: str) -> None:
    if key not in element:
        raise bad_request(f"an element of {path} lacks its merge key {key}")
    index = next((i for i, known in enumerate(merged) if known.get(key) == element[key]), None)
    if element.get("$patch") == "delete":
        if index is not None:
            del merged[index]
    elif index is None:
        merged.append(_merge_map(kind, path, {}, element))
    else:
        merged[index] = _merge_map(kind, path, merged[index], element)


def _in_order(kind: str, path: str, elements: list[Any], order: list[Any]) -> list[Any]:
    keys = list_keys(kind, path)
    if keys is None:
        return elements
    field = keys.strategic

    def place(element: Any) -> int:
        wanted = (element == other if field == SET else element.get(field) == other.get(field) for other in order)
        return next((index for index, found in enumerate(wanted) if found), len(order))

    return sorted(elements, key=place)


def _without_directives(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_directives(inner) for key, inner in value.items() if not key.startswith("$")}
    return value

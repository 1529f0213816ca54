"""JSON merge patch (RFC 7396) and JSON patch (RFC 6902)."""

from __future__ import annotations

import copy
from typing import Any

from tests.support.apiserver.errors import ApiError, Json, bad_request


def merge_patch(target: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value)
    return merged


def json_patch(document: Json, operations: Any) -> Json:
    if not isinstance(operations, list):
        raise bad_request("a JSON patch is a list of operations")
    holder: Json = {"": copy.deepcopy(document)}
    for operation in operations:
        try:
            _apply(holder, operation)
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise ApiError(422, "Invalid", f"the patch cannot be applied: {operation}: {error!r}") from error
    patched: Json = holder[""]
    return patched


def _apply(holder: Json, operation: Json) -> None:
    verb, steps = operation["op"], _steps(operation["path"])
    if verb == "remove":
        _remove(holder, steps)
    elif verb in ("add", "replace"):
        _put(holder, steps, operation["value"], replacing=verb == "replace")
    elif verb == "test":
        if _value(holder, steps) != operation["value"]:
            raise ValueError("test failed")
    elif verb == "copy":
        _put(holder, steps, copy.deepcopy(_value(holder, _steps(operation["from"]))))
    elif verb == "move":
        value = _value(holder, _steps(operation["from"]))
        _remove(holder, _steps(operation["from"]))
        _put(holder, steps, value)
    else:
        raise ValueError(f"unknown operation {verb}")


def _steps(pointer: str) -> list[str]:
    # The document hangs under "" in its holder, so that the empty pointer needs no special case.
    return [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")]


def _value(holder: Any, steps: list[str]) -> Any:
    for step in steps:
        holder = holder[int(step)] if isinstance(holder, list) else holder[step]
    return holder


def _remove(holder: Json, steps: list[str]) -> None:
    parent = _value(holder, steps[:-1])
    del parent[int(steps[-1]) if isinstance(parent, list) else steps[-1]]


def _put(holder: Json, steps: list[str], value: Any, replacing: bool = False) -> None:
    parent, last = _value(holder, steps[:-1]), steps[-1]
    if isinstance(parent, list):
        index = len(parent) if last == "-" else int(last)
        if not 0 <= index <= len(parent):
            raise IndexError(last)
        parent[index : index + replacing] = [value]
    elif replacing and last not in parent:
        raise KeyError(last)
    else:
        parent[last] = value

"""managedFields and server-side apply, in the simple version: leaves have owners, conflicts are reported, and what
an applier no longer mentions goes away unless somebody else owns it.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import Any

from tests.support.apiserver.errors import Cause, Json, conflict
from tests.support.apiserver.fieldsets import FieldSet, decode, encode, leaves, merge_applied, remove_leaf
from tests.support.apiserver.kinds import Kind


@dataclass(frozen=True, slots=True)
class Manager:
    name: str
    operation: str  # Apply or Update
    subresource: str = ""


@dataclass(frozen=True, slots=True)
class _Entry:
    manager: Manager
    time: str
    fields: FieldSet


def record_update(kind: Kind, old: Json | None, new: Json, manager: Manager, now: str) -> None:
    """Gives every changed leaf of `new` to the manager who changed it."""
    if _edited_by_hand(old, new):
        return
    before, after = _leaves_written(kind, old or {}, manager), _leaves_written(kind, new, manager)
    changed = frozenset(path for path, value in after.items() if path not in before or before[path] != value)
    gone = before.keys() - after.keys()
    entries = _decode_entries(old)
    mine = next((entry for entry in entries if entry.manager == manager), _Entry(manager, now, frozenset()))
    others = [replace(entry, fields=entry.fields - changed - gone) for entry in entries if entry.manager != manager]
    if changed or gone & mine.fields:
        mine = replace(mine, time=now, fields=(mine.fields - gone) | changed)
    _store_entries(kind, new, [*others, mine])


def apply(kind: Kind, live: Json | None, config: Json, manager: Manager, now: str, force: bool) -> Json:
    """The object after a server-side apply, managedFields included."""
    entries = _decode_entries(live)
    applied = leaves(kind.kind, config)
    others = _without_overruled(kind, live, config, [e for e in entries if e.manager != manager], force)
    merged: Json = copy.deepcopy(merge_applied(kind.kind, live or {}, config))
    mine = next((entry for entry in entries if entry.manager == manager), _Entry(manager, now, frozenset()))
    still_owned = frozenset[tuple[str, ...]]().union(applied, *(entry.fields for entry in others))
    for path in mine.fields - still_owned:
        remove_leaf(kind.kind, merged, _widest_unowned(path, still_owned))
    fields = frozenset(applied)
    if fields != mine.fields:
        mine = replace(mine, time=now, fields=fields)
    _store_entries(kind, merged, [*others, mine])
    return merged


def _without_overruled(kind: Kind, live: Json | None, config: Json, others: list[_Entry], force: bool) -> list[_Entry]:
    present, applied = leaves(kind.kind, live or {}), leaves(kind.kind, config)
    changed = {path for path, value in applied.items() if path in present and present[path] != value}
    contested = [entry for entry in others if entry.fields & changed]
    if contested and not force:
        causes = [
            Cause("FieldManagerConflict", f'conflict with "{entry.manager.name}"', _dotted(path))
            for entry in contested
            for path in sorted(entry.fields & changed)
        ]
        raise conflict(kind, config["metadata"]["name"], "fields belong to other managers", causes)
    return [replace(entry, fields=entry.fields - changed) for entry in others]


def _widest_unowned(path: tuple[str, ...], owned: FieldSet) -> tuple[str, ...]:
    """The whole list element, defaults that nobody owns included, once no owner is left in it."""
    for length, step in enumerate(path, start=1):
        element = path[:length]
        if step.startswith("k:") and not any(other[:length] == element for other in owned):
            return element
    return path


def _leaves_written(kind: Kind, obj: Json, manager: Manager) -> dict[tuple[str, ...], Any]:
    """Without the status where the main resource cannot write it: what the server filled in is nobody's."""
    found = leaves(kind.kind, obj)
    if not kind.has_status or manager.subresource == "status":
        return found
    return {path: value for path, value in found.items() if path[0] != "f:status"}


def _dotted(path: tuple[str, ...]) -> str:
    return "".join(f".{step[2:]}" if step.startswith("f:") else f"[{step[2:]}]" for step in path)


def _edited_by_hand(old: Json | None, new: Json) -> bool:
    """A client may rewrite managedFields itself: kubectl does when it moves from client-side to server-side apply."""
    given = new["metadata"].get("managedFields")
    return old is not None and given is not None and given != old["metadata"].get("managedFields")


def _decode_entries(obj: Json | None) -> list[_Entry]:
    listed = (obj or {}).get("metadata", {}).get("managedFields") or ()
    return [
        _Entry(
            Manager(entry["manager"], entry["operation"], entry.get("subresource", "")),
            entry.get("time", ""),
            decode(entry.get("fieldsV1") or {}),
        )
        for entry in listed
    ]


def _store_entries(kind: Kind, obj: Json, entries: list[_Entry]) -> None:
    listed = []
    for entry in entries:
        if not entry.fields:
            continue
        item = {
            "manager": entry.manager.name,
            "operation": entry.manager.operation,
            "apiVersion": kind.api_version,
            "time": entry.time,
            "fieldsType": "FieldsV1",
            "fieldsV1": encode(entry.fields),
        }
        listed.append(item | {"subresource": entry.manager.subresource} if entry.manager.subresource else item)
    obj["metadata"] = {key: value for key, value in obj["metadata"].items() if key != "managedFields"}
    if listed:
        obj["metadata"]["managedFields"] = listed

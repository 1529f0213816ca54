"""create, get, update, patch and delete of one object."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass

from tests.support.apiserver import managed_fields
from tests.support.apiserver.admission import Admission, check_identity
from tests.support.apiserver.clock import Clock
from tests.support.apiserver.errors import ApiError, Json, already_exists, bad_request, conflict, not_found
from tests.support.apiserver.event_versions import to_served, to_stored
from tests.support.apiserver.kinds import KINDS, NAMESPACES, Kind
from tests.support.apiserver.managed_fields import Manager
from tests.support.apiserver.patches import json_patch, merge_patch
from tests.support.apiserver.store import Key, Store
from tests.support.apiserver.strategic import strategic_patch

APPLY_PATCH = "application/apply-patch+yaml"
FIRST_NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")


@dataclass(frozen=True, slots=True)
class WriteOptions:
    manager: str = "unknown"
    dry_run: bool = False
    force: bool = False


@dataclass(frozen=True, slots=True)
class Target:
    kind: Kind
    namespace: str = ""
    name: str = ""
    subresource: str = ""

    @property
    def key(self) -> Key:
        return self.namespace, self.name


class Verbs:
    def __init__(self, store: Store, admission: Admission, clock: Clock) -> None:
        self.store = store
        self._admission = admission
        self._clock = clock

    def create_first_namespaces(self) -> None:
        for name in FIRST_NAMESPACES:
            self.create(Target(NAMESPACES), {"metadata": {"name": name}}, WriteOptions("kube-apiserver"))

    def get(self, target: Target) -> Json:
        obj = self.store.get(target.kind.storage, target.key)
        if obj is None:
            raise not_found(target.kind, target.name)
        return obj

    def create(self, target: Target, sent: Json, options: WriteOptions) -> Json:
        kind = target.kind
        self._check_namespace(target)
        obj = self._admission.for_create(kind, to_stored(kind, sent), target.namespace)
        key = (target.namespace, obj["metadata"]["name"])
        if self.store.get(kind.storage, key) is not None:
            raise already_exists(kind, key[1])
        managed_fields.record_update(kind, None, obj, Manager(options.manager, "Update"), self._clock.stamp())
        return obj if options.dry_run else self.store.put(kind.storage, key, obj)

    def update(self, target: Target, sent: Json, options: WriteOptions) -> Json:
        if (sent.get("metadata") or {}).get("name", target.name) != target.name:
            raise bad_request("the name of the object does not match the name on the URL")
        old = self.store.get(target.kind.storage, target.key)
        if old is None:
            if target.kind.create_on_update and not target.subresource:
                return self.create(target, sent, options)
            raise not_found(target.kind, target.name)
        return self._update_from(target, old, to_stored(target.kind, sent), options)

    def patch(self, target: Target, media: str, patch: Json, options: WriteOptions) -> Json:
        old = self.store.get(target.kind.storage, target.key)
        if media == APPLY_PATCH:
            return self._apply(target, old, patch, options)
        if old is None:
            raise not_found(target.kind, target.name)
        served = copy.deepcopy(to_served(target.kind, old))
        patched = _PATCHES[media](target.kind, served, patch)
        return self._update_from(target, old, to_stored(target.kind, patched), options)

    def delete(self, target: Target, preconditions: Json, dry_run: bool) -> tuple[Json, bool]:
        """The object's last state, and whether it is gone; if not, finalizers are holding it."""
        obj = self.get(target)
        for field in ("uid", "resourceVersion"):
            if preconditions.get(field) and preconditions[field] != obj["metadata"][field]:
                raise conflict(target.kind, target.name, f"precondition failed: {field} is {obj['metadata'][field]}")
        if target.kind is NAMESPACES and not dry_run:
            self._empty_namespace(target.name)
        if obj["metadata"].get("finalizers"):
            return (obj if dry_run else self._mark_deleted(target, obj)), False
        return (obj if dry_run else self.store.remove(target.kind.storage, target.key)), True

    def _update_from(self, target: Target, old: Json, sent: Json, options: WriteOptions) -> Json:
        kind = target.kind
        obj = self._admission.for_update(kind, sent, old, target.subresource)
        manager = Manager(options.manager, "Update", target.subresource)
        managed_fields.record_update(kind, old, obj, manager, self._clock.stamp())
        return self._store_update(target, old, obj, options)

    def _store_update(self, target: Target, old: Json, obj: Json, options: WriteOptions) -> Json:
        if options.dry_run or obj == old:
            # A write that changes nothing gets no new version and makes no event.
            return obj
        if old["metadata"].get("deletionTimestamp") and not obj["metadata"].get("finalizers"):
            return self.store.remove(target.kind.storage, target.key)
        return self.store.put(target.kind.storage, target.key, obj)

    def _apply(self, target: Target, old: Json | None, sent: Json, options: WriteOptions) -> Json:
        kind, now = target.kind, self._clock.stamp()
        if (sent.get("metadata") or {}).get("managedFields"):
            raise bad_request("metadata.managedFields must be nil")
        config = check_identity(kind, to_stored(kind, sent), target.namespace)
        config["metadata"].setdefault("name", target.name)
        manager = Manager(options.manager, "Apply", target.subresource)
        merged = managed_fields.apply(kind, old, config, manager, now, options.force)
        if old is None:
            self._check_namespace(target)
            obj = self._admission.for_create(kind, merged, target.namespace)
            return obj if options.dry_run else self.store.put(kind.storage, target.key, obj)
        obj = self._admission.for_update(kind, merged, old, target.subresource)
        return self._store_update(target, old, obj, options)

    def _check_namespace(self, target: Target) -> None:
        if not target.namespace:
            return
        namespace = self.store.get(NAMESPACES.storage, ("", target.namespace))
        if namespace is None:
            raise not_found(NAMESPACES, target.namespace)
        if namespace["metadata"].get("deletionTimestamp"):
            message = f"unable to create new content in namespace {target.namespace} because it is being terminated"
            raise ApiError(403, "Forbidden", message)

    def _mark_deleted(self, target: Target, obj: Json) -> Json:
        if obj["metadata"].get("deletionTimestamp"):
            return obj
        stamps = {"deletionTimestamp": self._clock.stamp(), "deletionGracePeriodSeconds": 0}
        marked = obj | {"metadata": obj["metadata"] | stamps}
        if target.kind.counts_generation:
            marked["metadata"]["generation"] += 1
        return self.store.put(target.kind.storage, target.key, marked)

    def _empty_namespace(self, namespace: str) -> None:
        """Does at once what the namespace controller does in a cluster."""
        for kind in KINDS:
            if kind.namespaced and not kind.stored_as:
                for key, _ in self.store.items(kind.storage):
                    if key[0] == namespace:
                        self.delete(Target(kind, *key), {}, dry_run=False)


def _strategic(kind: Kind, obj: Json, patch: Json) -> Json:
    return strategic_patch(kind.kind, obj, patch)


def _merge(_: Kind, obj: Json, patch: Json) -> Json:
    merged: Json = merge_patch(obj, patch)
    return merged


def _json(_: Kind, obj: Json, patch: Json) -> Json:
    return json_patch(obj, patch)


_PATCHES: dict[str, Callable[[Kind, Json, Json], Json]] = {
    "application/json-patch+json": _json,
    "application/merge-patch+json": _merge,
    "application/strategic-merge-patch+json": _strategic,
}
PATCH_TYPES = (*_PATCHES, APPLY_PATCH)

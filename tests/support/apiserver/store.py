"""Objects and their history: one growing revision for all writes, as etcd gives a real API server.

Stored objects are never changed in place, so lists, watches and history may share them freely.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.support.apiserver.errors import Json, expired

Key = tuple[str, str]  # namespace ("" for cluster scope), name


@dataclass(frozen=True, slots=True)
class Change:
    revision: int
    storage: str
    key: Key
    old: Json | None
    new: Json | None  # None: deleted


class Store:
    def __init__(self, history_limit: int = 10_000) -> None:
        self.history_limit = history_limit
        self.revision = 1
        # Watches and lists must name a revision of at least this; anything older is 410.
        self.compacted = 0
        self._objects: dict[str, dict[Key, Json]] = {}
        self._history: list[Change] = []
        self._listeners: set[Callable[[Change], None]] = set()

    def get(self, storage: str, key: Key) -> Json | None:
        return self._objects.get(storage, {}).get(key)

    def put(self, storage: str, key: Key, obj: Json) -> Json:
        """Stores `obj`, which now belongs to the store, under the next revision."""
        objects = self._objects.setdefault(storage, {})
        old = objects.get(key)
        self.revision += 1
        obj["metadata"]["resourceVersion"] = str(self.revision)
        objects[key] = obj
        self._record(Change(self.revision, storage, key, old, obj))
        return obj

    def remove(self, storage: str, key: Key) -> Json:
        """Returns the object as its DELETED event shows it: last state, version of the deletion."""
        old = self._objects[storage].pop(key)
        self.revision += 1
        self._record(Change(self.revision, storage, key, old, None))
        return at_version(old, self.revision)

    def items(self, storage: str, revision: int | None = None) -> list[tuple[Key, Json]]:
        """Objects in key order, now or as they were at a revision."""
        objects = self._objects.get(storage, {})
        if revision is not None and revision < self.revision:
            self._refuse_compacted(revision)
            objects = self._rolled_back(storage, revision)
        return sorted(objects.items(), key=lambda item: item[0])

    def changes_after(self, revision: int, storage: str) -> list[Change]:
        self._refuse_compacted(revision)
        return [change for change in self._history[self._index_after(revision) :] if change.storage == storage]

    def storages(self) -> Iterator[str]:
        return iter(list(self._objects))

    def compact(self) -> int:
        """Forgets all history. The version moves on first, as if something unseen had been written: else a client
        that is up to date would notice nothing.
        """
        self.revision += 1
        self.compacted = self.revision
        self._history.clear()
        return self.compacted

    def rewind(self, by: int) -> int:
        """Goes back in time, versions included, as a cluster does when etcd is restored from a backup."""
        target = max(self.revision - by, 1)
        self._refuse_compacted(target)
        for storage in self.storages():
            self._objects[storage] = self._rolled_back(storage, target)
        del self._history[self._index_after(target) :]
        self.revision = target
        return target

    def clear(self) -> None:
        """Empties the store without events. Versions go on growing, so nothing old can be mistaken for new."""
        self._objects.clear()
        self.compact()

    def subscribe(self, listener: Callable[[Change], None]) -> None:
        self._listeners.add(listener)

    def unsubscribe(self, listener: Callable[[Change], None]) -> None:
        self._listeners.discard(listener)

    def _record(self, change: Change) -> None:
        self._history.append(change)
        self._trim()
        for listener in tuple(self._listeners):
            listener(change)

    def _trim(self) -> None:
        # A tenth of slack keeps the cost of trimming constant per write.
        if len(self._history) > self.history_limit * 11 // 10:
            cut = len(self._history) - self.history_limit
            self.compacted = self._history[cut - 1].revision
            del self._history[:cut]

    def _index_after(self, revision: int) -> int:
        return bisect_right(self._history, revision, key=lambda change: change.revision)

    def _rolled_back(self, storage: str, revision: int) -> dict[Key, Json]:
        objects = dict(self._objects.get(storage, {}))
        for change in reversed(self._history[self._index_after(revision) :]):
            if change.storage != storage:
                continue
            if change.old is None:
                objects.pop(change.key, None)
            else:
                objects[change.key] = change.old
        return objects

    def _refuse_compacted(self, revision: int) -> None:
        if revision < self.compacted:
            raise expired(f"too old resource version: {revision} ({self.compacted})")


def at_version(obj: Json, revision: int) -> Json:
    return obj | {"metadata": obj["metadata"] | {"resourceVersion": str(revision)}}

"""Objects out of files: read once, then again whenever something on disk changes.

What a reader of the store may rely on: a change is in the store within a second, however it was written; a text that
is being written is not read until it is quiet for a moment (0.1 s, but nobody waits longer than 0.4 s); what cannot be
read keeps its last good version and is a finding; what is no longer there is removed.
"""

import asyncio
import hashlib
import logging
import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct

from ingressd.kube.documents import Reference
from ingressd.kube.manifest_file import (
    Contents,
    StoppedError,
    duplicate,
    parse_manifest,
    read_bytes,
    stumbled,
    unreadable,
)
from ingressd.kube.store import Store
from ingressd.kube.survey import MAX_FILES, ManifestFile, Signature, Survey, survey
from ingressd.kube.watcher import Watcher
from ingressd.model.cluster import Key
from ingressd.model.finding import Finding
from ingressd.model.objects import ClusterObject

log = logging.getLogger(__name__)

QUIET_S: Final = 0.1
CEILING_S: Final = 0.4
SURVEY_ATTEMPTS: Final = 5
CHUNK: Final = 1000
"""Objects put into the store before the loop gets a turn: about 10 ms."""


class _FileState(Struct, frozen=True):
    signature: Signature
    digest: bytes
    contents: Contents


class _Loaded(Struct, frozen=True):
    """Everything all files say together, and what each says."""

    files: dict[str, _FileState]
    objects: Mapping[Reference, ClusterObject]
    findings: tuple[Finding, ...]


class ManifestSource:
    """Files and directories of manifests, as a Source. Paths need not exist yet.

    ``is_watched`` says which objects count; of the others it is as if they were not written down.
    """

    def __init__(
        self, paths: Sequence[str | Path], *, is_watched: Callable[[ClusterObject], bool] = lambda _: True
    ) -> None:
        self._paths = tuple(str(path) for path in paths)
        self._is_watched = is_watched
        self._files: dict[str, _FileState] = {}
        self._applied: dict[Reference, ClusterObject] = {}
        self._found = Survey()
        self._watcher: Watcher | None = None
        self._touched: set[str] = set()
        self._is_forced = False
        self._dirty = asyncio.Event()
        self._synced = asyncio.Event()
        self._stopped = threading.Event()

    async def run(self, store: Store) -> None:
        """Read, then follow changes, until cancelled. Runs once."""
        try:
            while True:
                await self._refresh(store)
                self._synced.set()
                await self._until_quiet()
        finally:
            self._stopped.set()
            if self._watcher is not None:
                self._watcher.close()

    @property
    def is_synced(self) -> bool:
        return self._synced.is_set()

    async def synced(self) -> None:
        await self._synced.wait()

    def want(self, config_maps: Iterable[Key]) -> None:
        """All ConfigMaps in the files are read anyway."""

    async def named(self) -> None:
        """So there is nothing to wait for."""

    def describe(self) -> str:
        return "manifests in " + ", ".join(self._paths)

    def reload(self) -> None:
        """Read every file again soon, changed or not. For the loop's own thread."""
        self._is_forced = True
        self._dirty.set()

    async def _refresh(self, store: Store) -> None:
        """Bring the store to what is on disk now."""
        touched, self._touched = self._touched, set()
        is_forced, self._is_forced = self._is_forced, False
        await self._look_around()
        try:
            loaded = await asyncio.to_thread(self._load, self._found, touched, is_forced)
        except StoppedError:
            return
        self._files = loaded.files
        await self._apply(store, loaded)

    async def _look_around(self) -> None:
        """Survey until the directories found are the ones being watched: then no change can be missed."""
        for _ in range(SURVEY_ATTEMPTS):
            found = await asyncio.to_thread(survey, self._paths)
            is_watched = self._watcher is not None and found.directories == self._found.directories
            self._found = found
            if is_watched:
                return
            self._watch(found)
        self._dirty.set()  # directories come and go faster than we look: look again after a pause

    def _watch(self, found: Survey) -> None:
        """Watch these directories instead of the ones before, which are watched until that is done."""
        old = self._watcher
        try:
            self._watcher = Watcher(sorted({path for path, _, _ in found.directories}), self._on_paths)
        except FileNotFoundError:
            self._watcher = None
        if old is not None:
            old.close()

    def _on_paths(self, paths: Collection[str] | None) -> None:
        concerning = [path for path in paths or () if self._found.concerns(path)]
        if concerning or paths is None:
            self._touched.update(concerning)
            self._dirty.set()

    async def _until_quiet(self) -> None:
        """Wait for a change, then for the end of changes."""
        await self._dirty.wait()
        loop = asyncio.get_running_loop()
        ceiling = loop.time() + CEILING_S
        while not self._is_forced and loop.time() < ceiling:
            self._dirty.clear()
            try:
                async with asyncio.timeout_at(min(loop.time() + QUIET_S, ceiling)):
                    await self._dirty.wait()
            except TimeoutError:
                break
        self._dirty.clear()

    def _load(self, found: Survey, touched: Collection[str], is_forced: bool) -> _Loaded:
        """Everything, from files where they may have changed. In a thread: a large directory takes seconds."""
        files: dict[str, _FileState] = {}
        for file in found.files:
            state = self._files.get(file.path)
            # Two writes within a tick of the file system's clock look the same from outside; the watcher knows better.
            if state is None or is_forced or state.signature != file.signature or file.real in touched:
                state = self._read(file, state)
            if state is not None:
                files[file.path] = state
        return _joined(files, (*_about_paths(found), *self._about_watching()), self._is_watched)

    def _read(self, file: ManifestFile, before: _FileState | None) -> _FileState | None:
        """Raises StoppedError when the source is stopped meanwhile."""
        if self._stopped.is_set():
            raise StoppedError
        contents = before.contents if before is not None else Contents()
        try:
            data = read_bytes(file.path)
        except FileNotFoundError:
            return None  # gone since the survey; its directory has changed, so there is another survey to come
        except OSError as error:
            return _FileState(file.signature, b"", Contents(contents.objects, (unreadable(file.path, error),)))
        digest = hashlib.blake2b(data, digest_size=16).digest()
        if before is not None and before.digest == digest:
            return _FileState(file.signature, digest, contents)
        return _FileState(file.signature, digest, self._parsed(data, file.path, contents))

    def _parsed(self, data: bytes, path: str, before: Contents) -> Contents:
        """A file that we stumble over, by a fault of ours, keeps what it said and costs no other file anything."""
        try:
            return parse_manifest(data, path, before, self._stopped.is_set)
        except StoppedError:
            raise
        except Exception:
            log.exception("reading %s failed", path)
            return Contents(before.objects, (stumbled(path),), before.pieces)

    async def _apply(self, store: Store, loaded: _Loaded) -> None:
        """What is new first, then what is gone: a Service that moved between files is never missing."""
        changed = [one for reference, one in loaded.objects.items() if self._applied.get(reference) is not one]
        gone = [reference for reference in self._applied if reference not in loaded.objects]
        self._applied = dict(loaded.objects)
        for start in range(0, len(changed), CHUNK):
            for obj in changed[start : start + CHUNK]:
                store.put(obj)
            if len(changed) > CHUNK:
                await asyncio.sleep(0)
        for kind, key in gone:
            store.remove(kind, key)
        store.set_findings("manifests", loaded.findings)

    def _about_watching(self) -> tuple[Finding, ...]:
        if self._watcher is None or not self._watcher.is_polling:
            return ()
        message = "the kernel takes no more watches (fs.inotify.max_user_watches), so files are polled"
        return (Finding(level="warning", reason="Polling", message=message),)


def _joined(
    files: dict[str, _FileState], others: tuple[Finding, ...], is_watched: Callable[[ClusterObject], bool]
) -> _Loaded:
    """One set of objects out of all files: who comes first in the order of paths keeps the name."""
    objects: dict[Reference, ClusterObject] = {}
    findings = list(others)
    for state in files.values():
        findings.extend(state.contents.findings)
        for reference, obj in state.contents.objects.items():
            if not is_watched(obj):
                continue
            first = objects.setdefault(reference, obj)
            if first is not obj:
                findings.append(duplicate(obj, first))
    return _Loaded(files, objects, tuple(findings))


def _about_paths(found: Survey) -> list[Finding]:
    findings = [
        Finding(level="error", reason="Unreadable", message=message, source=path)
        for path, message in found.missing.items()
    ]
    if found.truncated:
        message = f"more than {MAX_FILES} files: the rest is not read"
        findings.append(Finding(level="error", reason="TooManyFiles", message=message))
    return findings

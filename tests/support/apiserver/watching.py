"""WATCH: one stream of events, and the registry of those that are open."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import orjson
from aiohttp import web

from tests.support.apiserver.errors import ApiError, Json, invalid_options
from tests.support.apiserver.faults import STREAM_FAULTS, Fault, Faults
from tests.support.apiserver.listing import check_not_too_large, parse_version
from tests.support.apiserver.presentation import Presentation
from tests.support.apiserver.request_info import RequestInfo, is_true
from tests.support.apiserver.selectors import everything, parse_selectors
from tests.support.apiserver.settings import Settings
from tests.support.apiserver.store import Change, Store, at_version
from tests.support.apiserver.stream_faults import commit
from tests.support.apiserver.wire import odd_pieces

INITIAL_EVENTS_END = "k8s.io/initial-events-end"


class Watch:
    def __init__(
        self,
        info: RequestInfo,
        query: dict[str, str],
        store: Store,
        settings: Settings,
        faults: Faults,
        presentation: Presentation,
    ) -> None:
        assert info.kind is not None
        self.info = info
        self.request: web.Request | None = None
        self.piece_delay_s = 0.0
        self.bookmarks = is_true(query.get("allowWatchBookmarks"))
        self._query = query
        self._store = store
        self._settings = settings
        self._faults = faults
        self._presentation = presentation
        self._storage = info.kind.storage
        self._selects = parse_selectors(info.kind, query.get("labelSelector", ""), query.get("fieldSelector", ""))
        self._changes: deque[Change] = deque()
        self._ordered: deque[Fault] = deque()
        self._wake = asyncio.Event()
        self._asked: set[int] = set()
        self._bookmark_now = False
        self._first_event = True
        self._start_at = self._read_start()

    async def run(self, request: web.Request, note_begin: Callable[[], None]) -> web.StreamResponse:
        """Streams until the time is over, a fault ends it or the client goes (which cancels this)."""
        try:
            first = self._first_events()
        except ApiError as error:
            if self._settings.gone_as_status:
                raise
            first = [_error_event(error)]
        self.request = request
        response = web.StreamResponse(
            headers={"Content-Type": "application/json", "Cache-Control": "no-cache, private"}
        )
        response.enable_chunked_encoding()
        self.response = response
        with self._subscribed():
            await response.prepare(request)
            note_begin()
            if not await self._commit_faults():
                return response
            await self.write(b"".join(first))
            if first and first[-1].startswith(b'{"type":"ERROR"'):
                return response
            await self._follow()
        return response

    def order(self, fault: Fault) -> None:
        """A fault for this stream and no other."""
        self._ordered.append(fault)
        self._wake.set()

    def bookmark_now(self) -> None:
        self._bookmark_now = True
        self._wake.set()

    async def write(self, data: bytes) -> None:
        for piece in odd_pieces(data):
            if self.piece_delay_s:
                await asyncio.sleep(self.piece_delay_s)
            await self.response.write(piece)

    def example_line(self, kind_of_event: str = "MODIFIED", padding: int = 0) -> bytes:
        """A well-formed event, for faults to spoil: about an object the client knows, if there is one."""
        known = [obj for key, obj in self._store.items(self._storage) if self._concerns(key[0], obj)]
        if not known:
            empty = self._presentation.bookmark({"resourceVersion": str(self._store.revision)})
            return orjson.dumps({"type": kind_of_event, "object": empty}) + b"\n"
        obj = known[-1]
        if padding:
            annotations = (obj["metadata"].get("annotations") or {}) | {"fixture/padding": "x" * padding}
            obj = obj | {"metadata": obj["metadata"] | {"annotations": annotations}}
        return self._event_line(kind_of_event, obj)

    async def _follow(self) -> None:
        loop = asyncio.get_running_loop()
        end_at = loop.time() + self._lifetime_s()
        bookmark_at = loop.time() + self._settings.bookmark_interval_s
        while True:
            if not await self._commit_faults():
                return
            await self._send_changes()
            over = loop.time() >= end_at
            if self.bookmarks and (over or self._bookmark_now or loop.time() >= bookmark_at):
                await self.write(self._bookmark_line())
            if over:
                return
            if self._bookmark_now or loop.time() >= bookmark_at:
                self._bookmark_now = False
                bookmark_at = loop.time() + self._settings.bookmark_interval_s
            await self._wait_until(min(end_at, bookmark_at))

    async def _wait_until(self, deadline: float) -> None:
        try:
            async with asyncio.timeout_at(deadline):
                await self._wake.wait()
        except TimeoutError:
            pass
        self._wake.clear()

    async def _commit_faults(self) -> bool:
        """False: the stream is over."""
        while fault := self._next_fault():
            if not await commit(fault, self):
                return False
        return True

    def _next_fault(self) -> Fault | None:
        if self._ordered:
            return self._ordered.popleft()
        return self._faults.take(STREAM_FAULTS, self.info, self._query, self._asked)

    async def _send_changes(self) -> None:
        # More may come while we write; a bookmark must not promise what is still waiting here.
        while self._changes:
            lines = [self._line_of(change) for change in self._changes]
            self._changes.clear()
            await self.write(b"".join(filter(None, lines)))

    def _line_of(self, change: Change) -> bytes | None:
        """An object leaving the selector is DELETED for this client, one entering it ADDED."""
        before = change.old is not None and self._concerns(change.key[0], change.old)
        after = change.new is not None and self._concerns(change.key[0], change.new)
        if after and change.new is not None:
            return self._event_line("MODIFIED" if before else "ADDED", change.new)
        if before and change.old is not None:
            return self._event_line("DELETED", at_version(change.old, change.revision))
        return None

    def _concerns(self, namespace: str, obj: Json) -> bool:
        return self.info.namespace in ("", namespace) and (self._selects or everything)(obj)

    def _event_line(self, kind_of_event: str, obj: Json) -> bytes:
        # Tables name their columns in the first event only.
        shown = self._presentation.one(obj, with_columns=self._first_event)
        self._first_event = False
        return orjson.dumps({"type": kind_of_event, "object": shown}) + b"\n"

    def _bookmark_line(self, annotations: Json | None = None) -> bytes:
        metadata: Json = {"resourceVersion": str(self._store.revision), "creationTimestamp": None}
        if annotations:
            metadata["annotations"] = annotations
        return orjson.dumps({"type": "BOOKMARK", "object": self._presentation.bookmark(metadata)}) + b"\n"

    def _read_start(self) -> int | None:
        """The version to go on from, or None to begin with every object there is."""
        text = self._query.get("resourceVersion", "")
        if "sendInitialEvents" in self._query:
            self._check_initial_events_options(text)
            return None if is_true(self._query["sendInitialEvents"]) else parse_version(text) or self._store.revision
        return parse_version(text) or None

    def _check_initial_events_options(self, version: str) -> None:
        if not self._settings.watch_list:
            raise invalid_options("sendInitialEvents", "streaming lists are switched off on this server")
        if self._query.get("resourceVersionMatch") != "NotOlderThan":
            raise invalid_options("resourceVersionMatch", "must be NotOlderThan with sendInitialEvents")
        check_not_too_large(self._store, version)

    def _first_events(self) -> list[bytes]:
        if self._start_at is not None:
            changes = self._store.changes_after(self._start_at, self._storage)
            return [line for line in map(self._line_of, changes) if line]
        items = self._store.items(self._storage)
        lines = [self._event_line("ADDED", obj) for key, obj in items if self._concerns(key[0], obj)]
        if "sendInitialEvents" in self._query and self.bookmarks:
            lines.append(self._bookmark_line({INITIAL_EVENTS_END: "true"}))
        return lines

    def _lifetime_s(self) -> float:
        asked = parse_version(self._query.get("timeoutSeconds", ""))
        # Like real servers: between one and two times the shortest, so that clients do not return all at once.
        return float(asked) if asked else self._settings.watch_timeout_s * (1 + random.random())

    @contextmanager
    def _subscribed(self) -> Iterator[None]:
        self._store.subscribe(self._on_change)
        self._faults.subscribe(self._wake.set)
        try:
            yield
        finally:
            self._store.unsubscribe(self._on_change)
            self._faults.unsubscribe(self._wake.set)

    def _on_change(self, change: Change) -> None:
        # Versions from before the start come when the client is ahead of us, after a restore from a backup.
        if change.storage == self._storage and change.revision > (self._start_at or 0):
            self._changes.append(change)
            self._wake.set()


class Watches:
    """The open streams."""

    def __init__(self) -> None:
        self._open: set[Watch] = set()

    @contextmanager
    def holding(self, watch: Watch) -> Iterator[None]:
        self._open.add(watch)
        try:
            yield
        finally:
            self._open.discard(watch)

    def of(self, resource: str = "") -> list[Watch]:
        return [watch for watch in self._open if resource in ("", watch.info.resource)]


def _error_event(error: ApiError) -> bytes:
    return orjson.dumps({"type": "ERROR", "object": error.as_status()}) + b"\n"

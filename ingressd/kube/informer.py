"""Keeps the objects of one scope in the store as the API server has them: list, then watch, and again when that ends.

What a reader of the store may rely on stands at the top of ``kube/watch``.
"""

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Callable

from msgspec import Struct

from ingressd.kube.api import DecodeError, Event, decode_event
from ingressd.kube.backoff import Backoff
from ingressd.kube.client import ApiError, CredentialError, KubeClient, KubeError, UnreachableError
from ingressd.kube.listing import Gathered, list_all
from ingressd.kube.observer import NoObserver, WatchObserver
from ingressd.kube.scope import Scope, access_finding
from ingressd.kube.secrets import trim
from ingressd.kube.store import Store
from ingressd.model.cluster import Key
from ingressd.model.finding import Finding

log = logging.getLogger(__name__)


class Timing(Struct, frozen=True, kw_only=True):
    """Seconds. Tests shorten them; the defaults are what we promise."""

    watch_least_s: int = 300
    watch_most_s: int = 600
    silence_s: float = 15.0  # beyond timeoutSeconds, until a silent connection is given up
    initial_silence_s: float = 30.0  # the same, while a streaming list is sent
    short_watch_s: float = 1.0  # a watch that ends sooner and brought nothing is a failure
    slow_retry_s: float = 60.0  # an optional API that is not there, or not for us
    long_absence_s: float = 60.0  # the server was away so long that it may come back as another
    backoff_first_s: float = 0.8
    backoff_cap_s: float = 30.0
    backoff_reset_s: float = 120.0


DOUBTS_ALLOWED = 3
"""Streams broken in a row, without one event, until we list again: perhaps it is our version they choke on."""

Trouble = KubeError | CredentialError | DecodeError


class Informer:
    """One list and watch. ``is_settled`` is true from the first complete list on, or for an optional scope from the
    answer that there is none for us."""

    def __init__(
        self,
        client: KubeClient,
        store: Store,
        scope: Scope,
        *,
        observer: WatchObserver | None = None,
        timing: Timing | None = None,
        streaming: bool = True,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        """``streaming`` False never asks for a streaming list. ``on_change`` is called when it
        has settled, and after each change of the store."""
        self.scope = scope
        self.is_settled = False
        self._client = client
        self._store = store
        self._observer = observer or NoObserver()
        self._timing = timing or Timing()
        self._streaming = streaming
        self._on_change = on_change
        self._version = "0"
        self._must_list = True
        self._doubts = 0
        self._last_seen = time.monotonic()
        self._trouble: Finding | None = None
        self._findings: dict[Key, tuple[Finding, ...]] = {}
        self._backoff = Backoff(
            first_s=self._timing.backoff_first_s,
            cap_s=self._timing.backoff_cap_s,
            reset_s=self._timing.backoff_reset_s,
        )

    async def run(self) -> None:
        """For ever; cancelled to stop. Nothing that a server does ends it."""
        while True:
            try:
                await self._list_and_watch()
                delay_s = 0.0
            except (KubeError, CredentialError, DecodeError) as error:
                delay_s = self._after(error)
            except Exception:
                # A fault of ours. Better to stumble over it twice a minute than to serve stale endpoints in silence.
                log.exception("watching %s failed", self.scope)
                self._must_list = True
                delay_s = self._backoff.after_failure()
            await asyncio.sleep(delay_s)
            self._observer.restarted(self.scope.kind.name)

    def forget(self, keep: frozenset[Key]) -> None:
        """Take what this informer brought out of the store; for when its namespace is no longer wanted."""
        keep |= frozenset(self.scope.foreign(self._store))
        self._store.replace(self.scope.kind.name, (), namespace=self.scope.namespace or None, keep=keep)
        self._store.set_findings(self._source, ())

    # ── one round ──

    async def _list_and_watch(self) -> None:
        if self._must_list and self._streaming and await self._stream_list():
            return
        if self._must_list:
            self._apply(await list_all(self._client, self.scope, self._version))
        await self._watch({}, None)

    async def _stream_list(self) -> bool:
        """List and watch in one request. False when a LIST has to do, which costs the server more but never fails for
        reasons of the feature: it exists since 1.27, is on in 1.32 and from 1.34, and off in between."""
        params = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}
        try:
            await self._watch(params, Gathered())
        except (KubeError, DecodeError) as error:
            if not self._must_list or _would_meet_a_list_too(error):
                raise
            log.info("no streaming list of %s, listing instead: %s", self.scope, error)
            self._streaming = not _is_refusal(error)
        return not self._must_list

    async def _watch(self, params: dict[str, str], gathered: Gathered | None) -> None:
        """Read one watch to its clean end; with ``gathered``, its initial events are a list. Raises what breaks it."""
        timing = self._timing
        timeout_s = random.randint(timing.watch_least_s, timing.watch_most_s)  # noqa: S311
        params = self.scope.params | params | {"watch": "true", "allowWatchBookmarks": "true"}
        params |= {"timeoutSeconds": str(timeout_s)} | ({"resourceVersion": self._version} if self._version else {})
        started = time.monotonic()
        idle_s = timeout_s + timing.silence_s
        async with self._client.stream_lines(self.scope.path, params, idle_timeout_s=idle_s) as chunks:
            self._set_trouble(None)
            if gathered is not None:
                await self._read_initial(chunks, gathered)
            count = await self._read(chunks)
        if not count and gathered is None and time.monotonic() - started < timing.short_watch_s:
            raise UnreachableError("a watch ended at once, without an event")

    async def _read_initial(self, chunks: AsyncIterator[list[bytes]], gathered: Gathered) -> None:
        """Up to the bookmark that ends the initial events. A server that does not know of them sends none."""
        try:
            while True:
                async with asyncio.timeout(self._timing.initial_silence_s):
                    lines = await anext(chunks, None)
                if lines is None:
                    raise DecodeError("a streaming list ended before it was complete")
                if self._is_complete(lines, gathered):
                    return
        except TimeoutError:
            raise _NoStreamingListError("a streaming list stopped before it was complete") from None

    async def _read(self, chunks: AsyncIterator[list[bytes]]) -> int:
        count = 0
        async for lines in chunks:
            self._follow_all(lines)
            count += len(lines)
        return count

    def _is_complete(self, lines: list[bytes], gathered: Gathered) -> bool:
        """Take initial events. They do not move our version: the bookmark that ends them does, and what comes after it,
        perhaps in the same chunk."""
        for index, line in enumerate(lines, 1):
            event = decode_event(self.scope.kind, line)
            _raise_error(event)
            if event.initial_events_end:
                gathered.version = event.resource_version
                self._apply(gathered)
                self._follow_all(lines[index:])
                return True
            gathered.add_event(event)
        self._seen()
        return False

    def _follow_all(self, lines: list[bytes]) -> None:
        for line in lines:
            self._follow(decode_event(self.scope.kind, line))
            self._doubts = 0
        self._seen()

    # ── what events mean ──

    def _follow(self, event: Event) -> None:
        _raise_error(event)
        match event.type:
            case "ADDED" | "MODIFIED" | "DELETED":
                self._take(event)
            case "BOOKMARK":
                pass
            case unknown:
                log.warning("watch of %s: an event of type %.40r is skipped", self.scope, unknown)
                return
        self._version = event.resource_version or self._version

    def _take(self, event: Event) -> None:
        if event.key is None:  # an object without a name: nobody can refer to it
            return
        if event.type == "DELETED":
            self._store.remove(self.scope.kind.name, event.key)
        elif event.object is not None:
            self._store.put(trim(event.object))
        findings = (event.finding,) if event.finding is not None and event.type != "DELETED" else ()
        if findings != self._findings.get(event.key, ()):
            if findings:
                self._findings[event.key] = findings
            else:
                del self._findings[event.key]
            self._publish_findings()
        self._on_change()

    def _apply(self, gathered: Gathered) -> None:
        """A complete list takes the place of what was there, at once."""
        if not gathered.version:
            raise DecodeError("a list without a resourceVersion")
        scope = self.scope
        keep = gathered.unreadable | set(scope.foreign(self._store))
        self._store.replace(scope.kind.name, gathered.objects.values(), namespace=scope.namespace or None, keep=keep)
        self._findings = gathered.findings
        self._publish_findings()
        self._version = gathered.version
        self._must_list = False
        self.is_settled = True
        self._seen()
        self._on_change()

    def _seen(self) -> None:
        self._last_seen = time.monotonic()
        self._observer.event(self.scope.kind.name, time.time())

    # ── what failures mean ──

    def _after(self, error: Trouble) -> float:
        """Seconds to wait after a failure, and whether to list then."""
        if isinstance(error, ApiError):
            if error.is_expired or error.is_version_too_large:
                return self._start_over(error)
            if error.status in (403, 404):
                return self._not_for_us(error)
            if error.status == 429 or error.status >= 500:
                return self._warn(error, self._backoff.after_failure(error.retry_after_s))
        if isinstance(error, UnreachableError):
            # It may have been restored from a backup, where versions start again below ours and a watch from ours
            # shows nothing. A list at our version either answers or says that the version is too large.
            self._must_list |= time.monotonic() - self._last_seen >= self._timing.long_absence_s
        elif not isinstance(error, CredentialError):
            self._doubts += 1
            self._must_list |= self._doubts % DOUBTS_ALLOWED == 0
        return self._warn(error, self._backoff.after_failure())

    def _start_over(self, error: ApiError) -> float:
        """Our version is older than the server's history, or newer than the server: ask for the newest there is."""
        log.info("listing %s again: %s", self.scope, error)
        self._must_list = True
        self._version = ""
        return self._backoff.at_once()

    def _not_for_us(self, error: ApiError) -> float:
        """Not there, or not allowed. What we have stays; when it comes back, only a list can tell what we missed."""
        verb = "list" if self._must_list else "watch"
        self._must_list = True
        self._set_trouble(access_finding(self.scope, verb, error))
        if self.scope.is_required:
            return self._warn(error, self._backoff.after_failure())
        self.is_settled = True
        self._on_change()
        return self._warn(error, self._timing.slow_retry_s * random.uniform(1.0, 1.5))  # noqa: S311

    def _warn(self, error: Trouble, delay_s: float) -> float:
        log.warning("watch of %s interrupted, again in %.1f s: %s", self.scope, delay_s, error)
        return delay_s

    # ── findings ──

    @property
    def _source(self) -> str:
        return f"watch of {self.scope}"

    def _set_trouble(self, trouble: Finding | None) -> None:
        if trouble != self._trouble:
            self._trouble = trouble
            self._publish_findings()

    def _publish_findings(self) -> None:
        findings = [finding for one in self._findings.values() for finding in one]
        self._store.set_findings(self._source, [*findings, self._trouble] if self._trouble else findings)


def _raise_error(event: Event) -> None:
    if event.type == "ERROR":
        raise ApiError(event.status_code, "watch error", event.message)


class _NoStreamingListError(DecodeError):
    """The server takes the request for a streaming list, and does not send one."""


def _would_meet_a_list_too(error: Exception) -> bool:
    """The server is busy, does not know us, or does not like our version."""
    return isinstance(error, ApiError) and error.status in (401, 410, 429, 503, 504)


def _is_refusal(error: Exception) -> bool:
    """The server does not do streaming lists: no use in asking again."""
    return isinstance(error, _NoStreamingListError) or (isinstance(error, ApiError) and error.status in (400, 422))

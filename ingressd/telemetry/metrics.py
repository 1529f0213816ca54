"""What a worker counts. Everything here runs on the worker's loop and is built to cost less than a microsecond.

A worker never renders text. Once a second its owner takes a ``WorkerReport`` — the *differences* since the one before
for counters and histograms, the present values for gauges — and sends it to the control process, where
``telemetry/exposition`` adds it up. Differences make a dead worker's totals survive it, and make a report as long as
the routes that saw traffic, not as the routes that exist.

Promise: no label value here comes from a request. Hosts, namespaces, Ingresses and Services stand in objects; an
unusual method is ``OTHER``; reasons and states are words of this program.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from ingressd.telemetry.report import (
    DURATION_BUCKETS_S,
    LABELS_WITH_PATH,
    LAG_BUCKETS_S,
    METHODS,
    OVERFLOW,
    SIZE_BUCKETS_BYTES,
    STATUS_SPAN,
    SWAP_BUCKETS_S,
    HistogramDelta,
    PhaseDelta,
    RouteDelta,
    RouteLabels,
    WorkerReport,
    method_and_status,
)

MAX_ROUTES: Final = 100_000
"""Routes one worker counts apart (idle: about 0.4 KiB each); the ones after that share ``OVERFLOW``."""

MAX_PARTS: Final = 64
"""Pairs of method and status of one path that histograms tell apart; those after that have neither as a label."""
MAX_REASONS: Final = 64
ROUTES_PER_REPORT: Final = 1_000
"""So that taking a report with every route active pauses the loop about 1 ms, well under the goal of 5 ms."""

_METHOD_BASE: Final = {method.encode(): index * STATUS_SPAN for index, method in enumerate(METHODS)}
_OTHER_BASE: Final = _METHOD_BASE[b"OTHER"]
_FIRST_DURATION: Final = DURATION_BUCKETS_S[0]
_FIRST_SIZE: Final = SIZE_BUCKETS_BYTES[0]
_NO_COUNTS: Final[dict[int, int]] = {}
_NO_BUCKETS: Final[list[int]] = []


class RouteStats:
    """Counts of one route in one worker. Buckets exist only while there is something to report."""

    __slots__ = (
        "_changed",
        "_durations",
        "_durations_s",
        "_is_dirty",
        "_labels",
        "_parts",
        "_phases",
        "_request_bytes",
        "_request_sizes",
        "_requests",
        "_response_bytes",
        "_response_sizes",
        "_upstream",
        "_upstream_s",
    )

    def __init__(self, labels: RouteLabels, changed: "list[RouteStats]") -> None:
        self._labels = labels
        self._changed = changed
        self._parts: dict[int, RouteStats] | None = None
        self._clear()

    def _clear(self) -> None:
        self._is_dirty = False
        self._requests = _NO_COUNTS
        self._durations = self._upstream = self._request_sizes = self._response_sizes = _NO_BUCKETS
        self._durations_s = self._upstream_s = 0.0
        self._request_bytes = self._response_bytes = 0
        self._phases: PhaseDelta | None = None

    @property
    def labels(self) -> RouteLabels:
        return self._labels

    def observe(
        self,
        method: bytes,
        status: int,
        duration_s: float,
        upstream_s: float,
        request_bytes: int,
        response_bytes: int,
    ) -> None:
        """Count one exchange that ended. Seconds; ``upstream_s`` below 0: no upstream was asked. Bytes are of bodies.

        ``status`` is what was sent, 100 to 599. Most values fall into the first bucket, which a comparison finds in a
        fifth of the time of a bisection; `benchmarks/telemetry.py` earned this shape.
        """
        if not self._is_dirty:
            self._begin()
        try:
            self._requests[_METHOD_BASE[method] + status] += 1
        except KeyError:
            self._count_first(method, status)
        self._durations[bisect_left(DURATION_BUCKETS_S, duration_s) if duration_s > _FIRST_DURATION else 0] += 1
        self._durations_s += duration_s
        if upstream_s >= 0.0:
            self._upstream[bisect_left(DURATION_BUCKETS_S, upstream_s) if upstream_s > _FIRST_DURATION else 0] += 1
            self._upstream_s += upstream_s
        self._request_sizes[bisect_left(SIZE_BUCKETS_BYTES, request_bytes) if request_bytes > _FIRST_SIZE else 0] += 1
        self._request_bytes += request_bytes
        self._response_sizes[bisect_left(SIZE_BUCKETS_BYTES, response_bytes)] += 1
        self._response_bytes += response_bytes

    def observe_phases(self, connect_s: float, header_s: float) -> None:
        """Beside ``observe``, for ingress-nginx's names: seconds of the last attempt, below 0 if it failed."""
        if connect_s < 0.0:
            return
        if not self._is_dirty:
            self._begin()
        phases = self._phases
        if phases is None:
            empty = [0] * (len(DURATION_BUCKETS_S) + 1)
            phases = self._phases = PhaseDelta(empty, 0.0, empty.copy(), 0.0)
        phases.connects[bisect_left(DURATION_BUCKETS_S, connect_s) if connect_s > _FIRST_DURATION else 0] += 1
        phases.connects_s += connect_s
        if header_s >= 0.0:
            phases.headers[bisect_left(DURATION_BUCKETS_S, header_s) if header_s > _FIRST_DURATION else 0] += 1
            phases.headers_s += header_s

    def of_canary(self, name: str) -> "RouteStats":
        """A new one for what a canary of the route takes; whoever asks keeps it."""
        return RouteStats((*self._labels[:5], name), self._changed) if len(self._labels) > 4 else self

    def of_answer(self, method: bytes, status: int) -> "RouteStats":
        """Where paths are told apart, so are methods and statuses, in histograms too. Whoever asks does not keep it."""
        if len(self._labels) != LABELS_WITH_PATH:
            return self
        key = _METHOD_BASE.get(method, _OTHER_BASE) + status
        parts = self._parts
        if parts is None:
            parts = self._parts = {}
        part = parts.get(key)
        if part is None:
            if len(parts) >= MAX_PARTS:
                return self
            part = parts[key] = RouteStats((*self._labels, *method_and_status(key)), self._changed)
        return part

    def _begin(self) -> None:
        self._is_dirty = True
        self._changed.append(self)
        self._requests = {}
        self._durations = [0] * (len(DURATION_BUCKETS_S) + 1)
        self._upstream = [0] * (len(DURATION_BUCKETS_S) + 1)
        self._request_sizes = [0] * (len(SIZE_BUCKETS_BYTES) + 1)
        self._response_sizes = [0] * (len(SIZE_BUCKETS_BYTES) + 1)

    def _count_first(self, method: bytes, status: int) -> None:
        key = _METHOD_BASE.get(method, _OTHER_BASE) + status
        self._requests[key] = self._requests.get(key, 0) + 1

    def take(self) -> RouteDelta:
        """Hand over what was counted and start from nothing. The lists change hands; nothing is copied."""
        delta = RouteDelta(
            self._labels,
            self._requests,
            self._durations,
            self._durations_s,
            self._upstream,
            self._upstream_s,
            self._request_sizes,
            self._request_bytes,
            self._response_sizes,
            self._response_bytes,
            self._phases,
        )
        self._clear()
        return delta


class _Histogram:
    """For what happens seldom: swaps, loop lag."""

    __slots__ = ("_bounds", "_counts", "_total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._total = 0.0

    def observe(self, value: float) -> None:
        self._counts[bisect_left(self._bounds, value)] += 1
        self._total += value

    def take(self) -> HistogramDelta:
        delta = HistogramDelta(self._counts, self._total)
        self._counts = [0] * (len(self._bounds) + 1)
        self._total = 0.0
        return delta


class WorkerStats:
    """Everything one worker counts. Belongs to one loop; no locks.

    ``connections`` and ``upstream_connections`` are gauges by state, counted up and down by whoever owns the
    connection: ``stats.connections["active"] += 1``. ``log_dropped`` is ``AccessLog.dropped`` as it stands.

    ``has_details``: routes are told apart by path and canary too, and ``observe_phases`` is asked for.
    """

    __slots__ = (
        "_changed",
        "_lags",
        "_log_dropped_reported",
        "_max_routes",
        "_overflow",
        "_rejected",
        "_retried",
        "_routes",
        "_swaps",
        "connections",
        "has_details",
        "log_dropped",
        "upstream_connections",
    )

    def __init__(self, *, max_routes: int = MAX_ROUTES, has_details: bool = False) -> None:
        self.has_details = has_details
        self._changed: list[RouteStats] = []
        self._routes: dict[RouteLabels, RouteStats] = {}
        self._max_routes = max_routes
        self._overflow = RouteStats(OVERFLOW, self._changed)
        self._rejected: dict[str, int] = {}
        self._retried: dict[str, int] = {}
        self._swaps = _Histogram(SWAP_BUCKETS_S)
        self._lags = _Histogram(LAG_BUCKETS_S)
        self._log_dropped_reported = 0
        self.log_dropped = 0
        self.connections: defaultdict[str, int] = defaultdict(int, handshake=0, idle=0, active=0)
        self.upstream_connections: defaultdict[str, int] = defaultdict(int, connecting=0, idle=0, active=0)

    def route(self, host: str, namespace: str, ingress: str, service: str, path: str = "") -> RouteStats:
        """The counts for these labels; the same object each time. Ask when a route is bound, not per request.

        ``path`` counts only if ``has_details``.
        """
        labels = self.labels(host, namespace, ingress, service, path)
        stats = self._routes.get(labels)
        if stats is None:
            if len(self._routes) >= self._max_routes:
                return self._overflow
            stats = self._routes[labels] = RouteStats(labels, self._changed)
        return stats

    def forget(self, host: str, namespace: str, ingress: str, service: str, path: str = "") -> None:
        """The route is gone. What it counted, and what exchanges still open on it will, is reported all the same."""
        self._routes.pop(self.labels(host, namespace, ingress, service, path), None)

    def labels(self, host: str, namespace: str, ingress: str, service: str, path: str = "") -> RouteLabels:
        """What tells the counts of such a route from others'."""
        labels = (host, namespace, ingress, service)
        return (*labels, path, "") if self.has_details and path else labels

    def rejected(self, reason: str) -> None:
        """A request was answered by us instead of an upstream, for ``reason`` (snake_case)."""
        _count(self._rejected, reason)

    def retried(self, reason: str) -> None:
        """A request is sent to an upstream once more, because of ``reason`` (snake_case)."""
        _count(self._retried, reason)

    def swap(self, seconds: float) -> None:
        """The loop was busy this long taking up a new snapshot."""
        self._swaps.observe(seconds)

    def loop_lag(self, seconds: float) -> None:
        """A timer of the loop fired this much too late."""
        self._lags.observe(seconds)

    def report(self, *, max_routes: int = ROUTES_PER_REPORT) -> WorkerReport:
        """Differences since the last report. At most ``max_routes`` routes, those waiting longest first."""
        changed = self._changed
        routes = [stats.take() for stats in changed[:max_routes]]
        del changed[:max_routes]
        rejected, self._rejected = self._rejected, {}
        retried, self._retried = self._retried, {}
        log_dropped = self.log_dropped - self._log_dropped_reported
        self._log_dropped_reported = self.log_dropped
        return WorkerReport(
            routes=routes,
            rejected=rejected,
            retried=retried,
            connections=dict(self.connections),
            upstream_connections=dict(self.upstream_connections),
            swaps=self._swaps.take(),
            loop_lag=self._lags.take(),
            log_dropped=log_dropped,
            is_partial=bool(changed),
        )


def _count(counts: dict[str, int], reason: str) -> None:
    if reason not in counts and len(counts) >= MAX_REASONS:
        reason = "other"  # our own words, so never many; a mistake must not grow without end
    counts[reason] = counts.get(reason, 0) + 1

"""Sums over workers and their restarts: what the reports of ``telemetry/metrics`` add up to. Control process.

Reports arrive on the loop while a scrape renders in a thread. There is no lock, because what the thread reads is never
half changed: a ``Histogram`` is a value that is replaced, and maps are copied (one step of the interpreter) before they
are walked.
"""

from collections.abc import Callable, Container, Iterable
from operator import add
from typing import Final, NamedTuple

from ingressd.telemetry.report import (
    DURATION_BUCKETS_S,
    OVERFLOW,
    SIZE_BUCKETS_BYTES,
    UNKNOWN_HOST,
    HistogramDelta,
    RouteDelta,
    RouteLabels,
)

KEEP_DELETED_S: Final = 300.0
"""A deleted route is shown this long, so that the last scrapes before and after see its final values."""

MAX_SERIES: Final = 200_000
"""Routes counted apart, deleted ones included; what comes on top counts as ``OVERFLOW``."""

ServiceLabels = tuple[str, str, str]
"""namespace, ingress, service"""


class Histogram(NamedTuple):
    """Counts per bucket, not cumulative, the last one +Inf; and the sum of all values."""

    counts: tuple[int, ...]
    total: float

    def plus(self, counts: list[int], total: float) -> "Histogram":
        if len(counts) != len(self.counts):  # never cut silently: a report of another version would shift the buckets
            raise ValueError(f"a report of {len(counts)} buckets for a histogram of {len(self.counts)}")
        return Histogram(tuple(map(add, self.counts, counts)), self.total + total)

    @property
    def is_empty(self) -> bool:
        return not any(self.counts)


def empty_histogram(bounds: Iterable[float]) -> Histogram:
    return Histogram((0,) * (len(tuple(bounds)) + 1), 0)


_NO_DURATIONS: Final = empty_histogram(DURATION_BUCKETS_S)
_NO_SIZES: Final = empty_histogram(SIZE_BUCKETS_BYTES)


class ServiceTotals:
    """What all hosts of one Ingress sent to one Service; or what came to one path."""

    __slots__ = ("connects", "durations", "headers", "request_sizes", "response_sizes", "upstream")

    def __init__(self) -> None:
        self.durations = self.upstream = self.connects = self.headers = _NO_DURATIONS
        self.request_sizes = self.response_sizes = _NO_SIZES

    def add(self, delta: RouteDelta) -> None:
        self.durations = self.durations.plus(delta.durations, delta.durations_s)
        self.upstream = self.upstream.plus(delta.upstream, delta.upstream_s)
        self.request_sizes = self.request_sizes.plus(delta.request_sizes, delta.request_bytes)
        self.response_sizes = self.response_sizes.plus(delta.response_sizes, delta.response_bytes)
        phases = delta.phases
        if phases is not None:
            self.connects = self.connects.plus(phases.connects, phases.connects_s)
            self.headers = self.headers.plus(phases.headers, phases.headers_s)


class RouteTotals:
    """Requests of every route, histograms of every (Ingress, Service), and when to forget deleted ones.

    ``has_paths``: histograms are kept by the labels of ``requests`` too, in ``paths``.

    ``now`` is a clock in seconds that never goes back.
    """

    def __init__(self, now: Callable[[], float], *, max_series: int = MAX_SERIES, has_paths: bool = False) -> None:
        self._has_paths = has_paths
        self._now = now
        self._max_series = max_series
        self._live: Container[RouteLabels] | None = None
        self._gone_since: dict[RouteLabels, float] = {}
        self.requests: dict[RouteLabels, dict[int, int]] = {}
        self.services: dict[ServiceLabels, ServiceTotals] = {}
        self.paths: dict[RouteLabels, ServiceTotals] = {}

    def add(self, delta: RouteDelta) -> None:
        labels = delta.labels
        requests = self.requests.get(labels)
        if requests is None:
            if len(self.requests) >= self._max_series:
                labels = OVERFLOW
            requests = self.requests.setdefault(labels, {})
            self._note_if_gone(labels)
        for key, count in delta.requests.items():
            requests[key] = requests.get(key, 0) + count
        if self._has_paths:
            self.paths.setdefault(labels, ServiceTotals()).add(delta)
        service = _service(labels)
        if service not in self.services:
            self.services[service] = ServiceTotals()
        self.services[service].add(delta)

    def keep(self, live: Container[RouteLabels]) -> None:
        """Only these routes exist now. The series of others go ``KEEP_DELETED_S`` after they left."""
        self._live = live
        for labels in self.requests:
            self._note_if_gone(labels)
        self.forget_deleted()

    def _note_if_gone(self, labels: RouteLabels) -> None:
        # Host "_" stands for requests that met no object, so no object's end is its end.
        if self._live is None or labels[0] == UNKNOWN_HOST or labels in self._live:
            self._gone_since.pop(labels, None)
        else:
            self._gone_since.setdefault(labels, self._now())

    def forget_deleted(self) -> None:
        """Drop what left long enough ago. Called on the loop, like every change."""
        before = self._now() - KEEP_DELETED_S
        over = [labels for labels, since in self._gone_since.items() if since <= before]
        if not over:
            return
        for labels in over:
            del self._gone_since[labels]
            del self.requests[labels]
            self.paths.pop(labels, None)
        used = {_service(labels) for labels in self.requests}
        for service in [service for service in self.services if service not in used]:
            del self.services[service]


def _service(labels: RouteLabels) -> ServiceLabels:
    _, namespace, ingress, service, *_ = labels
    return namespace, ingress, service


class WorkerTotals:
    """Everything in the reports but routes: counters summed, gauges by worker."""

    def __init__(self, swap_bounds: Iterable[float], lag_bounds: Iterable[float]) -> None:
        self.swaps = empty_histogram(swap_bounds)
        self.lags = empty_histogram(lag_bounds)
        self.rejected: dict[str, int] = {}
        self.retried: dict[str, int] = {}
        self.log_dropped = 0
        self.connections: dict[int, dict[str, int]] = {}
        self.upstream_connections: dict[int, dict[str, int]] = {}

    def add_swaps(self, delta: HistogramDelta) -> None:
        self.swaps = self.swaps.plus(delta.counts, delta.total)

    def add_lags(self, delta: HistogramDelta) -> None:
        self.lags = self.lags.plus(delta.counts, delta.total)


def add_counts(totals: dict[str, int], delta: dict[str, int]) -> None:
    for name, count in delta.items():
        totals[name] = totals.get(name, 0) + count


def sum_gauges(by_worker: dict[int, dict[str, int]]) -> dict[str, int]:
    """The sum over workers for each state."""
    totals: dict[str, int] = {}
    for gauges in by_worker.copy().values():
        add_counts(totals, gauges)
    return totals

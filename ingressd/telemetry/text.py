"""The metrics of routes in Prometheus' text format 0.0.4, written directly.

There may be thousands of routes with fifty lines each, and prometheus_client needs 15 µs for a line: seconds for a
scrape. Written directly a line costs 0.5 µs. Everything whose number does not grow with routes goes through
prometheus_client, and a test holds its parser against both.
"""

from collections.abc import Callable, Mapping
from itertools import accumulate
from typing import Final, NamedTuple

from ingressd.telemetry.report import (
    DURATION_BUCKETS_S,
    LABELS_OF_ROUTE,
    LABELS_WITH_PATH,
    SIZE_BUCKETS_BYTES,
    RouteLabels,
    method_and_status,
)
from ingressd.telemetry.totals import Histogram, RouteTotals, ServiceTotals

_ESCAPES: Final = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


class Family(NamedTuple):
    """A histogram with the labels of a Service. ``endings``: what follows them on each bucket's line."""

    name: str
    help: str
    endings: tuple[str, ...]
    pick: Callable[[ServiceTotals], Histogram]


class RouteNames(NamedTuple):
    """How the metrics of routes are called. ``constant``: labels of every line, with a comma at the end, or "".

    ``has_paths``: host, path, canary, method and status are labels of all of them; else paths are summed up, and
    histograms have none of these.
    """

    requests: str
    requests_help: str
    families: tuple[Family, ...]
    constant: str = ""
    has_paths: bool = False


def _endings(bounds: tuple[float, ...]) -> tuple[str, ...]:
    return (*(f'le="{float(bound)}"}} ' for bound in bounds), 'le="+Inf"} ')


DURATIONS: Final = _endings(DURATION_BUCKETS_S)
SIZES: Final = _endings(SIZE_BUCKETS_BYTES)
_LINES_AT_ONCE: Final = 10_000
_FAMILIES: Final = (
    Family(
        "ingressd_request_duration_seconds",
        "From the first byte of a request's head to the last byte of its answer.",
        DURATIONS,
        lambda totals: totals.durations,
    ),
    Family(
        "ingressd_upstream_duration_seconds",
        "The part of it spent with upstreams, all attempts together.",
        DURATIONS,
        lambda totals: totals.upstream,
    ),
    Family(
        "ingressd_request_size_bytes",
        "Bytes of request bodies.",
        SIZES,
        lambda totals: totals.request_sizes,
    ),
    Family(
        "ingressd_response_size_bytes",
        "Bytes of response bodies.",
        SIZES,
        lambda totals: totals.response_sizes,
    ),
)


OWN_NAMES: Final = RouteNames("ingressd_requests_total", "Requests answered, by route, method and status.", _FAMILIES)


def render_routes(totals: RouteTotals, names: RouteNames = OWN_NAMES) -> bytes:
    """Safe in a thread while the loop adds reports: maps are copied, histograms are values."""
    text = _Text()
    text.add([f"# HELP {names.requests} {names.requests_help}", f"# TYPE {names.requests} counter"])
    count = LABELS_WITH_PATH if names.has_paths else LABELS_OF_ROUTE
    for labels, counts in _summed(totals.requests.copy(), count).items():
        text.add(_request_lines(names, labels, counts.copy()))
    kept = totals.paths.copy() if names.has_paths else totals.services.copy()
    services = [(names.constant + _labels(each), service) for each, service in kept.items()]
    for family in names.families:
        text.add([f"# HELP {family.name} {family.help}", f"# TYPE {family.name} histogram"])
        for labels_text, service in services:
            histogram = family.pick(service)
            if not histogram.is_empty:
                text.add(_histogram_lines(family, labels_text, histogram))
    return text.finish()


class _Text:
    """Lines, encoded from time to time: half a million as Python strings would be three times the answer."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._encoded: list[bytes] = []

    def add(self, lines: list[str]) -> None:
        self._lines += lines
        if len(self._lines) > _LINES_AT_ONCE:
            self._encode()

    def _encode(self) -> None:
        self._lines.append("")
        self._encoded.append("\n".join(self._lines).encode())
        self._lines.clear()

    def finish(self) -> bytes:
        self._encode()
        return b"".join(self._encoded)


def _request_lines(names: RouteNames, route: RouteLabels, counts: Mapping[int, int]) -> list[str]:
    start = f"{names.requests}{{{names.constant}{_labels(route)}"
    lines = []
    for key, count in counts.items():
        method, status = method_and_status(key)
        lines.append(f'{start},method="{method}",status="{status}"}} {count}')
    return lines


def _histogram_lines(family: Family, labels: str, histogram: Histogram) -> list[str]:
    start = f"{family.name}_bucket{{{labels},"
    running = list(accumulate(histogram.counts))
    lines = [f"{start}{ending}{count}" for ending, count in zip(family.endings, running, strict=True)]
    lines.append(f"{family.name}_sum{{{labels}}} {histogram.total}")
    lines.append(f"{family.name}_count{{{labels}}} {running[-1]}")
    return lines


_NAMES: Final = ("host", "namespace", "ingress", "service", "path", "canary", "method", "status")


def _labels(values: RouteLabels) -> str:
    """Three values are a Service's, which have no host."""
    names = _NAMES[1:] if len(values) == 3 else _NAMES
    return ",".join([f'{name}="{escaped(value)}"' for name, value in zip(names, values, strict=False)])


def _summed(requests: dict[RouteLabels, dict[int, int]], count: int) -> dict[RouteLabels, dict[int, int]]:
    """Counts by the first ``count`` labels alone."""
    if not any(len(labels) > count for labels in requests):
        return requests
    found: dict[RouteLabels, dict[int, int]] = {}
    for labels, counts in requests.items():
        summed = found.setdefault(labels[:count], {})
        for key, number in counts.copy().items():
            summed[key] = summed.get(key, 0) + number
    return found


def escaped(value: str) -> str:
    """A label's value as it stands between quotation marks."""
    return value.translate(_ESCAPES) if '"' in value or "\\" in value or "\n" in value else value

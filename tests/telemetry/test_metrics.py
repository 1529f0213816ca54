"""What a worker counts and what it reports of it."""

from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingressd.telemetry.metrics import MAX_REASONS, RouteStats, WorkerStats
from ingressd.telemetry.report import (
    DURATION_BUCKETS_S,
    METHODS,
    OVERFLOW,
    SIZE_BUCKETS_BYTES,
    RouteDelta,
    WorkerReport,
    method_and_status,
)

LABELS = ("shop.example.com", "shop", "web", "offers")


def observe(
    route: RouteStats,
    *,
    method: bytes = b"GET",
    status: int = 200,
    duration_s: float = 0.02,
    upstream_s: float = 0.01,
    request_bytes: int = 0,
    response_bytes: int = 1234,
) -> None:
    route.observe(method, status, duration_s, upstream_s, request_bytes, response_bytes)


def only_route(report: WorkerReport) -> RouteDelta:
    (delta,) = report.routes
    return delta


def requests(delta: RouteDelta) -> dict[tuple[str, str], int]:
    return {method_and_status(key): count for key, count in delta.requests.items()}


def test_counts_by_method_and_status() -> None:
    stats = WorkerStats()
    route = stats.route(*LABELS)
    for method, status in ((b"GET", 200), (b"GET", 200), (b"GET", 404), (b"POST", 200), (b"PROPFIND", 207), (b"", 400)):
        observe(route, method=method, status=status)

    delta = only_route(stats.report())

    assert delta.labels == LABELS
    assert requests(delta) == {
        ("GET", "200"): 2,
        ("GET", "404"): 1,
        ("POST", "200"): 1,
        ("OTHER", "207"): 1,
        ("OTHER", "400"): 1,
    }


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("status", [100, 200, 599])
def test_every_method_and_status_reads_back(method: str, status: int) -> None:
    stats = WorkerStats()
    observe(stats.route(*LABELS), method=method.encode(), status=status)
    assert requests(only_route(stats.report())) == {(method, str(status)): 1}


@pytest.mark.parametrize("method", [b"get", b"OTHER ", b"GET\n", b"\xff", b"M-SEARCH"])
def test_an_unusual_method_is_other(method: bytes) -> None:
    stats = WorkerStats()
    observe(stats.route(*LABELS), method=method)
    assert requests(only_route(stats.report())) == {("OTHER", "200"): 1}


def bucket_by_definition(bounds: Sequence[float], value: float) -> int:
    """The first bucket whose upper bound is not below the value (Prometheus: le = less or equal)."""
    return next((index for index, bound in enumerate(bounds) if value <= bound), len(bounds))


@given(
    duration_s=st.one_of(st.sampled_from(DURATION_BUCKETS_S), st.floats(0, 100)),
    upstream_s=st.one_of(st.sampled_from(DURATION_BUCKETS_S), st.floats(0, 100)),
    request_bytes=st.one_of(st.sampled_from(SIZE_BUCKETS_BYTES), st.integers(0, 10**9)),
    response_bytes=st.one_of(st.sampled_from(SIZE_BUCKETS_BYTES), st.integers(0, 10**9)),
)
def test_values_fall_into_their_buckets(
    duration_s: float, upstream_s: float, request_bytes: int, response_bytes: int
) -> None:
    stats = WorkerStats()
    stats.route(*LABELS).observe(b"GET", 200, duration_s, upstream_s, request_bytes, response_bytes)

    delta = only_route(stats.report())

    assert delta.durations.index(1) == bucket_by_definition(DURATION_BUCKETS_S, duration_s)
    assert delta.upstream.index(1) == bucket_by_definition(DURATION_BUCKETS_S, upstream_s)
    assert delta.request_sizes.index(1) == bucket_by_definition(SIZE_BUCKETS_BYTES, request_bytes)
    assert delta.response_sizes.index(1) == bucket_by_definition(SIZE_BUCKETS_BYTES, response_bytes)
    assert (delta.durations_s, delta.upstream_s) == (duration_s, upstream_s)
    assert (delta.request_bytes, delta.response_bytes) == (request_bytes, response_bytes)


def test_no_upstream_is_no_upstream_duration() -> None:
    stats = WorkerStats()
    observe(stats.route(*LABELS), upstream_s=-1.0)
    delta = only_route(stats.report())
    assert sum(delta.upstream) == 0
    assert delta.upstream_s == 0.0
    assert sum(delta.durations) == 1


def test_a_report_holds_only_what_came_since_the_last() -> None:
    stats = WorkerStats()
    busy = stats.route(*LABELS)
    stats.route("quiet.example.com", "shop", "web", "offers")
    observe(busy)
    observe(busy)

    first, second = stats.report(), stats.report()
    observe(busy, status=500)
    third = stats.report()

    assert requests(only_route(first)) == {("GET", "200"): 2}
    assert second.routes == []
    assert requests(only_route(third)) == {("GET", "500"): 1}
    assert sum(only_route(third).durations) == 1


def test_a_report_taken_does_not_change_afterwards() -> None:
    stats = WorkerStats()
    route = stats.route(*LABELS)
    observe(route)
    report = stats.report()
    before = msgspec.msgpack.encode(report)
    observe(route)
    stats.swap(0.1)
    stats.rejected("body_too_large")
    stats.connections["active"] += 1
    assert msgspec.msgpack.encode(report) == before


def test_routes_waiting_longest_are_reported_first() -> None:
    stats = WorkerStats()
    routes = [stats.route(f"{index}.example.com", "shop", "web", "offers") for index in range(5)]
    for route in routes:
        observe(route)

    first = stats.report(max_routes=2)
    observe(routes[0])  # again, while others wait: to the end of the line
    second = stats.report(max_routes=2)
    third = stats.report(max_routes=2)

    assert [[delta.labels[0][0] for delta in report.routes] for report in (first, second, third)] == [
        ["0", "1"],
        ["2", "3"],
        ["4", "0"],
    ]
    assert [report.is_partial for report in (first, second, third)] == [True, True, False]


def test_one_set_of_labels_is_one_route() -> None:
    stats = WorkerStats()
    assert stats.route(*LABELS) is stats.route(*LABELS)
    assert stats.route(*LABELS) is not stats.route("other.example.com", *LABELS[1:])


def test_a_forgotten_route_still_reports_what_it_saw() -> None:
    stats = WorkerStats()
    route = stats.route(*LABELS)
    observe(route)
    stats.forget(*LABELS)
    stats.forget(*LABELS)  # twice is no error
    assert requests(only_route(stats.report())) == {("GET", "200"): 1}

    observe(route, status=504)  # an exchange that was open when the route went
    assert requests(only_route(stats.report())) == {("GET", "504"): 1}
    assert stats.route(*LABELS) is not route


def test_routes_are_bounded() -> None:
    stats = WorkerStats(max_routes=2)
    stats.route("a", "n", "i", "s")
    stats.route("b", "n", "i", "s")
    overflow = stats.route("c", "n", "i", "s")
    assert overflow.labels == OVERFLOW
    assert stats.route("d", "n", "i", "s") is overflow
    stats.forget("a", "n", "i", "s")
    assert stats.route("d", "n", "i", "s") is not overflow


def test_counters_of_reasons_are_differences() -> None:
    stats = WorkerStats()
    stats.rejected("no_endpoints")
    stats.rejected("no_endpoints")
    stats.retried("connection_refused")
    first = stats.report()
    stats.rejected("no_route")
    second = stats.report()
    assert (first.rejected, first.retried) == ({"no_endpoints": 2}, {"connection_refused": 1})
    assert (second.rejected, second.retried) == ({"no_route": 1}, {})


def test_reasons_are_bounded() -> None:
    stats = WorkerStats()
    for number in range(1000):
        stats.rejected(f"reason_{number}")
    rejected = stats.report().rejected
    assert len(rejected) <= MAX_REASONS + 1
    assert sum(rejected.values()) == 1000
    assert rejected["other"] == 1000 - MAX_REASONS


def test_gauges_are_what_they_are_now() -> None:
    stats = WorkerStats()
    stats.connections["active"] += 3
    stats.connections["tunnel"] += 1
    stats.upstream_connections["idle"] += 2
    first = stats.report()
    stats.connections["active"] -= 3
    second = stats.report()
    assert first.connections == {"handshake": 0, "idle": 0, "active": 3, "tunnel": 1}
    assert first.upstream_connections == {"connecting": 0, "idle": 2, "active": 0}
    assert second.connections["active"] == 0


def test_swaps_lag_and_dropped_lines_are_differences() -> None:
    stats = WorkerStats()
    stats.swap(0.0004)
    stats.swap(9.0)
    stats.loop_lag(0.003)
    stats.log_dropped = 7
    first = stats.report()
    stats.log_dropped = 9
    second = stats.report()
    assert sum(first.swaps.counts) == 2
    assert first.swaps.counts[-1] == 1
    assert first.swaps.total == pytest.approx(9.0004)
    assert sum(first.loop_lag.counts) == 1
    assert (first.log_dropped, second.log_dropped) == (7, 2)
    assert sum(second.swaps.counts) == sum(second.loop_lag.counts) == 0


def test_a_report_travels() -> None:
    stats = WorkerStats()
    observe(stats.route(*LABELS))
    stats.rejected("no_route")
    stats.swap(0.1)
    report = stats.report()
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(report), type=WorkerReport) == report

"""Reports and figures in, Prometheus text out."""

import re
from pathlib import Path
from threading import Event, Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingressd.telemetry.exposition import CertificateExpiry, Exposition
from ingressd.telemetry.metrics import WorkerStats
from ingressd.telemetry.report import DURATION_BUCKETS_S, OVERFLOW, SIZE_BUCKETS_BYTES, RouteLabels
from ingressd.telemetry.totals import KEEP_DELETED_S
from tests.telemetry.scrape import families, label_sets, samples, value

OFFERS: RouteLabels = ("shop.example.com", "shop", "web", "offers")
MENU: RouteLabels = ("shop.example.com", "shop", "web", "menu")
SERVICE = {"namespace": "shop", "ingress": "web", "service": "offers"}

# The names and labels that are a contract with users: metric → labels of its samples.
CONTRACT = {
    "ingressd_requests_total": {"host", "namespace", "ingress", "service", "method", "status"},
    "ingressd_request_duration_seconds_count": {"namespace", "ingress", "service"},
    "ingressd_upstream_duration_seconds_count": {"namespace", "ingress", "service"},
    "ingressd_request_size_bytes_count": {"namespace", "ingress", "service"},
    "ingressd_response_size_bytes_count": {"namespace", "ingress", "service"},
    "ingressd_connections": {"state"},
    "ingressd_upstream_connections": {"state"},
    "ingressd_retries_total": {"reason"},
    "ingressd_rejected_requests_total": {"reason"},
    "ingressd_config_generation": set(),
    "ingressd_config_last_reload_successful": set(),
    "ingressd_config_last_reload_success_timestamp_seconds": set(),
    "ingressd_config_apply_seconds_count": set(),
    "ingressd_worker_swap_seconds_count": set(),
    "ingressd_ssl_expire_time_seconds": {"host", "namespace", "secret"},
    "ingressd_findings": {"level"},
    "ingressd_kube_watch_restarts_total": {"kind"},
    "ingressd_kube_last_event_timestamp_seconds": {"kind"},
    "ingressd_leader": set(),
    "ingressd_build_info": {"version"},
    "process_cpu_seconds_total": {"process"},
    "process_resident_memory_bytes": {"process"},
    "process_virtual_memory_bytes": {"process"},
    "process_start_time_seconds": {"process"},
    "process_open_fds": {"process"},
    "process_max_fds": {"process"},
}
# Ours beyond the contract.
EXTRA = {"ingressd_worker_loop_lag_seconds_count", "ingressd_access_log_dropped_lines_total"}


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def exposition(clock: Clock) -> Exposition:
    return Exposition(version="1.2.3", now=clock)


class Worker:
    """A worker's stats and the road its reports take."""

    def __init__(self, exposition: Exposition, number: int = 0) -> None:
        self.stats = WorkerStats()
        self._exposition = exposition
        self._number = number

    def serve(self, labels: RouteLabels, *, times: int = 1, duration_s: float = 0.02, method: bytes = b"GET") -> None:
        for _ in range(times):
            self.stats.route(*labels).observe(method, 200, duration_s, duration_s / 2, 5, 2000)

    def report(self) -> None:
        self._exposition.merge(self._number, self.stats.report())


def requests_total(exposition: Exposition, labels: RouteLabels, method: str = "GET") -> float:
    host, namespace, ingress, service = labels
    names = {"host": host, "namespace": namespace, "ingress": ingress, "service": service}
    return value(exposition.render(), "ingressd_requests_total", {**names, "method": method, "status": "200"})


def fill(exposition: Exposition) -> None:
    """At least one sample of everything."""
    worker = Worker(exposition)
    worker.serve(OFFERS)
    worker.stats.rejected("no_route")
    worker.stats.retried("connection_refused")
    worker.report()
    exposition.set_certificates([CertificateExpiry("shop.example.com", "shop", "shop-tls", 2e9)])
    exposition.set_processes({"control": 1})
    exposition.watches.restarted("Ingress")
    exposition.watches.event("Ingress", 1.7e9)


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    folder = tmp_path / "1"
    (folder / "fd").mkdir(parents=True)
    (tmp_path / "stat").write_text("cpu 1 2\nbtime 1700000000\n")
    (folder / "stat").write_text("1 (a (b) c) S " + " ".join(["0"] * 10) + " 250 50 0 0 0 0 1 0 500 8192 3\n")
    (folder / "limits").write_text("Limit  Soft Limit  Hard Limit  Units\nMax open files  1024  4096  files\n")
    return tmp_path


def test_exactly_the_names_and_labels_of_the_contract(proc: Path) -> None:
    exposition = Exposition(version="1.2.3", proc=proc)
    fill(exposition)
    found = {
        name: {label for label, _ in labels}
        for name, labels in samples(exposition.render())
        if not name.endswith(("_bucket", "_sum"))
    }
    assert {name: labels for name, labels in found.items() if name not in EXTRA} == CONTRACT
    assert set(found) >= EXTRA


def test_every_metric_is_documented_and_nothing_else(proc: Path) -> None:
    exposition = Exposition(version="1.2.3", proc=proc)
    fill(exposition)
    shown = {
        family.name + ("_total" if family.type == "counter" else "")
        for family in families(exposition.render()).values()
    }
    page = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text()
    documented = set(re.findall(r"^\| `((?:ingressd|process)_\w+)", page, flags=re.MULTILINE))
    assert documented == shown


def test_a_family_has_its_type_and_help(exposition: Exposition) -> None:
    fill(exposition)
    found = families(exposition.render())
    assert found["ingressd_requests"].type == "counter"
    assert found["ingressd_request_duration_seconds"].type == "histogram"
    assert found["ingressd_response_size_bytes"].type == "histogram"
    assert found["ingressd_connections"].type == "gauge"
    assert all(family.documentation for family in found.values())


def test_before_anything_happened_it_renders(exposition: Exposition) -> None:
    text = exposition.render()
    assert value(text, "ingressd_config_last_reload_successful") == 0
    assert value(text, "ingressd_config_generation") == 0
    assert value(text, "ingressd_leader") == 0
    assert value(text, "ingressd_build_info", {"version": "1.2.3"}) == 1
    assert label_sets(text, "ingressd_requests_total") == []
    assert {labels["level"] for labels in label_sets(text, "ingressd_findings")} == {"error", "warning", "info"}


def test_histograms_are_cumulative_and_agree_with_their_count(exposition: Exposition) -> None:
    worker = Worker(exposition)
    for duration_s in (0.001, 0.005, 0.02, 0.6, 60.0):
        worker.serve(OFFERS, duration_s=duration_s)
    worker.report()
    text = exposition.render()
    buckets = {
        float(labels["le"]): value(text, "ingressd_request_duration_seconds_bucket", labels)
        for labels in label_sets(text, "ingressd_request_duration_seconds_bucket")
    }
    assert sorted(buckets) == [*DURATION_BUCKETS_S, float("inf")]
    assert (buckets[0.005], buckets[0.01], buckets[0.025], buckets[0.5], buckets[0.75], buckets[10.0]) == (
        2,
        2,
        3,
        3,
        4,
        4,
    )
    assert buckets[float("inf")] == value(text, "ingressd_request_duration_seconds_count", SERVICE) == 5
    assert value(text, "ingressd_request_duration_seconds_sum", SERVICE) == pytest.approx(60.626)
    sizes = [float(labels["le"]) for labels in label_sets(text, "ingressd_request_size_bytes_bucket")]
    assert sorted(sizes) == [*SIZE_BUCKETS_BYTES, float("inf")]


def test_hosts_of_one_ingress_share_histograms_and_not_requests(exposition: Exposition) -> None:
    worker = Worker(exposition)
    other: RouteLabels = ("www.example.com", *OFFERS[1:])
    worker.serve(OFFERS)
    worker.serve(other)
    worker.report()
    text = exposition.render()
    assert value(text, "ingressd_request_duration_seconds_count", SERVICE) == 2
    assert requests_total(exposition, OFFERS) == requests_total(exposition, other) == 1


def test_counters_sum_over_workers_and_outlive_them(exposition: Exposition) -> None:
    first, second = Worker(exposition, 0), Worker(exposition, 1)
    first.serve(OFFERS, times=3)
    second.serve(OFFERS, times=4)
    first.stats.rejected("no_route")
    first.stats.log_dropped = 5
    first.report()
    second.report()
    assert requests_total(exposition, OFFERS) == 7

    exposition.worker_gone(0)
    assert requests_total(exposition, OFFERS) == 7

    replacement = Worker(exposition, 0)
    replacement.serve(OFFERS)
    replacement.stats.rejected("no_route")
    replacement.stats.log_dropped = 1
    replacement.report()
    text = exposition.render()
    assert requests_total(exposition, OFFERS) == 8
    assert value(text, "ingressd_rejected_requests_total", {"reason": "no_route"}) == 2
    assert value(text, "ingressd_access_log_dropped_lines_total") == 6
    assert value(text, "ingressd_request_duration_seconds_count", SERVICE) == 8


def test_gauges_of_a_dead_worker_go_with_it(exposition: Exposition) -> None:
    first, second = Worker(exposition, 0), Worker(exposition, 1)
    first.stats.connections["active"] = 10
    second.stats.connections["active"] = 5
    first.stats.upstream_connections["idle"] = 2
    first.report()
    second.report()
    first.stats.connections["active"] = 7
    first.report()
    text = exposition.render()
    assert value(text, "ingressd_connections", {"state": "active"}) == 12
    assert value(text, "ingressd_upstream_connections", {"state": "idle"}) == 2
    exposition.worker_gone(0)
    exposition.worker_gone(0)
    assert value(exposition.render(), "ingressd_connections", {"state": "active"}) == 5


def test_series_of_a_deleted_route_go_some_time_later(exposition: Exposition, clock: Clock) -> None:
    worker = Worker(exposition)
    worker.serve(OFFERS)
    worker.serve(MENU)
    worker.report()
    exposition.keep_routes(frozenset({OFFERS, MENU}))
    exposition.keep_routes(frozenset({OFFERS}))
    clock.now += KEEP_DELETED_S - 1
    worker.report()
    assert requests_total(exposition, MENU) == 1

    clock.now += 1
    worker.report()
    text = exposition.render()
    assert [labels["service"] for labels in label_sets(text, "ingressd_requests_total")] == ["offers"]
    assert [labels["service"] for labels in label_sets(text, "ingressd_response_size_bytes_count")] == ["offers"]


def test_histograms_stay_while_one_host_of_the_ingress_does(exposition: Exposition, clock: Clock) -> None:
    worker = Worker(exposition)
    other: RouteLabels = ("www.example.com", *OFFERS[1:])
    worker.serve(OFFERS)
    worker.serve(other)
    worker.report()
    exposition.keep_routes(frozenset({other}))
    clock.now += KEEP_DELETED_S
    worker.report()
    text = exposition.render()
    assert [labels["host"] for labels in label_sets(text, "ingressd_requests_total")] == ["www.example.com"]
    assert value(text, "ingressd_request_duration_seconds_count", SERVICE) == 2


def test_a_route_that_comes_back_in_time_keeps_its_series(exposition: Exposition, clock: Clock) -> None:
    worker = Worker(exposition)
    worker.serve(OFFERS)
    worker.report()
    exposition.keep_routes(frozenset())
    clock.now += KEEP_DELETED_S / 2
    exposition.keep_routes(frozenset({OFFERS}))
    clock.now += KEEP_DELETED_S
    worker.report()
    assert requests_total(exposition, OFFERS) == 1


def test_a_late_report_of_a_deleted_route_does_not_stay_for_ever(exposition: Exposition, clock: Clock) -> None:
    exposition.keep_routes(frozenset({OFFERS}))
    worker = Worker(exposition)
    worker.serve(MENU)  # an exchange that outlived its route
    worker.report()
    assert requests_total(exposition, MENU) == 1
    clock.now += KEEP_DELETED_S
    worker.report()
    assert label_sets(exposition.render(), "ingressd_requests_total") == []


def test_requests_that_met_no_object_are_kept(exposition: Exposition, clock: Clock) -> None:
    worker = Worker(exposition)
    nowhere: RouteLabels = ("_", "", "", "")
    worker.serve(nowhere)
    worker.report()
    exposition.keep_routes(frozenset())
    clock.now += 2 * KEEP_DELETED_S
    worker.report()
    assert requests_total(exposition, nowhere) == 1


def test_series_are_bounded(clock: Clock) -> None:
    exposition = Exposition(version="1", now=clock, max_series=10)
    worker = Worker(exposition)
    for number in range(50):
        worker.serve((f"{number}.example.com", "n", "i", "s"))
    worker.report()
    text = exposition.render()
    assert len(label_sets(text, "ingressd_requests_total")) == 11
    assert requests_total(exposition, OVERFLOW) == 40


def test_config_figures(exposition: Exposition) -> None:
    exposition.reload_succeeded(1.7e9)
    exposition.generation_served(42)
    exposition.applied(0.2)
    exposition.applied(60.0)
    exposition.set_findings({"error": 2, "warning": 1})
    exposition.set_leader(True)
    text = exposition.render()
    assert value(text, "ingressd_config_last_reload_successful") == 1
    assert value(text, "ingressd_config_last_reload_success_timestamp_seconds") == 1.7e9
    assert value(text, "ingressd_config_generation") == 42
    assert value(text, "ingressd_config_apply_seconds_count") == 2
    assert value(text, "ingressd_config_apply_seconds_bucket", {"le": "0.25"}) == 1
    assert value(text, "ingressd_config_apply_seconds_sum") == pytest.approx(60.2)
    assert value(text, "ingressd_findings", {"level": "error"}) == 2
    assert value(text, "ingressd_findings", {"level": "info"}) == 0
    assert value(text, "ingressd_leader") == 1

    exposition.reload_failed()
    text = exposition.render()
    assert value(text, "ingressd_config_last_reload_successful") == 0
    assert value(text, "ingressd_config_last_reload_success_timestamp_seconds") == 1.7e9


def test_certificates_are_replaced_whole(exposition: Exposition) -> None:
    shop = CertificateExpiry("shop.example.com", "shop", "shop-tls", 2e9)
    wild = CertificateExpiry("*.example.com", "shop", "wild-tls", 3e9)
    exposition.set_certificates([shop, wild, shop])
    labels = {"host": "*.example.com", "namespace": "shop", "secret": "wild-tls"}
    assert value(exposition.render(), "ingressd_ssl_expire_time_seconds", labels) == 3e9
    exposition.set_certificates([shop])
    assert len(label_sets(exposition.render(), "ingressd_ssl_expire_time_seconds")) == 1


def test_watches(exposition: Exposition) -> None:
    exposition.watches.event("Ingress", 1.7e9)
    exposition.watches.event("Ingress", 1.7e9 + 5)
    exposition.watches.restarted("Secret")
    exposition.watches.restarted("Secret")
    text = exposition.render()
    assert value(text, "ingressd_kube_watch_restarts_total", {"kind": "Ingress"}) == 0
    assert value(text, "ingressd_kube_watch_restarts_total", {"kind": "Secret"}) == 2
    assert value(text, "ingressd_kube_last_event_timestamp_seconds", {"kind": "Ingress"}) == 1.7e9 + 5


def test_swaps_and_lag_sum_over_workers(exposition: Exposition) -> None:
    for number in range(2):
        worker = Worker(exposition, number)
        worker.stats.swap(0.004)
        worker.stats.loop_lag(0.5)
        worker.report()
    text = exposition.render()
    assert value(text, "ingressd_worker_swap_seconds_bucket", {"le": "0.0025"}) == 0
    assert value(text, "ingressd_worker_swap_seconds_bucket", {"le": "0.005"}) == 2
    assert value(text, "ingressd_worker_loop_lag_seconds_sum") == 1.0


def test_a_report_with_other_buckets_is_refused_rather_than_shifted(exposition: Exposition) -> None:
    worker = Worker(exposition)
    worker.serve(OFFERS)
    report = worker.stats.report()
    report.routes[0].durations.append(0)
    with pytest.raises(ValueError, match="16 buckets"):
        exposition.merge(0, report)


# Prometheus reads label values as UTF-8; a lone surrogate cannot come out of JSON decoded by msgspec.
_ANY_TEXT = st.text(st.characters(codec="utf-8"), max_size=20)


@given(host=_ANY_TEXT, namespace=_ANY_TEXT, ingress=_ANY_TEXT, service=_ANY_TEXT, secret=_ANY_TEXT)
def test_any_label_value_is_read_back(host: str, namespace: str, ingress: str, service: str, secret: str) -> None:
    exposition = Exposition(version="1")
    worker = Worker(exposition)
    worker.serve((host, namespace, ingress, service))
    worker.report()
    exposition.set_certificates([CertificateExpiry(host, namespace, secret, 1.0)])
    text = exposition.render()
    (labels,) = label_sets(text, "ingressd_requests_total")
    assert (labels["host"], labels["namespace"], labels["ingress"], labels["service"]) == (
        host,
        namespace,
        ingress,
        service,
    )
    (labels,) = label_sets(text, "ingressd_ssl_expire_time_seconds")
    assert (labels["host"], labels["secret"]) == (host, secret)


def test_rendering_in_a_thread_while_reports_arrive(exposition: Exposition) -> None:
    """Every scrape is whole: it parses, and each histogram agrees with its own count."""
    done = Event()
    texts: list[bytes] = []
    failures: list[BaseException] = []

    def scrape() -> None:
        try:
            while not done.is_set():
                texts.append(exposition.render())
        except BaseException as error:  # noqa: BLE001 - carried to the test's own thread
            failures.append(error)

    thread = Thread(target=scrape)
    thread.start()
    workers = [Worker(exposition, number) for number in range(2)]
    try:
        for number in range(100):
            for worker in workers:
                worker.serve((f"{number}.example.com", "n", f"i{number}", "s"), times=2)
                worker.report()
            exposition.keep_routes(frozenset({(f"{number}.example.com", "n", f"i{number}", "s")}))
    finally:
        done.set()
        thread.join()
    assert failures == []
    for text in (*texts[-3:], exposition.render()):
        found = samples(text)
        for name, labels in found:
            if name.endswith("_duration_seconds_count"):
                bucket = (name.replace("_count", "_bucket"), labels | {("le", "+Inf")})
                assert found[bucket] == found[name, labels]

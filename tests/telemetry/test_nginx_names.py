"""ingress-nginx's names and labels for our figures, as its dashboards ask for them."""

import re
from pathlib import Path

import pytest

from ingressd.telemetry.exposition import CertificateExpiry, Exposition
from ingressd.telemetry.metrics import MAX_PARTS, WorkerStats
from ingressd.telemetry.nginx_names import PREFIX, ControllerName
from ingressd.telemetry.processes import PROC
from tests.telemetry.scrape import families, label_sets, samples, value

WHO = ControllerName("ingress-nginx", "k8s.io/ingress-nginx", 'pod"1', "leader")
HERE = {"controller_namespace": "ingress-nginx", "controller_class": "k8s.io/ingress-nginx", "controller_pod": 'pod"1'}
SERVICE = {"namespace": "shop", "ingress": "web", "service": "offers"}
ROUTE = {**SERVICE, "host": "shop.example", "path": "/a", "canary": ""}


def filled(*, controller: ControllerName | None = WHO, own: bool = False, proc: Path = PROC) -> Exposition:
    exposition = Exposition(version="1", controller=controller, own_route_names=own, proc=proc)
    stats = WorkerStats(has_details=controller is not None)
    route = stats.route("shop.example", "shop", "web", "offers", "/a")
    answered, failed = route.of_answer(b"GET", 200), route.of_answer(b"POST", 503)
    answered.observe(b"GET", 200, 0.02, 0.01, 5, 2000)
    answered.observe_phases(0.002, 0.006)
    failed.observe(b"POST", 503, 0.02, -1.0, 5, 2000)
    failed.observe_phases(-1.0, -1.0)
    stats.connections.update(handshake=1, active=2, idle=3)
    exposition.merge(0, stats.report())
    exposition.set_certificates([CertificateExpiry("shop.example", "shop", "shop-tls", 2e9)])
    exposition.set_orphans(lambda: {("shop", "web"): False, ("shop", "lost"): True})
    exposition.set_leader(True)
    exposition.generation_served(7)
    exposition.reload_succeeded(1.7e9)
    exposition.reload_failed()
    return exposition


def shown(metric: str, labels: dict[str, str], exposition: Exposition | None = None) -> float:
    return value((exposition or filled()).render(), PREFIX + metric, {**HERE, **labels})


def test_requests_by_route_method_and_status() -> None:
    labels = ROUTE
    # The parser knows counters by OpenMetrics' names only, and adds their ending.
    assert shown("requests_total", {**labels, "method": "GET", "status": "200"}) == 1
    assert shown("requests_total", {**labels, "method": "POST", "status": "503"}) == 1
    assert b"\nnginx_ingress_controller_requests{" in filled().render()


ANSWERED = {**ROUTE, "method": "GET", "status": "200"}
FAILED = {**ROUTE, "method": "POST", "status": "503"}


@pytest.mark.parametrize(
    ("name", "total", "of_failed"),
    [
        ("request_duration_seconds", 0.02, 1),
        ("response_duration_seconds", 0.01, 0),
        ("connect_duration_seconds", 0.002, 0),
        ("header_duration_seconds", 0.006, 0),
        ("request_size", 5, 1),
        ("response_size", 2000, 1),
        ("bytes_sent", 2000, 1),
    ],
)
def test_histograms(name: str, total: float, of_failed: int) -> None:
    assert shown(f"{name}_count", ANSWERED) == 1
    assert shown(f"{name}_sum", ANSWERED) == pytest.approx(total)
    assert shown(f"{name}_bucket", {**ANSWERED, "le": "+Inf"}) == 1
    text = filled().render()
    assert families(text)[PREFIX + name].type == "histogram"
    told = [labels for labels in label_sets(text, f"{PREFIX}{name}_count") if labels.items() >= FAILED.items()]
    assert len(told) == of_failed


def test_of_one_path_so_many_pairs_of_method_and_status_are_told_apart() -> None:
    """An endpoint that answers with every status costs what the bound says; nothing is counted twice or lost."""
    exposition = Exposition(version="1", controller=WHO)
    statuses = range(200, 200 + 2 * MAX_PARTS)
    for worker, seen in enumerate((statuses, reversed(statuses))):
        stats = WorkerStats(has_details=True)
        route = stats.route("shop.example", "shop", "web", "offers", "/a")
        for status in seen:
            route.of_answer(b"GET", status).observe(b"GET", status, 0.02, 0.01, 5, 2000)
        exposition.merge(worker, stats.report())
    text = exposition.render()
    requests = label_sets(text, f"{PREFIX}requests_total")
    assert sorted(one["status"] for one in requests) == [str(status) for status in statuses]
    assert all(value(text, f"{PREFIX}requests_total", one) == 2 for one in requests)
    counts = label_sets(text, f"{PREFIX}request_duration_seconds_count")
    assert len(counts) == len(statuses) + 1
    assert sum(value(text, f"{PREFIX}request_duration_seconds_count", one) for one in counts) == 4 * MAX_PARTS


@pytest.mark.parametrize(
    ("name", "labels", "expected"),
    [
        ("config_hash", {}, 7),
        ("config_last_reload_successful", {}, 0),
        ("config_last_reload_successful_timestamp_seconds", {}, 1.7e9),
        ("success_total", {}, 1),
        ("errors_total", {}, 1),
        ("leader_election_status", {"name": "leader"}, 1),
        ("orphan_ingress", {"namespace": "shop", "ingress": "web", "type": "no-endpoint"}, 0),
        ("orphan_ingress", {"namespace": "shop", "ingress": "lost", "type": "no-endpoint"}, 1),
        ("nginx_process_connections", {"state": "reading"}, 1),
        ("nginx_process_connections", {"state": "writing"}, 2),
        ("nginx_process_connections", {"state": "waiting"}, 3),
        ("nginx_process_connections", {"state": "active"}, 6),
        ("build_info", {"release": "1"}, 1),
        ("nginx_process_requests_total", {}, 2),
    ],
)
def test_what_is_not_of_routes(name: str, labels: dict[str, str], expected: float) -> None:
    assert shown(name, labels) == expected


def test_paths_and_canaries_are_told_apart_there_and_summed_up_in_our_own_names() -> None:
    exposition = Exposition(version="1", controller=WHO)
    stats = WorkerStats(has_details=True)
    names = ("shop.example", "shop", "web", "offers")
    for path in ("/a", "/b"):
        stats.route(*names, path).of_answer(b"GET", 200).observe(b"GET", 200, 0.02, 0.01, 5, 2000)
    canary = stats.route(*names, "/a").of_canary("shop-new-80").of_answer(b"GET", 200)
    canary.observe(b"GET", 200, 0.02, 0.01, 5, 2000)
    canary.observe(b"GET", 200, 0.02, 0.01, 5, 2000)
    exposition.merge(0, stats.report())
    text = exposition.render()
    told = {(one["path"], one["canary"]) for one in label_sets(text, f"{PREFIX}requests_total")}
    assert told == {("/a", ""), ("/b", ""), ("/a", "shop-new-80")}
    labels = {**ANSWERED, "canary": "shop-new-80"}
    assert shown("requests_total", labels, exposition) == 2
    assert shown("request_duration_seconds_count", labels, exposition) == 2
    own = {**SERVICE, "host": "shop.example", "method": "GET", "status": "200"}
    assert value(text, "ingressd_requests_total", own) == 4
    assert value(text, "ingressd_request_duration_seconds_count", SERVICE) == 4


def test_certificates_are_labelled_as_there() -> None:
    labels = {
        "namespace": "shop",
        "class": "k8s.io/ingress-nginx",
        "host": "shop.example",
        "secret_name": "shop-tls",
    }
    assert value(filled().render(), f"{PREFIX}ssl_expire_time_seconds", labels) == 2e9


def test_processes_are_workers_only_and_summed(tmp_path: Path) -> None:
    (tmp_path / "stat").write_text("btime 1700000000\n")
    for pid, pages in ((1, 5), (2, 7), (3, 100)):
        (tmp_path / str(pid)).mkdir()
        stat = f"{pid} (python) S {'0 ' * 10}100 50 0 0 0 0 1 0 500 8192 {pages}\n"
        (tmp_path / str(pid) / "stat").write_text(stat)
    exposition = filled(proc=tmp_path)
    assert shown("nginx_process_num_procs", {}, exposition) == 0
    assert label_sets(exposition.render(), f"{PREFIX}nginx_process_oldest_start_time_seconds") == []
    exposition.set_processes({"worker-0": 1, "worker-1": 2, "control": 3, "worker-2": 4})
    assert shown("nginx_process_num_procs", {}, exposition) == 2
    assert shown("nginx_process_resident_memory_bytes", {}, exposition) % 12 == 0
    assert shown("nginx_process_virtual_memory_bytes", {}, exposition) == 2 * 8192
    assert shown("nginx_process_cpu_seconds_total", {}, exposition) > 0
    assert shown("nginx_process_oldest_start_time_seconds", {}, exposition) > 1.7e9


def test_requests_of_deleted_routes_stay_in_the_sum() -> None:
    now = 0.0
    exposition = Exposition(version="1", controller=WHO, now=lambda: now)
    stats = WorkerStats()
    stats.route("gone.example", "shop", "web", "offers").observe(b"GET", 200, 0.1, 0.1, 0, 0)
    exposition.merge(0, stats.report())
    exposition.keep_routes(())
    now = 1e6
    exposition.keep_routes(())
    assert label_sets(exposition.render(), f"{PREFIX}requests_total") == []
    assert shown("nginx_process_requests_total", {}, exposition) == 1


@pytest.mark.parametrize(
    ("controller", "own", "expected"),
    [(None, True, {"ours"}), (WHO, False, {"theirs"}), (WHO, True, {"ours", "theirs"})],
)
def test_whose_names_are_shown(controller: ControllerName | None, own: bool, expected: set[str]) -> None:
    names = {name for name, _ in samples(filled(controller=controller, own=own).render())}
    found = {"ours": "ingressd_requests_total", "theirs": f"{PREFIX}requests_total"}
    assert {whose for whose, name in found.items() if name in names} == expected
    assert "ingressd_config_generation" in names


def test_every_name_is_documented_and_nothing_else() -> None:
    exposition = filled()
    text = exposition.render().decode()
    names = {name.removeprefix(PREFIX) for name in re.findall(rf"^# TYPE ({PREFIX}\S+)", text, flags=re.MULTILINE)}
    page = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text()
    table = page.partition("## ingress-nginx's names")[2].partition("Not there:")[0]
    cells = re.findall(r"^\| (`[^|]*`) \|", table, flags=re.MULTILINE)
    assert {name for cell in cells for name in re.findall(r"`(\w+)`", cell)} == names
    assert all(f"# HELP {PREFIX}{name} " in text for name in names)

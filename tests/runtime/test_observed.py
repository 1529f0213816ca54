"""What is seen from outside: metrics and access log of all workers together, and never a private key."""

import json
import os
import re
import signal
from collections.abc import Iterator

import pytest

from tests.runtime.conftest import HOST, Shop
from tests.support import sites
from tests.support.daemon import Daemon, Metrics
from tests.support.eventually import eventually

REQUESTS = 40
ROUTE = {"host": HOST, "namespace": "default", "ingress": "shop", "service": "web"}

# As interface.md has them. That those of a cluster count is looked for in tests/e2e.
NAMES = [
    *("ingressd_requests_total", "ingressd_request_duration_seconds", "ingressd_upstream_duration_seconds"),
    *("ingressd_request_size_bytes", "ingressd_response_size_bytes"),
    *("ingressd_connections", "ingressd_upstream_connections"),
    *("ingressd_retries_total", "ingressd_rejected_requests_total"),
    *("ingressd_config_generation", "ingressd_config_last_reload_successful"),
    *("ingressd_config_last_reload_success_timestamp_seconds", "ingressd_config_apply_seconds"),
    *("ingressd_worker_swap_seconds", "ingressd_ssl_expire_time_seconds", "ingressd_findings"),
    *("ingressd_kube_watch_restarts_total", "ingressd_kube_last_event_timestamp_seconds"),
    *("ingressd_leader", "ingressd_build_info"),
    *("process_cpu_seconds_total", "process_resident_memory_bytes"),
    *("process_open_fds", "process_start_time_seconds"),
]


@pytest.fixture(scope="module")
def shared(shared_shop: Shop) -> Iterator[Daemon]:
    with Daemon(*shared_shop.flags) as daemon:
        yield daemon


def counted(metrics: Metrics, **labels: str) -> float:
    return metrics.sum("ingressd_requests_total", **(ROUTE | labels))


def ask(daemon: Daemon, count: int, *, scheme: str = "http") -> None:
    """Each on a connection of its own, so that both workers get some."""
    for number in range(count):
        assert daemon.get(f"/{number}", host=HOST, scheme=scheme).status == 200


@pytest.mark.parametrize("name", NAMES)
def test_every_metric_of_the_contract_is_there(shared: Daemon, name: str) -> None:
    declared = re.findall(r"^# TYPE (\S+)", shared.metrics().text, re.MULTILINE)

    assert name in declared


def test_label_names_are_those_of_the_contract(shared: Daemon) -> None:
    ask(shared, 1)
    families = shared.metrics().families

    def labels(family: str) -> set[str]:
        return set().union(*(sample.labels for sample in families[family].samples)) - {"le"}

    assert labels("ingressd_requests") == {"host", "namespace", "ingress", "service", "method", "status"}
    assert labels("ingressd_request_duration_seconds") == {"namespace", "ingress", "service"}
    assert labels("ingressd_connections") == labels("ingressd_upstream_connections") == {"state"}
    assert labels("ingressd_ssl_expire_time_seconds") == {"host", "namespace", "secret"}
    assert labels("ingressd_findings") == {"level"}
    assert labels("ingressd_build_info") == {"version"}
    assert labels("process_resident_memory_bytes") == {"process"}


def test_every_request_is_counted_once(shared: Daemon) -> None:
    before = shared.metrics()

    ask(shared, REQUESTS)
    ask(shared, REQUESTS, scheme="https")
    shared.get("/", host="nobody.example")
    shared.get("/", host=HOST, method="PUT", body=b"x" * 5000)
    shared.get("/", host=HOST, method="BREW")

    def grown(name: str, **labels: str) -> float:
        return shared.metrics().sum(name, **labels) - before.sum(name, **labels)

    total = 2 * REQUESTS + 2
    eventually(lambda: grown("ingressd_requests_total", **ROUTE) == total)
    assert grown("ingressd_requests_total", **ROUTE, method="GET", status="200") == 2 * REQUESTS
    assert grown("ingressd_requests_total", **ROUTE, method="PUT") == 1
    assert grown("ingressd_requests_total", **ROUTE, method="OTHER") == 1
    assert grown("ingressd_requests_total", host="_", status="404") == 1
    assert grown("ingressd_request_duration_seconds_count", ingress="shop") == total
    assert grown("ingressd_upstream_duration_seconds_count", ingress="shop") == total
    assert grown("ingressd_request_size_bytes_sum", ingress="shop") == 5000
    assert grown("ingressd_response_size_bytes_sum", ingress="shop") > 100 * total


def test_connections_are_counted_while_they_are_open(shared: Daemon) -> None:
    before = shared.metrics().sum("ingressd_connections")
    clients = [shared.connect(HOST) for _ in range(7)]

    eventually(lambda: shared.metrics().sum("ingressd_connections") == before + 7)

    for client in clients:
        client.close()
    eventually(lambda: shared.metrics().sum("ingressd_connections") == before)


def test_counters_outlive_a_worker(daemon: Daemon) -> None:
    ask(daemon, REQUESTS)
    eventually(lambda: counted(daemon.metrics()) == REQUESTS)
    victim = daemon.workers[0]

    os.kill(victim, signal.SIGKILL)
    assert counted(daemon.metrics()) == REQUESTS
    eventually(lambda: len(workers := daemon.workers) == 2 and workers[0] != victim)

    assert counted(daemon.metrics()) == REQUESTS
    ask(daemon, REQUESTS)
    eventually(lambda: counted(daemon.metrics()) == 2 * REQUESTS)


def test_configuration_is_seen(shared: Daemon, shared_shop: Shop) -> None:
    before = shared.metrics()
    shared_shop.add_host("seen.example")
    eventually(lambda: shared.get("/", host="seen.example").status == 200)
    eventually(lambda: shared.status()["served_generation"] == shared.status()["generation"])
    after = shared.metrics()

    assert after.sum("ingressd_config_generation") == before.sum("ingressd_config_generation") + 1
    assert after.sum("ingressd_config_last_reload_successful") == 1
    assert after.sum("ingressd_config_apply_seconds_count") == before.sum("ingressd_config_apply_seconds_count") + 1
    assert after.sum("ingressd_worker_swap_seconds_count") == before.sum("ingressd_worker_swap_seconds_count") + 2
    assert after.sum("ingressd_ssl_expire_time_seconds", host=HOST, secret="shop-tls") > 0
    (shared_shop.directory / "ingress-seen.json").unlink()
    eventually(lambda: shared.get("/", host="seen.example").status == 404)


def test_a_broken_object_is_a_finding_everywhere(daemon: Daemon, shop: Shop) -> None:
    shop.write(sites.ingress("broken", {"broken.example": {"/": "no-such-service"}}))

    eventually(lambda: daemon.metrics().sum("ingressd_findings", level="error") == 1)

    [finding] = daemon.api("findings")
    assert (finding["kind"], finding["name"], finding["reason"]) == ("Ingress", "broken", "ServiceNotFound")
    assert finding["source"].endswith("ingress-broken.json#1")
    assert "no-such-service" in daemon.log
    assert daemon.get("/", host="broken.example").status == 503
    assert daemon.get("/", host=HOST).status == 200


def test_one_line_of_json_for_each_request(shared: Daemon) -> None:
    wanted = {f"request-{os.getpid()}-{number:04}" for number in range(REQUESTS)}
    for number, request_id in enumerate(sorted(wanted)):
        scheme = ("http", "https")[number % 2]
        shared.get('/"quoted"?q=%22', host=HOST, scheme=scheme, headers={"X-Request-ID": request_id})

    def lines() -> list[dict[str, object]]:
        records = [json.loads(line) for line in shared.stdout if not line.startswith("ingressd ready")]
        return [record for record in records if record["request_id"] in wanted]

    eventually(lambda: {record["request_id"] for record in lines()} == wanted)
    assert len(lines()) == REQUESTS
    first = lines()[0]
    assert first["host"] == HOST
    assert first["status"] == 200
    assert first["target"] == '/"quoted"?q=%22'
    assert {record["tls"] is None for record in lines()} == {True, False}


def test_the_admin_server_shows_what_is_served(shared: Daemon, shared_shop: Shop) -> None:
    [route] = shared.api("routes")
    assert (route["host"], route["path"], route["service"]) == (HOST, "/", "web")
    assert sorted(route["endpoints"]) == sorted(f"{pod.address}:8080" for pod in shared_shop.pods)
    [backend] = shared.api("backends")
    assert backend["service"] == "web"
    certificate = next(one for one in shared.api("certificates") if one["server_names"] == [HOST])
    assert certificate["key"] == "default/shop-tls"
    status = shared.status()
    assert (status["ready"], status["draining"], status["synced"]) == (True, False, True)
    assert [worker["index"] for worker in status["workers"]] == [0, 1]
    assert shared.admin("/no/such/page").status == 404
    assert shared.admin("/healthz").status == 200


def test_no_private_key_is_ever_shown(shop: Shop) -> None:
    mismatched = shop.authority.issue("wrong.example")
    shop.write(
        sites.ingress("wrong", {"wrong.example": {"/": "web"}}, tls={"wrong": ["wrong.example"]}),
        sites.tls_secret("wrong", shop.pair.chain_pem, mismatched.key_pem),
        sites.tls_secret("garbage", b"-----BEGIN CERTIFICATE-----", shop.pair.key_pem + b"garbage"),
    )
    with Daemon(*shop.flags, "--log-level=debug") as daemon:
        ask(daemon, 4, scheme="https")
        pages = ("routes", "backends", "certificates", "findings", "status")
        said = [daemon.admin(f"/api/{page}").body for page in pages]
        said += [daemon.metrics().text.encode(), daemon.admin("/").body]
        assert daemon.stop() == 0
        said += [daemon.log.encode(), daemon.stdout.text.encode()]

    told = b"\n".join(said)
    assert b"wrong" in told
    for key in (shop.pair.key_pem, mismatched.key_pem):
        assert b"PRIVATE KEY" not in told
        for line in key.splitlines()[1:-1]:
            assert line not in told
            assert line[4:-4] not in told


def test_dashboards_tell_paths_and_canaries_apart(shop: Shop) -> None:
    shop.write(sites.ingress("split", {"split.example": {"/": "web", "/part": "web"}}))
    canary = sites.ingress("split-canary", {"split.example": {"/part": "new"}})
    canary["metadata"]["annotations"] = {"ingressd.io/canary": "true", "ingressd.io/canary-weight": "100"}
    shop.write(canary, sites.service("new"), sites.endpoints("new", shop.pods))
    with Daemon(*shop.flags, "--metrics-names", "both") as daemon:
        for path in ("/", "/part", "/part/of"):
            assert daemon.get(path, host="split.example").status == 200
        eventually(lambda: daemon.metrics().sum("ingressd_requests_total", ingress="split", service="web") == 3)
        metrics = daemon.metrics()
    name = "nginx_ingress_controller_requests_total"
    [whole] = {s.labels["canary"] for f in metrics.families.values() for s in f.samples if s.labels.get("path") == "/"}
    [part] = {
        s.labels["canary"] for f in metrics.families.values() for s in f.samples if s.labels.get("path") == "/part"
    }
    assert whole == ""
    assert part.startswith("default-new-")
    assert metrics.sum(name, path="/", canary="", service="web") == 1
    assert metrics.sum(name, path="/part", canary=part, service="web") == 2


def test_dashboards_made_for_ingress_nginx(shop: Shop) -> None:
    shop.add_host("plain.example")
    with Daemon(*shop.flags, "--metrics-names", "nginx") as daemon:
        assert daemon.get("/", host="plain.example").status == 200
        eventually(lambda: daemon.metrics().sum("nginx_ingress_controller_requests_total", ingress="plain") == 1)
        metrics = daemon.metrics()
        assert metrics.sum("nginx_ingress_controller_config_last_reload_successful") == 1
        assert metrics.sum("nginx_ingress_controller_orphan_ingress", ingress="plain") == 0
        assert metrics.sum("nginx_ingress_controller_nginx_process_num_procs") == len(daemon.workers)
        for what in ("request", "connect", "header", "response"):
            name = f"nginx_ingress_controller_{what}_duration_seconds_count"
            assert metrics.sum(name, host="plain.example", ingress="plain", path="/", canary="") == 1
        assert "ingressd_requests_total" not in metrics.text

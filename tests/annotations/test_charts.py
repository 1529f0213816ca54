"""Manifests of the shape that public charts render, unchanged: what `ingressd check` says, and what is served."""

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ingressd.cli import main
from tests.annotations import manifests
from tests.annotations.case import Ask, Case, Want
from tests.annotations.desk import FLAGS, Desk
from tests.annotations.origins import PORT

CHARTS = Path(__file__).parent / "charts"
_NGINX = ("--controller-class=k8s.io/ingress-nginx", "--ingress-class=nginx", "--configmap=default/controller")
LOGIN = {"Authorization": "Basic " + base64.b64encode(b"sha:secret").decode()}


def load(chart: Path, auth: str = "auth.internal") -> list[Any]:
    return [one for one in yaml.safe_load_all(chart.read_text().replace("auth.internal", auth)) if one]


def ports_of(ingress: Any) -> Iterator[tuple[str, Any]]:
    for rule in ingress["spec"]["rules"]:
        for path in rule["http"]["paths"]:
            service = path["backend"]["service"]
            yield service["name"], service["port"]
    name = ingress["metadata"]["annotations"].get(f"{manifests.PREFIX}/default-backend")
    if name:
        yield name, {"number": 80}


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    with Desk("charts", []) as desk:
        desk.write(manifests.config_map("controller", {}))
        for chart in sorted(CHARTS.iterdir()):
            for ingress in load(chart, f"{desk.services['auth'][0].address}:{PORT}"):
                ingress["metadata"]["namespace"] = "default"
                for name, _ in ports_of(ingress):
                    if name not in desk.services:
                        desk.services[name] = desk.origins.start(name)
                        for one in manifests.service(name, desk.services[name], port=80):
                            desk.write(one)
                desk.write(ingress)
        desk.settled_with("storefront")
        yield desk


def ask(desk: Desk, host: str, request: Ask, want: Want) -> None:
    case = Case(title=f"{host}{request.path}", steps=((request, want),), host=f"{host}.charts.example")
    desk.run_unlisted(case)


HTTPS = Want(status=308, seen=None)


@pytest.mark.parametrize(
    ("host", "request_", "want"),
    [
        ("dashboard", Ask(path="/x"), HTTPS),
        ("dashboard", Ask(path="/x", tls=True), Want(seen="dashboard")),
        (
            "dashboard",
            Ask(path="/x?a=1", tls=True, auth={"status": 401}),
            Want(
                status=302,
                headers={"location": "https://dashboard.charts.example/oauth2/start?rd=%2Fx%3Fa%3D1"},
                seen=None,
            ),
        ),
        (
            "dashboard",
            Ask(path="/", tls=True, auth={"headers": [["X-Auth-Request-User", "ann"]]}),
            Want(seen="dashboard", sent={"x-auth-request-user": "ann"}),
        ),
        ("dashboard", Ask(path="/oauth2/start", tls=True, auth={"status": 401}), Want(seen="oauth2-proxy")),
        ("registry", Ask(path="/v2/"), HTTPS),
        ("registry", Ask(path="/v2/", tls=True), Want(seen="registry-core", target="/v2/")),
        (
            "registry",
            Ask(path="/v2/x/blobs/uploads/", method="PUT", body=b"x" * (3 << 20), tls=True),
            Want(seen="registry-core"),
        ),
        ("registry", Ask(path="/projects", tls=True), Want(seen="registry-portal")),
        (
            "monitoring",
            Ask(path="/grafana/api/health"),
            Want(seen="grafana", target="/api/health", headers={"set-cookie": re.compile("^route=.*; Path=/grafana")}),
        ),
        ("monitoring", Ask(path="/prometheus/graph"), Want(status=401, seen=None)),
        ("monitoring", Ask(path="/prometheus/graph", headers=LOGIN), Want(seen="prometheus")),
        ("forge", Ask(path="/a/b.git/info/refs"), Want(seen="forge-web")),
        ("forge", Ask(path="/-/agent"), Want(seen="forge-agent")),
        ("forge", Ask(path="/", answer={"status": 502}), Want(status=502, body="forge-errors")),
        ("api", Ask(headers={"X-Canary": "always"}), Want(seen="api-next")),
        ("api", Ask(), Want(seen="api")),
        ("api", Ask(method="OPTIONS", headers={"Origin": "https://shop.charts.example"}), Want(status=204, seen=None)),
        ("shop", Ask(), Want(status=503, seen=None)),
    ],
)
def test_what_is_served(desk: Desk, host: str, request_: Ask, want: Want) -> None:
    ask(desk, host, request_, want)


VERDICTS = {
    "container-registry.yaml": {"registry": "same"},
    "forge.yaml": {"forge": "same"},
    "monitoring.yaml": {"grafana": "same", "prometheus": "same"},
    "single-sign-on.yaml": {"dashboard": "same", "oauth2-proxy": "same"},
    "storefront.yaml": {"api": "same", "api-canary": "same", "storefront": "lost"},
}
_ALIKE = ("same", "ignored", "differs")


@pytest.mark.parametrize("name", VERDICTS)
def test_what_the_report_says(desk: Desk, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """With all else that stands on the desk, as a cluster would have it."""
    code = main(["check", str(desk.path), *_NGINX, "--output=json"])
    report = json.loads(capsys.readouterr().out)
    verdicts = {one["name"]: one["verdict"] for one in report["ingresses"]}

    for ingress, verdict in VERDICTS[name].items():
        assert verdicts[ingress] in (_ALIKE if verdict == "same" else (verdict,))
    assert code == 1
    assert {one["name"] for one in report["findings"] if one["level"] == "error"} == {"storefront"}


def test_which_paths_of_others_became_patterns(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    main(["check", str(desk.path), *_NGINX, "--output=json"])
    [host] = json.loads(capsys.readouterr().out)["pattern_hosts"]

    assert (host["host"], host["because"]) == ("monitoring.charts.example", ["default/grafana"])
    assert {one["request"] for one in host["changed"]} == {"/prometheus-and-more", "/PROMETHEUS"}


def test_what_replaces_the_snippet_opens_the_shop(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """As the guide has it: leave out what is lost, write what the report suggests."""
    main(["check", str(desk.path), *_NGINX, "--output=json"])
    found = next(one for one in json.loads(capsys.readouterr().out)["ingresses"] if one["name"] == "storefront")
    [ingress] = [one for one in load(CHARTS / "storefront.yaml") if one["metadata"]["name"] == "storefront"]
    ingress["metadata"] |= {"namespace": "default", "name": "storefront-mended"}
    ingress["metadata"]["annotations"] = {
        name: value for setting in found["settings"] for name, value in setting["write"].items()
    }
    ingress["spec"]["rules"][0]["host"] = "mended.charts.example"
    desk.write(ingress)
    desk.settled_with("storefront-mended")

    ask(desk, "mended", Ask(), Want(seen="storefront", headers={"x-frame-options": "SAMEORIGIN"}))
    ask(desk, "mended", Ask(headers={"User-Agent": "BadBot"}), Want(status=403, seen=None))


def test_the_flags_are_those_of_the_guide() -> None:
    assert set(_NGINX) <= set(FLAGS)

"""`ingressd check` as typed: its exit codes, text and JSON, files, directories, standard input, and a cluster."""

import io
import json
from pathlib import Path
from typing import Any

import pytest

from ingressd.cli import main
from tests.support import sites
from tests.support.apiserver.harness import ApiServer
from tests.support.pods import Pod, Pods

PREFIX = "nginx.ingress.kubernetes.io"


@pytest.fixture(scope="module")
def pod() -> Any:
    with Pods() as pods:
        [pod] = pods.start("web")
        yield pod


def objects(pod: Pod, annotations: dict[str, str] | None = None) -> list[sites.Json]:
    made = sites.ingress("web", {"a.example": {"/": "web"}})
    made["metadata"]["annotations"] = {f"{PREFIX}/{name}": value for name, value in (annotations or {}).items()}
    return [sites.ingress_class(), made, sites.service("web"), sites.endpoints("web", [pod])]


def checked(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(["check", *arguments])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_clean_manifests(pod: Pod, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sites.write(tmp_path, *objects(pod))

    code, out, err = checked(capsys, str(tmp_path))

    assert (code, err) == (0, "")
    assert out.splitlines()[-2:] == ["1 Ingress: 1 same", "0 errors, 0 warnings"]


def test_an_error_in_two_files_as_json(pod: Pod, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = objects(pod, {"enable-modsecurity": "true"})
    files = [tmp_path / "one.json", tmp_path / "two.json"]
    files[0].write_text("\n---\n".join(json.dumps(one) for one in found[:2]))
    files[1].write_text("\n---\n".join(json.dumps(one) for one in found[2:]))

    code, out, _ = checked(capsys, str(files[0]), "--output", "json", str(files[1]))
    report = json.loads(out)

    assert code == 1
    assert report["summary"] | {"ingresses": 1, "lost": 1, "errors": 1} == report["summary"]
    [one] = report["ingresses"]
    assert one["settings"][0]["name"] == f"{PREFIX}/enable-modsecurity"
    assert [finding["reason"] for finding in report["findings"]] == ["AnnotationLost"]


def test_errors_beside_settings_are_counted_where_the_ingress_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_text("kind: [")
    sites.write(tmp_path, sites.ingress_class(), sites.ingress("web", {"a.example": {"/": "gone", "/api": "lost"}}))

    code, out, _ = checked(capsys, str(tmp_path))

    assert code == 1
    assert out.splitlines()[0].endswith(", and 2 errors below")
    assert f"  error: {broken}:" in out


def test_warnings_alone_are_clean(pod: Pod, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sites.write(tmp_path, *objects(pod, {"rewrite-targt": "/"}))

    code, out, _ = checked(capsys, str(tmp_path))

    assert code == 0
    assert f"did you mean {PREFIX}/rewrite-target?" in out


def test_a_chart_without_the_class(pod: Pod, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is not looked at must not come out clean."""
    sites.write(tmp_path, *objects(pod, {"enable-modsecurity": "true"})[1:])

    code, out, _ = checked(capsys, str(tmp_path), "--output=json")
    report = json.loads(out)

    assert code == 1
    assert [one["verdict"] for one in report["ingresses"]] == ["lost"]
    assert [one["reason"] for one in report["findings"] if one["level"] == "warning"] == ["IngressClassNotFound"]


@pytest.mark.parametrize("arguments", [("missing",), (), ("empty",), ("broken",), ("--no-such-flag",)])
def test_unusable_input(tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken").write_text("{a: [")
    given = [one if one.startswith("-") else str(tmp_path / one) for one in arguments]

    try:
        code, _, err = checked(capsys, *given)
    except SystemExit as error:
        code, err = int(str(error.code)), capsys.readouterr().err

    assert code == 2
    assert "ingressd" in err


def test_a_file_that_does_not_parse_is_an_error(pod: Pod, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sites.write(tmp_path, *objects(pod))
    (tmp_path / "broken.yaml").write_text("{a: [")

    code, out, _ = checked(capsys, str(tmp_path))

    assert code == 1
    assert "broken.yaml" in out


def test_standard_input(
    pod: Pod, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = objects(pod)
    sites.write(tmp_path, *found[2:])
    text = "\n---\n".join(json.dumps(one) for one in found)  # the Service and its slice are in the directory too
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))

    code, out, _ = checked(capsys, str(tmp_path), "-", "--output=json")
    report = json.loads(out)

    assert code == 1
    assert [one["source"] for one in report["ingresses"]] == ["-#2"]
    assert [finding["reason"] for finding in report["findings"]] == ["DuplicateObject", "DuplicateObject"]


def test_standard_input_alone(pod: Pod, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    text = "\n---\n".join(json.dumps(one) for one in objects(pod))
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))

    assert checked(capsys, "-")[0] == 0


def test_the_controllers_flags(pod: Pod, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = objects(pod)
    found[0] = sites.ingress_class("nginx", "k8s.io/ingress-nginx")
    found[1]["spec"]["ingressClassName"] = "nginx"
    found[1]["metadata"]["annotations"] = {"custom.example/enable-modsecurity": "true"}
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "controller", "namespace": "ingress-nginx"}}
    sites.write(tmp_path, *found, {**config, "data": {"http-snippet": "lua_thing;", "hsts-max-age": "long"}})
    nginx = ("--controller-class", "k8s.io/ingress-nginx", "--ingress-class=nginx")
    more = ("--configmap", "ingress-nginx/controller", "--annotations-prefix", "custom.example")

    without = checked(capsys, str(tmp_path))
    code, out, _ = checked(capsys, str(tmp_path), *nginx, *more, "--output", "json")
    report = json.loads(out)

    assert "0 Ingresses: none served; 1 of other controllers" in without[1]
    assert code == 1
    assert [one["verdict"] for one in report["ingresses"]] == ["lost"]
    assert {one["name"]: one["verdict"] for one in report["config"]}["http-snippet"] == "lost"


def test_a_log_that_nobody_could_write(pod: Pod, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = {"log-format-upstream": "$remote_addr $no_such", "skip-access-log-urls": "/health,~*(a"}
    settings = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings", "namespace": "default"}}
    sites.write(tmp_path, *objects(pod), settings | {"data": data})

    code, out, _ = checked(capsys, str(tmp_path), "--configmap", "default/settings", "--output", "json")

    assert code == 1
    told = {one["field"]: one["message"] for one in json.loads(out)["findings"]}
    assert "$no_such" in told["data.log-format-upstream"]
    assert "(a" in told["data.skip-access-log-urls"]


def test_a_config_map_that_is_not_there(pod: Pod, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sites.write(tmp_path, *objects(pod))

    code, out, _ = checked(capsys, str(tmp_path), "--configmap", "ingress-nginx/controller")

    assert code == 1
    assert "ConfigMap ingress-nginx/controller" in out


def test_what_a_snippet_held_stays_there(pod: Pod, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = 'proxy_set_header Authorization "Basic cGFzcw"; more_set_headers "X-Frame-Options: DENY";'
    sites.write(tmp_path, *objects(pod, {"configuration-snippet": text}))

    for output in ("text", "json"):
        _, out, _ = checked(capsys, str(tmp_path), "--output", output)
        assert "X-Frame-Options: DENY" in out
        assert "Authorization: (its value in the snippet)" in out
        assert "cGFzcw" not in out


def test_a_cluster(pod: Pod, capsys: pytest.CaptureFixture[str]) -> None:
    """With the controller's ConfigMap, in a namespace that the Ingresses are not in."""
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "controller", "namespace": "ingress-nginx"}}
    with ApiServer() as api:
        for one in objects(pod, {"enable-modsecurity": "true"}):
            api.apply(one)
        api.apply({**config, "data": {"http-snippet": "lua_thing;"}})
        flags = ("--configmap=ingress-nginx/controller", "--allow-loopback-endpoints", "--output=json")
        code, out, _ = checked(capsys, "--kubeconfig", str(api.kubeconfig), *flags)
    report = json.loads(out)

    assert code == 1
    assert report["summary"]["lost"] == 1
    assert [one["name"] for one in report["config"]] == ["http-snippet"]
    assert sorted({one["reason"] for one in report["findings"]}) == ["AnnotationLost", "ConfigMapKeyLost"]


def test_a_cluster_that_is_not_there(pod: Pod, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sites.write(tmp_path, *objects(pod))

    code, _, err = checked(capsys, str(tmp_path), "--kubeconfig", str(tmp_path / "none"))

    assert code == 2
    assert "exactly one source" in err

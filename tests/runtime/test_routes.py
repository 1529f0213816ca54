"""``ingressd routes``: the table the daemon would serve, without serving."""

import json

import pytest

from ingressd import cli
from tests.runtime.conftest import HOST, Shop
from tests.support import sites


def test_as_text(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    wide = sites.ingress("wide", {"*.wide.example": {"/api": "web", "/": "gone"}})
    wide["spec"]["defaultBackend"] = {"service": {"name": "web", "port": {"name": "http"}}}
    shop.write(wide)

    assert cli.main(["routes", *shop.flags]) == 0

    said = capsys.readouterr()
    header, *rows = [line.split() for line in said.out.splitlines()]
    assert header == ["HOST", "PATH", "MATCH", "BACKEND", "ENDPOINTS", "INGRESS"]
    assert rows == [
        ["*.wide.example", "/", "prefix", "default/gone:80", "0", "default/wide"],
        ["*.wide.example", "/api", "prefix", "default/web:80", "2", "default/wide"],
        ["*.wide.example", "/", "fallback", "default/web:http", "2", "default/wide"],
        [HOST, "/", "prefix", "default/web:80", "2", "default/shop"],
    ]
    [finding] = said.err.splitlines()
    assert finding.startswith("error: Ingress ")
    assert "'gone' does not exist" in finding


def test_as_json(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["routes", *shop.flags, "--output=json"]) == 0

    said = capsys.readouterr()
    [row] = json.loads(said.out)
    assert row["host"] == HOST
    assert sorted(row["endpoints"]) == sorted(f"{pod.address}:8080" for pod in shop.pods)
    assert said.err == ""


def test_flags_of_routing_count(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["routes", *shop.flags, "--output=json", "--controller-class=other"]) == 0

    assert json.loads(capsys.readouterr().out) == []


def test_a_namespace_and_what_flags_name_besides(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    there = sites.ingress("there", {"there.example": {"/": "web"}})
    there["metadata"]["namespace"] = "other"
    shop.write(there)

    def routed(*flags: str) -> list[tuple[str, str, int]]:
        assert cli.main(["routes", *shop.flags, "--output=json", *flags]) == 0
        rows = json.loads(capsys.readouterr().out)
        return [(row["host"], row["namespace"], len(row["endpoints"])) for row in rows]

    assert routed() == [(HOST, "default", 2), ("there.example", "other", 0)]
    assert routed("--watch-namespace=other") == [("there.example", "other", 0)]
    assert routed("--watch-namespace=other", "--default-backend-service=default/web") == [
        ("there.example", "other", 0),
        ("*", "default", 2),
    ]


def test_flags_of_the_daemon_are_not_its_own() -> None:
    with pytest.raises(SystemExit) as exit_:
        cli.main(["routes", "--manifests=.", "--workers=2"])

    assert exit_.value.code == 2

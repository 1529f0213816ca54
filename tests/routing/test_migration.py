"""The migration report's values: a verdict for each setting, the worst for the Ingress, and every finding once."""

from collections.abc import Mapping

import pytest

from ingressd.model.objects import ConfigMap, Ingress
from ingressd.routing.annotations import read_config_map
from ingressd.routing.annotations.row import Row
from ingressd.routing.annotations.table import ANNOTATIONS
from ingressd.routing.compile import RouteDefaults, compile_routes
from ingressd.routing.migration import VERDICTS, MigrationReport, migration_report
from tests.support.objects import cluster, endpoint_slice, ingress, meta, prefix, rule, service, tls

PREFIX = "nginx.ingress.kubernetes.io"


def written(annotations: Mapping[str, str], name: str = "web", host: str = "a.example", **more: object) -> Ingress:
    full = {name if "/" in name else f"{PREFIX}/{name}": value for name, value in annotations.items()}
    return ingress(name, rule(host, prefix("/", "web:80")), annotations=full, **more)  # type: ignore[arg-type]


def report(*ingresses: Ingress, config: Mapping[str, str] | None = None) -> MigrationReport:
    state = cluster(*ingresses, service("web"), endpoint_slice("web", "10.0.0.1"))
    config_map = ConfigMap(meta("controller"), config) if config is not None else None
    compiled = compile_routes(state, RouteDefaults())
    return migration_report(state, compiled, read_config_map(config_map), config_map=config_map)


def row_of(support: str) -> Row[object]:
    """An annotation that any text turns on."""
    rows = [row for row in ANNOTATIONS.values() if row.support == support and row.kind.name == "text"]
    return rows[0]


def test_an_ingress_without_annotations_is_the_same() -> None:
    [one] = report(written({})).ingresses

    assert (one.namespace, one.name, one.verdict, one.settings, one.answers) == ("default", "web", "same", (), "")


@pytest.mark.parametrize(
    ("name", "value", "verdict"),
    [
        ("enable-modsecurity", "true", "lost"),
        ("enable-modsecurity", "false", "same"),
        ("proxy-buffering", "on", "ignored"),
        ("proxy-buffering", "off", "same"),
        ("secure-backends", "false", "lost"),
        ("configuration-snippet", "lua_thing;", "lost"),
        ("no-such-annotation", "1", "ignored"),
        ("other.example/whatever", "1", None),
        ("proxy-buffering", "  ", None),
        ("ingressd.io/proxy-buffering", "on", "ignored"),
        ("regex-scope", "path", "ignored"),
    ],
)
def test_a_verdict_for_each_setting(name: str, value: str, verdict: str | None) -> None:
    [one] = report(written({name: value}), config={"annotations-risk-level": "Critical"}).ingresses

    assert [setting.verdict for setting in one.settings] == ([verdict] if verdict else [])
    assert one.verdict == (verdict or "same")


def test_every_support_has_a_verdict() -> None:
    for row in ANNOTATIONS.values():
        name = f"{'ingressd.io' if row.is_ours else PREFIX}/{row.name}"
        [one] = report(written({name: row.example or row.kind.example or "x"})).ingresses
        [setting] = one.settings
        assert setting.verdict in VERDICTS
        if setting.verdict != "same" and row.support in ("differs", "lost", "harmless"):
            assert setting.note


def test_an_ingress_has_the_worst_of_its_settings() -> None:
    [one] = report(written({"proxy-buffering": "on", "enable-modsecurity": "true"})).ingresses

    assert one.verdict == "lost"


def test_a_snippet_comes_with_what_to_write_instead() -> None:
    text = 'more_set_headers "X-Frame-Options: DENY"; deny 10.0.0.0/8; set $a b;'
    [one] = report(written({"configuration-snippet": text}), config={"annotations-risk-level": "Critical"}).ingresses
    [setting] = one.settings

    assert {suggestion.annotation: suggestion.value for suggestion in setting.write} == {
        "ingressd.io/response-headers-set": "X-Frame-Options: DENY",
        "ingressd.io/denylist-source-range": "10.0.0.0/8",
    }
    assert "set" in setting.note
    assert "keeps somebody out" in setting.note


def test_what_a_bad_value_does_to_the_ingress() -> None:
    frozen, closed, denied, default = report(
        written({"permanent-redirect-code": "many"}, "a-frozen"),
        written({"limit-rps": "many"}, "b-closed", "closed.example"),
        written({"denylist-source-range": "all"}, "b-denied", "b.example"),
        written({"proxy-read-timeout": "soon"}, "c-default", "c.example"),
    ).ingresses

    assert [one.answers for one in (frozen, closed, denied, default)] == ["nothing", "503", "503", ""]
    assert "denylist-source-range" in denied.why
    problems = [one.settings[0].problem for one in (frozen, denied, default)]
    assert [problem.rpartition("; ")[2] for problem in problems] == [
        "this version of the Ingress is not used",
        "its paths answer 503",
        "the default is used",
    ]


def test_a_finding_is_told_once() -> None:
    made = report(written({"limit-rps": "many", "no-such-annotation": "1"}), written({}, "younger", created=5.0))

    told = [setting.problem for one in made.ingresses for setting in one.settings]
    frozen = [one for one in made.findings if one.reason == "IngressFrozen"]  # of the object, not of one setting
    assert len(made.findings) == len(told) + len(made.conflicts) + len(frozen)
    assert list(made.rest) == frozen


def test_who_wins_a_path() -> None:
    made = report(written({}, "older", created=1.0), written({}, "younger", created=2.0))

    [conflict] = made.conflicts
    assert conflict.name == "younger"
    assert "default/older" in conflict.message


def test_certificates_stand_apart() -> None:
    made = report(written({}, tls=[tls("missing", "a.example")]))

    assert [finding.reason for finding in made.certificates] == ["SecretNotFound"]
    assert made.has_errors


def test_keys_of_the_config_map() -> None:
    made = report(
        written({}), config={"server-snippet": "return 403;", "no-such": "1", "hsts": "maybe", "keep-alive": ""}
    )

    assert {setting.name: setting.verdict for setting in made.config}.items() >= {
        ("server-snippet", "lost"),
        ("no-such", "ignored"),
    }
    assert [setting.name for setting in made.config if setting.problem] == ["hsts", "no-such"]
    assert "keep-alive" not in {setting.name for setting in made.config}


def test_other_controllers_are_counted() -> None:
    made = report(written({}), written({"enable-modsecurity": "true"}, "theirs", class_name="traefik"))

    assert [one.name for one in made.ingresses] == ["web"]
    assert made.others == 1
    assert not made.has_errors

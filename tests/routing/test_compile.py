"""Objects in, snapshot out: what takes more than one object to decide."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from ingressd.model.objects import ClusterObject, Ingress, IngressBackend, IngressPath, IngressRule
from ingressd.routing.claims import HostClaim, ReadIngress
from ingressd.routing.compile import Compiled, CompileMemo, RouteDefaults, compile_routes
from ingressd.routing.match import find_route
from ingressd.routing.precedence import SettledHost, settle_host
from ingressd.routing.reading import read_ingress
from ingressd.routing.snapshot import Route
from ingressd.routing.table import RouteTable
from tests.routing.cases import CASES, Case
from tests.routing.conftest import Faults
from tests.support.objects import (
    cluster,
    endpoint_slice,
    exact,
    external,
    ingress,
    meta,
    path,
    prefix,
    rule,
    service,
)

DEFAULTS = RouteDefaults()
WITH_DEFAULT = RouteDefaults(default_backend_service=("system", "fallback"))


def compiled(*objects: ClusterObject, defaults: RouteDefaults = DEFAULTS) -> Compiled:
    return compile_routes(cluster(*objects), defaults)


def answer(result: Compiled, host: str, path: str) -> str:
    """The key of the backend that answers, else the status."""
    snapshot = result.snapshot
    route = find_route(snapshot.hosts.values(), host, path) or snapshot.fallback
    if route is None:
        return "404"
    return route.backend or str(route.status)


def said(result: Compiled) -> list[tuple[str, str, str]]:
    return sorted((finding.name, finding.field, finding.reason) for finding in result.findings)


SERVICES = [
    service(name) for name in ("s1", "s2", "s3", "exact", "upper", "wildcard", "deeper", "named", "anyone", "only")
]
SLICES = [endpoint_slice(one.meta.name, "10.0.0.1") for one in SERVICES]


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_tables_of_the_specification(case: Case) -> None:
    result = compiled(case.ingress(), *SERVICES, *SLICES)
    assert result.findings == ()
    empty: RouteTable[Route] = RouteTable.empty()
    table = empty.with_changes(result.snapshot.hosts.values(), (), lambda _, route: route)
    route = table.find(case.normal_host, case.normal_path)
    assert (route.service or None if route else None) == case.expected


# ── default backends ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_default_backend_without_rules_catches_all() -> None:
    result = compiled(ingress("all", default="web:80"), ingress("named", rule("a.com", prefix("/x", "x:80"))))
    assert answer(result, "elsewhere", "/") == "default/web:80"
    assert answer(result, "a.com", "/miss") == "404"


def test_a_default_backend_with_rules_answers_misses_on_their_hosts_only() -> None:
    one = ingress("one", rule("a.com", prefix("/x", "x:80")), rule("*.b.com"), default="web:80")
    result = compiled(one, ingress("two", rule("c.com", prefix("/x", "x:80"))))
    assert answer(result, "a.com", "/x") == "default/x:80"
    assert answer(result, "a.com", "/miss") == "default/web:80"
    assert answer(result, "sub.b.com", "/") == "default/web:80"
    assert answer(result, "c.com", "/miss") == "404"
    assert answer(result, "elsewhere", "/") == "404"


def test_an_ingress_whose_only_rule_is_bad_does_not_become_a_catch_all() -> None:
    result = compiled(ingress("one", rule("bad_host.com", prefix("/", "x:80")), default="web:80"))
    assert answer(result, "elsewhere", "/") == "404"


def test_a_default_backend_with_a_host_less_rule_answers_every_miss() -> None:
    result = compiled(ingress("one", rule("", prefix("/x", "x:80")), default="web:80"))
    assert answer(result, "elsewhere", "/miss") == "default/web:80"
    assert answer(result, "elsewhere", "/x") == "default/x:80"


def test_the_controllers_default_backend_answers_what_nothing_else_does() -> None:
    result = compiled(
        ingress("one", rule("a.com", prefix("/x", "x:80"))),
        service("fallback", 8080, 9090, namespace="system"),
        endpoint_slice("fallback", "10.0.0.9", namespace="system"),
        defaults=WITH_DEFAULT,
    )
    assert answer(result, "a.com", "/miss") == answer(result, "elsewhere", "/") == "system/fallback:*"
    assert len(result.snapshot.backends["system/fallback:*"].endpoints) == 1
    assert result.snapshot.fallback is not None
    assert result.snapshot.fallback.service == "fallback"


def test_a_missing_default_backend_service_is_said_of_the_flag() -> None:
    result = compiled(defaults=WITH_DEFAULT)
    assert answer(result, "elsewhere", "/") == "system/fallback:*"
    assert said(result) == [("fallback", "--default-backend-service", "ServiceNotFound")]


def test_a_miss_never_goes_to_a_wildcard_or_host_less_rule() -> None:
    result = compiled(
        ingress("any", rule("", prefix("/", "any:80"))),
        ingress("wild", rule("*.foo.com", prefix("/", "wild:80"))),
        ingress("one", rule("a.foo.com", exact("/x", "x:80")), rule("empty.foo.com")),
    )
    assert answer(result, "a.foo.com", "/y") == "404"
    assert answer(result, "empty.foo.com", "/") == "404"
    assert answer(result, "b.foo.com", "/y") == "default/wild:80"


def test_hosts_with_nothing_but_null_rules() -> None:
    result = compiled(ingress("one", rule("a.com"), rule("b.com")))
    assert list(result.snapshot.hosts) == ["a.com", "b.com"]
    assert result.findings == ()


def test_an_ingress_that_says_nothing() -> None:
    result = compiled(ingress("one"))
    assert said(result) == [("one", "spec", "NothingToServe")]
    assert result.served == {("default", "one")}


def test_catch_all_may_be_disabled() -> None:
    result = compiled(
        ingress("all", default="web:80"),
        ingress("one", rule("", prefix("/", "web:80")), rule("a.com", prefix("/", "web:80"))),
        defaults=RouteDefaults(disable_catch_all=True),
    )
    assert list(result.snapshot.hosts) == ["a.com"]
    assert [entry for entry in said(result) if entry[2] == "CatchAllIgnored"] == [
        ("all", "spec.defaultBackend", "CatchAllIgnored"),
        ("one", "spec.rules[0].host", "CatchAllIgnored"),
    ]


# ── backends ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_missing_service_or_port_costs_its_own_paths_only() -> None:
    one = ingress("one", rule("a.com", prefix("/", "web:80"), prefix("/gone", "gone:80"), prefix("/port", "web:81")))
    result = compiled(one, service("web"), endpoint_slice("web", "10.0.0.1"))
    assert {key: len(backend.endpoints) for key, backend in result.snapshot.backends.items()} == {
        "default/gone:80": 0,
        "default/web:80": 1,
        "default/web:81": 0,
    }
    assert said(result) == [
        ("one", "spec.rules[0].http.paths[1].backend", "ServiceNotFound"),
        ("one", "spec.rules[0].http.paths[2].backend", "PortNotFound"),
    ]


def test_everybody_who_names_a_missing_service_is_told() -> None:
    result = compiled(
        ingress("one", rule("a.com", prefix("/", "gone:80"))), ingress("two", rule("b.com", prefix("/", "gone:80")))
    )
    assert said(result) == [
        ("one", "spec.rules[0].http.paths[0].backend", "ServiceNotFound"),
        ("two", "spec.rules[0].http.paths[0].backend", "ServiceNotFound"),
    ]


def test_who_names_a_service_beside_that_of_a_route_is_told_where_and_that_nothing_else_is_wrong() -> None:
    prefix_of = "nginx.ingress.kubernetes.io"
    main = ingress("main", rule("a.com", prefix("/", "web:80")), annotations={f"{prefix_of}/default-backend": "gone"})
    share = {f"{prefix_of}/canary": "true", f"{prefix_of}/canary-weight": "5"}
    canary = ingress("canary", rule("a.com", prefix("/", "next:80")), annotations=share)
    result = compiled(main, canary, service("web"), endpoint_slice("web", "10.0.0.1"), service("next"))
    assert sorted((one.name, one.field, one.message) for one in result.findings) == [
        ("canary", "spec.rules[0].http.paths[0].path", "Service 'next' has no ready endpoint for port '80'"),
        ("main", f"metadata.annotations[{prefix_of}/default-backend]", "Service 'gone' does not exist"),
    ]


def test_services_are_those_of_the_namespace_of_the_ingress() -> None:
    one = ingress("one", rule("a.com", prefix("/", "web:80")), namespace="other")
    result = compiled(one, service("web"), endpoint_slice("web", "10.0.0.1"))
    assert result.snapshot.backends["other/web:80"].endpoints == ()


@pytest.mark.parametrize(
    ("default", "defaults", "expected"),
    [
        ("", DEFAULTS, "404"),
        ("", WITH_DEFAULT, "system/fallback:*"),
        ("web:80", WITH_DEFAULT, "default/web:80"),
        ("Bucket/other", DEFAULTS, "404"),
    ],
    ids=["built-in 404", "the controller's", "the Ingress's own", "its own is a resource too"],
)
def test_a_resource_backend_is_answered_by_the_default_backend(
    default: str, defaults: RouteDefaults, expected: str
) -> None:
    one = ingress("one", rule("a.com", prefix("/", "root:80"), prefix("/files", "Bucket/files")), default=default)
    result = compiled(one, defaults=defaults)
    assert answer(result, "a.com", "/files/x") == expected
    assert ("one", "spec.rules[0].http.paths[1].backend", "UnknownBackend") in said(result)


def test_a_backend_that_names_nothing_is_closed() -> None:
    one = ingress("one", rule("a.com", IngressPath("/x", "Prefix", IngressBackend())), default="web:80")
    result = compiled(one, service("web"), endpoint_slice("web", "10.0.0.1"))
    assert answer(result, "a.com", "/x") == "503"
    assert said(result) == [("one", "spec.rules[0].http.paths[0].backend", "InvalidBackend")]


def test_a_backend_without_a_port_is_closed() -> None:
    one = ingress("one", rule("a.com", IngressPath("/x", "Prefix", IngressBackend("web"))))
    result = compiled(one, service("web"), endpoint_slice("web", "10.0.0.1"))
    assert result.snapshot.backends[answer(result, "a.com", "/x")].endpoints == ()
    assert said(result) == [("one", "spec.rules[0].http.paths[0].backend", "PortNotFound")]


@pytest.mark.parametrize("name", ["80", "*", "80|service", "8_0"])
def test_a_port_name_that_is_none_takes_nobodys_port(name: str) -> None:
    """The API server has no such name; a manifest may."""
    odd = ingress("a", IngressRule("a.com", (IngressPath("/", "Prefix", IngressBackend("web", 0, name)),)))
    sound = ingress("b", rule("b.com", prefix("/", "web:80")))
    result = compiled(odd, sound, service("web"), endpoint_slice("web", "10.0.0.1"))
    assert said(result) == [("a", "spec.rules[0].http.paths[0].backend", "PortNotFound")]
    assert result.snapshot.backends["default/web:80"].endpoints


def test_names_to_resolve_are_those_that_routes_lead_to() -> None:
    result = compiled(
        ingress("one", rule("a.com", prefix("/", "api:443"))),
        external("api", "API.example.com"),
        external("unused", "unused.example.com"),
    )
    assert result.external_names == {"api.example.com"}
    assert result.findings == ()


# ── bad parts ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_bad_part_costs_itself_alone() -> None:
    one = ingress(
        "one",
        rule("bad_host.com", prefix("/", "web:80")),
        rule("a.com", prefix("no-slash", "web:80"), path("Regex", "/x", "web:80"), prefix("/good", "web:80")),
    )
    result = compiled(one, service("web"), endpoint_slice("web", "10.0.0.1"))
    assert answer(result, "a.com", "/good") == "default/web:80"
    assert said(result) == [
        ("one", "spec.rules[0].host", "InvalidHost"),
        ("one", "spec.rules[1].http.paths[0].path", "InvalidPath"),
        ("one", "spec.rules[1].http.paths[1].pathType", "InvalidPathType"),
    ]


# ── faults of ours ──────────────────────────────────────────────────────────────────────────────────────────────────
# None is known that would do this, so they are played.

AUTH = {"nginx.ingress.kubernetes.io/auth-url": "http://auth.example.com/"}


def stumbling(monkeypatch: pytest.MonkeyPatch, over: str) -> None:
    """Reading the Ingress of this name fails as long as it is not denied."""

    def faulty(one: Ingress, *rest: Any, denied: str = "") -> ReadIngress:
        if one.meta.name == over and one.meta.generation == 2 and not denied:
            raise OverflowError("too much")
        return read_ingress(one, *rest, denied=denied)

    monkeypatch.setattr("ingressd.routing.versions.read_ingress", faulty)


def second(one: Ingress) -> Ingress:
    return msgspec.structs.replace(one, meta=msgspec.structs.replace(one.meta, generation=2))


@pytest.mark.parametrize(("annotations", "answers"), [({}, "default/two:80"), (AUTH, "503")])
def test_an_ingress_that_we_stumble_over_costs_nobody_else_anything(
    monkeypatch: pytest.MonkeyPatch, faults: Faults, annotations: dict[str, str], answers: str
) -> None:
    stumbling(monkeypatch, "one")
    memo = CompileMemo()
    one = ingress("one", rule("a.com", prefix("/x", "one:80")), annotations=annotations)
    two = ingress("two", rule("a.com", prefix("/", "two:80")))
    result = compile_routes(cluster(second(one), two), DEFAULTS, memo)
    route = find_route(result.snapshot.hosts.values(), "a.com", "/x")
    assert route is not None
    assert (answer(result, "a.com", "/x") if not route.policies else "503") == answers
    assert [finding.name for finding in result.findings if finding.reason == "InternalError"] == ["one"]
    assert answer(result, "a.com", "/y") == "default/two:80"

    compile_routes(cluster(one, two), DEFAULTS, memo)
    kept = compile_routes(cluster(second(one), two), DEFAULTS, memo)
    assert answer(kept, "a.com", "/x") == "default/one:80"
    assert "InternalError" in [finding.reason for finding in kept.findings]
    assert faults() == ["reading the Ingress default/one failed"] * 2


def test_a_host_that_we_stumble_over_costs_no_other_host_anything(
    monkeypatch: pytest.MonkeyPatch, faults: Faults
) -> None:
    def faulty(claims: Sequence[HostClaim], *rest: Any) -> SettledHost:
        if len(claims) == 2:
            raise RecursionError("too deep")
        return settle_host(claims, *rest)

    monkeypatch.setattr("ingressd.routing.compile.settle_host", faulty)
    memo = CompileMemo()
    one, other = (ingress(name, rule("a.com", prefix("/", f"{name}:80"))) for name in ("one", "other"))
    b = ingress("b", rule("b.com", prefix("/", "b:80")))

    closed = compile_routes(cluster(one, other, b), DEFAULTS, memo)
    assert (answer(closed, "a.com", "/"), answer(closed, "b.com", "/")) == ("503", "default/b:80")

    compile_routes(cluster(one, b), DEFAULTS, memo)
    kept = compile_routes(cluster(one, other, b), DEFAULTS, memo)
    assert (answer(kept, "a.com", "/"), answer(kept, "b.com", "/")) == ("default/one:80", "default/b:80")
    assert "InternalError" in [finding.reason for finding in kept.findings]
    assert faults() == ["settling the host a.com failed"] * 2


def test_findings_name_the_file() -> None:
    bad = Ingress(meta("one", source="shop.yaml#2"), "ingressd", (rule("a.com", prefix("/", "gone:80")),))
    assert [finding.source for finding in compiled(bad).findings] == ["shop.yaml#2"]


def test_equal_clusters_give_equal_bytes() -> None:
    objects: list[ClusterObject] = [
        *(ingress(f"i{n}", rule(f"h{n % 3}.com", prefix(f"/p{n % 4}", f"s{n % 5}:80"))) for n in range(12)),
        *(service(f"s{n}") for n in range(4)),
        *(endpoint_slice(f"s{n}", "10.0.0.2", "10.0.0.1") for n in range(4)),
    ]
    one, other = compiled(*objects), compiled(*reversed(objects))
    assert msgspec.msgpack.encode(one.snapshot) == msgspec.msgpack.encode(other.snapshot)
    assert one.findings == other.findings


def test_a_memo_hands_on_what_did_not_change() -> None:
    memo = CompileMemo()
    state = cluster(
        ingress("one", rule("a.com", prefix("/", "web:80"))),
        ingress("two", rule("b.com", prefix("/", "web:80"))),
        service("web"),
        endpoint_slice("web", "10.0.0.1"),
    )
    first = compile_routes(state, DEFAULTS, memo).snapshot
    changed = msgspec.structs.replace(
        state, ingresses={**state.ingresses, ("default", "two"): ingress("two", rule("b.com", prefix("/x", "web:80")))}
    )
    second = compile_routes(changed, DEFAULTS, memo).snapshot
    assert second.hosts["a.com"] is first.hosts["a.com"]
    assert second.backends["default/web:80"] is first.backends["default/web:80"]
    assert second.hosts["b.com"] != first.hosts["b.com"]


def test_a_memo_holds_nothing_of_what_is_gone() -> None:
    memo = CompileMemo()
    compile_routes(cluster(ingress("one", rule("a.com", prefix("/", "web:80"))), service("web")), DEFAULTS, memo)
    compile_routes(cluster(), DEFAULTS, memo)
    assert (memo.read, memo.hosts, memo.backends) == ({}, {}, {})


def test_routes_carry_the_defaults() -> None:
    defaults = RouteDefaults(max_body_bytes=7)
    [host] = compiled(ingress("one", rule("a.com", prefix("/", "web:80"))), defaults=defaults).snapshot.hosts.values()
    assert host.fallback is not None
    assert {route.max_body_bytes for route in (*host.routes, host.fallback)} == {7}

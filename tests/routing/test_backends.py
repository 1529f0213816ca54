"""The short road for endpoints, and memos: both give what compiling everything anew gives."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from ingressd.model.cluster import ClusterState
from ingressd.routing.compile import Compiled, CompileMemo, RouteDefaults, compile_routes, refresh_endpoints
from tests.routing.clusters import BACKEND_PARTS, DEFAULTS, PARTS, clusters, shuffled, with_parts_of
from tests.support.objects import cluster, config_map, endpoint_slice, external, ingress, prefix, rule, service

DEFAULT = RouteDefaults()


def everything(state: ClusterState) -> set[tuple[str, str]]:
    """Keys of all Services that anything in a cluster is about."""
    return {*state.services, *state.slices} | {(namespace, f"s{n}") for namespace in ("n0", "n1") for n in range(3)}


@given(clusters(), clusters(), BACKEND_PARTS, DEFAULTS)
def test_the_short_road_ends_where_the_long_one_does(
    before: ClusterState, after: ClusterState, parts: set[str], defaults: RouteDefaults
) -> None:
    memo = CompileMemo()
    state = with_parts_of(before, after, parts)
    changed = everything(before) | everything(after)
    compiled = compile_routes(before, defaults, memo)
    expected = compile_routes(state, defaults)
    assert refresh_endpoints(compiled, state, defaults, changed, memo) == expected
    assert refresh_endpoints(compiled, state, defaults, changed) == expected
    assert compile_routes(state, defaults, memo) == expected


@given(clusters(), clusters(), DEFAULTS, DEFAULTS)
def test_a_memo_changes_nothing(
    before: ClusterState, after: ClusterState, one: RouteDefaults, other: RouteDefaults
) -> None:
    memo = CompileMemo()
    for state, defaults in ((before, one), (after, one), (after, other), (before, one)):
        assert compile_routes(state, defaults, memo) == compile_routes(state, defaults)


@given(clusters(), clusters(), PARTS, PARTS, st.booleans())
def test_a_memo_knows_maps_again_and_still_changes_nothing(
    before: ClusterState, after: ClusterState, parts: set[str], more: set[str], refreshes: bool
) -> None:
    """What did not change comes in the very same maps, as ``kube/store`` hands them out."""
    memo = CompileMemo()
    state = with_parts_of(before, after, parts)
    compiled = compile_routes(before, DEFAULT, memo)
    if refreshes and parts <= {"services", "slices", "resolved"}:
        refresh_endpoints(compiled, state, DEFAULT, everything(before) | everything(after), memo)
    for one in (state, with_parts_of(state, before, more), before):
        assert compile_routes(one, DEFAULT, memo) == compile_routes(one, DEFAULT)


@given(st.data(), clusters(), DEFAULTS)
def test_nothing_depends_on_the_order_in_which_objects_were_seen(
    data: st.DataObject, state: ClusterState, defaults: RouteDefaults
) -> None:
    one, other = compile_routes(state, defaults), compile_routes(data.draw(shuffled(state)), defaults)
    assert msgspec.msgpack.encode(one.snapshot) == msgspec.msgpack.encode(other.snapshot)
    assert (one.findings, one.served) == (other.findings, other.served)


def test_a_memo_sees_what_changed_beside_the_service() -> None:
    web, api = service("web"), external("api", "api.example.com")
    one = ingress("one", rule("a.com", prefix("/web", "web:80"), prefix("/api", "api:80")))
    memo = CompileMemo()

    def addresses(endpoint: str, answer: str) -> list[str]:
        state = cluster(one, web, api, endpoint_slice("web", endpoint), resolved={"api.example.com": (answer,)})
        backends = compile_routes(state, DEFAULT, memo).snapshot.backends
        return [backends[key].endpoints[0].address for key in ("default/web:80", "default/api:80")]

    assert addresses("10.0.0.1", "192.0.2.1") == ["10.0.0.1", "192.0.2.1"]
    assert addresses("10.0.0.2", "192.0.2.1") == ["10.0.0.2", "192.0.2.1"]
    assert addresses("10.0.0.2", "192.0.2.2") == ["10.0.0.2", "192.0.2.2"]


def test_names_stand_for_ipv4_only_where_the_config_map_says_so() -> None:
    one = ingress("one", rule("a.com", prefix("/", "api:80"), prefix("/v6", "v6:80")))
    api, v6 = external("api", "api.example.com"), external("v6", "2001:db8::7")
    defaults = RouteDefaults(config_map=("default", "controller"))
    memo = CompileMemo()

    def state(wants_ipv4: str, *answers: str) -> ClusterState:
        config = config_map("controller", {"disable-ipv6-dns": wants_ipv4})
        return cluster(one, api, v6, config, resolved={"api.example.com": answers})

    def addresses(compiled: Compiled) -> list[str]:
        return [each.address for each in compiled.snapshot.backends["default/api:80"].endpoints]

    mixed = ("192.0.2.1", "2001:db8::1")
    assert addresses(compile_routes(state("false", "2001:db8::1"), defaults, memo)) == ["2001:db8::1"]
    only = compile_routes(state("true", "2001:db8::1"), defaults, memo)
    assert addresses(only) == []
    assert "ExternalNameUnresolved" in {finding.reason for finding in only.findings}
    assert only.external_names == {"api.example.com"}
    assert [each.address for each in only.snapshot.backends["default/v6:80"].endpoints] == ["2001:db8::7"]
    assert addresses(compile_routes(state("true", *mixed), defaults, memo)) == ["192.0.2.1"]
    short = refresh_endpoints(only, state("true", "192.0.2.3", "2001:db8::3"), defaults, [("default", "api")], memo)
    assert addresses(short) == ["192.0.2.3"]


WEB = ingress("one", rule("a.com", prefix("/", "web:80")), rule("b.com", prefix("/", "other:80")))


def state(*addresses: str) -> ClusterState:
    return cluster(
        WEB,
        service("web"),
        service("other"),
        endpoint_slice("web", *addresses),
        endpoint_slice("other", "10.0.9.1"),
    )


def test_only_the_named_service_is_built_again() -> None:
    before = compile_routes(state("10.0.0.1"), DEFAULT)
    after = refresh_endpoints(before, state("10.0.0.2"), DEFAULT, [("default", "web")])
    assert [one.address for one in after.snapshot.backends["default/web:80"].endpoints] == ["10.0.0.2"]
    assert after.snapshot.backends["default/other:80"] is before.snapshot.backends["default/other:80"]
    assert after.snapshot.hosts is before.snapshot.hosts
    assert list(after.snapshot.backends) == list(before.snapshot.backends)


def test_when_nothing_came_of_it_the_same_object_comes_back() -> None:
    before: Compiled = compile_routes(state("10.0.0.1"), DEFAULT)
    assert refresh_endpoints(before, state("10.0.0.1", "10.0.0.1"), DEFAULT, [("default", "web")]) is before
    assert refresh_endpoints(before, state("10.0.0.2"), DEFAULT, [("default", "unrelated")]) is before


def test_findings_follow_the_endpoints() -> None:
    before = compile_routes(state("10.0.0.1"), DEFAULT)
    gone = refresh_endpoints(before, state(), DEFAULT, [("default", "web")])
    assert [finding.reason for finding in gone.findings] == ["NoEndpoints"]
    back = refresh_endpoints(gone, state("10.0.0.1"), DEFAULT, [("default", "web")])
    assert back == before

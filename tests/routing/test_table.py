"""The table agrees with the matcher, and shares what did not change."""

from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingressd.routing import table
from ingressd.routing.match import find_route
from ingressd.routing.snapshot import Route, VirtualHost
from ingressd.routing.table import RouteTable
from tests.routing.cases import CASES, Case
from tests.routing.virtual_hosts import HOSTS, PATHS, VIRTUAL_HOSTS, hosts_of


def bind(vhost: VirtualHost, route: Route) -> Route:
    return route


def table_of(hosts: list[VirtualHost]) -> RouteTable[Route]:
    empty: RouteTable[Route] = RouteTable.empty()
    return empty.with_changes(hosts, (), bind)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_find(case: Case) -> None:
    route = table_of(hosts_of(case)).find(case.normal_host, case.normal_path)
    assert (route.service if route else None) == case.expected


@given(VIRTUAL_HOSTS, st.lists(st.tuples(HOSTS, PATHS), min_size=1, max_size=20))
def test_table_and_matcher_agree(hosts: dict[str, VirtualHost], requests: list[tuple[str, str]]) -> None:
    made = table_of(list(hosts.values()))
    for host, path in requests:
        assert made.find(host, path) == find_route(hosts.values(), host, path)


@given(VIRTUAL_HOSTS, VIRTUAL_HOSTS, st.lists(st.tuples(HOSTS, PATHS), min_size=1, max_size=20))
def test_changes_give_the_table_of_the_new_hosts(
    old: dict[str, VirtualHost], new: dict[str, VirtualHost], requests: list[tuple[str, str]]
) -> None:
    before = table_of(list(old.values()))
    after = before.with_changes(new.values(), old.keys() - new.keys(), bind)
    assert len(after) == len(new)
    for host, path in requests:
        assert after.find(host, path) == find_route(new.values(), host, path)
        assert before.find(host, path) == find_route(old.values(), host, path)


def test_an_untouched_host_is_not_bound_again() -> None:
    hosts = [VirtualHost(name, (Route("prefix", "/", name),)) for name in ("a.com", "*.b.com", "*", "c.com")]
    before = table_of(hosts)
    bound: list[str] = []

    def note(vhost: VirtualHost, route: Route) -> Route:
        bound.append(vhost.name)
        return route

    changed = before.with_changes([VirtualHost("c.com", (Route("prefix", "/", "new"),))], ["a.com", "unknown"], note)
    assert bound == ["c.com"]
    assert changed.find("x.b.com", "/") is before.find("x.b.com", "/")
    assert changed.find("a.com", "/") is before.find("elsewhere", "/")


@given(VIRTUAL_HOSTS, VIRTUAL_HOSTS, st.lists(st.tuples(HOSTS, PATHS), min_size=1, max_size=20))
def test_changes_of_hosts_of_many_routes_give_the_table_of_the_new_hosts(
    old: dict[str, VirtualHost], new: dict[str, VirtualHost], requests: list[tuple[str, str]]
) -> None:
    with patch.object(table, "_MANY", 1):
        before = table_of(list(old.values()))
        after = before.with_changes(new.values(), old.keys() - new.keys(), bind).with_changes(new.values(), (), bind)
    for host, path in requests:
        assert after.find(host, path) == find_route(new.values(), host, path)
        assert before.find(host, path) == find_route(old.values(), host, path)


@pytest.mark.parametrize("regex", [False, True])
def test_of_a_host_of_many_routes_those_that_change_are_bound(regex: bool) -> None:
    routes = [Route("regex" if regex else "prefix", f"/{number}", "old") for number in range(table._MANY)]
    before = table_of([VirtualHost("a.com", tuple(routes), None, regex)])
    bound: list[str] = []

    def note(vhost: VirtualHost, route: Route) -> Route:
        bound.append(route.path)
        return route

    changed = (*routes[:5], Route(routes[5].kind, "/5", "new"), *routes[6:], Route(routes[0].kind, "/more", "new"))
    after = before.with_changes([VirtualHost("a.com", changed, None, regex)], (), note)
    assert sorted(bound) == ["/5", "/more"]
    assert after.find("a.com", "/9") is before.find("a.com", "/9")
    for path in ("/5", "/more"):
        found = after.find("a.com", path)
        assert found is not None
        assert found.backend == "new"


def test_what_is_bound_may_be_falsy() -> None:
    empty: RouteTable[int] = RouteTable.empty()
    table = empty.with_changes(
        [VirtualHost("a.com", (Route("prefix", "/x", ""), Route("exact", "/x", "")))], (), lambda _, route: 0
    )
    assert table.find("a.com", "/x") == 0
    assert table.find("a.com", "/x/y") == 0
    assert table.find("a.com", "/y") is None


def test_an_empty_table_finds_nothing() -> None:
    table: RouteTable[Route] = RouteTable.empty()
    assert len(table) == 0
    assert table.find("a.com", "/") is None

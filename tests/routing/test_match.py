"""The pure matcher against the tables of the specification."""

import pytest

from ingressd.routing.match import choose_host, find_route, match_host, match_path
from ingressd.routing.snapshot import MatchKind, Route, VirtualHost
from tests.routing.cases import CASES, Case
from tests.routing.virtual_hosts import hosts_of


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_find_route(case: Case) -> None:
    route = find_route(hosts_of(case), case.normal_host, case.normal_path)
    assert (route.service if route else None) == case.expected


@pytest.mark.parametrize(
    ("declared", "host", "summary"),
    [
        ("foo.com", "foo.com", 2),
        ("*.foo.com", "bar.foo.com", 1),
        ("*.foo.com", "foo.com", None),
        ("*.foo.com", ".foo.com", None),
        ("*.foo.com", "a.b.foo.com", None),
        ("*.foo.com", "*.foo.com", 1),
        ("*", "anything", 0),
    ],
)
def test_match_host(declared: str, host: str, summary: int | None) -> None:
    assert match_host(declared, host) == summary


@pytest.mark.parametrize(
    ("kind", "declared", "path", "summary"),
    [
        ("exact", "/a", "/a", (1, 0)),
        ("exact", "/a", "/a/", None),
        ("prefix", "/", "/a", (0, 0)),
        ("prefix", "/a/b", "/a/b/c", (0, 2)),
        ("prefix", "/a/b", "/a", None),
    ],
)
def test_match_path(kind: MatchKind, declared: str, path: str, summary: tuple[int, int] | None) -> None:
    assert match_path(kind, declared, path) == summary


def test_no_host_fits() -> None:
    assert choose_host([VirtualHost("foo.com")], "bar.com") is None
    assert find_route([VirtualHost("foo.com")], "bar.com", "/") is None


def test_a_miss_meets_the_fallback_of_its_host() -> None:
    fallback = Route("prefix", "/", "", status=404)
    hosts = [VirtualHost("foo.com", (), fallback), VirtualHost("*", (Route("prefix", "/", "any"),))]
    assert find_route(hosts, "foo.com", "/") is fallback

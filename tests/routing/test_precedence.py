"""Who wins when several objects claim the same."""

import itertools

import pytest

from ingressd.model.objects import Ingress
from ingressd.routing.compile import RouteDefaults, compile_routes
from ingressd.routing.match import find_route
from tests.support.objects import cluster, endpoint_slice, exact, ingress, path, prefix, rule, service

BACKENDS = [one for name in "abc" for one in (service(name), endpoint_slice(name, "10.0.0.1"))]


def outcome(*ingresses: Ingress, host: str = "foo.com", at: str = "/x") -> tuple[str, list[str]]:
    """The Service that answers, and findings as ``namespace/name reason: message``; the same in every order."""
    outcomes = set()
    for order in itertools.permutations(ingresses):
        compiled = compile_routes(cluster(*order, *BACKENDS), RouteDefaults())
        route = find_route(compiled.snapshot.hosts.values(), host, at)
        conflicts = [f for f in compiled.findings if f.reason.endswith("Conflict")]
        outcomes.add(
            (
                route.service if route else "",
                tuple(f"{f.namespace}/{f.name} {f.level} {f.reason} {f.field}: {f.message}" for f in conflicts),
            )
        )
    [(service_name, findings)] = outcomes
    return service_name, list(findings)


def test_the_oldest_wins_and_the_loser_is_told_by_whom() -> None:
    winner, findings = outcome(
        ingress("z", rule("foo.com", prefix("/x", "a:80")), created=1.0),
        ingress("a", rule("FOO.com", prefix("/x/", "b:80")), created=2.0),
        ingress("b", rule("foo.com.", path("ImplementationSpecific", "/x", "c:80")), created=3.0),
    )
    assert winner == "a"
    claimed = "prefix path '/x' of host 'foo.com' is already claimed by Ingress default/z"
    where = "spec.rules[0].http.paths[0]"
    assert findings == [
        f"default/a warning PathConflict {where}: {claimed} ({where})",
        f"default/b warning PathConflict {where}: {claimed} ({where})",
    ]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("ns-a", "z"), ("ns-b", "a")),
        (("ns", "a"), ("ns", "b")),
        (("ns", "a"), ("ns", "a-b")),
        (("a", "z"), ("a-b", "a")),
    ],
)
def test_equally_old_ones_are_ordered_by_namespace_then_name(first: tuple[str, str], second: tuple[str, str]) -> None:
    routes = rule("foo.com", prefix("/x", "a:80"))
    one = ingress(first[1], routes, namespace=first[0], created=5.0)
    two = ingress(second[1], routes, namespace=second[0], created=5.0)
    _, findings = outcome(one, two)
    assert [finding.split()[0] for finding in findings] == [f"{second[0]}/{second[1]}"]


def test_exact_and_prefix_of_the_same_text_are_two_claims() -> None:
    objects = ingress("a", rule("foo.com", prefix("/x", "a:80"))), ingress("b", rule("foo.com", exact("/x", "b:80")))
    assert outcome(*objects) == ("b", [])
    assert outcome(*objects, at="/x/y") == ("a", [])


def test_several_ingresses_share_a_host() -> None:
    objects = ingress("a", rule("foo.com", prefix("/x", "a:80"))), ingress("b", rule("foo.com", prefix("/y", "b:80")))
    assert outcome(*objects, at="/x") == ("a", [])
    assert outcome(*objects, at="/y") == ("b", [])


def test_within_one_ingress_the_first_wins() -> None:
    one = ingress("a", rule("foo.com", prefix("/x", "a:80")), rule("foo.com", prefix("/x", "b:80")))
    winner, [finding] = outcome(one)
    assert winner == "a"
    assert "spec.rules[1].http.paths[0]: " in finding
    assert "spec.rules[0].http.paths[0] of the same Ingress" in finding


def test_saying_the_same_twice_is_no_conflict() -> None:
    assert outcome(ingress("a", rule("foo.com", prefix("/x", "a:80"), prefix("/x/", "a:80")))) == ("a", [])


def test_the_oldest_default_backend_of_a_host() -> None:
    winner, [finding] = outcome(
        ingress("old", rule("foo.com"), default="a:80", created=1.0),
        ingress("new", rule("foo.com"), default="b:80", created=2.0),
        ingress("same", rule("foo.com"), default="a:80", created=3.0),
    )
    assert winner == "a"
    assert finding.startswith("default/new warning DefaultBackendConflict spec.defaultBackend: ")
    assert "default/old" in finding


def test_two_that_would_catch_all() -> None:
    winner, [finding] = outcome(ingress("a", default="a:80"), ingress("b", default="b:80"), host="anywhere.example.com")
    assert winner == "a"
    assert "the default backend of any host" in finding


def test_a_loser_keeps_its_other_paths_and_costs_nothing_else() -> None:
    old = ingress("old", rule("foo.com", prefix("/x", "a:80")), created=1.0)
    new = ingress("new", rule("foo.com", prefix("/x", "gone:80"), prefix("/y", "b:80")), created=2.0)
    assert outcome(old, new, at="/y")[0] == "b"
    compiled = compile_routes(cluster(old, new, *BACKENDS), RouteDefaults())
    assert [finding.reason for finding in compiled.findings] == ["PathConflict"]
    assert sorted(compiled.snapshot.backends) == ["default/a:80", "default/b:80"]

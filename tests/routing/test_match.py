"""The pure matcher against the tables of the specification."""

import pytest

from ingressd.routing.match import choose_host, find_route, match_host, match_path, sure_beginning
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
        ("exact", "/a", "/a", (1, 0, 0, "")),
        ("exact", "/a", "/a/", None),
        ("prefix", "/", "/a", (0, 1, 1, "")),
        ("prefix", "/a/b", "/a/b/c", (0, 4, 1, "")),
        ("prefix", "/a/b", "/a", None),
        ("regex", "/a", "/A/b", (0, 2, 0, "/a")),
        ("regex", "/a", "/b/a", None),
        ("regex", "/b|/a", "/b/a", (0, 5, 0, "/b|/a")),
        ("regex", "/(", "/a/x", None),
        ("regex", "/a/b(", "/A/b/x", (0, 5, 0, "/a/b(")),
    ],
)
def test_match_path(kind: MatchKind, declared: str, path: str, summary: tuple[int, int, int, str] | None) -> None:
    assert match_path(kind, declared, path) == summary


def regex_host(*declared: tuple[MatchKind, str]) -> VirtualHost:
    routes = tuple(Route(kind, path, f"{kind} {path}") for kind, path in declared)
    return VirtualHost("foo.com", routes, Route("prefix", "/", "fallback"), regex=True)


# A regex host's declared paths → request path → the backend of the route that answers.
REGEX_HOSTS: list[tuple[tuple[tuple[MatchKind, str], ...], dict[str, str]]] = [
    (
        (("prefix", "/foo"), ("prefix", "/")),
        {"/foo": "prefix /foo", "/foobar": "prefix /foo", "/FOO/x": "prefix /foo", "/x/foo": "prefix /"},
    ),
    ((("exact", "/foo"),), {"/foo/x": "exact /foo", "/Foobar": "exact /foo", "/fo": "fallback"}),
    ((("prefix", "/foo/"),), {"/foo/x": "prefix /foo/", "/foo": "fallback"}),
    # Length is of the text: 17 characters beat 12, though the second is the very path.
    ((("prefix", "/foo/bar/bar"), ("prefix", "/foo/bar/[a-z]{3}")), {"/foo/bar/bar": "prefix /foo/bar/[a-z]{3}"}),
    ((("prefix", "/b."), ("prefix", "/.b"), ("prefix", "/zz")), {"/bb": "prefix /b.", "/ab": "prefix /.b"}),
    ((("prefix", "/v1.0"),), {"/v1.0": "prefix /v1.0", "/v1x0": "prefix /v1.0"}),
    ((("prefix", "/foo"), ("exact", "/foo")), {"/foo/x": "prefix /foo", "/foo": "exact /foo", "/foobar": "exact /foo"}),
    ((("prefix", "/a|/b"),), {"/a": "prefix /a|/b", "/x/b": "prefix /a|/b", "/x/a": "fallback"}),
    ((("prefix", "/(?!api)(.*)"), ("prefix", "/")), {"/web": "prefix /(?!api)(.*)", "/api": "prefix /"}),
    ((("prefix", "/caf\u00e9 (.*)"),), {"/caf%C3%A9%20noir": "prefix /caf\u00e9 (.*)", "/cafe": "fallback"}),
]


@pytest.mark.parametrize(
    ("declared", "path", "expected"),
    [(declared, path, backend) for declared, answers in REGEX_HOSTS for path, backend in answers.items()],
)
def test_regex_host(declared: tuple[tuple[MatchKind, str], ...], path: str, expected: str) -> None:
    found = find_route([regex_host(*declared)], "foo.com", path)
    assert found is not None
    assert found.backend == expected


# A plain host of which one Ingress asks for patterns: declared paths → request path → backend.
MIXED: list[tuple[tuple[tuple[MatchKind, str], ...], dict[str, str | None]]] = [
    (
        (("exact", "/a"), ("regex", "/a.*"), ("prefix", "/a")),
        {"/a": "exact /a", "/a/x": "regex /a.*", "/ab": "regex /a.*", "/A": "regex /a.*"},
    ),
    ((("regex", "/a"), ("prefix", "/a")), {"/a/x": "prefix /a", "/ab": "regex /a", "/A": "regex /a"}),
    ((("regex", "/a"), ("prefix", "/a/b")), {"/a/b/c": "prefix /a/b", "/a/c": "regex /a"}),
    ((("regex", "/"), ("prefix", "/")), {"/x": "prefix /"}),
    ((("regex", "/"),), {"/x": "regex /"}),
    ((("prefix", "/a"),), {"/A": None, "/ab": None}),
]


@pytest.mark.parametrize(
    ("declared", "path", "expected"),
    [(declared, path, backend) for declared, answers in MIXED for path, backend in answers.items()],
)
def test_patterns_on_a_plain_host(declared: tuple[tuple[MatchKind, str], ...], path: str, expected: str | None) -> None:
    routes = tuple(Route(kind, path, f"{kind} {path}") for kind, path in declared)
    found = find_route([VirtualHost("foo.com", routes)], "foo.com", path)
    assert (found and found.backend) == expected


def test_a_pattern_that_cannot_be_compiled_answers_503_and_harms_nobody() -> None:
    vhost = regex_host(("prefix", "/secret/(("), ("prefix", "/secret"), ("prefix", "/(("), ("prefix", "/"))
    statuses = {}
    for path in ("/Secret/x", "/secrets", "/x"):
        found = find_route([vhost], "foo.com", path)
        assert found is not None
        statuses[path] = (found.backend, found.status)
    assert statuses == {"/Secret/x": ("", 503), "/secrets": ("prefix /secret", 404), "/x": ("prefix /", 404)}


@pytest.mark.parametrize(
    ("declared", "beginning"),
    [
        ("/", "/"),
        ("/(", ""),
        ("/a(", "/a"),
        ("/ab?(", "/a"),
        ("/api/(x", "/api/"),
        ("/apis?/(x", "/api"),
        (r"/v1\.0/(x", "/v1.0/"),
        ("/a.b", "/a"),
        ("/a/b|(c", ""),
        ("/API{2}(", "/ap"),
    ],
)
def test_sure_beginning(declared: str, beginning: str) -> None:
    assert sure_beginning(declared) == beginning


def test_no_host_fits() -> None:
    assert choose_host([VirtualHost("foo.com")], "bar.com") is None
    assert find_route([VirtualHost("foo.com")], "bar.com", "/") is None


def test_a_miss_meets_the_fallback_of_its_host() -> None:
    fallback = Route("prefix", "/", "", status=404)
    hosts = [VirtualHost("foo.com", (), fallback), VirtualHost("*", (Route("prefix", "/", "any"),))]
    assert find_route(hosts, "foo.com", "/") is fallback

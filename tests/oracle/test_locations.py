"""Which location answers, and nginx's own redirects: the same here.

nginx is configured as ingress-nginx would: its order of locations is written here once more, from its description, so
that our order and our matching are both put to the question.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from ingressd.http.target import parse_target
from ingressd.policy.ask import Answer, Ask
from ingressd.policy.redirects import AppRoot, FixedRedirect, app_root, fixed_redirect
from ingressd.policy.trailing_slash import TrailingSlash, trailing_slash
from ingressd.routing.snapshot import MatchKind, Route, VirtualHost
from ingressd.routing.table import RouteTable
from tests.oracle.nginx import Nginx, Seen
from tests.policy.asks import ask


class Host(NamedTuple):
    """A host's declared paths; ``regex`` when one of its Ingresses asks for expressions."""

    regex: bool
    paths: tuple[tuple[MatchKind, str], ...]


HOSTS = {
    "plain": Host(False, (("prefix", "/foo"), ("exact", "/bar"), ("prefix", "/foo/bar"), ("prefix", "/v1.0"))),
    "root": Host(False, (("prefix", "/"), ("exact", "/foo"), ("prefix", "/foo"), ("exact", "/foo/"))),
    "slash": Host(False, (("prefix", "/foo/"), ("prefix", "/bar/"), ("exact", "/bar"))),
    "spill": Host(True, (("prefix", "/foo"), ("exact", "/bar"), ("prefix", "/v1.0"), ("prefix", "/"))),
    "length": Host(True, (("prefix", "/foo/bar/bar"), ("regex", "/foo/bar/[a-z]{3}"), ("prefix", "/foo"))),
    "ties": Host(True, (("regex", "/b."), ("regex", "/.b"), ("prefix", "/zz"), ("regex", "/z."))),
    "slashes": Host(True, (("prefix", "/foo/"), ("exact", "/foo/bar"), ("regex", "/bar(/|$)(.*)"))),
    "alike": Host(True, (("prefix", "/foo"), ("exact", "/foo"), ("exact", "/bar"), ("prefix", "/bar"))),
    "equal": Host(True, (("regex", "/foo"), ("exact", "/foo"), ("exact", "/bar"), ("regex", "/bar"))),
    "alternatives": Host(True, (("regex", "/foo|/bar"), ("regex", "/v1|.*baz$"), ("prefix", "/x"))),
    "lookaheads": Host(True, (("regex", "/(?!foo)(.*)"), ("prefix", "/foo"), ("regex", "/v(?=1\\.)"))),
    "anchors": Host(True, (("regex", "/foo$"), ("regex", "/bar/?$"), ("prefix", "/foo/bar"))),
    "classes": Host(True, (("regex", r"/\w+/\d+$"), ("regex", "/[^/]+$"), ("regex", "/.*"))),
    "lazy": Host(True, (("regex", "/(.+?)/bar$"), ("regex", "/(?:foo|bar)+$"))),
    "encoded": Host(True, (("regex", "/caf\u00e9"), ("regex", "/a b"), ("prefix", "/"))),
}
TARGETS = [
    *("/", "/foo", "/foo/", "/foo/bar", "/foo/bar/", "/foo/bar/bar", "/foo/bar/abc", "/foobar", "/FOO/x", "/fo"),
    *("/bar", "/bar/", "/bar/x", "/BAR", "/Barfoo", "/x/foo", "/x/bar", "/x/baz", "/v1.0", "/v1x0", "/v1.0/x", "/v1"),
    *("/ab", "/bb", "/bbb", "/zz", "/zzz", "/abc/12", "/abc/12/", "/foo/12", "/foofoobar", "/foo?x=/bar", "/bar?/"),
    *("/foo/../bar", "/./foo", "//foo", "/f%6fo", "/foo/%62ar", "/caf%c3%a9", "/CAF%C3%A9/x", "/a%20b", "/a%20c"),
]


def blocks(host: Host) -> str:
    """Locations as ingress-nginx writes them. Each answers with the kind and path it came from."""
    exact = {path for kind, path in host.paths if kind == "exact"}
    written: list[tuple[str, str, str]] = []  # kind, path, answer
    for kind, path in sorted(sorted(host.paths, key=lambda one: one[1], reverse=True), key=lambda one: -len(one[1])):
        answer = f"{kind} {path}"
        if kind != "prefix" or path == "/":
            written.append((kind, path, answer))
            continue
        written.append(("prefix", path.rstrip("/") + "/", answer))
        if path not in exact and (host.regex or not path.endswith("/")):
            written.append(("exact", path, answer))
    last = (
        [] if "/" in {path for _, path in host.paths} else ["    location / { return 404; }"]
    )  # a host's implicit one
    return "\n".join([*(_location(host, *one) for one in written), *last])


def _location(host: Host, kind: str, path: str, answer: str) -> str:
    sign = '~* "^' if host.regex else '= "' if kind == "exact" else '"'
    # An upstream that says the route's name: only a location that passes on redirects to its slash.
    return f'    location {sign}{path}" {{ rewrite ^ "/{answer.encode().hex()}" break; pass_on; }}'


REDIRECTS: dict[str, tuple[str, FixedRedirect | AppRoot]] = {
    "fixed": ("return 301 https://new.example/x?y=1;", FixedRedirect("https://new.example/x?y=1")),
    "status": ("return 308 http://new.example;", FixedRedirect("http://new.example", 308)),
    "bare": ("return 302 /x/y?z=1;", FixedRedirect("/x/y?z=1", 302)),
    "relative": ("absolute_redirect off; return 301 /x/y;", FixedRedirect("/x/y", 301, True)),
    "approot": ("if ($uri = /) { return 302 $scheme://$http_host/app; } location / { return 404; }", AppRoot("/app")),
}


@pytest.fixture(scope="module")
def nginx(nginx_program: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    servers = {name: blocks(host) for name, host in HOSTS.items()}
    servers |= {name: f"    {block}" for name, (block, _) in REDIRECTS.items()}
    directory: Path = tmp_path_factory.mktemp("nginx")
    with Nginx(nginx_program, directory, servers) as running:
        yield running


def seen(answer: Answer | None) -> Seen:
    if answer is None:
        return Seen(404, "", "")
    return Seen(answer.status, answer.fields.decode("ascii").removeprefix("Location: ").removesuffix("\r\n"), "")


def table_of(name: str) -> RouteTable[Route]:
    host = HOSTS[name]
    routes = tuple(Route(kind, path, f"{kind} {path}") for kind, path in host.paths)
    empty: RouteTable[Route] = RouteTable.empty()
    return empty.with_changes([VirtualHost(name, routes, None, host.regex)], (), lambda _, route: route)


def ours(table: RouteTable[Route], host: str, asked: str) -> Seen:
    route = table.find(host, parse_target(asked).path)
    if route is None:
        return Seen(404, "", "")
    if route.kind == "prefix" and route.path.endswith("/") and route.path != "/" and not HOSTS[host].regex:
        redirect = trailing_slash(TrailingSlash(route.path.rstrip("/")), ask(asked, host=host.encode()))
        if redirect is not None:
            return seen(redirect)
    return Seen(200, "", route.backend)


@pytest.mark.parametrize("host", HOSTS)
def test_locations(nginx: Nginx, host: str) -> None:
    table = table_of(host)
    differing = {}
    for asked in TARGETS:
        theirs = nginx.get(asked, host)
        if theirs.status == 200:
            name = bytes.fromhex(theirs.body.removeprefix("/").partition("?")[0]).decode()
            expected = Seen(200, "", name)
        else:
            expected = theirs._replace(body="")
        if (mine := ours(table, host, asked)) != expected:
            differing[asked] = (mine, expected)
    assert differing == {}


@pytest.mark.parametrize("name", REDIRECTS)
@pytest.mark.parametrize("asked", ["/", "/?q=1", "/x", "/x/y/?q=/"])
@pytest.mark.parametrize("spelled", [str, str.upper])
def test_redirects(nginx: Nginx, name: str, asked: str, spelled: type[str]) -> None:
    settings = REDIRECTS[name][1]
    host = f"{spelled(name)}:8080"
    request: Ask = ask(asked, host=host.encode())
    answer = fixed_redirect(settings, request) if isinstance(settings, FixedRedirect) else app_root(settings, request)
    assert nginx.get(asked, host)._replace(body="") == seen(answer)

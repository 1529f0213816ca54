"""Rewrites: what an upstream behind nginx would see is what ours sees."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ingressd.http.target import parse_target, rewritten_target
from ingressd.policy.ask import Plan
from ingressd.policy.pattern import location_pattern
from ingressd.policy.rewrite import Rewrite, Rewriter
from tests.oracle.nginx import Nginx, Seen
from tests.policy.asks import ask

REWRITES: list[tuple[str, str]] = [
    ("/api(/|$)(.*)", "/$2"),
    ("/api", "/"),
    ("/api/(.*)", "/v2/$1"),
    ("/API/(.*)", "/$1"),
    ("/b", "/found"),
    ("/(a)|/(b)", "/x$1-$2"),
    ("/(a)", "/$1$1/$2/$9"),
    (r"/v(\d+)/(.*?)/?$", "/$2/of-$1"),
    ("/(?!api|static/)(.*)", "/web/$1"),
    ("/((?!api).*)", "/web/$1"),
    (r"/(.*)(?<!\.js)$", "/page/$1"),
    ("/x.y(.*)", "/dot$1"),
    ("/caf\u00e9/(.*)", "/coffee/$1"),
    ("/with space/(.*)", "/$1"),
    ("/[a-c]{2,3}/(.+)", "/$1"),
    ("/(?i)Mixed/(.*)", "/$1"),
    (r"/\w+/(?P<rest>.*)", "/r/$1"),
    ("/(.*)/(.*)/(.*)/(.*)", "/$4/$3/$2/$1"),
    ("/old/(.*)", "https://new.example/$1"),
    ("/gone", "http://new.example"),
    ("/ask/(.*)", "https://new.example/?from=$1"),
    ("/(a|ab)(c|bcd)(d*)", "/$1-$2-$3"),
    ("/(.*)foo(.*)", "/$1-$2"),
]
TARGETS = [
    "/",
    "/api",
    "/api/",
    "/api/orders/1",
    "/api/orders?q=1&r=/x/",
    "/API/x",
    "/apis/x",
    "/x/api/y",
    "/a",
    "/b",
    "/a/b/c",
    "/a/b/c/d",
    "/v12/x/y/",
    "/v12/x",
    "/static/a.js",
    "/static/a.jsx",
    "/x.y/1",
    "/xzy",
    "/caf%c3%a9/au%20lait",
    "/with%20space/x",
    "/abc/1",
    "/mixed/x",
    "/old/a/b?q=1",
    "/old/",
    "/gone/x?q=1",
    "/ask/me?q=1",
    "/abcd",
    "/%61pi/x",
    "/x/../api/y",
    "//api//x",
    "/barfoobazfoo",
    "/api/a+b,c;d=e@f:g&h=i!j*k'(l)",
    "/api/%e2%82%ac",
    "/api/a%22b%3Cc%3E",
]
# nginx matches the decoded path and encodes what it sends anew; ours is matched and sent in its one, encoded spelling.
# So what RFC 3986 §2.2 reserves, and a client encoded all the same, stays encoded here: what a backend would decode it
# to is the client's word, not ours. (pattern, target, what is asked) → what nginx sends, what we send.
DIFFERENT: dict[tuple[str, str, str], tuple[str, str]] = {
    ("/api/(.*)", "/$1", "/api/a%3Ab"): ("/a:b", "/a%3Ab"),
    ("/api/(.*)", "/$1", "/api/a%2Cb"): ("/a,b", "/a%2Cb"),
    ("/api/([^/]*)/(.*)", "/$2", "/api/a%2Fb/c"): ("/b/c", "/c"),
    ("/api/(.)(.)", "/$1", "/api/%20x"): ("/%20", "/%"),
}


@pytest.fixture(scope="module")
def nginx(nginx_program: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    rewrites = [*REWRITES, *((pattern, target) for pattern, target, _ in DIFFERENT)]
    servers = {
        f"rewrite{number}": f'    location ~* "^{pattern}" {{ rewrite "(?i){pattern}" "{target}" break; pass_on; }}\n'
        f"    location / {{ return 404; }}"
        for number, (pattern, target) in enumerate(rewrites)
    }
    directory: Path = tmp_path_factory.mktemp("nginx")
    with Nginx(nginx_program, directory, servers) as running:
        yield running


def ours(pattern: str, target: str, asked: str) -> Seen:
    request = ask(asked)
    if location_pattern(pattern).search(request.path) is None:
        return Seen(404, "", "")
    plan = Plan()
    answer = Rewriter(Rewrite(pattern, target)).apply(request, plan)
    if answer is not None:
        return Seen(answer.status, answer.fields.decode("ascii").removeprefix("Location: ").removesuffix("\r\n"), "")
    assert plan.path is not None
    return Seen(200, "", rewritten_target(plan.path, parse_target(asked).query).decode("ascii"))


@pytest.mark.parametrize("number", range(len(REWRITES)), ids=[f"{pattern} to {target}" for pattern, target in REWRITES])
def test_rewrites(nginx: Nginx, number: int) -> None:
    differing, rewritten = {}, 0
    for asked in TARGETS:
        theirs = nginx.get(asked, f"rewrite{number}")
        expected = theirs if theirs.status == 200 else theirs._replace(body="")
        rewritten += theirs.status in (200, 302)
        if (mine := ours(*REWRITES[number], asked)) != expected:
            differing[asked] = (mine, expected)
    assert differing == {}
    assert rewritten


@pytest.mark.parametrize("number", range(len(DIFFERENT)), ids=[asked for _, _, asked in DIFFERENT])
def test_where_our_spelling_of_a_path_is_another(nginx: Nginx, number: int) -> None:
    (pattern, target, asked), (theirs, mine) = list(DIFFERENT.items())[number]
    assert nginx.get(asked, f"rewrite{len(REWRITES) + number}").body == theirs
    assert ours(pattern, target, asked).body == mine

"""nginx and the daemon, with one origin behind both: the same request gets the same answer, and arrives the same.

What nginx is given is what such an Ingress amounts to as nginx's configuration.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path as Folder
from tempfile import TemporaryDirectory
from typing import NamedTuple

import pytest

from tests.annotations.case import Annotations, Ask, Case, Path
from tests.annotations.desk import Desk
from tests.annotations.objects import HASHES
from tests.annotations.origins import PORT
from tests.annotations.wire import Line, Reply
from tests.oracle.nginx import Nginx


@dataclass(frozen=True)
class Pair:
    """An Ingress, and the same in nginx's words; ``to(service)`` in them is an origin's URL."""

    annotations: Annotations
    paths: tuple[Path, ...]
    block: str
    asks: tuple[Ask, ...]


def location(how: str, service: str = "echo", more: str = "") -> str:
    return f"location {how} {{ {more} proxy_set_header Host $host; proxy_pass http://@{service}@; }}\n"


def get(*paths: str) -> tuple[Ask, ...]:
    return tuple(Ask(path=path) for path in paths)


_ROOT = (Path(),)
_API = Path(path="/api(/|$)(.*)", kind="ImplementationSpecific")
_COOKIES = {"headers": [["Set-Cookie", "a=1; Domain=internal; Path=/one/two; HttpOnly"]]}
_AWAY = {"status": 302, "headers": [["Location", "http://internal/x?y=1"]]}

PAIRS = {
    "a rewrite": Pair(
        {"rewrite-target": "/$2"},
        (_API,),
        location('~* "^/api(/|$)(.*)"', more='rewrite "(?i)/api(/|$)(.*)" /$2 break;') + "location / { return 404; }",
        get("/api/x/y?q=1", "/api", "/API/x", "/apiary", "/api/", "/x/api/y", "/api//x/../y", "/api/a%20b"),
    ),
    "a rewrite without groups": Pair(
        {"rewrite-target": "/new"},
        (Path(path="/old"),),
        location('~* "^/old"', more='rewrite "(?i)/old" /new break;') + "location / { return 404; }",
        get("/old/x?a=1", "/old", "/older"),
    ),
    "an absolute rewrite": Pair(
        {"rewrite-target": "https://new.example/$2"},
        (_API,),
        location('~* "^/api(/|$)(.*)"', more='rewrite "(?i)/api(/|$)(.*)" https://new.example/$2 break;'),
        get("/api/x?q=1", "/api/"),
    ),
    "the order of patterns": Pair(
        {"use-regex": "true"},
        (
            Path(path="/foo/bar/[a-z]{3}"),
            Path(path="/foo/bar/bar", service="other"),
            Path(path="/foo", service="other"),
            Path(path="/v[0-9]+", service="canary"),
        ),
        location('~* "^/foo/bar/[a-z]{3}"')
        + location('~* "^/foo/bar/bar"', "other")
        + location('~* "^/v[0-9]+"', "canary")
        + location('~* "^/foo"', "other")
        + "location / { return 404; }",
        get("/foo/bar/bar", "/foo/bar/1", "/FOO/BAR/abc", "/foobar", "/v12/x", "/v/x", "/"),
    ),
    "plain paths": Pair(
        {},
        (
            Path(path="/foo"),
            Path(path="/foo/bar/", service="other"),
            Path(path="/only", kind="Exact", service="canary"),
        ),
        location("/foo/")
        + location("= /foo")
        + location("/foo/bar/", "other")
        + location("= /only", "canary")
        + "location / { return 404; }",
        get("/foo", "/foo/", "/foo/x", "/foobar", "/Foo", "/foo/bar/x", "/only", "/only/x"),
    ),
    "a closing slash": Pair(
        {},
        (Path(path="/dir/"),),
        location("/dir/") + "location / { return 404; }",
        get("/dir", "/dir?a=1", "/dir/", "/dir/x", "/dirs"),
    ),
    "a permanent redirect": Pair(
        {"permanent-redirect": "https://new.example/here"},
        _ROOT,
        "location / { return 301 https://new.example/here; }",
        get("/", "/x?a=1"),
    ),
    "a temporal redirect": Pair(
        {"temporal-redirect": "https://new.example/here", "temporal-redirect-code": "307"},
        _ROOT,
        "location / { return 307 https://new.example/here; }",
        get("/", "/x?a=1"),
    ),
    "Location and cookies of the upstream": Pair(
        {
            "proxy-redirect-from": "http://internal/",
            "proxy-redirect-to": "https://outside.example/",
            "proxy-cookie-domain": "internal www.example.com",
            "proxy-cookie-path": "/one/ /",
        },
        _ROOT,
        location(
            "/",
            more="proxy_redirect http://internal/ https://outside.example/; "
            "proxy_cookie_domain internal www.example.com; proxy_cookie_path /one/ /;",
        ),
        (Ask(answer=_AWAY), Ask(answer=_COOKIES), Ask()),
    ),
    "bodies": Pair(
        {"proxy-body-size": "1k"},
        _ROOT,
        location("/", more="client_max_body_size 1k;"),
        (Ask(method="POST", body=b"x" * 1024), Ask(method="POST", body=b"x" * 1025)),
    ),
    "address lists": Pair(
        {"denylist-source-range": "127.0.0.1", "allowlist-source-range": "127.0.0.0/8"},
        _ROOT,
        location("/", more="deny 127.0.0.1; allow 127.0.0.0/8; deny all;"),
        get("/"),
    ),
    "a rate": Pair(
        {"limit-rpm": "1", "limit-burst-multiplier": "3"},
        _ROOT,
        location("/", more="limit_req zone=rpm burst=3 nodelay;"),
        get(*["/"] * 8),
    ),
    "logins": Pair(
        {"auth-type": "basic", "auth-secret": "users", "auth-realm": "Members only"},
        _ROOT,
        location("/", more='auth_basic "Members only"; auth_basic_user_file @users@;'),
        (
            Ask(),
            *(
                Ask(headers={"Authorization": f"Basic {token}"})
                for token in (
                    *("YXByMTpzZWNyZXQ=", "c2hhOnNlY3JldA==", "c3NoYTpzZWNyZXQ=", "cGxhaW46c2VjcmV0"),
                    *("c2hhMjU2OnNlY3JldA==", "c2hhNTEyOnNlY3JldA==", "YmNyeXB0OnNlY3JldA=="),
                    *("c2hhOndyb25n", "bm9ib2R5OnNlY3JldA==", "!!", ""),
                )
            ),
        ),
    ),
}


class Outcome(NamedTuple):
    """What has to be the same; addresses of the two are told apart by nobody."""

    status: int
    location: str
    cookies: tuple[str, ...]
    challenge: str
    service: str
    target: str


@dataclass(frozen=True)
class Both:
    desk: Desk
    nginx: Nginx
    hosts: dict[str, str]

    def ask(self, name: str, port: int, ask: Ask) -> Outcome:
        host = self.hosts[name]
        line = Line(port, ask, host, None)
        try:
            return outcome(line.ask(ask, host, {}), host, port)
        finally:
            line.close()


def outcome(reply: Reply, host: str, port: int) -> Outcome:
    """An origin says in its answer who it is, and what it was asked for."""
    said = json.loads(reply.body) if reply.body.startswith(b'{"service"') else {}
    return Outcome(
        reply.status,
        (reply.get("location") or "").replace(f"{host}:{port}", host),
        tuple(reply.all("set-cookie")),
        reply.get("www-authenticate") or "",
        said.get("service", ""),
        said.get("target", ""),
    )


@pytest.fixture(scope="module")
def both(nginx_program: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    directory = tmp_path_factory.mktemp("nginx")
    cases = {
        name: Case(title=name, annotations=one.annotations, paths=one.paths, steps=()) for name, one in PAIRS.items()
    }
    with Desk("oracle", cases.values()) as desk, TemporaryDirectory() as readable:
        Folder(readable).chmod(0o755)  # run as root, nginx answers as another user
        users = Folder(readable) / "users"
        users.write_text("".join(f"{name}:{text}\n" for name, text in HASHES.items()))
        hosts = {name: desk.host(case) for name, case in cases.items()}
        blocks = {hosts[name]: filled(one.block, desk, str(users)) for name, one in PAIRS.items()}
        rates = "limit_req_zone $binary_remote_addr zone=rpm:1m rate=1r/m;"
        with Nginx(nginx_program, directory, blocks, rates) as nginx:
            yield Both(desk, nginx, hosts)


def filled(block: str, desk: Desk, users: str) -> str:
    for name, origins in desk.services.items():
        if origins:
            block = block.replace(f"@{name}@", f"{origins[0].address}:{PORT}")
    return block.replace("@users@", users)


@pytest.mark.parametrize("name", PAIRS)
def test_the_same_answer(both: Both, name: str) -> None:
    asks = PAIRS[name].asks
    theirs = [both.ask(name, both.nginx.address[1], ask) for ask in asks]
    ours = [both.ask(name, both.desk.daemon.http_port, ask) for ask in asks]

    assert ours == theirs

"""Hosts that several Ingresses share, made up by chance: the same answers as nginx, configured as ingress-nginx does.

How locations are made of Ingresses there is written here once more, from its description in the order of its steps.
Ours is compiled from the same objects, so that precedence, matching and rewriting are put to the question together.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from msgspec.structs import replace as changed

from ingressd.http.target import parse_target, rewritten_target
from ingressd.model.objects import Ingress
from ingressd.policy.ask import Answer, Plan
from ingressd.policy.rewrite import Rewriter
from ingressd.policy.trailing_slash import trailing_slash
from ingressd.routing.compile import RouteDefaults, compile_routes
from ingressd.routing.snapshot import Route
from ingressd.routing.table import RouteTable
from tests.oracle.nginx import Nginx, Seen
from tests.policy.asks import ask
from tests.support.objects import cluster, ingress, path, rule

SEED, HOSTS = 20260101, 200
LITERALS = ["/", "/foo", "/foo/", "/bar", "/foo/bar", "/foo/bar/", "/v1.0", "/Foo", "/foobar", "/a/b/c", "/ba"]
PATTERNS = [
    *("/foo(/|$)(.*)", "/v[0-9]+/x", "/(.*)", "/foo/.*", "/(foo|bar)/(.*)", "/bar/?$", "/[a-c]+", "/foo/bar/[a-z]{3}"),
    *("/(?!foo)(.*)", "/.+\\.js$", "/x.y", "/foo$", "/(?i)bar(.*)", "/\\w+/(\\d+)", "/api/v1|/api/v2"),
]
REWRITES = ["", "", "", "/", "/$1", "/$2", "/new/$1$2", "https://new.example/$1"]
TARGETS = [
    *("/", "/foo", "/foo/", "/foo/bar", "/foo/bar/", "/foo/bar/abc", "/foobar", "/FOO", "/Foo/x", "/bar", "/bar/"),
    *("/bar/1", "/BAR", "/v1.0", "/v1x0", "/v1.0/z", "/v12/x", "/v1/xy", "/a/b/c", "/a/b/c/d", "/abc", "/b", "/x.y/1"),
    *("/xzy", "/app.js", "/app.jsx", "/q/12", "/q/ab", "/api/v1", "/api/v2/z", "/x/api/v2", "/foo?x=1", "/ba", "/bax"),
]


@dataclass(frozen=True)
class Location:
    """A path of an Ingress. ``service`` "": nobody declares it, it is the host's own ``/``."""

    path: str
    kind: str
    service: str
    target: str
    uses_regex: bool

    @property
    def rewrites(self) -> bool:
        return self.target not in ("", self.path)


Declared = list[list[Location]]
"""Of each Ingress of a host, the oldest first."""


def made_up(chance: random.Random) -> Declared:
    has_patterns = chance.random() < 0.6
    host = []
    for _ in range(chance.choice((1, 1, 2, 3))):
        target = chance.choice(REWRITES) if has_patterns else ""
        uses_regex = has_patterns and chance.random() < 0.4
        texts = LITERALS + PATTERNS if target or uses_regex else LITERALS
        kinds = ("Prefix", "Prefix", "Exact")
        host.append(
            [
                Location(chance.choice(texts), chance.choice(kinds), chance.choice("abcde"), target, uses_regex)
                for _ in range(chance.choice((1, 2, 3)))
            ]
        )
    return host


def differs_by_intent(host: Declared) -> bool:
    """Exact paths with a closing slash redirect to themselves there, and ``/`` alone; see ``docs/migrate.md``."""
    return any(one.kind == "Exact" and one.path.endswith("/") for declared in host for one in declared)


# ── nginx ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def locations(host: Declared) -> list[Location]:
    """The older keeps its path; longest first; a prefix becomes what is below it and, unless it is there, itself."""
    found = [replace(host[0][0], path="/", kind="Prefix", service="")]
    for one in (one for declared in host for one in declared):
        alike = next((at for at, other in enumerate(found) if other.path == one.path), -1)
        if alike < 0 or found[alike].kind != one.kind:
            found.append(one)
        elif not found[alike].service:
            found[alike] = one
    found.sort(key=lambda one: one.path, reverse=True)
    found.sort(key=lambda one: len(one.path), reverse=True)
    exact = {one.path for one in found if one.kind == "Exact"}
    split: list[Location] = []
    for one in found:
        if one.path == "/" or one.kind == "Exact" or one.rewrites or one.uses_regex:
            split.append(one)
            continue
        split.append(replace(one, path=one.path.rstrip("/") + "/"))
        if one.path not in exact:
            split.append(replace(one, kind="Exact"))
    return split


def block(host: Declared) -> str | None:
    """The server's locations; None: nginx would not start with them, for one is there twice."""
    found = locations(host)
    has_patterns = any(one.rewrites or one.uses_regex for one in found)
    written: dict[str, str] = {}
    for one in found:
        text = one.path.replace("\\", "\\\\")
        sign = f'~* "^{text}"' if has_patterns else f'= "{text}"' if one.kind == "Exact" else f'"{text}"'
        if sign in written and not has_patterns:
            return None
        rewrite = f'rewrite "(?i){text}" {one.target} break;' if one.rewrites else ""
        told = f"{rewrite} proxy_set_header X-Service {one.service or 'nobody'}:; pass_on;"
        written.setdefault(sign, f"    location {sign} {{ {told} }}")
    return "\n".join(written.values())


def theirs(nginx: Nginx, asked: str, host: str) -> Seen:
    seen = nginx.get(asked, host)
    if seen.body.startswith("nobody:"):
        return Seen(404, "", "")
    return seen if seen.status == 200 else seen._replace(body="")


# ── ours ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def objects(name: str, host: Declared) -> Iterator[Ingress]:
    for age, declared in enumerate(host):
        prefix = "nginx.ingress.kubernetes.io"
        annotations = {f"{prefix}/rewrite-target": declared[0].target} if declared[0].target else {}
        if declared[0].uses_regex:
            annotations[f"{prefix}/use-regex"] = "true"
        paths = [path(one.kind, one.path, f"{one.service}:80") for one in declared]
        made = ingress(f"{name}-{age}", rule(name, *paths), created=float(age), annotations=annotations)
        yield changed(made, class_name=None)


def table_of(hosts: dict[str, Declared]) -> RouteTable[Route]:
    defaults = RouteDefaults(ingress_class="nginx", watch_ingress_without_class=True)
    compiled = compile_routes(cluster(*(one for name, host in hosts.items() for one in objects(name, host))), defaults)
    empty: RouteTable[Route] = RouteTable.empty()
    return empty.with_changes(compiled.snapshot.hosts.values(), (), lambda _, route: route)


def ours(table: RouteTable[Route], asked: str, host: str) -> Seen:
    target = parse_target(asked)
    route = table.find(host, target.path)
    plan = Plan()
    answer = None if route is None else answer_of(route, asked, host, plan)
    if answer is not None:
        return Seen(answer.status, answer.fields.decode().removeprefix("Location: ").removesuffix("\r\n"), "")
    if route is None or not route.backend:
        return Seen(404, "", "")
    sent = asked if plan.path is None else rewritten_target(plan.path, target.query).decode()
    return Seen(200, "", f"{route.service}:{sent}")


def answer_of(route: Route, asked: str, host: str, plan: Plan) -> Answer | None:
    policies, request = route.policies, ask(asked, host=host.encode())
    if policies is None:
        return None
    answer = None if policies.trailing_slash is None else trailing_slash(policies.trailing_slash, request)
    if answer is None and policies.rewrite is not None:
        answer = Rewriter(policies.rewrite).apply(request, plan)
    return answer


@pytest.fixture(scope="module")
def hosts() -> dict[str, Declared]:
    chance = random.Random(SEED)
    made = {f"h{number}.example": made_up(chance) for number in range(HOSTS)}
    return {name: host for name, host in made.items() if block(host) and not differs_by_intent(host)}


def test_hosts_made_up_by_chance(nginx_program: str, tmp_path: Path, hosts: dict[str, Declared]) -> None:
    table = table_of(hosts)
    differing = {}
    with Nginx(nginx_program, tmp_path, {name: block(host) or "" for name, host in hosts.items()}) as nginx:
        for name, host in hosts.items():
            for asked in TARGETS:
                expected, mine = theirs(nginx, asked, name), ours(table, asked, name)
                if mine != expected:
                    differing[name, asked] = (mine, expected, host)
    assert differing == {}
    assert len(hosts) > HOSTS // 2

"""Which route a request meets: the specification, in its plainest form.

Each matcher gives a comparable summary or nothing; the greatest summary wins. Nothing here is fast and nothing calls it
per request: ``table.py`` is the index that must agree with it, and a property test says that it does.

Hosts and paths come normalised (``http/target.py``): lower-case host without port, path without empty or dot segments.

A plain host: an exact path wins, then the longest of prefixes and patterns by characters declared; of a prefix and a
pattern as long, the prefix, because who wrote it asked for no patterns. A regex host is ingress-nginx's: one location
that asks for patterns turns every path of its host into one, bound to the start and ignoring case, and the first that
matches wins, in the order of ``regex_order``.
"""

import re
from collections.abc import Iterable

from msgspec.structs import replace

from ingressd.policy.pattern import PatternError, location_pattern
from ingressd.routing.snapshot import ANY_HOST, MatchKind, Route, VirtualHost

HostMatch = int
"""2 for the very name, 1 for a wildcard, 0 for any host."""

PathMatch = tuple[int, int, int, str]
"""(1, 0, 0, "") for an exact path, (0, n, 1, "") for a prefix of n characters, (0, n, 0, text) for a pattern of n."""


def match_host(declared: str, host: str) -> HostMatch | None:
    """How well a virtual host's name fits ``host``: the name itself, then one label of wildcard, then any host."""
    if declared == ANY_HOST:
        return 0
    if declared.startswith("*."):
        label, dot, parent = host.partition(".")
        return 1 if label and dot and parent == declared[2:] else None
    return 2 if declared == host else None


def match_path(kind: MatchKind, declared: str, path: str) -> PathMatch | None:
    """How well a declared path of a plain host fits ``path``: case-sensitively, but for patterns."""
    if kind == "exact":
        return (1, 0, 0, "") if declared == path else None
    if kind == "regex":
        return (0, len(declared), 0, declared) if matches_pattern(declared, path) else None
    wanted = _elements(declared)
    return (0, len(declared.rstrip("/") or "/"), 1, "") if _elements(path)[: len(wanted)] == wanted else None


def _elements(path: str) -> tuple[str, ...]:
    """``/a/b`` and ``/a/b/`` are both a, b; ``/`` has none."""
    return tuple(path.strip("/").split("/")) if path != "/" else ()


def matches_pattern(declared: str, path: str) -> bool:
    """Whether the pattern is found in ``path``. Of one that cannot be compiled: whether its sure beginning is there."""
    try:
        return location_pattern(declared).search(path) is not None
    except PatternError:
        beginning = sure_beginning(declared)
        return bool(beginning) and path.lower().startswith(beginning)


def regex_order(routes: Iterable[Route]) -> list[tuple[Route, str]]:
    """Routes of a regex host in the order in which they are asked, each with its pattern.

    That is the longest declared text first, then the greater one, of equal ones the one declared first: ``routes`` come
    in that order. A prefix that is no pattern itself stands for what is below its path only, where there is an exact
    path alike. (nginx is given ``/foo/`` and ``/foo`` for a prefix ``/foo``, one after the other; as patterns that is
    ``/foo``.) An exact ``/`` stays one: what it would match as a pattern meets the ``/`` that every host has in nginx.
    """
    ordered = sorted(routes, key=lambda route: route.path, reverse=True)
    ordered.sort(key=lambda route: len(route.path), reverse=True)
    exact = {route.path for route in ordered if route.kind == "exact"}
    has_root = any(route.path == "/" and route.kind != "exact" for route in ordered)
    return [(route, _regex_of(route, exact)) for route in ordered if not (has_root and _is_exact_root(route))]


def _is_exact_root(route: Route) -> bool:
    return route.path == "/" and route.kind == "exact"


def _regex_of(route: Route, exact: set[str]) -> str:
    if _is_exact_root(route):
        return "/$"
    halved = route.kind == "prefix" and route.path in exact and not route.path.endswith("/")
    return route.path + "/" if halved and route.path != "/" else route.path


_SURELY = re.compile(r"(?:[A-Za-z0-9/_~%-](?![*?{])|\\[.\-/])*")


def sure_beginning(declared: str) -> str:
    """What every match of a pattern begins with, in lower case; "" when that is no more than any path begins with.

    For patterns that cannot be compiled. The control side lets none pass, so it takes a mistake of ours, such as a
    library that is missing. What such a pattern guarded must not meet a more general route: it gets 503.
    """
    found = _SURELY.match(declared)
    beginning = found.group() if found and "|" not in declared else ""
    if beginning == "/" and declared != "/":
        return ""
    return beginning.replace("\\", "").lower()


def as_served(route: Route) -> Route:
    """The route as it is bound: one whose pattern cannot be compiled answers 503."""
    try:
        location_pattern(route.path)
    except PatternError:
        return replace(route, backend="", status=503)
    return route


def choose_host(hosts: Iterable[VirtualHost], host: str) -> VirtualHost | None:
    summaries = [(summary, vhost) for vhost in hosts if (summary := match_host(vhost.name, host)) is not None]
    return max(summaries, key=lambda item: item[0])[1] if summaries else None


def choose_route(vhost: VirtualHost, path: str) -> Route | None:
    """The best route of a host, or its fallback: a miss never leaves the chosen host."""
    if vhost.regex:
        matching = (as_served(route) for route, regex in regex_order(vhost.routes) if matches_pattern(regex, path))
        return next(matching, vhost.fallback)
    summaries = [
        (summary, route) for route in vhost.routes if (summary := match_path(route.kind, route.path, path)) is not None
    ]
    if not summaries:
        return vhost.fallback
    best = max(summaries, key=lambda item: item[0])[1]
    return as_served(best) if best.kind == "regex" else best


def find_route(hosts: Iterable[VirtualHost], host: str, path: str) -> Route | None:
    """What ``RouteTable.find`` must answer; None leaves the request to ``Snapshot.fallback``."""
    vhost = choose_host(hosts, host)
    return choose_route(vhost, path) if vhost else None

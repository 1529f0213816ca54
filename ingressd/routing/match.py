"""Which route a request meets: the specification, in its plainest form.

Each matcher gives a comparable summary or nothing; the greatest summary wins. Nothing here is fast and nothing calls it
per request: ``table.py`` is the index that must agree with it, and a property test says that it does.

Hosts and paths come normalised (``http/target.py``): lower-case host without port, path without empty or dot segments.
"""

from collections.abc import Iterable

from ingressd.routing.snapshot import ANY_HOST, MatchKind, Route, VirtualHost

HostMatch = int
"""2 for the very name, 1 for a wildcard, 0 for any host."""

PathMatch = tuple[int, int]
"""(1, 0) for an exact path, (0, n) for a prefix of n elements."""


def match_host(declared: str, host: str) -> HostMatch | None:
    """How well a virtual host's name fits ``host``: the name itself, then one label of wildcard, then any host."""
    if declared == ANY_HOST:
        return 0
    if declared.startswith("*."):
        label, dot, parent = host.partition(".")
        return 1 if label and dot and parent == declared[2:] else None
    return 2 if declared == host else None


def match_path(kind: MatchKind, declared: str, path: str) -> PathMatch | None:
    """How well a declared path fits ``path``, case-sensitively: exactly, then by its count of leading elements."""
    if kind == "exact":
        return (1, 0) if declared == path else None
    wanted = _elements(declared)
    return (0, len(wanted)) if _elements(path)[: len(wanted)] == wanted else None


def _elements(path: str) -> tuple[str, ...]:
    """``/a/b`` and ``/a/b/`` are both a, b; ``/`` has none."""
    return tuple(path.strip("/").split("/")) if path != "/" else ()


def choose_host(hosts: Iterable[VirtualHost], host: str) -> VirtualHost | None:
    summaries = [(summary, vhost) for vhost in hosts if (summary := match_host(vhost.name, host)) is not None]
    return max(summaries, key=lambda item: item[0])[1] if summaries else None


def choose_route(vhost: VirtualHost, path: str) -> Route | None:
    """The best route of a host, or its fallback: a miss never leaves the chosen host."""
    summaries = [
        (summary, route) for route in vhost.routes if (summary := match_path(route.kind, route.path, path)) is not None
    ]
    return max(summaries, key=lambda item: item[0])[1] if summaries else vhost.fallback


def find_route(hosts: Iterable[VirtualHost], host: str, path: str) -> Route | None:
    """What ``RouteTable.find`` must answer; None leaves the request to ``Snapshot.fallback``."""
    vhost = choose_host(hosts, host)
    return choose_route(vhost, path) if vhost else None

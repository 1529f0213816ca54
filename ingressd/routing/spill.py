"""Regex hosts: which paths of other Ingresses mean something else because one of the host asks for patterns. Pure.

ingress-nginx turns every path of such a host into a case-insensitive pattern bound to the start only. What that does to
a path is asked of the matcher itself, with requests that it answered in another way while only the asking Ingress had
patterns (which is what ``ingressd.io/regex-scope: path`` gives).
"""

from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct
from msgspec.structs import replace

from ingressd.model.cluster import Key
from ingressd.routing.annotations.reading import AnnotationValues
from ingressd.routing.annotations.rows import extras, paths
from ingressd.routing.match import choose_route
from ingressd.routing.snapshot import Route, VirtualHost

MAX_PROBED_ROUTES = 500  # of one host: each probe goes through all routes of it


class Changed(Struct, frozen=True, kw_only=True):
    """A request that another route answers now. ``before`` and ``after``: ``namespace/ingress path``, "" for none."""

    request: str
    before: str
    after: str


class PatternHost(Struct, frozen=True, kw_only=True):
    """``because``: the Ingresses (``namespace/name``) that ask for patterns."""

    host: str
    because: tuple[str, ...]
    changed: tuple[Changed, ...]


def pattern_hosts(hosts: Iterable[VirtualHost], values: Mapping[Key, AnnotationValues]) -> tuple[PatternHost, ...]:
    """Every regex host, sorted, with what becomes of the paths of Ingresses that did not ask for it."""
    found = []
    for vhost in sorted(hosts, key=lambda one: one.name):
        if not vhost.regex:
            continue
        asking = {key for route in vhost.routes if (key := _owner(route)) in values and _asks(values[key], route)}
        because = tuple(sorted(f"{namespace}/{name}" for namespace, name in asking))
        found.append(PatternHost(host=vhost.name, because=because, changed=tuple(_changes(vhost, asking))))
    return tuple(found)


def _owner(route: Route) -> Key:
    return route.namespace, route.ingress


def _asks(values: AnnotationValues, route: Route) -> bool:
    if values.get(extras.REGEX_SCOPE) == "path":
        return False
    target = values.get(paths.REWRITE_TARGET)
    return values.get(paths.USE_REGEX) or bool(target and target != route.path)


def _changes(vhost: VirtualHost, asking: set[Key]) -> Iterator[Changed]:
    apart = replace(vhost, regex=False, routes=tuple(_as_declared(route, asking) for route in vhost.routes))
    others = [route for route in vhost.routes if _owner(route) not in asking and route.ingress][:MAX_PROBED_ROUTES]
    seen: set[str] = set()
    for route in sorted(others, key=lambda one: one.path):
        for request in _probes(route.path):
            if request in seen:
                continue
            seen.add(request)
            before, after = choose_route(apart, request), choose_route(vhost, request)
            if _shown(before) != _shown(after):
                yield Changed(request=request, before=_shown(before), after=_shown(after))


def _as_declared(route: Route, asking: set[Key]) -> Route:
    if _owner(route) in asking:
        return replace(route, kind="regex")
    stripped = route.path.rstrip("/") or "/"
    return replace(route, path=stripped) if route.kind == "prefix" else route


def _probes(path: str) -> Iterator[str]:
    """The path as it is, in another case, as the beginning of a longer name, and what is below it."""
    yield path
    if path != "/":
        bare = path.rstrip("/")
        yield bare
        yield bare + "-and-more"
        yield bare + "/below"
        yield bare.upper() if bare.upper() != bare else bare.lower()


def _shown(route: Route | None) -> str:
    if route is None or not route.ingress:
        return ""
    return f"{route.namespace}/{route.ingress} {route.path}"

"""Virtual hosts for tests: of a case of ``cases.py``, and any at all for property tests."""

from hypothesis import strategies as st

from ingressd.model.objects import IngressBackend, IngressPath
from ingressd.routing.declared import normal_host, normal_path
from ingressd.routing.snapshot import ANY_HOST, Route, VirtualHost
from tests.routing.cases import Case

LABELS = st.sampled_from(["a", "b", "c"])
HOSTS = st.lists(LABELS, min_size=1, max_size=4).map(".".join)
HOST_NAMES = st.one_of(HOSTS, HOSTS.map(lambda host: f"*.{host}"), st.just(ANY_HOST))

# Few and short elements, some the beginning of others, so that near misses are common.
_ELEMENTS = st.sampled_from(["a", "b", "aa", "ab", "A", "%2F"])
PATHS = st.tuples(st.lists(_ELEMENTS, max_size=5), st.sampled_from(["", "/"])).map(
    lambda parts: "/" + "/".join(parts[0]) + (parts[1] if parts[0] else "")
)
PREFIXES = PATHS.map(lambda path: path.rstrip("/") or "/")


def _unique(routes: list[tuple[str, str]], fallback: bool) -> tuple[tuple[tuple[str, str], ...], bool]:
    return tuple(sorted(set(routes))), fallback


ROUTES = st.one_of(PATHS.map(lambda path: ("exact", path)), PREFIXES.map(lambda path: ("prefix", path)))
VIRTUAL_HOSTS = st.dictionaries(
    HOST_NAMES, st.builds(_unique, st.lists(ROUTES, max_size=8), st.booleans()), max_size=6
).map(
    lambda hosts: {
        name: VirtualHost(
            name,
            tuple(Route(kind, path, f"{name} {kind} {path}") for kind, path in routes),  # type: ignore[arg-type]
            Route("prefix", "/", f"{name} fallback") if has_fallback else None,
        )
        for name, (routes, has_fallback) in hosts.items()
    }
)


def hosts_of(case: Case) -> list[VirtualHost]:
    """The rules of a case without the compiler: every rule is served."""
    routes: dict[str, list[Route]] = {}
    for rule in case.rules:
        kind, path = normal_path(IngressPath(rule.path, rule.path_type, IngressBackend()))
        routes.setdefault(normal_host(rule.host), []).append(Route(kind, path, "", service=rule.service))
    return [VirtualHost(host, tuple(found)) for host, found in routes.items()]

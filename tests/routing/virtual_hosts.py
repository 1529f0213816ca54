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


# What regex hosts hold: as many shapes as there are rules about their order, and some that cannot be compiled.
_REFUSED = ["/a(", "/A/(?=", "/(?", r"/a\.b\1", "/a|(", "/"]
PATTERNS = st.one_of(
    PATHS,
    st.lists(st.sampled_from(["/a", "/b", "/", "a", "(.*)", "[ab]", "/a|b", "(?!a)", "A*", "."]), max_size=4).map(
        lambda parts: "/" + "".join(parts)
    ),
    st.sampled_from(_REFUSED),
)


def _routes(routes: list[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(set(routes)))


def _virtual_host(name: str, routes: tuple[tuple[str, str], ...], has_fallback: bool, regex: bool) -> VirtualHost:
    return VirtualHost(
        name,
        tuple(Route(kind, path, f"{name} {kind} {path}") for kind, path in routes),  # type: ignore[arg-type]
        Route("prefix", "/", f"{name} fallback") if has_fallback else None,
        regex,
    )


_PLAIN = st.one_of(PATHS.map(lambda path: ("exact", path)), PREFIXES.map(lambda path: ("prefix", path)))
_MIXED = st.one_of(_PLAIN, PATTERNS.map(lambda pattern: ("regex", pattern)))
_ANY_KIND = st.tuples(st.sampled_from(["exact", "prefix", "regex"]), PATTERNS)
_CONTENT = st.one_of(
    st.tuples(st.lists(_PLAIN, max_size=8).map(_routes), st.booleans(), st.just(False)),
    st.tuples(st.lists(_MIXED, max_size=8).map(_routes), st.booleans(), st.just(False)),
    st.tuples(st.lists(_ANY_KIND, max_size=8).map(_routes), st.booleans(), st.just(True)),
)
VIRTUAL_HOSTS = st.dictionaries(HOST_NAMES, _CONTENT, max_size=6).map(
    lambda hosts: {name: _virtual_host(name, *content) for name, content in hosts.items()}
)


def hosts_of(case: Case) -> list[VirtualHost]:
    """The rules of a case without the compiler: every rule is served."""
    routes: dict[str, list[Route]] = {}
    for rule in case.rules:
        kind, path = normal_path(IngressPath(rule.path, rule.path_type, IngressBackend()))
        routes.setdefault(normal_host(rule.host), []).append(Route(kind, path, "", service=rule.service))
    return [VirtualHost(host, tuple(found)) for host, found in routes.items()]

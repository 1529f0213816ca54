"""Regex hosts: which requests of whom change hands, told by the matcher itself."""

from ingressd.model.objects import Meta
from ingressd.routing.annotations import BUILT_IN, AnnotationValues, read_annotations
from ingressd.routing.snapshot import Route, VirtualHost
from ingressd.routing.spill import MAX_PROBED_ROUTES, pattern_hosts

PREFIX = "nginx.ingress.kubernetes.io"


def values(annotations: dict[str, str]) -> AnnotationValues:
    return read_annotations(Meta(annotations=annotations), config=BUILT_IN)


PATTERNS = values({f"{PREFIX}/use-regex": "true"})
PLAIN = values({})


def route(kind: str, path: str, ingress: str) -> Route:
    return Route(kind, path, f"default/{ingress}:80", "default", ingress)  # type: ignore[arg-type]


def changes(*routes: Route, **said: AnnotationValues) -> dict[str, tuple[str, str]]:
    [host] = pattern_hosts(
        [VirtualHost("a.example", routes, regex=True), VirtualHost("b.example", routes)],
        {("default", name): one for name, one in said.items()},
    )
    assert host.host == "a.example"
    assert host.because == ("default/asks",)
    return {one.request: (one.before, one.after) for one in host.changed}


def test_an_exact_path_is_no_longer_exact() -> None:
    found = changes(route("exact", "/pay", "shop"), route("prefix", "/api/.*", "asks"), asks=PATTERNS, shop=PLAIN)

    assert found == {
        "/pay-and-more": ("", "default/shop /pay"),
        "/pay/below": ("", "default/shop /pay"),
        "/PAY": ("", "default/shop /pay"),
    }


def test_a_prefix_reaches_into_longer_names() -> None:
    found = changes(route("prefix", "/pay", "shop"), route("prefix", "/api/.*", "asks"), asks=PATTERNS, shop=PLAIN)

    assert set(found) == {"/pay-and-more", "/PAY"}


def test_a_longer_pattern_takes_a_path_either_way() -> None:
    """Its own paths are patterns, whatever becomes of the host: nothing that it spills."""
    found = changes(
        route("prefix", "/pay/card", "shop"), route("prefix", "/pay/[a-z0-9]{3,9}", "asks"), asks=PATTERNS, shop=PLAIN
    )

    assert "/pay/card" not in found


def test_a_closing_slash_counts() -> None:
    found = changes(route("prefix", "/pay/", "shop"), route("prefix", "/x", "asks"), asks=PATTERNS, shop=PLAIN)

    assert found["/pay"] == ("default/shop /pay", "")


def test_the_root_means_the_same() -> None:
    assert changes(route("prefix", "/", "shop"), route("prefix", "/x", "asks"), asks=PATTERNS, shop=PLAIN) == {}


def test_a_rewrite_asks_too_unless_it_says_otherwise() -> None:
    rewrite = values({f"{PREFIX}/rewrite-target": "/$1"})
    kept = values({f"{PREFIX}/rewrite-target": "/$1", "ingressd.io/regex-scope": "path"})

    [host] = pattern_hosts(
        [VirtualHost("a.example", (route("prefix", "/x/(.*)", "asks"), route("regex", "/y/(.*)", "kept")), regex=True)],
        {("default", "asks"): rewrite, ("default", "kept"): kept},
    )

    assert host.because == ("default/asks",)


def test_a_rewrite_to_the_path_itself_asks_for_nothing() -> None:
    [host] = pattern_hosts(
        [VirtualHost("a.example", (route("prefix", "/x", "same"),), regex=True)],
        {("default", "same"): values({f"{PREFIX}/rewrite-target": "/x"})},
    )

    assert host.because == ()


def test_large_hosts_are_probed_so_far() -> None:
    many = [route("exact", f"/{number}", "shop") for number in range(MAX_PROBED_ROUTES + 10)]
    [host] = pattern_hosts(
        [VirtualHost("a.example", (*many, route("prefix", "/x/.*", "asks")), regex=True)],
        {("default", "asks"): PATTERNS, ("default", "shop"): PLAIN},
    )

    probed = {one.after.rpartition("/")[2] for one in host.changed}
    assert len(probed) <= MAX_PROBED_ROUTES

"""Hosts and paths as declared: what is brought to normal form and what is refused."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingressd.errors import BadRequest
from ingressd.http.target import parse_target
from ingressd.model.objects import IngressBackend, IngressPath
from ingressd.routing.declared import DeclaredError, normal_host, normal_path, second_reading


@pytest.mark.parametrize(
    ("declared", "host"),
    [
        ("", "*"),
        ("foo.com", "foo.com"),
        ("FOO.com.", "foo.com"),
        ("*.Foo.com", "*.foo.com"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("localhost", "localhost"),
        ("a.1", "a.1"),
        (f"{'a' * 63}.com", f"{'a' * 63}.com"),
    ],
)
def test_host(declared: str, host: str) -> None:
    assert normal_host(declared) == host


@pytest.mark.parametrize(
    "declared",
    [
        "*",
        "*.",
        "*.*.com",
        "foo.*.com",
        "f*.com",
        "10.0.0.1",
        "10.0.0.1.",
        "::1",
        "[::1]",
        "foo.com:80",
        "bücher.example",
        "\u212aelvin.example",  # the Kelvin sign is a k in lower case
        "a_b.com",
        "-a.com",
        "a-.com",
        "a..b",
        ".",
        "foo.com..",
        " foo.com",
        "foo.com\n",
        f"{'a' * 64}.com",
        ".".join(["a"] * 130),
    ],
)
def test_host_refused(declared: str) -> None:
    with pytest.raises(DeclaredError) as refused:
        normal_host(declared)
    assert refused.value.reason == "InvalidHost"


@pytest.mark.parametrize(
    ("declared", "why"),
    [
        ("/a;v=1/b", "path parameter"),
        ("/a%3bv", "path parameter"),
        ("/;", "path parameter"),
        ("/a%2fb", "encoded slash"),
        ("/a%5Cb", "encoded slash or backslash"),
        ("/a\\b", "encoded slash or backslash"),
        ("/a%2541", "encoded percent sign"),
        ("/%252F", "encoded percent sign"),
    ],
)
def test_a_path_that_servers_read_in_two_ways(declared: str, why: str) -> None:
    normal = normal_path(path(declared, "ImplementationSpecific"))[1]
    said = second_reading(normal)
    assert said.startswith(f"{normal!r} holds ")
    assert why in said


@pytest.mark.parametrize("declared", ["/", "/a", "/%7Eb", "/a%20b", "/100%25", "/a%25zz", "/%C3%BC", "/a:b,c=d"])
def test_a_path_with_one_reading(declared: str) -> None:
    assert second_reading(normal_path(path(declared, "Exact"))[1]) == ""


@given(st.text(st.sampled_from("/a;%235bBfF"), max_size=12), st.text(st.sampled_from("/a;%235bBfF"), max_size=12))
def test_what_is_warned_of_is_never_served(text: str, more: str) -> None:
    """Neither the path itself nor what lies below it: the other reading of a request always leaves it."""
    try:
        _, normal = normal_path(path(f"/{text}", "ImplementationSpecific"))
        target = parse_target(parse_target(f"{normal}/{more}").path)
    except (DeclaredError, BadRequest):
        return
    if second_reading(normal):
        below = f"{target.other_reading}/".startswith(f"{normal}/")
        assert target.other_reading
        assert not below


def path(text: str, path_type: str) -> IngressPath:
    return IngressPath(text, path_type, IngressBackend())


@pytest.mark.parametrize(
    ("declared", "normal"),
    [
        (path("/", "Prefix"), ("prefix", "/")),
        (path("/foo/", "Prefix"), ("prefix", "/foo")),
        (path("/foo/", "Exact"), ("exact", "/foo/")),
        (path("/foo/", "ImplementationSpecific"), ("prefix", "/foo")),
        (path("", "ImplementationSpecific"), ("prefix", "/")),
        (path("/foo", ""), ("prefix", "/foo")),
        (path("", ""), ("prefix", "/")),
        (path("/%7euser/%3a", "Exact"), ("exact", "/~user/%3A")),
        (path("/a b\\ü", "Exact"), ("exact", "/a%20b%5C%C3%BC")),
        (path("/.well-known/..x/...", "Exact"), ("exact", "/.well-known/..x/...")),
        (path("/a%2fb", "ImplementationSpecific"), ("prefix", "/a%2Fb")),
    ],
)
def test_path(declared: IngressPath, normal: tuple[str, str]) -> None:
    assert normal_path(declared) == normal


@pytest.mark.parametrize("path_type", ["Exact", "Prefix"])
@pytest.mark.parametrize(
    "text",
    [
        "",
        "foo",
        "*",
        "//",
        "/a//b",
        "/a/./b",
        "/a/../b",
        "/a/.",
        "/a/..",
        "/a/%2E%2e/b",
        "/a%2fb",
        "/a%2Fb",
        "/a?b",
        "/a#b",
        "/100%",
        "/%zz",
        "/%00",
        "/\0",
        "/\ud800",
        "/%c0%af",
        "/..;/a",
    ],
)
def test_path_refused(text: str, path_type: str) -> None:
    with pytest.raises(DeclaredError) as refused:
        normal_path(path(text, path_type))
    assert refused.value.reason == "InvalidPath"
    assert str(refused.value).isascii()


@pytest.mark.parametrize("path_type", ["Regex", "prefix", "EXACT", "\ud800"])
def test_path_type_refused(path_type: str) -> None:
    with pytest.raises(DeclaredError) as refused:
        normal_path(path("/", path_type))
    assert refused.value.reason == "InvalidPathType"


def test_long_paths_are_judged_in_linear_time() -> None:
    """A backtracking pattern would not come back from these."""
    for text in (f"/{'a' * 100_000}!", f"{'/a' * 100_000}!", f"/{'.' * 100_000}!"):
        assert normal_path(path(text, "Exact")) == ("exact", text)


@given(st.text(st.sampled_from("/ab.%2eEfF7~;ü \\:"), max_size=12))
def test_an_accepted_path_is_one_that_a_request_can_have(text: str) -> None:
    """Asked for as declared, an accepted Exact path is the path that is looked up."""
    try:
        _, normal = normal_path(path(f"/{text}", "Exact"))
    except DeclaredError:
        return
    assert parse_target(normal).path == normal


@given(st.text(), st.sampled_from(["Exact", "Prefix", "ImplementationSpecific", "", "x"]))
def test_any_text_is_accepted_or_refused(text: str, path_type: str) -> None:
    for judge in (lambda: normal_path(path(text, path_type)), lambda: normal_host(text)):
        with contextlib.suppress(DeclaredError):
            judge()

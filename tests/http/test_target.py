"""Targets and hosts: the table of spellings, what each is taken for, and what has no single reading."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingressd.errors import BadRequest
from ingressd.http.target import Target, normalise_host, normalise_path, parse_target, rewritten_target

SPELLINGS = {
    "/": "/",
    "/a/b": "/a/b",
    "/a/": "/a/",
    "//": "/",
    "//a///b//": "/a/b/",
    "/./a": "/a",
    "/a/.": "/a/",
    "/a/..": "/",
    "/a/../": "/",
    "/a/b/../c": "/a/c",
    "/a/b/./../c/.": "/a/c/",
    "/a/...": "/a/...",
    "/.well-known/x": "/.well-known/x",
    "/..a": "/..a",
    "/%61": "/a",
    "/%7Euser": "/~user",
    "/%7euser": "/~user",
    "/%2e/a": "/a",
    "/a/%2E%2e/b": "/b",
    "/a/.%2e/b": "/b",
    "/%2Fa": "/%2Fa",
    "/a%2fb": "/a%2Fb",
    "/a%5cb": "/a%5Cb",
    "/a\\b": "/a%5Cb",
    "/100%25/%252": "/100%25/%252",
    "/%2541%252F": "/%2541%252F",
    "/a%20b": "/a%20b",
    "/a+b": "/a+b",
    "/a;v=1/b": "/a;v=1/b",
    "/a%3Bv": "/a%3Bv",
    "/a%3f": "/a%3F",
    "/a%23": "/a%23",
    "/\xe9": "/%E9",
    "/%c3%a9": "/%C3%A9",
    "/%E2%82%AC": "/%E2%82%AC",
    "/%ff": "/%FF",
    "/A/b": "/A/b",
    '/"<>^`{|}': '/"<>^`{|}',
    "/%0a": "/%0A",
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_spellings(spelling: str) -> None:
    target = parse_target(spelling)
    assert target.path == SPELLINGS[spelling]
    assert parse_target(target.path).path == target.path


@pytest.mark.parametrize(
    "raw",
    [
        "/..", "/../a", "/a/../..", "/%2e%2e/a", "/a/%2e%2e/%2e%2e", "/.%2e/", "/a/..%2f..%2f", "/..%2fa", "/..%5ca",
        "/..\\a", "/a/..;/b", "/a/.;/b", "/..;x=y/", "/%2e%2e;/a", "/%", "/%4", "/%zz", "/%2", "/%u0041", "/%00",
        "/%C0%AE", "/%c0%af", "/%C1%81", "/%E0%80%AF", "/%e0%9f%bf", "/%F0%80%80%AF", "/%f8%80%80%80%af",
        "/%FC%80%80%80%80%AF", "/\xc0\xae", "/a#b", "/a?b#c", "#", "?a", "*", "a", "a.example:443", "a.example", "ftp://a/b",
        "http:/a", "http:///a", "http://", "http://?a", "http://u@a/", "http://u:p@a/", "http://a/../b", "http://a/#",
        "//../", "/a%00b", "/a%2f%2e%2e%2fb", "/a%5C..%5Cb", "/a%2f.", "/a%2F..", "/..%5c", "/a%2f..;b",
        "/%252e%252e/", "/a/..%3bx", "/a/%252e", "/%2500", "/%25c0%25af", "/a;b%2Fc", "/a%3b%5cb", "/;%252fa",
        "/%25252500",
    ],
)  # fmt: skip
def test_refused_targets(raw: str) -> None:
    with pytest.raises(BadRequest) as refusal:
        parse_target(raw)
    assert refusal.value.reason == "bad_target"


@pytest.mark.parametrize(
    ("raw", "other"),
    [
        ("/a%2Fb", "/a/b"),
        ("/a/%2f/b", "/a/b"),
        ("/a%5Cb..", "/a/b.."),
        ("/a\\b", "/a/b"),
        ("/a%252Fb", "/a/b"),
        ("/%2561", "/a"),
        ("/%25252561", "/a"),
        ("/a;v=1/b;c", "/a/b"),
        ("/a;", "/a"),
        ("/a%3Bv", "/a"),
        ("/a%253Bv", "/a"),
        ("/;/a", "/a"),
        ("/a%2Fb;c", "/a/b"),
        ("/a%25zz", ""),
        ("/a?%2F;", ""),
    ],
)
def test_some_paths_have_another_reading(raw: str, other: str) -> None:
    assert parse_target(raw).other_reading == other


@pytest.mark.parametrize(
    ("raw", "query"),
    [
        ("/", ""),
        ("/?", "?"),
        ("/?a=b?c/../d", "?a=b?c/../d"),
        ("/?%2e%zz%00", "?%2e%zz%00"),
        ("/?\xe9", "?%E9"),
        ("//?\\", "?\\"),
    ],
)
def test_queries_are_not_normalised_only_made_ascii(raw: str, query: str) -> None:
    assert parse_target(raw).query == query


@pytest.mark.parametrize(
    ("raw", "target"),
    [
        ("http://a.example/b?c", Target("/b", "?c", "", "http", "a.example")),
        ("HTTPS://A.example:443", Target("/", "", "", "https", "A.example:443")),
        ("http://a.example?c", Target("/", "?c", "", "http", "a.example")),
        ("http://[::1]:80/./b%2fc", Target("/b%2Fc", "", "/b/c", "http", "[::1]:80")),
    ],
)
def test_absolute_form(raw: str, target: Target) -> None:
    assert parse_target(raw) == target


@pytest.mark.parametrize(
    ("raw", "host", "is_named"),
    [
        ("http://a.example/", "a.example", True),
        ("http://A.Example./", "a.example", True),
        ("http://a.example:80/", "a.example", True),
        ("http://a.example/", "a.example:80", True),
        ("https://a.example/", "a.example:443", True),
        ("http://a.example:8080/", "a.example:8080", True),
        ("http://a.example:08080/", "a.example:8080", True),
        ("http://a.example/", "b.example", False),
        ("http://a.example/", "a.example:8080", False),
        ("http://a.example:8080/", "a.example", False),
        ("https://a.example/", "a.example:80", False),
        ("http://a.example/", "a.example.evil", False),
    ],
)
def test_absolute_form_and_host_must_agree(raw: str, host: str, is_named: bool) -> None:
    assert parse_target(raw).names_host(host) is is_named


@pytest.mark.parametrize("raw", ["http://a b/", "http://a,b/", "http://[1/", "http://a:99999/"])
def test_absolute_form_with_a_malformed_authority(raw: str) -> None:
    with pytest.raises(BadRequest):
        parse_target(raw).names_host("a")


HOSTS = {
    "a.example": "a.example",
    "A.Example": "a.example",
    "a.example.": "a.example",
    "a.example:80": "a.example",
    "a.example.:80": "a.example",
    "a.example:": "a.example",
    "a_b.example": "a_b.example",
    "_dmarc": "_dmarc",
    "localhost": "localhost",
    "xn--bcher-kva.example": "xn--bcher-kva.example",
    "192.0.2.1": "192.0.2.1",
    "192.0.2.1:8080": "192.0.2.1",
    "[::1]": "[::1]",
    "[2001:DB8::1]:443": "[2001:db8::1]",
    "[::ffff:192.0.2.1]": "[::ffff:192.0.2.1]",
}


@pytest.mark.parametrize("raw", HOSTS)
def test_hosts(raw: str) -> None:
    assert normalise_host(raw) == HOSTS[raw]


@pytest.mark.parametrize(
    "raw",
    [
        "",
        ".",
        "..",
        ".a",
        "a..b",
        "a..",
        "-a",
        "a-",
        "a b",
        "a,b",
        "a/b",
        "a@b",
        "a\\b",
        "a\tb",
        "a\xe9",
        "a%62",
        "a:b",
        "a:-1",
        "a:65536",
        "a:0",
        "a:123456",
        "a:80:80",
        "[::1",
        "::1",
        "[::1]a",
        "[]",
        "[::]x",
        "[1.2.3.4]",
        "[:::]",
        "[fe80::1%25e]",
        "a" * 300,
        "a?",
        "a#",
        "*.example",
        "a;b",
        '"a"',
    ],
)
def test_refused_hosts(raw: str) -> None:
    with pytest.raises(BadRequest) as refusal:
        normalise_host(raw)
    assert refusal.value.reason == "bad_host"


@pytest.mark.parametrize(
    ("path", "query", "target"),
    [
        ("/a", "", b"/a"),
        ("/a", "?b", b"/a?b"),
        ("a", "", b"/a"),
        ("", "?b", b"/?b"),
        ("/a?x=1", "?b", b"/a?x=1&b"),
        ("/a?x=1", "", b"/a?x=1"),
        ("/\u20ac b\r\nX: y#", "", b"/%E2%82%AC%20b%0D%0AX:%20y%23"),
    ],
)
def test_rewritten_targets_cannot_end_the_line(path: str, query: str, target: bytes) -> None:
    assert rewritten_target(path, query) == target


PIECES = st.sampled_from(
    ["/", "//", ".", "..", "%2e", "%2F", "%5c", "\\", "a", "%61", ";", "%3b", "%00", "%", "%C0", "%AF", "\xe9"]
)


@given(st.lists(PIECES, max_size=12).map("".join))
def test_any_path_is_refused_or_has_one_spelling(tail: str) -> None:
    try:
        path = normalise_path("/" + tail)
    except BadRequest:
        return
    assert path.startswith("/")
    assert path.isascii()
    assert not {"", ".", ".."} & set(path.split("/")[1:-1])
    assert path.rpartition("/")[2] not in (".", "..")
    assert normalise_path(path) == path


@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0xFF), min_size=1, max_size=60))
def test_any_target_is_read_or_refused(raw: str) -> None:
    try:
        target = parse_target(raw)
    except BadRequest:
        return
    assert target.path.startswith("/")
    assert (target.path + target.query).isascii()

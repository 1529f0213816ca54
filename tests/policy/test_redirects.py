"""Where redirects lead, and that none can carry a line of its own into an answer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingressd.http.target import parse_target
from ingressd.policy.ask import Answer, Ask
from ingressd.policy.location import location_line
from ingressd.policy.redirects import (
    AppRoot,
    FixedRedirect,
    HttpsRedirect,
    WwwRedirect,
    app_root,
    fixed_redirect,
    https_redirect,
    without_port,
    www_redirect,
)
from ingressd.policy.trailing_slash import TrailingSlash, trailing_slash
from tests.policy.asks import ask


def location(answer: Answer | None) -> tuple[int, bytes] | None:
    """Status and target of a redirect, whose fields are one line."""
    if answer is None:
        return None
    assert answer.fields.startswith(b"Location: ")
    assert answer.fields.endswith(b"\r\n")
    return answer.status, answer.fields[len(b"Location: ") : -2]


SHOP = ask("/a?q=1", host=b"Shop.example:8080")
SHOP_TLS = ask("/a?q=1", host=b"Shop.example:8443", is_tls=True, scheme=b"https", port=b"8443")


@pytest.mark.parametrize(
    ("settings", "request_", "expected"),
    [
        (FixedRedirect("https://new.example/x"), SHOP, (301, b"https://new.example/x")),
        (FixedRedirect("https://new.example/x", 308), SHOP, (308, b"https://new.example/x")),
        (FixedRedirect("http://new.example", 302), SHOP_TLS, (302, b"http://new.example")),
        (FixedRedirect("/x?y=1"), SHOP, (301, b"http://shop.example/x?y=1")),
        (FixedRedirect("/x"), SHOP_TLS, (301, b"https://shop.example/x")),
        (FixedRedirect("/x", 301, True), SHOP, (301, b"/x")),
        (FixedRedirect("//other.example/x"), SHOP, (301, b"//other.example/x")),
        (FixedRedirect("https://caf\u00e9.example/%20 x"), SHOP, (301, b"https://caf%C3%A9.example/%20%20x")),
    ],
)
def test_fixed_redirect(settings: FixedRedirect, request_: Ask, expected: tuple[int, bytes]) -> None:
    assert location(fixed_redirect(settings, request_)) == expected


@pytest.mark.parametrize(
    ("settings", "request_", "expected"),
    [
        (HttpsRedirect(), SHOP, (308, b"https://Shop.example/a?q=1")),
        (HttpsRedirect(), SHOP_TLS, None),
        (HttpsRedirect(301), ask("/"), (301, b"https://shop.example")),
        (HttpsRedirect(), ask("/a/"), (308, b"https://shop.example/a")),
        (HttpsRedirect(), ask("/?u=/"), (308, b"https://shop.example/?u=")),
        (HttpsRedirect(308, True), ask("/a/"), (308, b"https://shop.example/a/")),
        (HttpsRedirect(308, True, "8443"), ask("/a/"), (308, b"https://shop.example:8443/a/")),
        (HttpsRedirect(308, False, "443"), ask("/a/"), (308, b"https://shop.example:443/a")),
        (HttpsRedirect(), ask("/", host=b"[2001:db8::1]:80"), (308, b"https://[2001:db8::1]")),
        (HttpsRedirect(), ask("/", scheme=b"https"), None),
        (HttpsRedirect(), ask("/", scheme=b"http", is_tls=True), (308, b"https://shop.example")),
        (HttpsRedirect(), ask("/x", authority=b"front.example:80"), (308, b"https://front.example/x")),
        (HttpsRedirect(), ask("/x", authority=b"evil\r\nX: 1"), (308, b"https://evil%0D%0AX/x")),
    ],
)
def test_https_redirect(settings: HttpsRedirect, request_: Ask, expected: tuple[int, bytes] | None) -> None:
    assert location(https_redirect(settings, request_)) == expected


def test_no_host_to_send_it_to() -> None:
    assert https_redirect(HttpsRedirect(), ask("/", host=None)) == Answer(400, "no_host")


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (ask("/?q=1", host=b"Shop.example:8080"), (302, b"http://Shop.example:8080/app/")),
        (ask("/", method=b"POST"), (302, b"http://shop.example/app/")),
        (ask("/", scheme=b"https"), (302, b"http://shop.example/app/")),
        (ask("/", is_tls=True), (302, b"https://shop.example/app/")),
        (ask("/x"), None),
        (ask("/app/"), None),
    ],
)
def test_app_root(request_: Ask, expected: tuple[int, bytes] | None) -> None:
    assert location(app_root(AppRoot("/app/"), request_)) == expected


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (ask("/a/?q=1"), (308, b"http://www.shop.example:80/a/?q=1")),
        (ask("/"), (308, b"http://www.shop.example:80")),
        (ask("/a/"), (308, b"http://www.shop.example:80/a")),
        (ask("/a", scheme=b"https", port=b"443", is_tls=True), (308, b"https://www.shop.example:443/a")),
    ],
)
def test_www_redirect(request_: Ask, expected: tuple[int, bytes]) -> None:
    assert location(www_redirect(WwwRedirect("www.shop.example"), request_)) == expected


@pytest.mark.parametrize(
    ("settings", "request_", "expected"),
    [
        (TrailingSlash("/foo"), ask("/foo", host=b"Shop.example:81"), (301, b"http://shop.example/foo/")),
        (TrailingSlash("/foo"), ask("/foo?q=1", is_tls=True), (301, b"https://shop.example/foo/?q=1")),
        (TrailingSlash("/foo", True), ask("/foo?q=1"), (301, b"/foo/?q=1")),
        (TrailingSlash("/foo"), ask("/foo/"), None),
        (TrailingSlash("/foo"), ask("/foo/bar"), None),
    ],
)
def test_trailing_slash(settings: TrailingSlash, request_: Ask, expected: tuple[int, bytes] | None) -> None:
    assert location(trailing_slash(settings, request_)) == expected


@pytest.mark.parametrize(
    ("authority", "host"),
    [(b"a:80", b"a"), (b"a", b"a"), (b"[::1]:80", b"[::1]"), (b"[::1]", b"[::1]"), (b"", b"")],
)
def test_without_port(authority: bytes, host: bytes) -> None:
    assert without_port(authority) == host


@given(st.text() | st.binary())
def test_a_location_is_one_line_of_plain_ascii(value: str | bytes) -> None:
    line = location_line(value)
    assert line.isascii()
    assert line.endswith(b"\r\n")
    assert min(line[len(b"Location: ") : -2], default=0x21) > 0x20


@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0xFF, exclude_characters="#%"), max_size=20))
def test_what_a_client_asks_for_stays_within_the_line(tail: str) -> None:
    request = ask("/a")
    request.query = parse_target("/a?" + tail).query
    for answer in (
        https_redirect(HttpsRedirect(), request),
        www_redirect(WwwRedirect("www.example"), request),
        trailing_slash(TrailingSlash("/a"), request),
    ):
        assert answer is not None
        assert answer.fields.count(b"\n") == 1
        assert answer.fields.isascii()

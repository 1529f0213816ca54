"""Expected lines are nginx's own: it was asked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingressd.policy.cookies import CookieRewrite, CookieRule, read_pair

ORIGIN = CookieRule(CookieRewrite("origin.example", "shop.example", "/app", "/"))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("a=1; Domain=origin.example; Path=/app/x; HttpOnly", "a=1; Domain=shop.example; Path=//x; HttpOnly"),
        ("a=2; domain=.ORIGIN.example;path=/app", "a=2; domain=.shop.example; path=/"),
        ("a=3; Domain=sub.origin.example; Path=/other", None),
        ("Domain=origin.example; Path=/APP", None),
        ("a=4;   Domain = origin.example ; Path= /app ;x", "a=4; Domain=shop.example; Path=/; x"),
        ("a=5; Path=/application; Path=/app", "a=5; Path=/lication; Path=/"),
        ('a=6; Path="/app"; Domain=', None),
        ("a=7; path", None),
        ("a=8; Pathx=/app; xDomain=origin.example", None),
        ("a=9;Path=/app/b?;Secure", "a=9; Path=//b?; Secure"),
        ("a", None),
        ("", None),
    ],
)
@pytest.mark.parametrize("name", ["Set-Cookie", "set-cookie"])
def test_domain_and_path(name: str, line: str, expected: str | None) -> None:
    before, after = b"X: Path=/app; Domain=origin.example\r\n", b"Y: z\r\n"
    lines = f"{name}: {line}\r\n".encode()
    result = lines if expected is None else f"{name}: {expected}\r\n".encode()
    assert ORIGIN.apply(before + lines + lines + after) == before + result + result + after


@pytest.mark.parametrize(
    ("rule", "line", "expected"),
    [
        (CookieRewrite(".origin.example", ".shop.example"), "a; Domain=origin.example", "a; Domain=shop.example"),
        (CookieRewrite(".origin.example", ".shop.example"), "a; Domain=.origin.example", "a; Domain=.shop.example"),
        (CookieRewrite(path="/app/", new_path=""), "a; Path=/app/x; Domain=o", "a; Path=x; Domain=o"),
        (CookieRewrite("o", "n"), "a; Path=/; Domain=O", "a; Path=/; Domain=n"),
        (CookieRewrite(), "a;Path=/;Domain=o", "a;Path=/;Domain=o"),
    ],
)
def test_one_or_the_other(rule: CookieRewrite, line: str, expected: str) -> None:
    assert CookieRule(rule).apply(f"Set-Cookie: {line}\r\n".encode()) == f"Set-Cookie: {expected}\r\n".encode()


def test_an_answer_without_cookies_is_left_alone() -> None:
    lines = b"Content-Type: text/plain\r\nX-Set-Cookie: a; Path=/app\r\n"
    assert ORIGIN.apply(lines) == lines


def test_what_owners_write() -> None:
    assert read_pair("off") is None
    assert read_pair(" a.example  b.example ") == ("a.example", "b.example")


@pytest.mark.parametrize("text", ["", "one", "one two three", "~^a b", "a; b", "a b;c", "ä b", "a b\x7f"])
def test_what_they_cannot(text: str) -> None:
    with pytest.raises(ValueError, match=r"neither|not supported|cannot be"):
        read_pair(text)


@given(st.text('abDPomainth=;. /\t"', max_size=60))
def test_whatever_an_upstream_sets_stays_one_line(value: str) -> None:
    rewritten = ORIGIN.apply(f"Set-Cookie: {value}\r\nX: y\r\n".encode())
    assert rewritten.count(b"\r\n") == 2
    assert rewritten.startswith(b"Set-Cookie: ")
    assert rewritten.endswith(b"\r\nX: y\r\n")

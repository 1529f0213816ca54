"""What policies find in a request."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingressd.policy.ask import cookie_value, field_value, without_fields

LINES = b"X-A: 1\r\nCookie: a=1; b=2\r\nx-a:  two: X-B: 3\r\nX-AB: 4\r\ncookie: c=3\r\nX-Empty: \r\nX-Bare:5\r\n"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (b"x-a", b"1,  two: X-B: 3"),
        (b"X-AB", b"4"),
        (b"cookie", b"a=1; b=2; c=3"),
        (b"x-empty", b""),
        (b"x-bare", b"5"),
        (b"x-b", None),
        (b"a", None),
        (b"x", None),
    ],
)
def test_field_values(name: bytes, value: bytes | None) -> None:
    assert field_value(LINES, name) == value


@pytest.mark.parametrize(("name", "value"), [(b"a", b"1"), (b"b", b"2"), (b"c", b"3"), (b"B", None), (b"x", None)])
def test_cookies(name: bytes, value: bytes | None) -> None:
    assert cookie_value(LINES, name) == value
    assert cookie_value(b"X: y\r\n", name) is None


@pytest.mark.parametrize("name", [b"session", b"Session", b"SESSION"])
def test_cookies_that_variables_name_in_another_case(name: bytes) -> None:
    """nginx gives the first of them all."""
    lines = b"Cookie: a=1; SessioN=one; session=two\r\n"
    assert cookie_value(lines, name, any_case=True) == b"one"
    assert cookie_value(lines, b"b", any_case=True) is None


NAMES = st.sampled_from([b"X-A", b"x-a", b"X-Ab", b"A", b"X-A-B"])
SECTIONS = st.lists(st.tuples(NAMES, st.sampled_from([b"", b"1", b"x-a: 2", b":x-a:", b" a"])), max_size=6)


@given(SECTIONS)
def test_as_somebody_who_reads_line_by_line(fields: list[tuple[bytes, bytes]]) -> None:
    lines = b"".join(b"%b: %b\r\n" % field for field in fields)
    values = [value for name, value in fields if name.lower() == b"x-a"]
    assert field_value(lines, b"x-a") == (b", ".join(values) if values else None)
    left = b"".join(b"%b: %b\r\n" % field for field in fields if field[0].lower() not in (b"x-a", b"a"))
    assert without_fields(lines, frozenset((b"x-a", b"a"))) == left

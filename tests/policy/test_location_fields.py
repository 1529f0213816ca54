"""Expected lines are nginx's own: it was asked."""

import pytest

from ingressd.policy.location_fields import LocationRewrite, LocationRule, problem_of
from ingressd.policy.variables import TemplateError
from tests.policy.heads import asked

START = "http://origin.example:8080/app/"
ORIGIN = LocationRewrite(START, "/")


def applied(settings: LocationRewrite, *lines: str, is_tls: bool = False) -> list[str]:
    block = "".join(f"{line}\r\n" for line in lines).encode()
    rewritten = LocationRule(settings).apply(block, asked(host="h.example:8080", is_tls=is_tls))
    return rewritten.decode().split("\r\n")[:-1]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (f"Location: {START}x?y", "Location: http://h.example/x?y"),
        (f"location: {START}", "location: http://h.example/"),
        (f"Location: {START[:-1]}", None),
        (f"Location: {START.upper()}", None),
        ("Location: /app/x", None),
        ("Location: https://origin.example:8080/app/", None),
        (f"Refresh: 5; url={START}x", "Refresh: 5; url=/x"),
        (f"Refresh: 0; URL={START}z", "Refresh: 0; URL=/z"),
        (f"Refresh: 0;url='{START}z'", None),
        (f"Refresh: {START}z", None),
        (f"Refresh: 0;Xurl={START}z url={START}z", f"Refresh: 0;Xurl=/z url={START}z"),
        (f"Content-Location: {START}", None),
        (f"X: url={START}", None),
    ],
)
def test_location_and_refresh(line: str, expected: str | None) -> None:
    others = ["Content-Type: text/plain", "Vary: Location"]
    assert applied(ORIGIN, others[0], line, others[1]) == [others[0], expected or line, others[1]]


def test_what_becomes_a_path_is_made_absolute_unless_relative_redirects_are_wanted() -> None:
    line = f"Location: {START}x"
    assert applied(ORIGIN, line, is_tls=True) == ["Location: https://h.example/x"]
    assert applied(LocationRewrite(START, "/", relative=True), line) == ["Location: /x"]
    assert applied(LocationRewrite(START, "http://n.example/"), line) == ["Location: http://n.example/x"]


def test_variables() -> None:
    settings = LocationRewrite("http://$host", "https://$host/")
    assert applied(settings, "Location: http://h.example/x") == ["Location: https://h.example//x"]
    assert applied(LocationRewrite("http://a", "https://$host/"), "Location: http://abc/d") == [
        "Location: https://h.example/bc/d"
    ]


@pytest.mark.parametrize("pair", [("~^http", "/"), ("http://a b", "/"), ("/", "/\r\n"), ("/", "/ä")])
def test_what_owners_cannot_write(pair: tuple[str, str]) -> None:
    assert problem_of(*pair)
    assert problem_of(START, "/$request_uri") == ""


def test_an_unknown_variable_is_named() -> None:
    with pytest.raises(TemplateError, match="no_such_thing"):
        problem_of("/", "/$no_such_thing")

import pytest

from ingressd.policy.ask import Ask
from ingressd.policy.mirror import Mirror, MirrorRule, problem_of
from ingressd.policy.variables import TemplateError
from tests.policy.heads import asked


def head(target: str, request: Ask, *, host: str = "", body: bool = True) -> list[str]:
    made = MirrorRule(Mirror(target, host, body)).head(request)
    assert made is not None
    assert made.endswith(b"\r\n\r\n")
    return made.decode("latin-1").split("\r\n")[:-2]


@pytest.mark.parametrize(
    ("target", "line", "host"),
    [
        ("https://test.example$request_uri", "/a/b?c=d", "test.example"),
        ("https://test.example/$request_uri", "//a/b?c=d", "test.example"),  # as it is written
        ("https://test.example/fixed", "/fixed", "test.example"),
        ("https://test.example/x$uri", "/x/a/b", "test.example"),
        ("https://test.example", "/a/b?c=d", "test.example"),
        ("http://test.example:8080/", "/", "test.example"),
        ("http://test.example?copy", "/?copy", "test.example"),
        ("http://[fd00::1]:81/", "/", "[fd00::1]"),
    ],
)
def test_target_and_host(target: str, line: str, host: str) -> None:
    made = head(target, asked("/a/b?c=d", "Accept: */*"))
    assert made == [f"GET {line} HTTP/1.1", f"Host: {host}", "Accept: */*"]


def test_another_host() -> None:
    assert head("https://test.example/", asked(), host="other.example:81")[1] == "Host: other.example:81"


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("https://Test.example$request_uri", ("test.example", 443, True)),
        ("http://test.example", ("test.example", 80, False)),
        ("HTTP://test.example:8080/x", ("test.example", 8080, False)),
        ("https://[fd00::1]/", ("fd00::1", 443, True)),
    ],
)
def test_where_copies_go(target: str, expected: tuple[str, int, bool]) -> None:
    rule = MirrorRule(Mirror(target))
    assert (rule.hostname, rule.port, rule.is_tls) == expected


@pytest.mark.parametrize(
    ("sent", "method", "with_body", "without"),
    [
        ("Content-Length: 5", b"POST", ["Content-Length: 5"], ["Content-Length: 0"]),
        ("Transfer-Encoding: chunked", b"PUT", ["Transfer-Encoding: chunked"], ["Content-Length: 0"]),
        ("Content-Length: 5", b"GET", ["Content-Length: 5"], []),
        ("Accept: */*", b"POST", ["Content-Length: 0"], ["Content-Length: 0"]),
        ("Accept: */*", b"GET", [], []),
    ],
)
def test_the_body(sent: str, method: bytes, with_body: list[str], without: list[str]) -> None:
    request = asked("/", sent, method=method)
    for body, expected in ((True, with_body), (False, without)):
        made = head("http://test.example", request, body=body)
        assert [line for line in made if line.startswith(("Content-Length", "Transfer"))] == expected


@pytest.mark.parametrize(
    ("target", "lines"),
    [
        ("http://test.example$http_x_where", []),
        ("http://test.example$http_x_where", ["X-Where: elsewhere"]),
        ("http://test.example$http_x_where", ["X-Where: /a b"]),
        ("http://test.example/$http_x_where", ["X-Where: a HTTP/1.1"]),
        ("http://test.example/$http_x_where", ["X-Where: " + "a" * 9000]),
    ],
)
def test_what_makes_no_target_makes_no_copy(target: str, lines: list[str]) -> None:
    assert MirrorRule(Mirror(target)).head(asked("/", *lines)) is None


@pytest.mark.parametrize(
    "settings",
    [
        Mirror(""),
        Mirror("/path"),
        Mirror("ftp://test.example/"),
        Mirror("http://$host/"),
        Mirror("http://user@test.example/"),
        Mirror("http://test.example:0/"),
        Mirror("http://test.example:65536/"),
        Mirror("http://test.example/", "a b"),
        Mirror("http://test.example/", "a\r\nX: y"),
    ],
)
def test_what_owners_cannot_write(settings: Mirror) -> None:
    assert problem_of(settings)
    with pytest.raises(ValueError, match=r"is no "):
        MirrorRule(settings)


def test_an_unknown_variable_is_named() -> None:
    with pytest.raises(TemplateError, match="no_such_thing"):
        problem_of(Mirror("http://test.example/$no_such_thing"))

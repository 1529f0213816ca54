"""Cross-origin requests are answered as ingress-nginx answers them."""

import pytest

from ingressd.policy.ask import Answer, Plan
from ingressd.policy.cors import HEADERS, METHODS, Cors, CorsRules, valid_origins
from tests.policy.asks import ask


def lines(cors: Cors, origin: bytes | None = b"https://a.example", method: bytes = b"GET") -> list[bytes]:
    fields = b"" if origin is None else b"Origin: " + origin + b"\r\n"
    return CorsRules(cors).fields(ask("/", method=method, fields=fields)).split(b"\r\n")[:-1]


DEFAULTS = [
    b"Access-Control-Allow-Origin: *",
    b"Access-Control-Allow-Credentials: true",
    b"Access-Control-Allow-Methods: " + METHODS.encode(),
    b"Access-Control-Allow-Headers: " + HEADERS.encode(),
    b"Access-Control-Max-Age: 1728000",
]


def test_defaults() -> None:
    assert lines(Cors()) == DEFAULTS
    assert lines(Cors(), None) == DEFAULTS


def test_every_setting() -> None:
    cors = Cors(("https://a.example",), "GET", "X-One", "X-Two, X-Three", False, 60)
    assert lines(cors) == [
        b"Access-Control-Allow-Origin: https://a.example",
        b"Access-Control-Allow-Methods: GET",
        b"Access-Control-Allow-Headers: X-One",
        b"Access-Control-Expose-Headers: X-Two, X-Three",
        b"Access-Control-Max-Age: 60",
    ]
    assert CorsRules(cors).names == {
        b"access-control-allow-origin",
        b"access-control-allow-methods",
        b"access-control-allow-headers",
        b"access-control-expose-headers",
        b"access-control-max-age",
    }


ORIGINS = (
    "https://a.example",
    "http://b.example:8080",
    "https://*.wild.example",
    "tauri://localhost",
    "http://*.p.example:81",
)


@pytest.mark.parametrize(
    ("origin", "is_allowed"),
    [
        (b"https://a.example", True),
        (b"HTTPS://A.Example", True),
        (b"http://a.example", False),
        (b"https://a.example:443", False),
        (b"https://a.example.evil.example", False),
        (b"xhttps://a.example", False),
        (b"https://aXexample", False),
        (b"http://b.example:8080", True),
        (b"http://b.example", False),
        (b"https://x.wild.example", True),
        (b"https://x-1.wild.example", True),
        (b"https://x.y.wild.example", False),
        (b"https://wild.example", False),
        (b"https://.wild.example", False),
        (b"http://x.p.example:81", True),
        (b"http://x.p.example", False),
        (b"tauri://localhost", True),
        (b"null", False),
        (b"", False),
        (b"*", False),
        (None, False),
    ],
)
def test_origins(origin: bytes | None, is_allowed: bool) -> None:
    found = lines(Cors(ORIGINS), origin)
    assert found[:1] == ([b"Access-Control-Allow-Origin: " + (origin or b"")] if is_allowed else [])


def test_nobody_is_allowed() -> None:
    assert lines(Cors(()), b"https://a.example") == []
    assert lines(Cors(()), b"") == []


@pytest.mark.parametrize(
    ("listed", "origins"),
    [
        ("*", ("*",)),
        ("https://a.example, *", ("*",)),
        ("", ("*",)),
        (" , ", ("*",)),
        ("https://a.example,http://*.b.example:80", ("https://a.example", "http://*.b.example:80")),
        ("origin.example:8080, https://a.example,,tauri://x", ("https://a.example", "tauri://x")),
        ("origin.example:8080", ()),
        ("https://a.*.example", ()),
        ("https://a.example/path", ()),
        ("https://a.example\r\nX-Evil: 1", ()),
    ],
)
def test_valid_origins(listed: str, origins: tuple[str, ...]) -> None:
    assert valid_origins(listed) == origins


def test_a_preflight_is_answered() -> None:
    plan = Plan()
    request = ask("/", method=b"OPTIONS", fields=b"Origin: https://a.example\r\n")
    answer = CorsRules(Cors(("https://a.example",))).apply(request, plan)
    assert answer == Answer(204, "cors_preflight", b"Content-Type: text/plain charset=UTF-8\r\n", b"")
    assert plan.answer_fields.startswith(b"Access-Control-Allow-Origin: https://a.example\r\n")


def test_any_other_method_goes_on_with_fields_for_its_answer() -> None:
    plan = Plan()
    plan.answer_fields = b"X-Before: 1\r\n"
    plan.answer_without = frozenset({b"x-hidden"})
    rules = CorsRules(Cors())
    assert rules.apply(ask("/", method=b"PUT"), plan) is None
    assert plan.answer_fields == b"X-Before: 1\r\n" + b"\r\n".join(DEFAULTS) + b"\r\n"
    assert plan.answer_without == rules.names | {b"x-hidden"}


def test_a_stranger_s_preflight_goes_to_the_upstream() -> None:
    plan = Plan()
    request = ask("/", method=b"OPTIONS", fields=b"Origin: https://evil.example\r\n")
    assert CorsRules(Cors(("https://a.example",))).apply(request, plan) is None
    assert (plan.answer_fields, plan.answer_without) == (b"", frozenset())


def test_a_setting_cannot_add_a_line() -> None:
    found = lines(Cors(methods="GET\r\nX-Evil: 1", headers="X-\u00e9\x00A"))
    assert b"Access-Control-Allow-Methods: GETX-Evil: 1" in found
    assert b"Access-Control-Allow-Headers: X-A" in found

from typing import Any

import pytest

from ingressd.http.head import read_request_fields
from ingressd.http.request_line import split_request_line
from ingressd.policy.ask import Plan
from ingressd.policy.error_pages import ErrorPages, ErrorPagesRule
from tests.policy.heads import asked

FORWARDED = b"X-Request-ID: 7\r\nX-Forwarded-For: 192.0.2.7\r\n"
WHO = {"namespace": "shop", "ingress": "front", "service": "cart", "service_port": "80"}


def rule(**settings: Any) -> ErrorPagesRule:
    return ErrorPagesRule(ErrorPages("shop/errors:0", **{"statuses": (404, 503), **WHO, **settings}))


def test_which_statuses() -> None:
    assert rule().statuses == rule().own_statuses == {404, 503}
    # disable-proxy-intercept-errors: what the upstream says stays, what we say does not
    assert rule(intercepts_upstream=False).statuses == frozenset()
    assert rule(intercepts_upstream=False).own_statuses == {404, 503}


def test_the_request_that_replaces_an_answer() -> None:
    request = asked("/cart/7?x=1", "Accept: text/html", "Cookie: a=b", "X-Code: 200", "x-namespace: forged")
    made = rule().detour(request, 404, FORWARDED)
    assert made.backend == "shop/errors:0"
    assert made.head.decode().split("\r\n") == [
        "GET /?x=1 HTTP/1.1",
        "Host: shop.example",
        "Accept: text/html",
        "Cookie: a=b",
        "X-Code: 404",
        "X-Format: text/html",
        "X-Namespace: shop",
        "X-Ingress-Name: front",
        "X-Service-Name: cart",
        "X-Service-Port: 80",
        "X-Original-URI: /cart/7?x=1",
        "X-Request-ID: 7",
        "X-Forwarded-For: 192.0.2.7",
        "",
        "",
    ]


@pytest.mark.parametrize(
    ("method", "framing"), [(b"GET", []), (b"HEAD", []), (b"POST", ["Content-Length: 0"]), (b"DELETE", [])]
)
def test_the_method_stays_and_the_body_does_not(method: bytes, framing: list[str]) -> None:
    request = asked("/", "Content-Length: 5", "Expect: 100-continue", method=method)
    lines = rule().detour(request, 503, b"").head.decode().split("\r\n")
    assert lines[0] == f"{method.decode()} / HTTP/1.1"
    assert [line for line in lines if line.startswith(("Content-Length", "Transfer", "Expect"))] == framing


def test_a_chunked_body_and_an_offer_to_switch_stay_behind() -> None:
    for lines in (["Transfer-Encoding: chunked"], ["Connection: upgrade", "Upgrade: websocket"]):
        head = rule().detour(asked("/", *lines), 404, b"").head
        assert b"hunked" not in head
        assert b"pgrade" not in head


def test_what_is_not_known_is_not_said() -> None:
    made = rule(namespace="", ingress="", service="", service_port="").detour(asked(), 404, b"")
    assert made.head == b"GET / HTTP/1.1\r\nHost: shop.example\r\nX-Code: 404\r\nX-Original-URI: /\r\n\r\n"


def test_no_name_breaks_out_of_its_line() -> None:
    head = rule(service="a\r\nX: b").detour(asked(), 404, b"").head
    assert b"X-Service-Name: a??X: b\r\n" in head
    line, _, block = head.partition(b"\r\n")
    assert split_request_line(line)[0] == b"GET"
    assert read_request_fields(block, 100).host == "shop.example"


def test_who_answers_for_a_backend_without_endpoints() -> None:
    plan = Plan()
    plan.added, plan.without = b"X-Earlier: 1\r\n", frozenset((b"x-earlier",))
    rule().stand_in(asked("/cart", "Accept: */*"), plan)
    assert plan.backend == "shop/errors:0"
    assert plan.path is None
    assert plan.added == (
        b"X-Earlier: 1\r\nX-Code: 503\r\nX-Format: */*\r\nX-Namespace: shop\r\nX-Ingress-Name: front\r\n"
        b"X-Service-Name: cart\r\nX-Service-Port: 80\r\n"
    )
    assert {b"x-earlier", b"x-code", b"x-format", b"x-service-port"} <= plan.without

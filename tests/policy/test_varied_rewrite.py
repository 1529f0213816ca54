"""Targets of rewrites that hold variables."""

import pytest

from ingressd.http.target import rewritten_target
from ingressd.policy.ask import Plan
from ingressd.policy.rewrite import Rewrite
from ingressd.policy.variables import TemplateError
from ingressd.policy.varied_rewrite import VariedRewriter, is_varied
from tests.policy.asks import ask


@pytest.mark.parametrize(
    ("target", "varied"),
    [("/$1", False), ("/$2$9x", False), ("/$", False), ("/$0", False), ("/$host/$1", True), ("https://a$uri", True)],
)
def test_what_more_than_the_path_decides(target: str, varied: bool) -> None:
    assert is_varied(Rewrite("/(.*)", target)) is varied


@pytest.mark.parametrize(
    ("target", "asked", "sent"),
    [
        ("/$http_x_tenant/$1", "/api/x?q=1", b"/a/x?q=1"),
        ("/$arg_q/$1", "/api/x?q=1", b"/1/x?q=1"),
        ("/$arg_q/$1", "/api/x", b"//x"),
        ("/$1/of$uri", "/api/x", b"/x/of/api/x"),
        ("/p$request_uri", "/api/a%20b?c=d", b"/p/api/a%20b%3Fc=d?c=d"),
        ("/$1$9/$request_method", "/api/x", b"/x/GET"),
        ("/$service_name/$1", "/api/x", b"/shop/x"),
    ],
)
def test_a_path(target: str, asked: str, sent: bytes) -> None:
    plan, request = Plan(), ask(asked, fields=b"X-Tenant: a\r\n")
    rewriter = VariedRewriter(Rewrite("/api/(.*)", target), {"service_name": b"shop"})
    assert rewriter.apply(request, plan) is None
    assert plan.path is not None
    assert rewritten_target(plan.path, request.query) == sent


@pytest.mark.parametrize("value", [b"../..", b"x/%2e%2e/y", b".."])
def test_what_a_client_sent_climbs_nowhere(value: bytes) -> None:
    plan = Plan()
    answer = VariedRewriter(Rewrite("/(.*)", "/$http_x_tenant/$1")).apply(
        ask("/z", fields=b"X-Tenant: %b\r\n" % value), plan
    )
    assert (answer is not None and answer.status, plan.path) == (400, None)


def test_what_a_client_sent_is_one_piece_of_the_path() -> None:
    plan = Plan()
    request = ask("/z", fields=b"X-Tenant: a b?c#d\xe9\\\r\n")
    VariedRewriter(Rewrite("/(.*)", "/$http_x_tenant/$1", "/$http_x_tenant")).apply(request, plan)
    assert plan.path == "/a%20b%3Fc%23d%E9%5C/z"
    assert plan.added == b"X-Forwarded-Prefix: /a%20b?c#d%E9\\\r\n"


def test_an_absolute_target_is_a_redirect() -> None:
    rewriter = VariedRewriter(Rewrite("/old/", "https://new.example$request_uri"))
    answer = rewriter.apply(ask("/old/a%20b"), Plan())
    assert answer is not None
    assert (answer.status, answer.fields) == (302, b"Location: https://new.example/old/a%20b\r\n")


def test_a_path_that_does_not_match_stays() -> None:
    plan = Plan()
    assert VariedRewriter(Rewrite("/api/", "/$host")).apply(ask("/other"), plan) is None
    assert plan.path is None


def test_a_variable_that_nobody_knows() -> None:
    with pytest.raises(TemplateError, match=r"\$nonsense"):
        VariedRewriter(Rewrite("/api/", "/$nonsense"))

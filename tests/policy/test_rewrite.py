"""Another path for the upstream."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingressd.policy.ask import Answer, Plan
from ingressd.policy.pattern import PatternError
from ingressd.policy.rewrite import Rewrite, Rewriter
from tests.policy.asks import ask


@pytest.mark.parametrize(
    ("pattern", "target", "path", "expected"),
    [
        (r"/api(/|$)(.*)", "/$2", "/api/orders/1", "/orders/1"),
        (r"/api(/|$)(.*)", "/$2", "/api", "/"),
        (r"/api(/|$)(.*)", "/$2", "/other", None),
        ("/api", "/", "/api/x", "/"),
        ("/API", "/new", "/api", "/new"),
        ("/b", "/found", "/a/b/c", "/found"),
        ("^/b", "/found", "/a/b/c", None),
        (r"/(a)|/(b)", "/<$1><$2>", "/b", "/<><b>"),
        (r"/(a)", "/$1$1/$2/$9", "/a", "/aa//"),
        (r"/(a)", "/$0/$10/$$1/$", "/a", "/$0/a0/$a/$"),
        (r"/(.*)", "/x/$1", r"/\1\g<0>", r"/x/\1\g<0>"),
        (r"/(.*)", "/x/$1", "/$1", "/x/$1"),
        ("/caf%C3%A9/(.*)", "/$1", "/caf%C3%A9/au-lait", "/au-lait"),
        ("/caf\u00e9/(.*)", "/$1", "/caf%C3%A9/au-lait", "/au-lait"),
        ("/(?!api)(.*)", "/web/$1", "/x", "/web/x"),
    ],
    ids=[
        "capture",
        "empty capture",
        "no match",
        "no capture: the bare target",
        "case-insensitive",
        "not anchored",
        "anchored by the pattern",
        "a group that took no part",
        "a group that is not there",
        "only $1 to $9 are references",
        "no escapes in what was captured",
        "no references in what was captured",
        "encoded as in the normal path",
        "declared unencoded",
        "a lookahead",
    ],
)
def test_rewrite_path(pattern: str, target: str, path: str, expected: str | None) -> None:
    assert Rewriter(Rewrite(pattern, target)).path(path) == expected


@given(st.from_regex(r"/[a-z/$\\]*", fullmatch=True))
def test_capturing_everything_changes_nothing(path: str) -> None:
    assert Rewriter(Rewrite(r"^(.*)$", "$1")).path(path) == path


def test_the_plan_gets_path_and_prefix() -> None:
    plan = Plan()
    rewriter = Rewriter(Rewrite("/(v[0-9])/api(/|$)(.*)", "/$3", "/$1/api"))
    assert rewriter.apply(ask("/V1/api/x?q=1"), plan) is None
    assert plan.path == "/x"
    assert plan.added == b"X-Forwarded-Prefix: /V1/api\r\n"


@pytest.mark.parametrize(
    "path",
    ["/x../b", "/x..", "/x./b", "/x.", "/x..%2Fb", "/x..%5Cb", "/x..%252fb", "/x..;/b", "/x..%3Bb", "/x%252e%252e/b"],
)
def test_a_rewrite_makes_no_dot_segment(path: str) -> None:
    """``/x(.*)`` as ``/y/$1`` would lead past the routes of the host, as nginx's alias without its last slash does."""
    plan = Plan()
    answer = Rewriter(Rewrite("/x(.*)", "/y/$1", "/x")).apply(ask(path), plan)
    assert answer == Answer(400, "ambiguous_path")
    assert (plan.path, plan.added) == (None, b"")


@pytest.mark.parametrize("path", ["/x.js", "/x...", "/x.../b", "/x/..b", "/x/b..", "/x/.b", "/x%252eb", "/x/b%2Fc.d"])
def test_dots_in_names_are_rewritten_as_they_are(path: str) -> None:
    plan = Plan()
    assert Rewriter(Rewrite("/x(.*)", "/y/$1?a=/../b")).apply(ask(path), plan) is None
    assert plan.path == f"/y/{path[2:]}?a=/../b"


def test_no_prefix_where_nothing_is_rewritten() -> None:
    plan = Plan()
    assert Rewriter(Rewrite("/api", "/", "/api")).apply(ask("/other"), plan) is None
    assert (plan.path, plan.added) == (None, b"")


def test_a_prefix_is_one_line() -> None:
    plan = Plan()
    Rewriter(Rewrite("/", "/x", "/a\r\nX-Evil: 1")).apply(ask("/"), plan)
    assert plan.added == b"X-Forwarded-Prefix: /aX-Evil: 1\r\n"


@pytest.mark.parametrize(
    ("target", "asked", "location"),
    [
        ("https://new.example/$1", "/old/a/b?q=1", b"https://new.example/a/b?q=1"),
        ("http://new.example", "/old/a", b"http://new.example"),
        ("https://new.example/?from=$1", "/old/a?q=1", b"https://new.example/?from=a&q=1"),
        ("https://new.example/$1", "/old/%0d%0aX-Evil:%201", b"https://new.example/%0D%0AX-Evil:%201"),
        ("https://new.example/\r\nX-Evil: 1", "/old/", b"https://new.example/%0D%0AX-Evil:%201"),
    ],
)
def test_an_absolute_target_is_a_redirect(target: str, asked: str, location: bytes) -> None:
    plan = Plan()
    answer = Rewriter(Rewrite("/old/(.*)", target, "/prefix")).apply(ask(asked), plan)
    assert answer == Answer(302, "rewrite_redirect", b"Location: " + location + b"\r\n")
    assert (plan.path, plan.added) == (None, b"")


def test_a_pattern_that_cannot_be_compiled_is_an_error_when_bound() -> None:
    with pytest.raises(PatternError):
        Rewriter(Rewrite("/(", "/x"))

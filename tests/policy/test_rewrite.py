"""Another path for the upstream."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingressd.policy.rewrite import Rewrite, rewrite_path


@pytest.mark.parametrize(
    ("pattern", "target", "path", "expected"),
    [
        (r"/api(/|$)(.*)", "/$2", "/api/orders/1", "/orders/1"),
        (r"/api(/|$)(.*)", "/$2", "/api", "/"),
        (r"/api(/|$)(.*)", "/$2", "/other", "/other"),
        ("/api", "/", "/api/x", "/"),
        ("/API", "/new", "/api", "/new"),
        ("/b", "/found", "/a/b/c", "/found"),
        ("^/b", "/found", "/a/b/c", "/a/b/c"),
        (r"/(a)|/(b)", "/<$1><$2>", "/b", "/<><b>"),
        (r"/(a)", "/$1$1/$2/$9", "/a", "/aa//"),
        (r"/(a)", "/$0/$10/$$1/$", "/a", "/$0/a0/$a/$"),
        (r"/(.*)", "/x/$1", r"/\1\g<0>", r"/x/\1\g<0>"),
        (r"/(.*)", "/x/$1", "/$1", "/x/$1"),
        ("/caf%C3%A9/(.*)", "/$1", "/caf%C3%A9/au-lait", "/au-lait"),
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
    ],
)
def test_rewrite_path(pattern: str, target: str, path: str, expected: str) -> None:
    assert rewrite_path(Rewrite(pattern, target), path) == expected


@given(st.from_regex(r"/[a-z/$\\]*", fullmatch=True))
def test_capturing_everything_changes_nothing(path: str) -> None:
    assert rewrite_path(Rewrite(r"^(.*)\Z", "$1"), path) == path

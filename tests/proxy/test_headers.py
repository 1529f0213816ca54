"""What the endpoint is told about a request, whatever the client says about itself."""

import re

import pytest

from ingressd.policy.policies import RoutePolicies
from ingressd.policy.rewrite import Rewrite
from ingressd.routing.snapshot import Route, Snapshot
from tests.support.gateway import one_host
from tests.support.memory import MemoryPath

HOST = "a.example:8080"
OURS = [
    ("X-Real-IP", "192.0.2.7"),
    ("X-Forwarded-For", "192.0.2.7"),
    ("X-Forwarded-Host", HOST),
    ("X-Forwarded-Port", "80"),
    ("X-Forwarded-Proto", "http"),
    ("X-Forwarded-Scheme", "http"),
    ("X-Scheme", "http"),
]


def forwarded(
    *lines: str, target: str = "/", snapshot: Snapshot | None = None, head: str = ""
) -> list[tuple[str, str]]:
    """Request line and field lines as the endpoint got them."""
    path = MemoryPath(snapshot)
    head = head or f"GET {target} HTTP/1.1\r\nHost: {HOST}\r\n"
    path.send((head + "".join(f"{line}\r\n" for line in lines) + "\r\n").encode("latin-1"))
    path.close()
    start, *fields = path.forwarded.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    pairs = [tuple(field.split(": ", 1)) for field in fields]
    return [("", start), *pairs]  # type: ignore[list-item]


def test_the_whole_head() -> None:
    fields = forwarded("X-Request-ID: abc", "Cookie: a=1", "Via: 1.0 x", "cookie: b=2", "Via: 1.1 y", "X-Odd: \xe9\xff")
    assert fields == [
        ("", "GET / HTTP/1.1"), ("Host", HOST), ("Cookie", "a=1"), ("Via", "1.0 x"), ("cookie", "b=2"),
        ("Via", "1.1 y"), ("X-Odd", "\xe9\xff"), ("X-Request-ID", "abc"), *OURS,
    ]  # fmt: skip


def test_a_request_id_is_made_where_there_is_none() -> None:
    made = [dict(forwarded(*lines))["X-Request-ID"] for lines in ([], ["X-Request-ID: not good"], [])]
    assert len(set(made)) == 3
    for request_id in made:
        assert re.fullmatch("[0-9a-f]{32}", request_id)


CLAIMS = [
    "X-Forwarded-For: 10.0.0.1", "X-Forwarded-Host: evil", "X-Forwarded-Proto: https", "X-Forwarded-Port: 443",
    "X-Forwarded-Scheme: https", "X-Scheme: https", "X-Real-IP: 10.0.0.1", "Forwarded: for=10.0.0.1",
    "X-Original-URI: /admin", "X-Original-URL: /admin", "X-Original-Method: GET", "X-Forwarded-Prefix: /x",
    "X_Forwarded_For: 10.0.0.1", "X_Real_IP: 10.0.0.1", "x-real-ip: 10.0.0.1",
]  # fmt: skip


def test_claims_of_the_client_are_replaced_or_dropped() -> None:
    assert forwarded("X-Request-ID: abc", *CLAIMS) == [
        ("", "GET / HTTP/1.1"),
        ("Host", HOST),
        ("X-Request-ID", "abc"),
        *OURS,
        ("X-Original-Forwarded-For", "10.0.0.1"),
        ("X-Original-Forwarded-Host", "evil"),
    ]


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (["X-Forwarded-For: 192.0.2.1, 10.0.0.1"], [("X-Original-Forwarded-For", "192.0.2.1, 10.0.0.1")]),
        (
            ["X-Forwarded-For: 192.0.2.1", "x-forwarded-for: 10.0.0.1", "Connection: x-forwarded-for"],
            [("X-Original-Forwarded-For", "192.0.2.1, 10.0.0.1")],
        ),
        (["X-Forwarded-Host: b.example"], [("X-Original-Forwarded-Host", "b.example")]),
        (["X-Original-Forwarded-For: 10.0.0.1"], []),
        (["X-Forwarded-For: a\tb"], []),
        (["X-Forwarded-For: \xe9"], []),
        (["X-Forwarded-For: " + "1" * 2049], []),
        (["X-Forwarded-Proto: https", "Forwarded: for=10.0.0.1"], []),
    ],
)
def test_what_a_client_claims_is_told_under_another_name(lines: list[str], told: list[tuple[str, str]]) -> None:
    assert forwarded("X-Request-ID: abc", *lines)[3:] == [*OURS, *told]


def test_connection_cannot_name_ours_away() -> None:
    names = ", ".join([name for name, _ in OURS] + ["X-Request-ID", "Host", "Cookie"])
    fields = forwarded("X-Request-ID: abc", "Cookie: a=1", f"Connection: {names}")
    assert fields == [("", "GET / HTTP/1.1"), ("Host", HOST), ("X-Request-ID", "abc"), *OURS]


@pytest.mark.parametrize(
    ("host", "target"), [("a.example", "/"), ("A.Example.:80", "/"), ("A.Example", "http://a.example:80/")]
)
def test_host_goes_on_as_received(host: str, target: str) -> None:
    fields = dict(forwarded(head=f"GET {target} HTTP/1.1\r\nHost: {host}\r\n"))
    assert fields[""] == "GET / HTTP/1.1"
    assert fields["Host"] == fields["X-Forwarded-Host"] == host


def test_an_http_1_0_request_without_host_gets_the_address_it_was_sent_to() -> None:
    everyone = one_host([1], host="*")
    path = MemoryPath(everyone)
    path.send(b"GET / HTTP/1.0\r\n\r\n")
    path.close()
    assert b"\r\nHost: 192.0.2.1:80\r\n" in path.forwarded
    assert b"\r\nX-Forwarded-Host: 192.0.2.1:80\r\n" in path.forwarded


@pytest.mark.parametrize(
    ("rewrite", "target", "onward"),
    [
        (Rewrite("^/app/(.*)", "/$1"), "/app/x/y?q=1", "/x/y?q=1"),
        (Rewrite("^/app/(.*)", "$1"), "/app/x", "/x"),
        (Rewrite("^/app", "/v2?from=app"), "/app?q=1", "/v2?from=app&q=1"),
        (Rewrite("^/app", "/\u20ac \r\nX: y"), "/app", "/%E2%82%AC%20%0D%0AX:%20y"),
        (Rewrite("^/app", "/x"), "/%61pp?q", "/x?q"),
    ],
)
def test_a_rewritten_request_tells_what_was_asked(rewrite: Rewrite, target: str, onward: str) -> None:
    snapshot = one_host([1], route=Route("prefix", "/", "default/app:80", policies=RoutePolicies(rewrite=rewrite)))
    fields = dict(forwarded(target=target, snapshot=snapshot))
    assert fields[""] == f"GET {onward} HTTP/1.1"
    assert fields["X-Original-URI"] == target.replace("%61", "a")


def test_a_request_that_was_not_rewritten_tells_nothing() -> None:
    policies = RoutePolicies(rewrite=Rewrite("^/none", "/x"))
    snapshot = one_host([1], route=Route("prefix", "/", "default/app:80", policies=policies))
    fields = dict(forwarded(target="/app?q", snapshot=snapshot))
    assert fields[""] == "GET /app?q HTTP/1.1"
    assert "X-Original-URI" not in fields


def test_forwarded_fields_follow_host_on_one_connection() -> None:
    path = MemoryPath(one_host([1], host="*"))
    for host in (b"a", b"a", b"b", b"a:1"):
        path.send(b"GET / HTTP/1.1\r\nHost: %b\r\n\r\n" % host)
    path.close()
    assert re.findall(rb"X-Forwarded-Host: (.*)\r\n", path.forwarded) == [b"a", b"a", b"b", b"a:1"]

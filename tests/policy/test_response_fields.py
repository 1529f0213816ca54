"""Edits of an answer's and of a request's field lines."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingressd.http.head import read_request_fields
from ingressd.policy.ask import Ask, Plan
from ingressd.policy.request_fields import RequestEditor, RequestEdits
from ingressd.policy.response_fields import FieldError, Hsts, ResponseEditor, ResponseEdits
from ingressd.policy.variables import TemplateError

UPSTREAM = b"Server: x/1\r\nContent-Type: text/plain\r\nX-Powered-By: php\r\nserver: y\r\nX-A: server: z\r\n"


@pytest.mark.parametrize(
    ("edits", "is_tls", "lines"),
    [
        (ResponseEdits(), True, b"Content-Type: text/plain\r\nX-Powered-By: php\r\nX-A: server: z\r\n"),
        (ResponseEdits(server=True), True, UPSTREAM),
        (
            ResponseEdits(server=True, hide=("X-POWERED-BY", "none")),
            False,
            b"Server: x/1\r\nContent-Type: text/plain\r\nserver: y\r\nX-A: server: z\r\n",
        ),
        (
            ResponseEdits(fields=(("X-A", "1"), ("Server", "us"), ("x-a", "2"))),
            False,
            b"Content-Type: text/plain\r\nX-Powered-By: php\r\nx-a: 2\r\nServer: us\r\n",
        ),
        (
            ResponseEdits(fields=(("X-Powered-By", ""),), remove=("x-a",)),
            False,
            b"Content-Type: text/plain\r\n",
        ),
        (
            ResponseEdits(fields=(("X-B", "1"),), remove=("X-B", "x-a", "x-powered-by")),
            False,
            b"Content-Type: text/plain\r\n",
        ),
        (ResponseEdits(server=True, hsts=Hsts()), False, UPSTREAM),
        (
            ResponseEdits(server=True, hsts=Hsts()),
            True,
            UPSTREAM + b"Strict-Transport-Security: max-age=31536000; includeSubDomains\r\n",
        ),
        (ResponseEdits(server=True, hsts=Hsts(), remove=("Strict-Transport-Security",)), True, UPSTREAM),
    ],
)
def test_answers(edits: ResponseEdits, is_tls: bool, lines: bytes) -> None:
    editor = ResponseEditor(edits)
    assert editor.edited(UPSTREAM, None, is_tls=is_tls) == lines
    assert editor.edited(UPSTREAM, Plan(), is_tls=is_tls) == lines


@pytest.mark.parametrize(
    ("hsts", "value"),
    [
        (Hsts(), "max-age=31536000; includeSubDomains"),
        (Hsts(preload=True), "max-age=31536000; includeSubDomains; preload"),
        (Hsts(15724800, include_subdomains=False), "max-age=15724800"),
        (Hsts(0, include_subdomains=False, preload=True), "max-age=0; preload"),
    ],
)
def test_hsts(hsts: Hsts, value: str) -> None:
    assert hsts.value() == value


def test_hsts_replaces_what_the_upstream_says_over_tls_only() -> None:
    editor = ResponseEditor(ResponseEdits(hsts=Hsts(1, include_subdomains=False)))
    upstream = b"strict-transport-security: max-age=9\r\nX: y\r\n"
    assert editor.edited(upstream, None, is_tls=True) == b"X: y\r\nStrict-Transport-Security: max-age=1\r\n"
    assert editor.edited(upstream, None, is_tls=False) == upstream


def test_what_policies_planned_comes_last() -> None:
    plan = Plan()
    plan.answer_fields, plan.answer_without = b"X-Set: plan\r\n", frozenset({b"x-set", b"content-type"})
    editor = ResponseEditor(ResponseEdits(fields=(("X-Set", "edit"), ("X-B", "c"))))
    assert editor.edited(UPSTREAM, plan, is_tls=False).endswith(b"X-A: server: z\r\nX-B: c\r\nX-Set: plan\r\n")
    assert editor.own(plan, is_tls=False) == b"X-B: c\r\nX-Set: plan\r\n"
    assert editor.own(None, is_tls=False) == b"X-Set: edit\r\nX-B: c\r\n"


BAD = [("a b", "1"), ("", "1"), ("X:", "1"), ("X", "a\r\nY: b"), ("X", "a\x00"), ("Content-Length", "1")]
BAD += [("transfer-encoding", "x"), ("Connection", "close"), ("X", "y" * 9000), ("H\xf6", "1")]


@pytest.mark.parametrize(("name", "value"), BAD)
def test_fields_that_cannot_be_set(name: str, value: str) -> None:
    for make in (
        lambda: ResponseEditor(ResponseEdits(((name, value),))),
        lambda: RequestEditor(RequestEdits(((name, value),))),
    ):
        with pytest.raises(FieldError):
            make()


NAMES = st.sampled_from([b"Server", b"server", b"X-A", b"x-server", b"X-Hide", b"Server-Timing"])
LINES = st.lists(st.tuples(NAMES, st.sampled_from([b"", b"1", b"server: x", b"x-hide:"])), max_size=6)


@given(LINES)
def test_exactly_the_named_lines_go(lines: list[tuple[bytes, bytes]]) -> None:
    editor = ResponseEditor(ResponseEdits(hide=("X-Hide",), fields=(("X-New", "1"),)))
    onward = b"".join(b"%b: %b\r\n" % line for line in lines)
    kept = b"".join(b"%b: %b\r\n" % line for line in lines if line[0].lower() not in (b"server", b"x-hide"))
    for _ in range(2):
        assert editor.edited(onward, None, is_tls=False) == kept + b"X-New: 1\r\n"


def test_what_is_remembered_is_bounded() -> None:
    editor = ResponseEditor(ResponseEdits())
    for number in range(1000):
        editor.edited(b"X: %d\r\n" % number, None, is_tls=False)
    assert len(editor.over_http._remembered) <= 256
    editor.edited(b"X: " + b"y" * 4096 + b"\r\n", None, is_tls=False)
    assert max(map(len, editor.over_http._remembered)) < 2048


# ── requests ────────────────────────────────────────────────────────────────────────────────────────────────────────

ASK = Ask(
    method=b"GET",
    path="/a",
    query="",
    fields=read_request_fields(b"Host: a.example\r\nX-Evil: a\tb\r\n\r\n", 10),
    client="192.0.2.1",
)


def planned(edits: RequestEdits, extra: dict[str, bytes] | None = None) -> Plan:
    plan = Plan()
    plan.added, plan.without, plan.host_field = b"X-Before: 1\r\n", frozenset({b"x-before"}), b"before"
    RequestEditor(edits).apply(ASK, plan, extra or {})
    return plan


def test_requests() -> None:
    edits = RequestEdits(
        fields=(("X-A", "b"), ("X-Client", "ip=$remote_addr"), ("X-Gone", ""), ("X-None", "$http_none"), ("X-R", "1")),
        remove=("X-R", "Cookie"),
    )
    plan = planned(edits)
    assert plan.added == b"X-Before: 1\r\nX-A: b\r\nX-Client: ip=192.0.2.1\r\n"
    assert plan.without == {b"x-before", b"x-a", b"x-client", b"x-gone", b"x-none", b"x-r", b"cookie"}
    assert plan.host_field == b"before"


@pytest.mark.parametrize(
    ("host", "sent"),
    [
        ("b.example", b"b.example"),
        ("$service_name.$namespace.svc:80", b"app.default.svc:80"),
        ("$http_x_evil", b"before"),
        ("$http_none", b"before"),
    ],
)
def test_another_host(host: str, sent: bytes) -> None:
    assert planned(RequestEdits(host=host), {"service_name": b"app", "namespace": b"default"}).host_field == sent


def test_a_fixed_connection_field_and_lines_of_ours() -> None:
    assert planned(RequestEdits(connection="Close")).added == b"X-Before: 1\r\nConnection: close\r\n"
    with pytest.raises(FieldError):
        RequestEditor(RequestEdits(connection="upgrade"))
    with pytest.raises(TemplateError):
        RequestEditor(RequestEdits((("X", "$no_such"),)))
    editor = RequestEditor(RequestEdits((("X-Forwarded-Proto", "https"),), ("X-Scheme", "X-A")))
    assert editor.replaces == {b"x-forwarded-proto", b"x-scheme"}

"""The access log in ingress-nginx's format: every variable, every way of escaping, and lines that stay lines."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingressd.telemetry.log_format import MAX_LINE_BYTES, Escape, FormatError, LogChoice, LogFormat
from ingressd.telemetry.log_variables import LogFacts

EXCHANGE: dict[str, Any] = {
    "time": 1795234329.25,
    "client": "192.0.2.1",
    "method": b"GET",
    "target": "/a/b?c=d&E=%20",
    "minor": 1,
    "status": 200,
    "request_id": b"0af1",
    "host_field": b"a.example:8080",
    "host": "a.example",
    "lines": b"Cookie: x=1; lang=de\r\nAuthorization: Basic am86c2VjcmV0\r\nX-Team: a\r\nx-team: b\r\n",
    "answer_lines": b"Content-Type: text/html\r\nSet-Cookie: s=1\r\n",
    "agent": b"curl/8",
    "head_bytes": 100,
    "bytes_in": 20,
    "head_bytes_out": 150,
    "bytes_out": 1234,
    "duration_s": 0.0154,
    "upstream": "10.0.0.1:8080",
    "upstream_s": 0.0149,
    "upstream_name": "default-app-80",
    "namespace": "default",
    "ingress": "web",
    "service": "app",
    "service_port": "80",
    "route": "/a",
    "port": b"443",
    "scheme": b"https",
    "tls": "TLSv1.3",
}


def line(text: str, escape: Escape = "default", **facts: Any) -> str:
    made = LogFormat(text, escape).line(LogFacts(**{**EXCHANGE, **facts}))
    assert made.endswith(b"\n")
    assert made.count(b"\n") == 1
    return made[:-1].decode("latin-1")


def test_the_default_format() -> None:
    assert LogFormat().line(LogFacts(**EXCHANGE)) == (
        b'192.0.2.1 - jo [21/Nov/2026:04:12:09 +0000] "GET /a/b?c=d&E=%20 HTTP/1.1" 200 1234 "-" "curl/8" 120 0.015 '
        b"[default-app-80] [] 10.0.0.1:8080 1234 0.015 200 0af1\n"
    )


def test_names_of_fields_may_have_underscores_of_their_own() -> None:
    lines = b"SM_User: jo\r\nX_Other-Name: two\r\nSM_User_Name: no\r\n"
    assert line("$http_sm_user $http_x_other_name $http_sm", lines=lines) == "jo two -"
    assert line("$sent_http_set_cookie", answer_lines=b"Set_Cookie: s=1\r\n") == "(hidden)"


def test_the_default_format_of_an_answer_of_ours() -> None:
    facts = {"lines": b"", "upstream": None, "upstream_s": -1.0, "upstream_name": "", "status": 404, "agent": b""}
    assert LogFormat().line(LogFacts(**{**EXCHANGE, **facts})) == (
        b'192.0.2.1 - - [21/Nov/2026:04:12:09 +0000] "GET /a/b?c=d&E=%20 HTTP/1.1" 404 1234 "-" "-" 120 0.015 '
        b"[] [] - - - - 0af1\n"
    )


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("$time_iso8601 $msec", "2026-11-21T04:12:09+00:00 1795234329.250"),
        ("$request_method $uri $args $is_args $query_string", "GET /a/b c=d&E=%20 ? c=d&E=%20"),
        ("$arg_c $arg_e $arg_none", "d %20 -"),
        (
            "$host $http_host $server_port $scheme $https $server_protocol",
            "a.example a.example:8080 443 https on HTTP/1.1",
        ),
        ("$http_x_team ${http_x_team}s $http_x_none", "a, b a, bs -"),
        ("$cookie_lang $cookie_x $cookie_none", "de 1 -"),
        ("$STATUS ${Host} $cookie_LANG", "200 a.example de"),
        ("$sent_http_content_type $upstream_http_x_none", "text/html -"),
        ("$bytes_sent $body_bytes_sent $request_length", "1384 1234 120"),
        ("$upstream_connect_time $upstream_header_time $upstream_response_time", "- - 0.015"),
        ("$namespace $ingress_name $service_name $service_port $location_path", "default web app 80 /a"),
        ("$ssl_protocol $ssl_cipher $request_id $pid", "TLSv1.3 - 0af1 -"),
        ("100% $status %s %d", "100% 200 %s %d"),
        ("$status$status", "200200"),
        ("constant", "constant"),
        ("$status\n  $host\n", "200   a.example"),
        ("$request_completion $pipe", "OK ."),
    ],
)
def test_variables(text: str, made: str) -> None:
    assert line(text) == made


def test_what_only_others_know() -> None:
    assert line("$ssl_cipher $remote_user", extra={"ssl_cipher": "AES", "remote_user": "me"}) == "AES me"


@pytest.mark.parametrize(
    "text", ["$http_authorization", "$http_Cookie", "$http_proxy_authorization", "$sent_http_set_cookie"]
)
def test_secrets_are_not_logged(text: str) -> None:
    assert line(text) == "(hidden)"


@pytest.mark.parametrize(
    "credentials", [b"Basic !", b"Basic am8=", b"Basic am8", b"Bearer am86", b"Basic OnNlY3JldA=="]
)
def test_no_remote_user(credentials: bytes) -> None:
    assert line("$remote_user", lines=b"Authorization: " + credentials + b"\r\n") == "-"


@pytest.mark.parametrize(
    ("escape", "agent", "made"),
    [
        ("default", b'a"b\\c\x01\xe9\t', r"a\x22b\x5Cc\x01\xE9\x09"),
        ("default", b"", "-"),
        ("json", b'a"b\\c\x01\t', r"a\"b\\c\u0001\t"),
        ("json", "é".encode(), "\xc3\xa9"),
        ("json", b"\xe9", r"\u00E9"),
        ("json", b"", ""),
        ("none", b'a"b\\\xe9', 'a"b\\\xe9'),
        ("none", b"a\x01\rb", "a b"),
        ("none", b"", ""),
    ],
)
def test_escaping(escape: Escape, agent: bytes, made: str) -> None:
    assert line("$http_user_agent", escape, agent=agent) == made


@pytest.mark.parametrize("text", ["$", "a $ b", "${host", "$no_such", "$http_", "x" * 9000])
def test_formats_that_cannot_be_used(text: str) -> None:
    with pytest.raises(FormatError):
        LogFormat(text)


JSON = '{"host": "$host", "agent": "$http_user_agent", "uri": "$request_uri", "status": $status, "id": "$req_id"}'
LINE = st.binary(max_size=40).filter(lambda value: not set(value) & set(b"\r\n"))


@given(LINE, st.text(st.characters(max_codepoint=255), max_size=40))
def test_json_is_valid_whatever_was_sent(agent: bytes, target: str) -> None:
    made = LogFormat(JSON, "json").line(LogFacts(**{**EXCHANGE, "agent": agent, "target": "/" + target}))
    assert json.loads(made)["status"] == 200
    assert made.count(b"\n") == 1


@pytest.mark.parametrize("escape", ["default", "json", "none"])
@pytest.mark.parametrize("size", [2000, 5000, 60_000])
def test_long_values_are_cut_so_that_a_line_stays_whole(escape: Escape, size: int) -> None:
    made = LogFormat(JSON, escape).line(LogFacts(**{**EXCHANGE, "agent": b'"' * size, "target": "/" + "a" * size}))
    assert len(made) <= MAX_LINE_BYTES
    assert made.endswith(b"}\n")
    if escape == "json":
        assert json.loads(made)["uri"].startswith("/aaa")


def test_a_format_that_is_too_long_by_itself_is_cut() -> None:
    assert len(LogFormat("x" * 8000 + "$status").line(LogFacts(**EXCHANGE))) == MAX_LINE_BYTES


def test_requests_that_are_not_logged() -> None:
    choice = LogChoice(["/Health", "/ready?x=1", "~^/static"], [lambda target: target.startswith("/static") or None])
    logged = {target: choice.is_logged(target) for target in ("/health", "/health?x", "/READY?x=1", "/static/a", "/")}
    assert logged == {"/health": False, "/health?x": True, "/READY?x=1": False, "/static/a": False, "/": True}

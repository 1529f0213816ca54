"""Onward heads, byte by byte."""

import pytest

from ingressd.http import hops
from ingressd.http.head import read_request_fields
from ingressd.http.request_line import RequestLine
from ingressd.http.response import ResponseHead, read_response_fields
from ingressd.http.target import Target


def request(section: bytes, *, minor: int = 1, added: bytes = b"X-Ours: 1\r\n") -> bytes:
    fields = read_request_fields(b"Host: A:80\r\n" + section + b"\r\n", 100)
    line = RequestLine(b"PUT", minor, Target("/t", "?q"))
    return hops.request_head(line, fields, added).removeprefix(b"PUT /t?q HTTP/1.1\r\nHost: A:80\r\n")


@pytest.mark.parametrize(
    ("section", "onward"),
    [
        (b"", b"X-Ours: 1\r\n\r\n"),
        (b"Z: 1\r\nConnection: X-Ours\r\n", b"Z: 1\r\nX-Ours: 1\r\n\r\n"),
        (b"Content-Length: 007\r\n", b"X-Ours: 1\r\nContent-Length: 7\r\n\r\n"),
        (b"Content-Length: 0\r\n", b"X-Ours: 1\r\nContent-Length: 0\r\n\r\n"),
        (b"Transfer-Encoding: CHUNKED\r\nTrailer: X\r\n", b"X-Ours: 1\r\nTransfer-Encoding: chunked\r\n\r\n"),
        (
            b"Expect: 100-Continue\r\nContent-Length: 1\r\n",
            b"X-Ours: 1\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n",
        ),
        (b"Expect: 100-continue\r\n", b"X-Ours: 1\r\n\r\n"),
        (b"TE: trailers, gzip\r\nConnection: TE\r\n", b"X-Ours: 1\r\nConnection: TE\r\nTE: trailers\r\n\r\n"),
        (
            b"Upgrade: websocket\r\nConnection: Upgrade\r\n",
            b"X-Ours: 1\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
        ),
    ],
)
def test_request_heads(section: bytes, onward: bytes) -> None:
    assert request(section) == onward


@pytest.mark.parametrize(
    "section",
    [
        b"Expect: 100-continue\r\nContent-Length: 0\r\n",
        b"Upgrade: x\r\nConnection: Upgrade\r\n",
        b"TE: trailers\r\nConnection: TE\r\n",
    ],
)
def test_an_http_1_0_client_cannot_ask_for_what_its_version_lacks(section: bytes) -> None:
    for word in (b"Expect", b"Upgrade", b"TE:"):
        assert word not in request(section, minor=0)


def test_an_http_1_0_request_without_host_gets_the_address_it_came_to() -> None:
    line = RequestLine(b"GET", 0, Target("/", ""))
    onward = hops.request_head(line, read_request_fields(b"A: b\r\n\r\n", 100), b"", authority=b"192.0.2.1:80")
    assert onward == b"GET / HTTP/1.1\r\nHost: 192.0.2.1:80\r\nA: b\r\n\r\n"


@pytest.mark.parametrize("minor", [1, 0])
def test_another_host_that_is_told_takes_the_place_of_the_requests_own(minor: int) -> None:
    line = RequestLine(b"GET", minor, Target("/", ""))
    fields = read_request_fields(b"Host: a\r\nA: b\r\n\r\n", 100)

    onward = hops.request_head(line, fields, b"X-Ours: 1\r\n", authority=b"outside.example")

    assert onward == b"GET / HTTP/1.1\r\nHost: outside.example\r\nA: b\r\nX-Ours: 1\r\n\r\n"


def response(section: bytes) -> bytes:
    head = ResponseHead(1, 299, b"So so", read_response_fields(section + b"\r\n", 100))
    return head.worded(b"F: 1\r\n", b"C: 1\r\n", b"now")


def test_response_heads() -> None:
    assert response(b"X: y\r\n") == b"HTTP/1.1 299 So so\r\nX: y\r\nDate: now\r\nF: 1\r\nC: 1\r\n\r\n"
    assert response(b"date: then\r\n") == b"HTTP/1.1 299 So so\r\ndate: then\r\nF: 1\r\nC: 1\r\n\r\n"


def test_forwarded_fields() -> None:
    assert hops.forwarded_fields(client=b"192.0.2.7", host_field=b"a", port=b"443", scheme=b"https") == (
        b"X-Real-IP: 192.0.2.7\r\nX-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Host: a\r\nX-Forwarded-Port: 443\r\n"
        b"X-Forwarded-Proto: https\r\nX-Forwarded-Scheme: https\r\nX-Scheme: https\r\n"
    )

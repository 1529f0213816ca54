"""Response heads: what they mean, and what an endpoint must not say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingressd.errors import UpstreamError
from ingressd.http.response import ResponseFields, check_unfinished, read_response_fields, read_status_line


def read(*lines: str) -> ResponseFields:
    return read_response_fields("".join(f"{line}\r\n" for line in lines).encode("latin-1") + b"\r\n", 100)


@pytest.mark.parametrize(
    ("line", "read_as"),
    [
        (b"HTTP/1.1 200 OK", (1, 200, b"OK")),
        (b"HTTP/1.0 404 Not Found", (0, 404, b"Not Found")),
        (b"HTTP/1.1 200 ", (1, 200, b"")),
        (b"HTTP/1.1 200", (1, 200, b"")),
        (b"HTTP/1.1 599 \xe9\t!", (1, 599, b"\xe9\t!")),
    ],
)
def test_status_lines(line: bytes, read_as: tuple[int, int, bytes]) -> None:
    assert read_status_line(line) == read_as


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"HTTP/1.1",
        b"HTTP/1.1 20 OK",
        b"HTTP/1.1 2000 OK",
        b"HTTP/1.1 600 X",
        b"HTTP/1.1 099 X",
        b"HTTP/2 200 OK",
        b"HTTP/1.1  200 OK",
        b"HTTP/1.1 200OK",
        b"http/1.1 200 OK",
        b"ICY 200 OK",
        b"HTTP/1.1 200 a\rb",
        b"HTTP/1.1 200 \0",
    ],
)
def test_refused_status_lines(line: bytes) -> None:
    with pytest.raises(UpstreamError) as refusal:
        read_status_line(line)
    assert refusal.value.reason == "bad_status_line"


REFUSED = {
    "both framings": "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
    "the same length twice": "Content-Length: 1\r\nContent-Length: 1\r\n",
    "two lengths": "Content-Length: 1\r\nContent-Length: 2\r\n",
    "signed length": "Content-Length: +1\r\n",
    "list of lengths": "Content-Length: 1, 1\r\n",
    "length beyond 63 bits": "Content-Length: 9999999999999999999\r\n",
    "gzip": "Transfer-Encoding: gzip\r\n",
    "gzip, then chunked": "Transfer-Encoding: gzip, chunked\r\n",
    "chunked, then gzip": "Transfer-Encoding: chunked, gzip\r\n",
    "chunked twice": "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
    "space before the colon": "X : y\r\n",
    "folded value": "X: y\r\n z\r\n",
    "bare LF": "X: y\nZ: z\r\n",
    "NUL": "X: \x00\r\n",
    "too many": "X: y\r\n" * 101,
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_sections(name: str) -> None:
    with pytest.raises(UpstreamError) as refusal:
        read_response_fields(REFUSED[name].encode() + b"\r\n", 100)
    assert refusal.value.reason in ("bad_response_fields", "ambiguous_response_framing")
    assert not refusal.value.unheard
    read("X: after a refusal the next section is read as ever")


def test_meanings() -> None:
    fields = read("content-length: 12", "Connection: close", "date: now", "Server: x")
    assert (fields.content_length, fields.chunked, fields.close, fields.has_date) == (12, False, True, True)
    fields = read("transfer-ENCODING: Chunked", "Connection: keep-alive", "Trailer: A", "Trailer: B")
    assert (fields.content_length, fields.chunked, fields.keep_alive, fields.trailer) == (-1, True, True, b"A, B")
    fields = read("Upgrade: a", "Connection: upgrade", "Upgrade: b")
    assert (fields.upgrade, fields.onward) == (b"a, b", b"")


def test_hop_by_hop_fields_end_here_and_the_rest_keeps_order_and_spelling() -> None:
    fields = read(
        "Set-Cookie: a", "X-Hop: 1", "Connection: X-Hop", "Keep-Alive: 5", "Proxy-Authenticate: x", "set-cookie: b",
        "x_underscore: fine", "Via: 1.1 a", "X-Forwarded-For: the application's own business", "X: \xe9",
    )  # fmt: skip
    assert fields.onward.decode("latin-1").split("\r\n")[:-1] == [
        "Set-Cookie: a", "set-cookie: b", "x_underscore: fine", "Via: 1.1 a",
        "X-Forwarded-For: the application's own business", "X: \xe9",
    ]  # fmt: skip


@pytest.mark.parametrize("data", [b"", b"H", b"HTTP/1", b"HTTP/1.1 200 OK\r\nX: y", b"HTTP/1.1 200 OK\r"])
def test_a_beginning_that_may_become_a_head(data: bytes) -> None:
    check_unfinished(data)


@pytest.mark.parametrize(
    "data", [b"S", b"SSH-2.0-x\r\n", b"HTTP/2", b"\r\n", b"HTTP/1.1 200 OK\n", b"HTTP/1.1 200 OK\rX"]
)
def test_a_beginning_that_cannot(data: bytes) -> None:
    with pytest.raises(UpstreamError):
        check_unfinished(data)


@given(st.binary(max_size=200))
def test_any_section_is_read_or_refused(data: bytes) -> None:
    try:
        fields = read_response_fields(data + b"\r\n\r\n", 100)
    except UpstreamError:
        return
    assert fields.onward == b"" or fields.onward.endswith(b"\r\n")

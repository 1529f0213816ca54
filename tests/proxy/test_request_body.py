"""Request bodies on their way: counted, framed anew, kept while small."""

import pytest

from ingressd.errors import BadRequest
from ingressd.http.head import read_request_fields
from ingressd.proxy.request_body import RequestBody


def body(framing: bytes, *, max_bytes: int = 0, max_kept_bytes: int = 100) -> RequestBody:
    return RequestBody(
        read_request_fields(framing + b"\r\n\r\n", 100), max_bytes=max_bytes, max_kept_bytes=max_kept_bytes
    )


def test_counted() -> None:
    taking = body(b"Content-Length: 5")
    assert (taking.take(b"ab"), taking.done, taking.rest) == (b"ab", False, b"")
    assert (taking.take(b"cdeGET"), taking.done, taking.rest) == (b"cde", True, b"GET")
    assert (taking.bytes_in, taking.kept) == (5, [b"ab", b"cde"])


def test_chunked_is_framed_anew_without_extensions_and_trailers() -> None:
    taking = body(b"Transfer-Encoding: chunked")
    assert taking.take(b"2;a=b\r\nab\r\n1\r\nc") == b"3\r\nabc\r\n"
    assert taking.take(b"\r\n") == b""
    assert taking.take(b"0\r\nX-Sum: 1\r\n\r\nGET") == b"0\r\n\r\n"
    assert (taking.done, taking.rest, taking.bytes_in) == (True, b"GET", 3)


def test_chunked_grows_to_the_limit_and_not_beyond() -> None:
    taking = body(b"Transfer-Encoding: chunked", max_bytes=4)
    assert taking.take(b"4\r\nabcd\r\n") == b"4\r\nabcd\r\n"
    with pytest.raises(BadRequest) as refusal:
        taking.take(b"1\r\ne")
    assert refusal.value.reason == "body_too_large"


def test_malformed() -> None:
    with pytest.raises(BadRequest) as refusal:
        body(b"Transfer-Encoding: chunked").take(b"x\r\n")
    assert refusal.value.reason == "bad_chunk"


def test_a_body_in_tiny_pieces_is_not_kept_in_tiny_pieces() -> None:
    taking = body(b"Content-Length: 6000", max_kept_bytes=1 << 16)
    for _ in range(3000):
        taking.take(b"ab")
    assert taking.kept is not None
    assert len(taking.kept) <= 64
    assert b"".join(taking.kept) == b"ab" * 3000


def test_kept_until_sent_and_too_large() -> None:
    taking = body(b"Content-Length: 300", max_kept_bytes=100)
    taking.take(b"a" * 100)
    taking.forget_if_large()
    assert taking.kept == [b"a" * 100]
    taking.take(b"b")
    assert taking.kept == [b"a" * 100, b"b"]  # it may not have been sent even once
    taking.forget_if_large()
    assert taking.take(b"c") == b"c"
    assert taking.kept is None

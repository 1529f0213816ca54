"""Bodies with a length, and messages that never have a body."""

from tests.wire.corpus.case import request
from tests.wire.corpus.response_case import OK, Case, Clean, cut, failed, response

_BOTH = "two framings: where it ends depends on the reader"
_PLAIN = "only digits are a length"
_HEAD = request(first=b"HEAD /x HTTP/1.1")
_EXTRA = "more than the message has: 502 while there is time for it, else the message alone; nobody gets the rest"
_NEVER = "never has a body, whatever its fields say"
_DOYHENARD = "HTTP response smuggling (Doyhenard 2021)"


def _no(name: str, value: bytes, body: bytes = b"hello", source: str = "RFC 9110 §8.6", reason: str = _PLAIN) -> Case:
    return failed(name, response(b"Content-Length:" + value, body=body), reason, source)


def _bare(
    name: str,
    raw: bytes,
    expect: Clean,
    reason: str = _NEVER,
    source: str = "RFC 9112 §6.3 item 1",
    *,
    asked: bytes = request(),
) -> Case:
    return Case(name, raw, expect, reason, source, asked)


_204 = b"HTTP/1.1 204 No Content"
_304 = b"HTTP/1.1 304 Not Modified"

CASES: tuple[Case, ...] = (
    Case(
        "exact",
        response(b"Content-Length: 5", body=b"hello"),
        Clean(body=b"hello", has=(b"content-length: 5",)),
        "the ordinary case",
        "RFC 9112 §6.2",
    ),
    Case(
        "zeros before",
        response(b"Content-Length: 0005", body=b"hello"),
        Clean(body=b"hello", has=(b"content-length: 5",)),
        "digits all the same, written anew",
        "RFC 9110 §8.6",
    ),
    Case(
        "longer than announced",
        response(b"Content-Length: 5", body=b"hello, world"),
        Clean(body=b"hello", reusable=False, excess=b", world"),
        _EXTRA,
        "RFC 9112 §6.3; " + _DOYHENARD,
    ),
    Case(
        "a CRLF too many",
        response(b"Content-Length: 5", body=b"hello\r\n"),
        Clean(body=b"hello", reusable=False, excess=b"\r\n"),
        _EXTRA,
        "RFC 9112 §6.3",
    ),
    Case(
        "two answers",
        response(b"Content-Length: 5", body=b"hello") * 2,
        Clean(body=b"hello", reusable=False, excess=response(b"Content-Length: 5", body=b"hello")),
        _EXTRA,
        "RFC 9112 §9.2; desync of responses (Kettle 2021)",
    ),
    cut(
        "closed early",
        response(b"Content-Length: 50", body=b"hello"),
        "incomplete, and must not look complete",
        "RFC 9112 §8",
        ends="closed",
    ),
    cut(
        "reset early",
        response(b"Content-Length: 50", body=b"hello"),
        "incomplete, and must not look complete",
        "RFC 9112 §8",
        ends="reset",
    ),
    cut(
        "closed after the header",
        response(b"Content-Length: 5"),
        "incomplete, and must not look complete",
        "RFC 9112 §8",
        body=b"",
        ends="closed",
    ),
    failed(
        "with chunked",
        response(b"Content-Length: 5", b"Transfer-Encoding: chunked", body=b"5\r\nhello\r\n0\r\n\r\n"),
        _BOTH,
        "RFC 9112 §6.3 item 3; " + _DOYHENARD,
    ),
    failed(
        "chunked with it",
        response(b"Transfer-Encoding: chunked", b"Content-Length: 0", body=b"0\r\n\r\n"),
        _BOTH,
        "RFC 9112 §6.3 item 3",
    ),
    failed(
        "twice the same",
        response(b"Content-Length: 5", b"Content-Length: 5", body=b"hello"),
        "repeated",
        "RFC 9112 §6.3 item 5",
    ),
    failed(
        "two different",
        response(b"Content-Length: 5", b"content-length: 6", body=b"hello!"),
        "first or last wins",
        "RFC 9112 §6.3 item 5",
    ),
    _no("list", b" 5, 5", source="RFC 9112 §6.3 item 5"),
    _no("empty", b"", source="CVE-2023-40225 (HAProxy)"),
    _no("plus sign", b" +5"),
    _no("minus sign", b" -5", source="RFC 9110 §8.6; CVE-2018-1000164 family"),
    _no("hexadecimal", b" 0x5"),
    _no("underscore", b" 0_5", source="int() of Python"),
    _no("letters after", b" 5x"),
    _no("vertical tab", b" \x0b5", source="RFC 9110 §5.5"),
    _no("over 64 bits", b" 18446744073709551621", source="integer overflow"),
    failed(
        "space before the colon",
        response(b"Content-Length : 5", body=b"hello"),
        "white space before the colon",
        "RFC 9112 §5.1",
    ),
    _bare(
        "204", response(status=_204), Clean(204, lacks=(b"content-length", b"transfer-encoding")), "the ordinary case"
    ),
    _bare(
        "204 with length 0",
        response(b"Content-Length: 0", status=_204),
        Clean(204, lacks=(b"content-length",)),
        "not passed on with 204",
        "RFC 9110 §8.6",
    ),
    _bare(
        "204 with a length and no body",
        response(b"Content-Length: 5", status=_204),
        Clean(204, reusable=False, lacks=(b"content-length",)),
    ),
    _bare(
        "204 with a body",
        response(b"Content-Length: 5", status=_204, body=b"hello"),
        Clean(204, reusable=False, excess=b"hello", lacks=(b"content-length",)),
        source="RFC 9112 §6.3 item 1; " + _DOYHENARD,
    ),
    _bare(
        "204 with chunks",
        response(b"Transfer-Encoding: chunked", status=_204, body=b"5\r\nhello\r\n0\r\n\r\n"),
        Clean(204, reusable=False, excess=b"5\r\nhello\r\n0\r\n\r\n", lacks=(b"transfer-encoding",)),
    ),
    _bare(
        "304 with the length it would have",
        response(b"Content-Length: 500", b'ETag: "a"', status=_304),
        Clean(304, reusable=False, has=(b'etag: "a"', b"content-length: 500")),
        "a length without a body",
        "RFC 9110 §15.4.5",
    ),
    _bare(
        "304 with a body",
        response(b"Content-Length: 5", status=_304, body=b"hello"),
        Clean(304, reusable=False, excess=b"hello"),
        source="RFC 9112 §6.3 item 1; " + _DOYHENARD,
    ),
    _bare(
        "304 with chunks",
        response(b"Transfer-Encoding: chunked", status=_304, body=b"0\r\n\r\n"),
        Clean(304, reusable=False, excess=b"0\r\n\r\n", lacks=(b"transfer-encoding",)),
    ),
    _bare(
        "HEAD with the length it would have",
        response(b"Content-Length: 500"),
        Clean(reusable=False, has=(b"content-length: 500",)),
        "a length without a body",
        "RFC 9110 §9.3.2",
        asked=_HEAD,
    ),
    _bare(
        "HEAD with a body",
        response(b"Content-Length: 5", body=b"hello"),
        Clean(reusable=False, excess=b"hello"),
        source="RFC 9112 §6.3 item 1; " + _DOYHENARD,
        asked=_HEAD,
    ),
    _bare(
        "HEAD with a body that is a response",
        response(b"Content-Length: 38", body=OK + b"Content-Length: 6\r\n\r\nstolen"),
        Clean(reusable=False, excess=OK + b"Content-Length: 6\r\n\r\nstolen"),
        source=_DOYHENARD,
        asked=_HEAD,
    ),
    _bare(
        "HEAD with chunks",
        response(b"Transfer-Encoding: chunked", body=b"5\r\nhello\r\n0\r\n\r\n"),
        Clean(reusable=False, excess=b"5\r\nhello\r\n0\r\n\r\n"),
        asked=_HEAD,
    ),
    _bare("HEAD of nothing", response(b"Content-Length: 0"), Clean(), "no body is named", asked=_HEAD),
    _bare(
        "HEAD of chunks",
        response(b"Transfer-Encoding: chunked"),
        Clean(reusable=False),
        "the body that is named may follow later, as somebody else's answer",
        asked=_HEAD,
    ),
    _bare(
        "HEAD without a length",
        response(),
        Clean(reusable=False),
        "the body that is meant may follow later, as somebody else's answer",
        asked=_HEAD,
    ),
)

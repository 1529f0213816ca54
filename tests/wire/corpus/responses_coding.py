"""Transfer codings of responses: chunked alone, taken apart and made anew."""

from tests.wire.corpus.case import request
from tests.wire.corpus.response_case import Case, Clean, cut, failed, response

_OTHER = "any coding but a single chunked leaves the end to guesswork"
_CODED = b"5\r\nhello\r\n0\r\n\r\n"
_DOYHENARD = "HTTP response smuggling (Doyhenard 2021)"
_FUNKY = "Funky chunks (Weikop 2025)"
_SIZE = "only hexadecimal digits are a size"
_LINE = "each line ends in CRLF"
_HELLO = Clean(body=b"hello")
_TE = request(b"Connection: TE", b"TE: trailers")


def _chunked(coded: bytes, *lines: bytes) -> bytes:
    return response(b"Transfer-Encoding: chunked", *lines, body=coded)


def _no(name: str, value: bytes, source: str = "RFC 9112 §6.1") -> Case:
    return failed(name, response(b"Transfer-Encoding:" + value, body=_CODED), _OTHER, source)


def _cut(name: str, coded: bytes, reason: str = _SIZE, source: str = "RFC 9112 §7.1", body: bytes = b"hello") -> Case:
    return cut(name, _chunked(coded), reason, source, body=body)


def _ended(name: str, coded: bytes, body: bytes = b"hello", ends: str = "closed") -> Case:
    return cut(name, _chunked(coded), "incomplete, and must not look complete", "RFC 9112 §8", body=body, ends=ends)


CASES: tuple[Case, ...] = (
    Case("chunked", _chunked(_CODED), _HELLO, "the ordinary case", "RFC 9112 §7.1"),
    Case(
        "two chunks in odd spelling",
        _chunked(b'002;a="b"\r\nhe\r\n3\r\nllo\r\n000\r\n\r\n'),
        _HELLO,
        "made anew: no extension, no zeros",
        "RFC 9112 §7.1",
    ),
    Case("no chunk", _chunked(b"0\r\n\r\n"), Clean(), "an empty body", "RFC 9112 §7.1"),
    Case(
        "framing as payload",
        _chunked(b"5\r\n0\r\n\r\n\r\n0\r\n\r\n"),
        Clean(body=b"0\r\n\r\n"),
        "payload is counted, not looked at",
        "RFC 9112 §7.1",
    ),
    Case(
        "trailer nobody asked for",
        _chunked(b"5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n"),
        _HELLO,
        "dropped",
        "RFC 9110 §6.5.1",
    ),
    Case(
        "trailer that was asked for",
        _chunked(b"5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n", b"Trailer: X-Sum"),
        Clean(body=b"hello", trailers=(b"x-sum: 1",)),
        "passed on",
        "RFC 9110 §6.5",
        _TE,
    ),
    Case(
        "announced twice, once empty",
        _chunked(b"5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n", b"Trailer: X-Sum", b"Trailer:"),
        Clean(body=b"hello", has=(b"trailer: X-Sum",), trailers=(b"x-sum: 1",)),
        "lists add up, without empty members",
        "RFC 9110 §5.6.1.1",
        _TE,
    ),
    Case(
        "trailers that may not be",
        _chunked(b"5\r\nhello\r\n0\r\nContent-Length: 9\r\nSet-Cookie: a=b\r\nX_Y: 1\r\nX-Sum: 1\r\n\r\n"),
        Clean(body=b"hello", trailers=(b"x-sum: 1",)),
        "framing, cookies and doubtful names stay here",
        "RFC 9110 §6.5.1",
        _TE,
    ),
    Case(
        "more than the last chunk",
        _chunked(_CODED + b"x"),
        Clean(body=b"hello", reusable=False, excess=b"x"),
        "the rest is nobody's",
        "RFC 9112 §9.2",
    ),
    Case(
        "another response behind",
        _chunked(_CODED) * 2,
        Clean(body=b"hello", reusable=False, excess=_chunked(_CODED)),
        "the rest is nobody's",
        _DOYHENARD,
    ),
    failed(
        "in HTTP/1.0",
        response(b"Transfer-Encoding: chunked", status=b"HTTP/1.0 200 OK", body=_CODED),
        "faulty framing in HTTP/1.0",
        "RFC 9112 §6.1",
    ),
    failed(
        "twice",
        response(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked", body=_CODED),
        _OTHER,
        "RFC 9112 §6.1",
    ),
    failed(
        "chunked, then identity",
        response(b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity", body=_CODED),
        _OTHER,
        _DOYHENARD,
    ),
    _no("gzip before chunked", b" gzip, chunked"),
    _no("gzip alone", b" gzip", "RFC 9112 §6.3 item 4"),
    _no("identity", b" identity"),
    _no("chunked before gzip", b" chunked, gzip", "RFC 9112 §6.3 item 4"),
    _no("empty", b""),
    _no("prefixed", b" xchunked", "HTTP Desync Attacks (Kettle 2019)"),
    _no("quoted", b' "chunked"', "HTTP Desync Attacks (Kettle 2019)"),
    _no("vertical tab", b" \x0bchunked", "CVE-2019-18277 (HAProxy)"),
    _no("folded", b"\r\n chunked", "RFC 9112 §5.2"),
    failed(
        "space before the colon",
        response(b"Transfer-Encoding : chunked", body=_CODED),
        "white space before the colon",
        "RFC 9112 §5.1",
    ),
    _cut("plus sign", b"+5\r\nhello\r\n0\r\n\r\n", body=b""),
    _cut("minus sign in the second", b"5\r\nhello\r\n-1\r\nx\r\n0\r\n\r\n", source="CVE-2013-2028 family"),
    _cut("0x", b"0x5\r\nhello\r\n0\r\n\r\n", body=b""),
    _cut("underscore", b"0_5\r\nhello\r\n0\r\n\r\n", source="int() of Python", body=b""),
    _cut("space after", b"5 \r\nhello\r\n0\r\n\r\n", body=b""),
    _cut("nothing", b"\r\nhello\r\n0\r\n\r\n", body=b""),
    _cut("over 64 bits", b"10000000000000005\r\nhello\r\n0\r\n\r\n", "wraps to 5", "integer overflow", b""),
    _cut("bare LF after the size", b"5\nhello\r\n0\r\n\r\n", _LINE, "CVE-2025-22871 (Go)", b""),
    _cut("bare LF in an extension", b"5;a\nhello\r\n0\r\n\r\n", _LINE, _FUNKY, b""),
    _cut("bare LF after the payload", b"5\r\nhello\n0\r\n\r\n", _LINE, _FUNKY),
    _cut("payload too long", b"5\r\nhelloo\r\n0\r\n\r\n", "the payload is not what its size says"),
    _cut(
        "two other bytes after the payload",
        b"5\r\nhelloXX0\r\n\r\n",
        "skipped by some, whatever they are",
        "CVE-2025-43859 (h11)",
    ),
    _cut("last line in bare LF", b"5\r\nhello\r\n0\r\n\n", _LINE),
    _cut("trailer without a colon", b"5\r\nhello\r\n0\r\nHTTP/1.1 200 OK\r\n\r\n", "not a field", _DOYHENARD),
    _cut("trailer folded", b"5\r\nhello\r\n0\r\nX: y\r\n z\r\n\r\n", "obs-fold", "RFC 9112 §5.2"),
    _cut(
        "trailer too large", b"5\r\nhello\r\n0\r\nX: " + b"y" * 9000 + b"\r\n\r\n", "over the limit", "RFC 9112 §7.1.2"
    ),
    _ended("closed in a size", b"5\r\nhello\r\n0"),
    _ended("closed in a chunk", b"8\r\nhello"),
    _ended("closed between chunks", b"5\r\nhello\r\n"),
    _ended("closed before the last line", b"5\r\nhello\r\n0\r\n"),
    _ended("closed in the trailer", b"5\r\nhello\r\n0\r\nX: y\r\n"),
    _ended("closed before any chunk", b"", b""),
    _ended("reset between chunks", b"5\r\nhello\r\n", ends="reset"),
)

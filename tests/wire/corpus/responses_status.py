"""Status lines."""

from tests.wire.corpus.response_case import Case, Clean, failed, response

_SHAPE = "not a status line: whatever it is, it is no answer"
_EMPTY = (b"Content-Length: 0",)


def _no(name: str, status: bytes, source: str = "RFC 9112 §4", reason: str = _SHAPE) -> Case:
    return failed(name, response(*_EMPTY, status=status), reason, source)


def _yes(name: str, status: bytes, code: int, reason: str, source: str = "RFC 9112 §4") -> Case:
    return Case(name, response(*_EMPTY, status=status), Clean(code), reason, source)


CASES: tuple[Case, ...] = (
    _yes("200", b"HTTP/1.1 200 OK", 200, "the ordinary case"),
    _yes("no reason phrase", b"HTTP/1.1 200 ", 200, "it may be empty"),
    _yes("no reason phrase and no space", b"HTTP/1.1 200", 200, "common, and harmless"),
    _yes("bytes above ASCII in the reason", b"HTTP/1.1 404 Nicht gefunden \xfc", 404, "obs-text is allowed there"),
    _yes("unknown status", b"HTTP/1.1 599 Odd", 599, "its class is known", "RFC 9110 §15"),
    _yes("status 299", b"HTTP/1.1 299 Odd", 299, "its class is known", "RFC 9110 §15"),
    _no("two digits", b"HTTP/1.1 20 OK"),
    _no("four digits", b"HTTP/1.1 2000 OK"),
    _no("status 0", b"HTTP/1.1 000 OK"),
    _no("status 99", b"HTTP/1.1 099 OK", "RFC 9110 §15: 100 to 599"),
    _no("status 600", b"HTTP/1.1 600 OK", "RFC 9110 §15: 100 to 599"),
    _no("status with a sign", b"HTTP/1.1 +20 OK", "strtol leniency"),
    _no("status with a letter", b"HTTP/1.1 2O0 OK"),
    _no("status in Arabic digits", "HTTP/1.1 ٢٠٠ OK".encode(), "str.isdigit of Python"),
    _no("no status", b"HTTP/1.1 OK"),
    _no("two spaces", b"HTTP/1.1  200 OK"),
    _no("tab", b"HTTP/1.1\t200\tOK"),
    _no("no space", b"HTTP/1.1200 OK"),
    _no("HTTP/2", b"HTTP/2 200"),
    _no("HTTP/2.0", b"HTTP/2.0 200 OK"),
    _no("HTTP/1.2", b"HTTP/1.2 200 OK", reason="only 1.0 and 1.1 are spoken here"),
    _no("HTTP/1.10", b"HTTP/1.10 200 OK"),
    _no("lower case", b"http/1.1 200 OK"),
    _no("Shoutcast", b"ICY 200 OK"),
    _no("a request", b"GET / HTTP/1.1"),
    _no("space before", b" HTTP/1.1 200 OK"),
    _no("empty line before", b"\r\nHTTP/1.1 200 OK", reason="leftovers of another answer, perhaps"),
    _no("NUL in the reason", b"HTTP/1.1 200 O\x00K", reason="a control character"),
    _no("bare CR in the reason", b"HTTP/1.1 200 O\rSet-Cookie: a=b", "response splitting (Klein 2004)", "bare CR"),
    _no("bare LF in the reason", b"HTTP/1.1 200 O\nSet-Cookie: a=b", "response splitting (Klein 2004)", "bare LF"),
    failed("HTTP/0.9", b"<html><title>hello</title></html>", _SHAPE, "RFC 9112 appendix C.1"),
    failed("SSH", b"SSH-2.0-x\r\n", _SHAPE, "an endpoint of another protocol"),
    failed("TLS alert", b"\x15\x03\x01\x00\x02\x02\x46", _SHAPE, "an endpoint that speaks TLS"),
    failed("frame of HTTP/2", b"\x00\x00\x00\x04\x00\x00\x00\x00\x00", _SHAPE, "RFC 9113 §3.4"),
)

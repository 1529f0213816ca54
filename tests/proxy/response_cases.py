"""What an endpoint may answer, and what the client gets. Run whole, cut at every byte, and byte by byte."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ingressd.proxy.limits import Limits
from tests.support.reads import end_of_read_with_head

LIMITS = Limits(response_header_bytes=400, header_fields=10, interim_responses=3, attempts=3)


@dataclass(frozen=True)
class Case:
    """``status`` and ``body`` the client gets; ``reused``: the endpoint's connection serves another request.

    ``ends``: the endpoint closes after what it sent. ``complete`` is False when the client must see a cut message.
    ``excess``: the last of ``sent``, which is more than the message has.
    """

    sent: bytes
    status: int = 200
    body: bytes = b""
    reused: bool = True
    ends: bool = False
    complete: bool = True
    method: bytes = b"GET"
    excess: bytes = b""

    def in_pieces(self, pieces: Sequence[bytes]) -> Case:
        """Excess in the read that brings the head is answered with 502; later it is too late for that."""
        if self.excess and end_of_read_with_head(self.sent, pieces) > len(self.sent) - len(self.excess):
            return replace(self, status=502, body=b"" if self.method == b"HEAD" else b"502 Bad Gateway\n")
        return self


def bad(sent: bytes, *, ends: bool = False) -> Case:
    """When it ends in its head, what may be asked twice is, for which there is nobody here."""
    return Case(sent, 502, b"502 Bad Gateway\n", reused=False, ends=ends, method=b"POST" if ends else b"GET")


def cut(sent: bytes, body: bytes, *, ends: bool = False) -> Case:
    return Case(sent, 200, body, reused=False, ends=ends, complete=False)


OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"

CASES = {
    "length": Case(OK + b"Content-Length: 2\r\n\r\nok", body=b"ok"),
    "length 0": Case(OK + b"Content-Length: 0\r\n\r\n"),
    "chunked": Case(CHUNKED + b"2;a=b\r\nok\r\n1\r\n!\r\n0\r\n\r\n", body=b"ok!"),
    "chunked, empty": Case(CHUNKED + b"0\r\n\r\n"),
    "chunked, trailers": Case(CHUNKED + b"2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n", body=b"ok"),
    "until close": Case(OK + b"\r\nok", body=b"ok", reused=False, ends=True),
    "until close, empty": Case(OK + b"\r\n", reused=False, ends=True),
    "HTTP/1.0": Case(b"HTTP/1.0 200 OK\r\n\r\nok", body=b"ok", reused=False, ends=True),
    "HTTP/1.0 with length": Case(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", body=b"ok", reused=False),
    "HTTP/1.0 keep-alive": Case(
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok", body=b"ok"
    ),
    "close": Case(OK + b"Connection: close\r\nContent-Length: 2\r\n\r\nok", body=b"ok", reused=False),
    "no reason phrase": Case(b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n"),
    "unknown status": Case(b"HTTP/1.1 599 X\r\nContent-Length: 0\r\n\r\n", status=599),
    "204": Case(b"HTTP/1.1 204 No Content\r\n\r\n", status=204),
    "204 with a length": Case(b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", status=204),
    "204 with a wrong body": Case(
        b"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nok", status=204, reused=False, excess=b"ok"
    ),
    "304": Case(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 700\r\nETag: x\r\n\r\n", status=304, reused=False),
    "304 with a wrong body": Case(
        b"HTTP/1.1 304 N\r\nContent-Length: 2\r\n\r\nok", status=304, reused=False, excess=b"ok"
    ),
    "HEAD": Case(OK + b"Content-Length: 700\r\n\r\n", method=b"HEAD", reused=False),
    "HEAD of nothing": Case(OK + b"Content-Length: 0\r\n\r\n", method=b"HEAD"),
    "HEAD, chunked": Case(CHUNKED, method=b"HEAD", reused=False),
    "HEAD with a wrong body": Case(
        OK + b"Content-Length: 2\r\n\r\nok", method=b"HEAD", reused=False, excess=b"ok"
    ),
    "more than announced": Case(
        OK + b"Content-Length: 2\r\n\r\nok" + OK, body=b"ok", reused=False, excess=OK
    ),
    "more than the last chunk": Case(CHUNKED + b"0\r\n\r\nx", reused=False, excess=b"x"),
    "interim": Case(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
                    + OK + b"Content-Length: 2\r\n\r\nok", body=b"ok"),
    "100 unasked": Case(b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"Content-Length: 2\r\n\r\nok", body=b"ok"),
    "three interim": Case(b"HTTP/1.1 102 Processing\r\n\r\n" * 3 + OK + b"Content-Length: 2\r\n\r\nok", body=b"ok"),
    # Answered with 502: nothing of it reaches the client
    "interim without end": bad(b"HTTP/1.1 102 Processing\r\n\r\n" * 4 + OK + b"Content-Length: 2\r\n\r\nok"),
    "101 unasked": bad(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"),
    "another protocol": bad(b"SSH-2.0-OpenSSH_9.9\r\n"),
    "HTTP/2": bad(b"HTTP/2 200\r\n\r\n"),
    "HTTP/0.9": bad(b"<html>"),
    "status of two digits": bad(b"HTTP/1.1 20 OK\r\n\r\n"),
    "status 600": bad(b"HTTP/1.1 600 OK\r\n\r\n"),
    "an empty line before": bad(b"\r\n" + OK + b"Content-Length: 2\r\n\r\nok"),
    "both framings": bad(OK + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    "two lengths": bad(OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nok"),
    "malformed length": bad(OK + b"Content-Length: 2x\r\n\r\nok"),
    "gzip": bad(OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    "chunked from HTTP/1.0": bad(b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    "folded field": bad(OK + b"X: a\r\n b\r\nContent-Length: 0\r\n\r\n"),
    "space before the colon": bad(OK + b"X : a\r\nContent-Length: 0\r\n\r\n"),
    "bare LF": bad(b"HTTP/1.1 200 OK\nContent-Length: 0\n\n"),
    "bare LF in the header": bad(OK + b"X: a\nContent-Length: 0\r\n\r\n"),
    "NUL": bad(OK + b"X: \x00\r\n\r\n"),
    "too many fields": bad(OK + b"X: y\r\n" * 11 + b"\r\n"),
    "too large a header": bad(OK + b"X: " + b"y" * 500 + b"\r\n\r\n"),
    "endless header": bad(OK + b"X: " + b"y" * 500),
    "gone in the status line": bad(b"HTTP/1.1 20", ends=True),
    "gone in the header": bad(OK + b"Content-Le", ends=True),
    "gone after an interim": bad(b"HTTP/1.1 102 Processing\r\n\r\n", ends=True),
    # Too late for a 502
    "gone in the body": cut(OK + b"Content-Length: 5\r\n\r\nok", b"ok", ends=True),
    "gone in a chunk": cut(CHUNKED + b"5\r\nok", b"ok", ends=True),
    "gone between chunks": cut(CHUNKED + b"2\r\nok\r\n", b"ok", ends=True),
    "gone before the last line": cut(CHUNKED + b"2\r\nok\r\n0\r\n", b"ok", ends=True),
    "malformed chunk": cut(CHUNKED + b"2\r\nok\r\n-1\r\n", b"ok"),
    "malformed trailer": cut(CHUNKED + b"2\r\nok\r\n0\r\nX\r\n\r\n", b"ok"),
}  # fmt: skip

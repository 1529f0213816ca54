"""What a client may send, and what becomes of it: the statuses it gets, and what the endpoint is sent.

Every case is run whole, cut at every byte, byte by byte, and with another request behind it.
"""

from dataclasses import dataclass

from ingressd.proxy.limits import Limits

LIMITS = Limits(request_line_bytes=200, header_bytes=400, header_fields=10, requests_per_connection=4)
MAX_BODY_BYTES = 8
H = "Host: a.example\r\n"


@dataclass(frozen=True)
class Case:
    """``statuses`` in order; ``forwarded``: (method, target, body) of each request the endpoint must have been sent.

    ``closes``: the connection ends with the last of ``statuses``. ``source`` says who demands it.
    """

    sent: bytes
    statuses: tuple[int, ...]
    forwarded: tuple[tuple[str, str, str], ...]
    closes: bool
    source: str

    @property
    def methods(self) -> list[bytes]:
        """Of the requests that are answered, as far as they can be told."""
        wanted = [method.encode() for method, _, _ in self.forwarded]
        return (wanted + [b"GET"] * len(self.statuses))[: len(self.statuses)]


def good(sent: str, *forwarded: str, closes: bool = False, source: str = "") -> Case:
    """``forwarded``: "METHOD target body" each; every one is answered with 200."""
    requests = [(*line.split(" ", 2), "")[:3] for line in forwarded]
    wire = sent.encode("latin-1")
    return Case(wire, (200,) * len(requests), tuple(requests), closes, source)  # type: ignore[arg-type]


def bad(sent: str, status: int, source: str) -> Case:
    return Case(sent.encode("latin-1"), (status,), (), True, source)


GET = f"GET / HTTP/1.1\r\n{H}\r\n"
POST = f"POST /p HTTP/1.1\r\n{H}"
CHUNKED = f"{POST}Transfer-Encoding: chunked\r\n\r\n"

CASES = {
    "plain": good(GET, "GET /"),
    "three in one packet": good(GET * 3, "GET /", "GET /", "GET /"),
    "an empty line before": good("\r\n" + GET, "GET /", source="RFC 9112 §2.2"),
    "an empty line between": good(GET + "\r\n" + GET, "GET /", "GET /", source="RFC 9112 §2.2"),
    "two empty lines before": bad("\r\n\r\n" + GET, 400, "RFC 9112 §2.2: at least one, and we forgive one"),
    "query": good(f"GET /a?b=c&d HTTP/1.1\r\n{H}\r\n", "GET /a?b=c&d"),
    "path in another spelling": good(f"GET //%61/./b/../c?//%61 HTTP/1.1\r\n{H}\r\n", "GET /a/c?//%61"),
    "obs-text in the target": good(f"GET /\xe9?\xe9 HTTP/1.1\r\n{H}\r\n", "GET /%E9?%E9"),
    "absolute form": good(f"GET http://A.example/x HTTP/1.1\r\n{H}\r\n", "GET /x", source="RFC 9112 §3.2.2"),
    "absolute form, default port": good(f"GET http://a.example:80/x HTTP/1.1\r\n{H}\r\n", "GET /x"),
    "close": good(f"GET / HTTP/1.1\r\n{H}Connection: close\r\n\r\n", "GET /", closes=True),
    "close, and more": good(f"GET / HTTP/1.1\r\n{H}Connection: close\r\n\r\n{GET}", "GET /", closes=True),
    "HTTP/1.0": good(f"GET / HTTP/1.0\r\n{H}\r\n", "GET /", closes=True),
    "HTTP/1.0 without Host": Case(b"GET / HTTP/1.0\r\n\r\n", (404,), (), True, "no host, no virtual host"),
    "HTTP/1.0 keep-alive": good(f"GET / HTTP/1.0\r\n{H}Connection: Keep-Alive\r\n\r\n" * 2, "GET /", "GET /"),
    "HTTP/1.0 keep-alive and close": good(
        f"GET / HTTP/1.0\r\n{H}Connection: keep-alive, close\r\n\r\n", "GET /", closes=True
    ),
    "as many as a connection gets": good(GET * 5, *["GET /"] * 4, closes=True),
    "length": good(f"{POST}Content-Length: 3\r\n\r\nabc{GET}", "POST /p abc", "GET /"),
    "length 0": good(f"{POST}Content-Length: 0\r\n\r\n{GET}", "POST /p", "GET /"),
    "length with leading zeros": good(f"{POST}Content-Length: 003\r\n\r\nabc{GET}", "POST /p abc", "GET /"),
    "body of a GET": good(f"GET / HTTP/1.1\r\n{H}Content-Length: 2\r\n\r\nab{GET}", "GET / ab", "GET /"),
    "body that looks like one": good(f"{POST}Content-Length: 8\r\n\r\nGET / HT{GET}", "POST /p GET / HT", "GET /"),
    "chunked": good(f"{CHUNKED}3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n{GET}", "POST /p abcde", "GET /"),
    "chunked, empty": good(f"{CHUNKED}0\r\n\r\n{GET}", "POST /p", "GET /"),
    "chunked, extensions": good(f'{CHUNKED}1;a;b="c\\""\r\nx\r\n0;d\r\n\r\n{GET}', "POST /p x", "GET /"),
    "chunked, trailers": good(f"{CHUNKED}1\r\nx\r\n0\r\nX-Sum: 1\r\nHost: b\r\n\r\n{GET}", "POST /p x", "GET /"),
    "as much as the route takes": good(f"{POST}Content-Length: 8\r\n\r\n12345678", "POST /p 12345678"),
    "as much as the route takes, chunked": good(f"{CHUNKED}8\r\n12345678\r\n0\r\n\r\n", "POST /p 12345678"),
    "refused upgrade": good(
        f"GET / HTTP/1.1\r\n{H}Connection: upgrade\r\nUpgrade: x\r\n\r\n{GET}", "GET /", closes=True,
        source="bytes after an upgrade request may be in another protocol",
    ),
    # Own answers
    "unknown host": Case(b"GET / HTTP/1.1\r\nHost: b.example\r\n\r\n", (404,), (), False, ""),
    "own and proxied": Case(
        f"GET / HTTP/1.1\r\nHost: b\r\n\r\n{GET}GET / HTTP/1.1\r\nHost: b\r\n\r\n".encode(),
        (404, 200, 404), (("GET", "/", ""),), False, "",
    ),
    "body for nobody": Case(
        b"POST / HTTP/1.1\r\nHost: b\r\nContent-Length: 3\r\n\r\nabc", (404,), (), True, "RFC 9112 §9.3: not read"
    ),
    # Refused
    "not HTTP": bad("\x16\x03\x01\x02\x00\x01\r\n\r\n", 400, "RFC 9112 §3"),
    "HTTP/2 preface": bad("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, "RFC 9113 §3.4"),
    "HTTP/2.0": bad(f"GET / HTTP/2.0\r\n{H}\r\n", 400, "RFC 9110 §2.5"),
    "HTTP/0.9": bad("GET /\r\n\r\n", 400, "RFC 9112 §3"),
    "two spaces": bad(f"GET  / HTTP/1.1\r\n{H}\r\n", 400, "RFC 9112 §3"),
    "no Host": bad("GET / HTTP/1.1\r\n\r\n", 400, "RFC 9112 §3.2"),
    "two Hosts": bad(f"GET / HTTP/1.1\r\n{H}{H}\r\n", 400, "RFC 9112 §3.2"),
    "malformed Host": bad("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400, "RFC 9112 §3.2"),
    "empty Host": bad("GET / HTTP/1.1\r\nHost:\r\n\r\n", 400, "RFC 9112 §3.2"),
    "absolute form, another Host": bad(f"GET http://b.example/ HTTP/1.1\r\n{H}\r\n", 400, "RFC 9112 §3.2.2"),
    "absolute form, another port": bad(f"GET http://a.example:81/ HTTP/1.1\r\n{H}\r\n", 400, "RFC 9112 §3.2.2"),
    "asterisk form": bad(f"OPTIONS * HTTP/1.1\r\n{H}\r\n", 400, "RFC 9112 §3.2.4: no route has a path for it"),
    "authority form": bad(f"GET a.example:80 HTTP/1.1\r\n{H}\r\n", 400, "RFC 9112 §3.2.3"),
    "CONNECT": bad(f"CONNECT a.example:80 HTTP/1.1\r\n{H}\r\n", 405, "RFC 9110 §9.3.6"),
    "TRACE": bad(f"TRACE / HTTP/1.1\r\n{H}\r\n", 405, "RFC 9110 §9.3.8"),
    "fragment": bad(f"GET /a#b HTTP/1.1\r\n{H}\r\n", 400, "RFC 9112 §3.2"),
    "climbs": bad(f"GET /../a HTTP/1.1\r\n{H}\r\n", 400, "RFC 3986 §5.2.4"),
    "encoded NUL": bad(f"GET /%00 HTTP/1.1\r\n{H}\r\n", 400, "CWE-158"),
    "both framings": bad(
        f"{POST}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "RFC 9112 §6.3"
    ),
    "both framings, other order": bad(
        f"{POST}Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n", 400, "RFC 9112 §6.3"
    ),
    "two lengths": bad(f"{POST}Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc", 400, "RFC 9110 §8.6"),
    "gzip": bad(f"{POST}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400, "we decode chunked only"),
    "chunked from HTTP/1.0": bad(
        f"POST / HTTP/1.0\r\n{H}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "RFC 9112 §6.1"
    ),
    "folded field": bad(f"GET / HTTP/1.1\r\n{H}X: a\r\n b\r\n\r\n", 400, "RFC 9112 §5.2"),
    "space before the colon": bad(f"GET / HTTP/1.1\r\n{H}X : a\r\n\r\n", 400, "RFC 9112 §5.1"),
    "bare LF": bad(f"GET / HTTP/1.1\nHost: a.example\n\n{GET}", 400, "RFC 9112 §2.2"),
    "bare CR": bad(f"GET / HTTP/1.1\rHost: a.example\r\r{GET}", 400, "RFC 9112 §2.2"),
    "bare LF in the header": bad(f"GET / HTTP/1.1\r\n{H}X: a\n\r\n", 400, "RFC 9112 §2.2"),
    "too many fields": bad(f"GET / HTTP/1.1\r\n{H}" + "X: y\r\n" * 10 + "\r\n", 431, "RFC 6585 §5"),
    "too large a header": bad(f"GET / HTTP/1.1\r\n{H}X: {'y' * 400}\r\n\r\n", 431, "RFC 6585 §5"),
    "endless header": bad(f"GET / HTTP/1.1\r\n{H}X: {'y' * 600}", 431, "RFC 6585 §5"),
    "too long a target": bad(f"GET /{'y' * 200} HTTP/1.1\r\n{H}\r\n", 414, "RFC 9112 §3"),
    "endless target": bad(f"GET /{'y' * 300}", 414, "RFC 9112 §3"),
    "too large a body": bad(f"{POST}Content-Length: 9\r\n\r\n123456789", 413, "RFC 9110 §15.5.14"),
}  # fmt: skip

# The endpoint sees the beginning of these; what it sees is cut off.
CUT_OFF = {
    "chunked grows too large": bad(f"{CHUNKED}8\r\n12345678\r\n1\r\n9\r\n0\r\n\r\n{GET}", 413, "RFC 9110 §15.5.14"),
    "chunk size with a sign": bad(f"{CHUNKED}+3\r\nabc\r\n0\r\n\r\n{GET}", 400, "RFC 9112 §7.1"),
    "chunk size with a space": bad(f"{CHUNKED}3 \r\nabc\r\n0\r\n\r\n{GET}", 400, "RFC 9112 §7.1"),
    "chunk size with 0x": bad(f"{CHUNKED}0x3\r\nabc\r\n0\r\n\r\n{GET}", 400, "RFC 9112 §7.1"),
    "chunk size that overflows": bad(f"{CHUNKED}10000000000000003\r\nabc\r\n0\r\n\r\n{GET}", 400, "RFC 9112 §7.1"),
    "chunk ended by bare LF": bad(f"{CHUNKED}3\nabc\r\n0\r\n\r\n{GET}", 400, "RFC 9112 §7.1"),
    "chunk longer than its size": bad(f"{CHUNKED}3\r\nabcd\r\n0\r\n\r\n{GET}", 400, "RFC 9112 §7.1"),
    "malformed trailer": bad(f"{CHUNKED}0\r\nX : y\r\n\r\n{GET}", 400, "RFC 9112 §7.1.2"),
}

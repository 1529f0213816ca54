"""Request line: one method, one target, one of two versions, one space between."""

from tests.wire.corpus.case import HOST, Case, Want, passed, refused, request

_SHAPE = "method SP target SP version, nothing else"
_BEGINNING = "no method begins so; refused at the first byte, without waiting for more"
_VERSION = "only 1.0 and 1.1 are spoken here"


def _no(name: str, first: bytes, reason: str = _SHAPE, source: str = "RFC 9112 §3", status: int = 400) -> Case:
    return refused(name, request(first=first), reason, source, status=status)


def _version(name: str, version: bytes, source: str = "RFC 9112 §2.3") -> Case:
    return _no(name, b"GET /x " + version, _VERSION, source)


CASES: tuple[Case, ...] = (
    passed("GET", request(), "the ordinary case", "RFC 9112 §3", Want()),
    passed(
        "extension method",
        request(first=b"PURGE /x HTTP/1.1"),
        "any token is a method",
        "RFC 9110 §9.1",
        Want(method=b"PURGE"),
    ),
    passed(
        "method in lower case",
        request(first=b"get /x HTTP/1.1"),
        "methods have case; it is another method",
        "RFC 9110 §9.1",
        Want(method=b"get"),
    ),
    passed(
        "odd token",
        request(first=b"M-SEARCH! /x HTTP/1.1"),
        "any token is a method",
        "RFC 9110 §5.6.2",
        Want(method=b"M-SEARCH!"),
    ),
    passed(
        "HTTP/1.0",
        request(first=b"GET /x HTTP/1.0"),
        "forwarded as 1.1, the client's connection ends",
        "RFC 9112 §9.3",
        Want(),
        keeps=False,
    ),
    passed(
        "HTTP/1.0 that stays",
        request(b"Connection: keep-alive", first=b"GET /x HTTP/1.0"),
        "goes on when asked for",
        "RFC 9112 appendix C.2.2",
        Want(lacks=(b"connection", b"keep-alive")),
    ),
    _no("CONNECT", b"CONNECT a.example:443 HTTP/1.1", "no tunnels through here", "RFC 9110 §9.3.6", 405),
    _no("CONNECT to a path", b"CONNECT /x HTTP/1.1", "no tunnels through here", "RFC 9110 §9.3.6", 405),
    _no(
        "TRACE",
        b"TRACE /x HTTP/1.1",
        "would show fields that were added on the way",
        "RFC 9110 §9.3.8; XST (Grossman 2003)",
        405,
    ),
    _no("two spaces before the target", b"GET  /x HTTP/1.1"),
    _no("two spaces before the version", b"GET /x  HTTP/1.1"),
    _no("space at the end", b"GET /x HTTP/1.1 "),
    _no("tab between", b"GET\t/x\tHTTP/1.1"),
    _no("tab and space", b"GET \t/x HTTP/1.1"),
    _no("vertical tab between", b"GET\x0b/x HTTP/1.1"),
    _no("no-break space between", b"GET\xa0/x HTTP/1.1", source="str.split of Python; da Costa 2023"),
    _no("next-line character at the end", b"GET /x HTTP/1.1\x85", source="str.split of Python; da Costa 2023"),
    _no("space in the target", b"GET /x /admin HTTP/1.1", source="RFC 9112 §3.2; CVE-2013-4547 (nginx)"),
    _no("two versions", b"GET /x HTTP/1.1 HTTP/1.1", source="CVE-2023-25690 (Apache)"),
    _no("no target", b"GET HTTP/1.1"),
    _no("no method", b"/x HTTP/1.1"),
    _no("empty target", b"GET  HTTP/1.1"),
    _no("no version", b"GET /x", "HTTP/0.9 has no header, no length and no status", "RFC 9112 §2.3"),
    _no("method with a colon", b"GET: /x HTTP/1.1", "not a token", "RFC 9110 §5.6.2"),
    _no("method with a slash", b"GET/x /y HTTP/1.1", "not a token", "RFC 9110 §5.6.2"),
    _no("method with NUL", b"G\x00ET /x HTTP/1.1", "not a token", "RFC 9110 §5.6.2"),
    _no("method with a byte above ASCII", b"G\xc9T /x HTTP/1.1", "not a token", "RFC 9110 §5.6.2"),
    _no("method without end", b"A" * 40 + b" /x HTTP/1.1", "no method is that long", "RFC 9112 §3: limits"),
    _no("method in brackets", b"(GET) /x HTTP/1.1", "not a token", "RFC 9110 §5.6.2"),
    _version("HTTP/2.0", b"HTTP/2.0"),
    _version("HTTP/0.9", b"HTTP/0.9"),
    _version("HTTP/1.2", b"HTTP/1.2"),
    _version("HTTP/3", b"HTTP/3"),
    _version("HTTP/1.10", b"HTTP/1.10"),
    _version("HTTP/1.", b"HTTP/1."),
    _version("HTTP/1", b"HTTP/1"),
    _version("HTTP/01.1", b"HTTP/01.1"),
    _version("HTTP/1,1", b"HTTP/1,1"),
    _version("HTTP/+1.1", b"HTTP/+1.1", "int() and strtol leniency"),
    _version("HTTP/1.1.", b"HTTP/1.1."),
    _version("http in lower case", b"http/1.1", "RFC 9112 §2.3: case-sensitive"),
    _version("another protocol", b"HTTPS/1.1"),
    _version("RTSP", b"RTSP/1.0", "cross-protocol requests"),
    _version("HTTP-1.1", b"HTTP-1.1"),
    _version("HTTP/1.1 with a byte above ASCII", b"HTTP/1.\xb1"),
    refused(
        "preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", _VERSION, "RFC 9113 §3.4; h2c smuggling (Miller 2020)"
    ),
    refused(
        "PROXY protocol unasked",
        b"PROXY TCP4 1.1.1.1 2.2.2.2 1 80\r\n" + request(),
        "not a request, and an address nobody vouches for",
        "HAProxy PROXY protocol 1",
    ),
    refused(
        "greeting of TLS", b"\x16\x03\x01\x00\xc4\x01\x00\x00\xc0\x03\x03", _BEGINNING, "RFC 8446 §5.1; RFC 9112 §9.8"
    ),
    refused("greeting of TLS behind an empty line", b"\r\n\x16\x03\x01\x02\x00", _BEGINNING, "RFC 9112 §2.2, §3"),
    refused("greeting of SSL 2.0", b"\x80\x2e\x01\x00\x02", _BEGINNING, "RFC 9112 §3; RFC 6101 appendix E"),
    refused("PROXY protocol 2", b"\r\n\r\n\x00\r\nQUIT\n", "no request begins so", "HAProxy PROXY protocol 2"),
    refused("a target first", b"/", _BEGINNING, "RFC 9110 §5.6.2"),
    refused("white space first", b" ", _BEGINNING, "RFC 9112 §3, §2.2"),
    refused("NUL first", b"\0", _BEGINNING, "RFC 9110 §5.6.2"),
    refused("SMTP", b"EHLO a.example\r\n\r\n", _SHAPE, "cross-protocol requests"),
    refused("a response", b"HTTP/1.1 200 OK\r\n" + HOST + b"\r\n\r\n", _SHAPE, "RFC 9112 §3"),
    refused(
        "two request lines",
        b"GET /x HTTP/1.1\r\nGET /admin HTTP/1.1\r\n" + HOST + b"\r\n\r\n",
        "the second is no field",
        "Linhart et al. 2005; CVE-2019-20444 (Netty)",
    ),
    refused(
        "target without end",
        request(first=b"GET /" + b"a" * 9000 + b" HTTP/1.1"),
        "longer than we read",
        "RFC 9110 §15.5.15",
        status=414,
    ),
)

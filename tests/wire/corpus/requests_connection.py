"""Connection and what else is for one hop: nobody can name our fields away, and hop-by-hop fields end here."""

from tests.wire.corpus.case import Case, Want, passed, post, refused, request

_DAVISON = "Abusing hop-by-hop headers (Davison 2019)"
_OURS = "fields of ours are added after Connection had its say"
_HOP = "a field of one hop"
_Fields = tuple[bytes, ...]
_APACHE = "CVE-2022-31813 (Apache)"


def _yes(
    name: str, *lines: bytes, reason: str, source: str, keeps: bool = True, has: _Fields = (), lacks: _Fields = ()
) -> Case:
    return passed(name, request(*lines), reason, source, Want(has=has, lacks=lacks), keeps=keeps)


_OUR_FIELDS = (b"x-real-ip: 192.0.2.7", b"x-forwarded-for: 192.0.2.7", b"x-forwarded-proto: http")

CASES: tuple[Case, ...] = (
    _yes(
        "close",
        b"Connection: close",
        reason="the connection ends after the answer",
        source="RFC 9112 §9.6",
        keeps=False,
        lacks=(b"connection",),
    ),
    _yes(
        "close in a list",
        b"Connection: x, CLOSE ,y",
        reason="options have no case",
        source="RFC 9110 §7.6.1",
        keeps=False,
        lacks=(b"connection",),
    ),
    _yes(
        "close and keep-alive",
        b"Connection: close",
        b"Connection: keep-alive",
        reason="close wins",
        source="RFC 9112 §9.3",
        keeps=False,
        lacks=(b"connection", b"keep-alive"),
    ),
    _yes(
        "keep-alive and close",
        b"Connection: keep-alive",
        b"Connection: close",
        reason="close wins",
        source="RFC 9112 §9.3",
        keeps=False,
        lacks=(b"connection",),
    ),
    _yes(
        "closed is not close",
        b"Connection: closed",
        reason="an option of another name",
        source="RFC 9110 §7.6.1",
        lacks=(b"connection", b"closed"),
    ),
    _yes(
        "close with a parameter",
        b"Connection: close;q=0",
        reason="not the option close",
        source="RFC 9110 §7.6.1",
        lacks=(b"connection",),
    ),
    _yes("empty", b"Connection:", reason="an empty list", source="RFC 9110 §5.6.1", lacks=(b"connection",)),
    _yes(
        "empty members",
        b"Connection: ,, ,x-a,",
        b"X-A: a",
        reason="empty members mean nothing",
        source="RFC 9110 §5.6.1",
        lacks=(b"connection", b"x-a"),
    ),
    _yes(
        "names a field of the client",
        b"Connection: X-A",
        b"X-A: a",
        b"X-B: b",
        reason="it ends here",
        source="RFC 9110 §7.6.1",
        has=(b"x-b: b",),
        lacks=(b"x-a", b"connection"),
    ),
    _yes(
        "names a field in other case",
        b"Connection: x-a",
        b"X-A: a",
        reason="names have no case",
        source="RFC 9110 §5.1",
        lacks=(b"x-a",),
    ),
    _yes(
        "names two in two lines",
        b"Connection: X-A",
        b"X-A: a",
        b"Connection: X-B",
        b"X-B: b",
        reason="lists add up",
        source="RFC 9110 §5.3",
        lacks=(b"x-a", b"x-b"),
    ),
    _yes(
        "names fields about where it comes from",
        b"Connection: close, X-Real-IP, X-Forwarded-For, X-Forwarded-Proto",
        reason=_OURS,
        source=_DAVISON + "; " + _APACHE,
        keeps=False,
        has=_OUR_FIELDS,
    ),
    _yes(
        "names our request id",
        b"Connection: X-Request-ID",
        b"X-Request-ID: mine",
        reason=_OURS,
        source=_DAVISON,
        has=(b"x-request-id: mine",),
    ),
    _yes("names Host", b"Connection: Host", reason="Host is written anew", source=_DAVISON),
    _yes(
        "names itself",
        b"Connection: Connection",
        reason="Connection is written anew",
        source=_DAVISON,
        lacks=(b"connection",),
    ),
    passed(
        "names Content-Length",
        post(b"Connection: Content-Length", b"Content-Length: 5", body=b"hello"),
        "framing is written anew",
        _DAVISON,
        Want(method=b"POST", body=b"hello", has=(b"content-length: 5",)),
    ),
    passed(
        "names Transfer-Encoding",
        post(b"Connection: Transfer-Encoding", b"Transfer-Encoding: chunked", body=b"5\r\nhello\r\n0\r\n\r\n"),
        "framing is written anew",
        _DAVISON,
        Want(method=b"POST", body=b"hello", has=(b"transfer-encoding: chunked",)),
    ),
    _yes(
        "names a cookie",
        b"Connection: Cookie",
        b"Cookie: a=b",
        reason="the client's own field, to its own harm",
        source=_DAVISON,
        lacks=(b"cookie",),
    ),
    _yes("Keep-Alive", b"Keep-Alive: timeout=5", reason=_HOP, source="RFC 9110 §7.6.1", lacks=(b"keep-alive",)),
    _yes(
        "Proxy-Connection",
        b"Proxy-Connection: keep-alive",
        reason=_HOP,
        source="RFC 9112 appendix C.2.2",
        lacks=(b"proxy-connection",),
    ),
    _yes(
        "TE: trailers",
        b"Connection: TE",
        b"TE: trailers",
        reason="passed on, with Connection anew",
        source="RFC 9110 §10.1.4",
        has=(b"te: trailers", b"connection: TE"),
    ),
    _yes(
        "TE with a coding",
        b"Connection: TE",
        b"TE: gzip;q=1, deflate",
        reason="a coding that we would not undo",
        source="RFC 9110 §10.1.4",
        lacks=(b"te", b"connection"),
    ),
    _yes(
        "TE without Connection",
        b"TE: trailers",
        reason="not for us to pass on",
        source="RFC 9110 §10.1.4",
        lacks=(b"te", b"connection"),
    ),
    _yes(
        "Trailer",
        b"Trailer: X-Sum",
        reason="announces what does not pass",
        source="RFC 9110 §6.6.2",
        lacks=(b"trailer",),
    ),
    _yes(
        "Expect without a body",
        b"Expect: 100-continue",
        reason="there is nothing to wait for",
        source="RFC 9110 §10.1.1",
        lacks=(b"expect",),
    ),
    passed(
        "Expect with a body that is there already",
        post(b"Expect: 100-continue", b"Content-Length: 5", body=b"hello"),
        "a client need not wait; the body is still a body",
        "RFC 9110 §10.1.1; CVE-2024-24791 (Go)",
        Want(method=b"POST", body=b"hello"),
    ),
    passed(
        "Expect of something else",
        post(b"Expect: y 100-continue", b"Content-Length: 5", body=b"hello"),
        "not an expectation we know; not passed on",
        "HTTP/1.1 must die (Kettle 2025)",
        Want(method=b"POST", body=b"hello", lacks=(b"expect",)),
    ),
    passed(
        "Expect in HTTP/1.0",
        post(b"Expect: 100-continue", b"Content-Length: 5", first=b"POST /x HTTP/1.0", body=b"hello"),
        "HTTP/1.0 has no interim responses",
        "RFC 9110 §10.1.1",
        Want(method=b"POST", body=b"hello", lacks=(b"expect",)),
        keeps=False,
    ),
    refused(
        "control character in Connection", request(b"Connection: close\x0b"), "a control character", "RFC 9110 §5.5"
    ),
    refused("Connection folded", request(b"Connection:", b" close"), "obs-fold", "RFC 9112 §5.2"),
)

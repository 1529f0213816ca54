"""Field sections of responses."""

from tests.wire.corpus.response_case import OK, Case, Clean, failed, response

_KLEIN = "response splitting (Klein 2004)"
_EMPTY = b"Content-Length: 0"
_TWICE = "some readers find another field or the header's end there"


def _no(name: str, *lines: bytes, reason: str = _TWICE, source: str = "RFC 9112 §5") -> Case:
    return failed(name, response(*lines, _EMPTY), reason, source)


def _yes(
    name: str,
    *lines: bytes,
    reason: str,
    source: str,
    has: tuple[bytes, ...] = (),
    lacks: tuple[bytes, ...] = (),
    reusable: bool = True,
) -> Case:
    return Case(name, response(*lines, _EMPTY), Clean(has=has, lacks=lacks, reusable=reusable), reason, source)


_INJECTED = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n<xss>"

CASES: tuple[Case, ...] = (
    _yes(
        "order of equal names",
        b"Set-Cookie: a=1",
        b"X-A: a",
        b"Set-Cookie: b=2",
        reason="passed on as they came",
        source="RFC 9110 §5.3",
        has=(b"set-cookie: a=1", b"set-cookie: b=2", b"x-a: a"),
    ),
    _yes(
        "underscore in a name",
        b"X_App: 1",
        reason="clients are not CGI programs",
        source="RFC 9110 §5.1",
        has=(b"x_app: 1",),
    ),
    _yes(
        "bytes above ASCII in a value",
        b"X-A: \xe4\x85",
        reason="obs-text is allowed",
        source="RFC 9110 §5.5",
        has=(b"x-a: \xe4\x85",),
    ),
    _yes(
        "encoded CRLF in a value",
        b"Location: /%0d%0aSet-Cookie:%20a=b",
        reason="no line ends there",
        source=_KLEIN,
        has=(b"location: /%0d%0aSet-Cookie:%20a=b",),
        lacks=(b"set-cookie",),
    ),
    _yes(
        "a date",
        b"Date: Sat, 21 Nov 2026 01:02:03 GMT",
        reason="the endpoint's own stays",
        source="RFC 9110 §6.6.1",
        has=(b"date: Sat, 21 Nov 2026 01:02:03 GMT",),
    ),
    _yes(
        "no date",
        reason="added by who has a clock",
        source="RFC 9110 §6.6.1",
        has=(b"date: Sat, 21 Nov 2026 00:00:00 GMT",),
    ),
    _yes(
        "close",
        b"Connection: close",
        reason="the endpoint's word about its own connection",
        source="RFC 9112 §9.6",
        lacks=(b"connection",),
        reusable=False,
    ),
    _yes(
        "close in a list",
        b"Connection: X-A, CLOSE",
        b"X-A: a",
        reason="options have no case; what it names ends here",
        source="RFC 9110 §7.6.1",
        lacks=(b"connection", b"x-a"),
        reusable=False,
    ),
    _yes(
        "fields of one hop",
        b"Keep-Alive: timeout=5",
        b"Proxy-Connection: close",
        b"Upgrade: h2c",
        b"Connection: upgrade, keep-alive",
        reason="they end here",
        source="RFC 9110 §7.6.1",
        lacks=(b"keep-alive", b"proxy-connection", b"upgrade", b"connection"),
    ),
    _yes(
        "Alt-Svc and other promises",
        b'Alt-Svc: h3=":443"',
        reason="the endpoint's own business with the client",
        source="RFC 7838",
        has=(b'alt-svc: h3=":443"',),
    ),
    Case(
        "large header within the limit",
        response(b"X-A: " + b"a" * 60000, _EMPTY),
        Clean(has=(b"x-a: " + b"a" * 60000,)),
        "OAuth cookies come in many",
        "RFC 9110 §5.4",
    ),
    _no("header too large", b"X-A: " + b"a" * 70000, reason="over the limit"),
    _no("names too large", b"X" * 70000 + b": a", reason="over the limit"),
    _no("too many fields", *(b"X-%d: a" % number for number in range(101)), reason="over the limit"),
    failed("header without end", OK + b"X-A: a\r\n" * 9000, "over the limit, and no end in sight", "RFC 9110 §5.4"),
    _no("folded", b"X-A: a", b" b", source="RFC 9112 §5.2"),
    _no("folded with a tab", b"X-A: a", b"\tContent-Length: 5", source="RFC 9112 §5.2"),
    _no("white space before the first field", b" X-A: a", source="RFC 9112 §5.2"),
    _no("space before the colon", b"X-A : a", source="RFC 9112 §5.1"),
    _no("empty name", b": a", source="RFC 9110 §5.1"),
    _no("no colon", b"X-A"),
    _no("space in a name", b"X A: a"),
    _no("bytes above ASCII in a name", b"X-\xc4: a"),
    _no("NUL in a value", b"X-A: a\x00b", source="RFC 9110 §5.5"),
    _no("NUL in a name", b"X-A\x00: a", source="RFC 9110 §5.1"),
    _no("vertical tab in a value", b"X-A: a\x0bb", source="RFC 9110 §5.5"),
    _no("DEL in a value", b"X-A: a\x7fb", source="RFC 9110 §5.5"),
    _no("bare CR in a value", b"Location: /\rSet-Cookie: a=b", source=_KLEIN),
    _no("bare LF in a value", b"Location: /\nSet-Cookie: a=b", source=_KLEIN),
    _no("two bare LF in a value", b"Location: /\n\nHTTP/1.1 200 OK", source=_KLEIN),
    _no("CR CR LF", b"X-A: a\r", source="RFC 9112 §2.2"),
    failed("every line ends in LF", response(b"X-A: a", _EMPTY, end=b"\n"), _TWICE, "RFC 9112 §2.2"),
    failed("the header ends in LF LF", OK + b"X-A: a\n\n", _TWICE, "RFC 9112 §2.2"),
    failed("the header ends in CRLF LF", OK + b"Content-Length: 0\r\n\n", _TWICE, "RFC 9112 §2.2"),
    Case(
        "a whole answer behind an injected header's end",
        response(
            b"Location: /",
            _EMPTY,
            status=b"HTTP/1.1 302 Found",
            body=_INJECTED,
        ),
        Clean(302, has=(b"location: /",), reusable=False, excess=_INJECTED),
        "more than was announced is nobody's",
        _KLEIN + "; response queue poisoning (Doyhenard 2021)",
    ),
)

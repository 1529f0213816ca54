"""Upgrade: WebSockets and the like pass as offers, h2c never; bytes behind an offer are never read as a request.

Behind h2c alone they are when they come after the answer: its clients have to wait for a 101 (RFC 7540 §3.2), so one
that has got another answer speaks HTTP/1.1. For other protocols nobody says so, and proxies are known that tunnel
WebSockets whatever the answer is (Egorov 2019).
"""

from tests.wire.corpus.case import Case, Want, passed, post, request

_MILLER = "h2c smuggling (Miller 2020)"
_LATER = "bytes behind an offer may be in another protocol"
_IGNORED = "an Upgrade that Connection does not name is no offer"
_H2C = (b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA")
_NOT_OFFERED = (b"upgrade", b"http2-settings", b"connection")
_KEY = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="


def _h2c(name: str, *lines: bytes, source: str = _MILLER, keeps: bool = False, waits: bool = False) -> Case:
    reason = "would tunnel requests past every route; not passed on" + ("" if keeps else ", and " + _LATER)
    return passed(name, request(*lines), reason, source, Want(lacks=_NOT_OFFERED), keeps=keeps or waits, waits=waits)


CASES: tuple[Case, ...] = (
    passed(
        "WebSocket that the endpoint declines",
        request(b"Connection: Upgrade", b"Upgrade: websocket", _KEY, b"Sec-WebSocket-Version: 13"),
        _LATER,
        "RFC 9110 §7.8; CVE-2024-23326 (Envoy)",
        Want(
            has=(
                b"upgrade: websocket",
                b"connection: upgrade",
                _KEY.replace(b"Sec-WebSocket-Key", b"sec-websocket-key"),
            )
        ),
        keeps=False,
    ),
    passed(
        "WebSocket among other options",
        request(b"Connection: keep-alive, upgrade", b"Upgrade: WebSocket", _KEY),
        _LATER,
        "RFC 6455 §4.1",
        Want(has=(b"upgrade: WebSocket", b"connection: upgrade")),
        keeps=False,
    ),
    passed(
        "two offers in two lines",
        request(b"Connection: upgrade", b"Upgrade: websocket", b"Upgrade: x/1"),
        "a list in two lines is a list",
        "RFC 9110 §5.3",
        Want(has=(b"upgrade: websocket, x/1",)),
        keeps=False,
    ),
    passed(
        "an offer and an empty one",
        request(b"Connection: upgrade", b"Upgrade: websocket", b"Upgrade:"),
        "lists add up, without empty members",
        "RFC 9110 §5.6.1.1",
        Want(has=(b"upgrade: websocket",)),
        keeps=False,
    ),
    passed(
        "Upgrade without Connection",
        request(b"Upgrade: websocket", _KEY),
        _IGNORED,
        "RFC 9110 §7.8; WebSocket smuggling (Egorov 2019)",
        Want(lacks=(b"upgrade", b"connection")),
    ),
    passed(
        "Connection: upgrade without Upgrade",
        request(b"Connection: upgrade"),
        "nothing is offered",
        "RFC 9110 §7.8",
        Want(lacks=(b"upgrade", b"connection")),
    ),
    passed(
        "upgrade in HTTP/1.0",
        request(b"Connection: upgrade", b"Upgrade: websocket", first=b"GET /x HTTP/1.0"),
        "HTTP/1.0 cannot switch",
        "RFC 9110 §7.8",
        Want(lacks=(b"upgrade", b"connection")),
        keeps=False,
    ),
    _h2c("h2c", b"Connection: Upgrade, HTTP2-Settings", *_H2C, waits=True),
    _h2c("h2c without its settings named", b"Connection: Upgrade", *_H2C, waits=True),
    _h2c("h2c in capitals", b"Connection: UPGRADE, HTTP2-SETTINGS", b"Upgrade: H2C", _H2C[1], waits=True),
    _h2c("h2c among others", b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: websocket, h2c", _H2C[1]),
    _h2c("h2c in a second line", b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: websocket", *_H2C),
    _h2c("h2c with a parameter", b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c;x", _H2C[1]),
    _h2c("h2c with a version", b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c/1", _H2C[1]),
    _h2c("h2", b"Connection: Upgrade", b"Upgrade: h2"),
    _h2c("HTTP/2.0", b"Connection: Upgrade", b"Upgrade: HTTP/2.0"),
    _h2c("TLS", b"Connection: Upgrade", b"Upgrade: TLS/1.0", source="RFC 2817 §3"),
    _h2c("h2c not named by Connection", *_H2C, source="RFC 9110 §7.8", keeps=True),
    passed(
        "only the settings",
        request(_H2C[1]),
        "for this hop",
        "RFC 9113 §3.2.1 (RFC 7540)",
        Want(lacks=(b"http2-settings",)),
    ),
    passed(
        "h2c with a body",
        post(b"Connection: Upgrade, HTTP2-Settings", *_H2C, b"Content-Length: 5", body=b"hello"),
        "the body is still a body",
        _MILLER,
        Want(method=b"POST", body=b"hello", lacks=_NOT_OFFERED),
        waits=True,
    ),
    passed(
        "h2c with chunks",
        post(
            b"Connection: Upgrade, HTTP2-Settings",
            *_H2C,
            b"Transfer-Encoding: chunked",
            body=b"5\r\nhello\r\n0\r\n\r\n",
        ),
        "the body is still a body",
        _MILLER,
        Want(method=b"POST", body=b"hello", lacks=_NOT_OFFERED),
        waits=True,
    ),
    passed(
        "h2c twice",
        request(b"Connection: Upgrade, HTTP2-Settings", *_H2C, b"Upgrade: h2c"),
        "not what a client of h2c sends; " + _LATER,
        _MILLER,
        Want(lacks=_NOT_OFFERED),
        keeps=False,
    ),
    passed(
        "WebSocket with a body",
        post(b"Connection: Upgrade", b"Upgrade: websocket", b"Content-Length: 5", body=b"hello"),
        "the body is still a body; not passed on as an offer",
        "RFC 9110 §7.8; llhttp reads what follows as the other protocol",
        Want(method=b"POST", body=b"hello", lacks=(b"upgrade", b"connection")),
        keeps=False,
    ),
    passed(
        "WebSocket with chunks",
        post(
            b"Connection: Upgrade",
            b"Upgrade: websocket",
            b"Transfer-Encoding: chunked",
            body=b"5\r\nhello\r\n0\r\n\r\n",
        ),
        "the body is still a body; not passed on as an offer",
        "RFC 9110 §7.8",
        Want(method=b"POST", body=b"hello", lacks=(b"upgrade", b"connection")),
        keeps=False,
    ),
)

"""Interim responses and switching: at the right time only, and only what was asked for."""

from tests.wire.corpus.case import request
from tests.wire.corpus.response_case import Case, Clean, Failed, failed, response

_LAST = response(b"Content-Length: 5", body=b"hello")
_HINT = response(b"Link: </a>", status=b"HTTP/1.1 103 Early Hints")
_CONTINUE = response(status=b"HTTP/1.1 100 Continue")
_SWITCH = b"HTTP/1.1 101 Switching Protocols"
_UNASKED = "nobody asked for another protocol"
_OFFER = request(b"Connection: upgrade", b"Upgrade: websocket")
_OLD = request(first=b"GET /x HTTP/1.0")


def _yes(name: str, raw: bytes, interim: tuple[int, ...], reason: str, source: str = "RFC 9110 §15.2") -> Case:
    return Case(name, raw, Clean(body=b"hello", interim=interim), reason, source)


CASES: tuple[Case, ...] = (
    _yes("early hints", _HINT + _LAST, (103,), "passed on"),
    _yes("three of them", _HINT * 3 + _LAST, (103, 103, 103), "passed on, in order"),
    _yes("processing", response(status=b"HTTP/1.1 102 Processing") + _LAST, (102,), "passed on"),
    _yes("of an unknown kind", response(status=b"HTTP/1.1 199 Odd") + _LAST, (199,), "passed on"),
    _yes("100 that nobody waits for", _CONTINUE + _LAST, (), "dropped", "RFC 9110 §15.2.1"),
    _yes(
        "with a length",
        response(b"Content-Length: 5", status=b"HTTP/1.1 103 Early Hints") + _LAST,
        (103,),
        "never has a body; the length ends here",
        "RFC 9112 §6.3 item 1",
    ),
    Case(
        "to an HTTP/1.0 client",
        _HINT + _LAST,
        Clean(body=b"hello", keeps=False),
        "dropped: HTTP/1.0 has none",
        "RFC 9110 §15.2",
        _OLD,
    ),
    Case(
        "after the last",
        _LAST + _HINT,
        Clean(body=b"hello", reusable=False, excess=_HINT),
        "at the wrong time: nobody's",
        "RFC 9110 §15.2; CVE-2023-45802 family",
    ),
    Case(
        "100 after the last",
        _LAST + _CONTINUE,
        Clean(body=b"hello", reusable=False, excess=_CONTINUE),
        "at the wrong time: nobody's",
        "RFC 9110 §15.2; HTTP/1.1 must die (Kettle 2025)",
    ),
    Case(
        "without end",
        _HINT * 17 + _LAST,
        Failed(interim=(103,) * 16),
        "over the limit: the client would wait for ever",
        "RFC 9110 §15.2",
    ),
    Case(
        "with a body",
        response(b"Content-Length: 5", status=b"HTTP/1.1 103 Early Hints", body=b"hello") + _LAST,
        Failed(interim=(103,)),
        "never has a body: what follows is no status line",
        "RFC 9112 §6.3 item 1",
    ),
    failed("in HTTP/2", response(status=b"HTTP/2 103 Early Hints") + _LAST, "not a status line", "RFC 9112 §4"),
    Case(
        "then nothing",
        _HINT,
        Failed(interim=(103,)),
        "no final answer comes",
        "RFC 9112 §8",
        ends="closed",
        delimits_itself=False,
    ),
    Case(
        "then a bad one",
        _HINT + b"HTTP/1.1 2 OK\r\n\r\n",
        Failed(interim=(103,)),
        "the final one is none",
        "RFC 9112 §4",
    ),
    failed(
        "folded",
        response(b"Link: </a>", b" b", status=b"HTTP/1.1 103 Early Hints") + _LAST,
        "obs-fold",
        "RFC 9112 §5.2",
    ),
    failed(
        "both framings",
        response(b"Content-Length: 5", b"Transfer-Encoding: chunked", status=b"HTTP/1.1 103 x") + _LAST,
        "ambiguous, although it has no body",
        "RFC 9112 §6.1",
    ),
    failed(
        "101 unasked",
        response(b"Connection: upgrade", b"Upgrade: websocket", status=_SWITCH, body=_LAST),
        _UNASKED,
        "RFC 9110 §7.8",
    ),
    failed(
        "101 to h2c",
        response(b"Connection: upgrade", b"Upgrade: h2c", status=_SWITCH),
        _UNASKED,
        "h2c smuggling (Miller 2020)",
        request=request(b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMA"),
    ),
    failed(
        "101 to something else",
        response(b"Connection: upgrade", b"Upgrade: h2c", status=_SWITCH),
        _UNASKED,
        "RFC 9110 §7.8",
        request=_OFFER,
    ),
    failed(
        "101 without a name",
        response(b"Connection: upgrade", status=_SWITCH),
        "to what?",
        "RFC 9110 §7.8",
        request=_OFFER,
    ),
    failed(
        "101 to an HTTP/1.0 client",
        response(b"Connection: upgrade", b"Upgrade: websocket", status=_SWITCH),
        _UNASKED,
        "RFC 9110 §7.8",
        request=request(b"Connection: upgrade", b"Upgrade: websocket", first=b"GET /x HTTP/1.0"),
    ),
    failed(
        "101 to a request with a body",
        response(b"Connection: upgrade", b"Upgrade: websocket", status=_SWITCH),
        _UNASKED,
        "RFC 9110 §7.8",
        request=request(
            b"Connection: upgrade",
            b"Upgrade: websocket",
            b"Content-Length: 5",
            first=b"POST /x HTTP/1.1",
            body=b"hello",
        ),
    ),
    Case(
        "200 to an offer",
        _LAST,
        Clean(body=b"hello", keeps=False),
        "declined; the client's connection ends with the answer",
        "RFC 9110 §7.8; CVE-2024-23326 (Envoy)",
        _OFFER,
    ),
    Case(
        "426 to an offer",
        response(
            b"Upgrade: websocket", b"Connection: upgrade", b"Content-Length: 0", status=b"HTTP/1.1 426 Upgrade Required"
        ),
        Clean(426, keeps=False),
        "declined",
        "RFC 9110 §15.5.22",
        _OFFER,
    ),
)

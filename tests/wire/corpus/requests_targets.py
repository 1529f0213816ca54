"""Targets: origin form, or absolute form that agrees with Host; nothing else belongs here."""

from tests.wire.corpus.case import Case, Want, passed, refused, request

_FORM = "neither origin form nor an http URL"
_AGREE = "the target and Host name different places"
_ORANGE = "A New Era of SSRF (Tsai 2017)"


def _get(target: bytes, host: bytes | None = b"Host: a.example", *lines: bytes) -> bytes:
    return request(*lines, first=b"GET " + target + b" HTTP/1.1", host=host)


def _no(name: str, target: bytes, reason: str = _FORM, source: str = "RFC 9112 §3.2") -> Case:
    return refused(name, _get(target), reason, source)


def _yes(name: str, target: bytes, onward: bytes, reason: str, source: str, *, host: bytes = b"a.example") -> Case:
    return passed(name, _get(target, b"Host: " + host), reason, source, Want(target=onward, host=host))


CASES: tuple[Case, ...] = (
    _yes(
        "query", b"/x?a=b&c=/../d?e", b"/x?a=b&c=/../d?e", "a query is not a path: passed on as it is", "RFC 3986 §3.4"
    ),
    _yes("empty query", b"/x?", b"/x?", "an empty query is a query", "RFC 3986 §3.4"),
    _yes("odd query", b"/x?%zz&%00&;", b"/x?%zz&%00&;", "no route depends on a query", "RFC 3986 §3.4"),
    _yes(
        "bytes above ASCII in a query", b"/x?\xff", b"/x?%FF", "encoded: not every reader takes them", "RFC 3986 §2.1"
    ),
    _yes(
        "absolute form",
        b"http://a.example/x?y",
        b"/x?y",
        "a server must take it; written anew in origin form",
        "RFC 9112 §3.2.2",
    ),
    _yes("absolute form without a path", b"http://a.example", b"/", "an empty path is /", "RFC 9110 §4.2.3"),
    _yes("absolute form with only a query", b"http://a.example?y", b"/?y", "an empty path is /", "RFC 9110 §4.2.3"),
    _yes(
        "absolute form in odd case", b"HTTP://A.eXample/X", b"/X", "scheme and host have no case", "RFC 3986 §6.2.2.1"
    ),
    _yes(
        "absolute form with the default port",
        b"http://a.example:80/x",
        b"/x",
        "80 is what http means",
        "RFC 9110 §4.2.3",
    ),
    _yes(
        "absolute form, dot in Host",
        b"http://a.example/x",
        b"/x",
        "the root's dot changes no name",
        "RFC 1034 §3.1",
        host=b"a.example.",
    ),
    _yes(
        "absolute form with an empty port",
        b"http://a.example:/x",
        b"/x",
        "an empty port is the default",
        "RFC 3986 §6.2.3",
    ),
    _yes("URL in the path", b"/http://b.example/", b"/http:/b.example/", "a path like any other", "RFC 9112 §3.2.1"),
    _yes(
        "authority-like path",
        b"//b.example/x",
        b"/b.example/x",
        "origin form is a path; slashes are merged",
        "RFC 9112 §3.2.1; " + _ORANGE,
    ),
    _no("no slash", b"x"),
    _no("only a query", b"?x"),
    _no("authority form", b"a.example:80", "authority form is for CONNECT", "RFC 9112 §3.2.3"),
    _no("authority form with a path", b"a.example:80/x"),
    _no("asterisk", b"*", "asterisk form is for OPTIONS", "RFC 9112 §3.2.4"),
    _no("asterisk and path", b"*/x"),
    _no("at sign", b"@b.example/x", source=_ORANGE),
    _no("port-like", b":80/x", source=_ORANGE),
    _no("dot", b"./x"),
    _no("percent-encoded slash first", b"%2fx", "the path must begin with a slash"),
    _no("backslash first", b"\\x"),
    _no("fragment", b"/x#y", "a fragment is never sent", "RFC 9110 §7.1; CVE-2021-32779 (Envoy)"),
    _no("fragment before a query", b"/x#?/admin", "a fragment is never sent", "CVE-2021-32779 (Envoy)"),
    _no("fragment in a query", b"/x?y#z", "a fragment is never sent", "RFC 9110 §7.1"),
    _no("absolute form with a fragment", b"http://a.example/x#y", "a fragment is never sent", "RFC 9110 §7.1"),
    _no("absolute form, fragment first", b"http://a.example#/admin", "a fragment is never sent", _ORANGE),
    _no("another scheme", b"ftp://a.example/x"),
    _no("file", b"file:///etc/passwd"),
    _no("scheme and path", b"http:/x"),
    _no("scheme without slashes", b"http:a.example/x"),
    _no("no authority", b"http:///x", source="RFC 9110 §4.2.1"),
    _no("user information", b"http://user@a.example/x", "user information is deceptive", "RFC 9110 §4.2.4"),
    _no("user information that names us", b"http://a.example@b.example/x", "user information is deceptive", _ORANGE),
    _no("backslash in the authority", b"http://a.example\\@b.example/x", "two readers find two hosts", _ORANGE),
    _no("another host", b"http://b.example/x", _AGREE, "RFC 9112 §3.2.2; 'Host of Troubles' (Chen et al. 2016)"),
    _no("another port", b"http://a.example:81/x", _AGREE, "RFC 9112 §3.2.2"),
    _no("port out of range", b"http://a.example:65616/x", "80 in 16 bits", "integer overflow"),
    _no("encoded host", b"http://a%2eexample/x", "names are not decoded", "RFC 3986 §3.2.2"),
    _no("absolute form with white space", b"http://a.example /x"),
    refused(
        "absolute form without Host",
        _get(b"http://a.example/x", None),
        "Host is required all the same",
        "RFC 9112 §3.2",
    ),
    refused("absolute form, empty Host", _get(b"http://a.example/x", b"Host:"), _AGREE, "RFC 9112 §3.2.2"),
    refused(
        "absolute form, two Hosts",
        _get(b"http://a.example/x", b"Host: b.example", b"Host: a.example"),
        "repeated Host",
        "RFC 9112 §3.2",
    ),
    refused("OPTIONS with a star and a path", request(first=b"OPTIONS *x HTTP/1.1"), _FORM, "RFC 9112 §3.2.4"),
    refused("POST to a star", request(first=b"POST * HTTP/1.1"), "asterisk form is for OPTIONS", "RFC 9112 §3.2.4"),
    refused(
        "OPTIONS in authority form",
        request(first=b"OPTIONS a.example:80 HTTP/1.1"),
        "authority form is for CONNECT",
        "RFC 9112 §3.2.3",
    ),
)

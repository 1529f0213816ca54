"""Host: there, once, and a name or address with an optional port."""

from tests.wire.corpus.case import HOST, Case, Want, passed, refused, request

_TROUBLE = "'Host of Troubles' (Chen et al. 2016)"
_NAME = "neither a name nor an address with an optional port"
_ONCE = "each hop may believe another one"


def _get(*lines: bytes, target: bytes = b"/x", version: bytes = b"HTTP/1.1") -> bytes:
    return request(*lines, first=b"GET " + target + b" " + version, host=None)


def _no(name: str, value: bytes, source: str = "RFC 9110 §7.2", reason: str = _NAME) -> Case:
    return refused(f"Host: {name}", _get(b"Host: " + value), reason, source)


def _yes(name: str, value: bytes, reason: str, source: str = "RFC 9110 §7.2") -> Case:
    return passed(f"Host: {name}", _get(b"Host: " + value), reason, source, Want(host=value))


def _admin(name: str, value: bytes, reason: str, source: str = "RFC 9110 §7.2") -> Case:
    want = Want(host=value, target=b"/admin", backend="admin")
    return passed(f"Host: {name}", _get(b"Host: " + value, target=b"/admin"), reason, source, want)


CASES: tuple[Case, ...] = (
    _admin("capitals", b"A.Example", "names have no case; forwarded as received", "RFC 4343"),
    _admin("port", b"a.example:8080", "the port picks no virtual host", "RFC 9110 §7.2"),
    _admin("empty port", b"a.example:", "a port may be empty", "RFC 3986 §3.2.3"),
    _admin("trailing dot", b"a.example.", "the root's dot changes no name", "RFC 1034 §3.1"),
    _admin("trailing dot and port", b"a.example.:80", "the root's dot changes no name", "RFC 1034 §3.1"),
    _admin("port with zeros", b"a.example:00080", "still a port", "RFC 3986 §3.2.3"),
    passed(
        "Host: lower-case name, no space",
        _get(b"host:a.example", target=b"/admin"),
        "names of fields have no case",
        "RFC 9110 §5.1",
        Want(target=b"/admin", backend="admin"),
    ),
    _yes("another name", b"b.example", "no virtual host but the one for any"),
    _yes("IPv4", b"192.0.2.1:80", "an address is a host", "RFC 3986 §3.2.2"),
    _yes("IPv6", b"[2001:db8::1]:80", "an address in brackets is a host", "RFC 3986 §3.2.2"),
    _yes("IPv6 with IPv4 in it", b"[::ffff:192.0.2.1]", "an address in brackets is a host", "RFC 3986 §3.2.2"),
    _yes("underscore", b"a_b.example", "not a host name, but DNS has them", "RFC 2181 §11"),
    _yes("internationalised", b"xn--bcher-kva.example", "ASCII on the wire", "RFC 5890 §2.3.2.1"),
    passed(
        "Host: none in HTTP/1.0",
        _get(version=b"HTTP/1.0"),
        "HTTP/1.0 has no Host: the address it came to stands in",
        "RFC 9112 §3.2",
        Want(host=b"192.0.2.1:80"),
        keeps=False,
    ),
    refused("Host: none", _get(), "required", "RFC 9112 §3.2; CVE-2019-18838 (Envoy)"),
    refused("Host: none but another's", _get(b"X-Forwarded-Host: a.example"), "required", "RFC 9112 §3.2"),
    refused("Host: none, but with an underscore", _get(b"Ho_st: a.example"), "required", "RFC 9112 §3.2"),
    refused("Host: twice the same", _get(HOST, HOST), _ONCE, "RFC 9112 §3.2"),
    refused("Host: two", _get(HOST, b"Host: b.example"), _ONCE, _TROUBLE),
    refused("Host: two in different case", _get(HOST, b"hOST: b.example"), _ONCE, _TROUBLE),
    refused("Host: two, not neighbours", _get(HOST, b"X-A: a", b"Host: b.example"), _ONCE, _TROUBLE),
    refused("Host: two, the second empty", _get(HOST, b"Host:"), _ONCE, _TROUBLE),
    refused("Host: two, the first empty", _get(b"Host:", HOST), _ONCE, _TROUBLE),
    refused("Host: two in HTTP/1.0", _get(HOST, b"Host: b.example", version=b"HTTP/1.0"), _ONCE, "RFC 9112 §3.2"),
    refused("Host: space before the colon", _get(b"Host : a.example"), "white space before the colon", _TROUBLE),
    refused("Host: space before the name", _get(b"X-A: a", b" Host: a.example"), "obs-fold", _TROUBLE),
    refused("Host: and one behind a space", _get(HOST, b" Host: b.example"), "obs-fold", _TROUBLE),
    refused("Host: folded", _get(b"Host:", b" a.example"), "obs-fold", _TROUBLE),
    _no("empty", b"", "RFC 9112 §3.2: empty is for targets without authority"),
    _no("list", b"a.example, b.example", _TROUBLE),
    _no("space", b"a.example b.example", _TROUBLE),
    _no("tab", b"a.example\tb.example", _TROUBLE),
    _no("user information", b"user@a.example", "A New Era of SSRF (Tsai 2017)"),
    _no("user information that is a name", b"a.example@b.example"),
    _no("path", b"a.example/admin", "routing by Host, Cracking the Lens (Kettle 2017)"),
    _no("query", b"a.example?x", "Cracking the Lens (Kettle 2017)"),
    _no("fragment", b"a.example#x"),
    _no("URL", b"http://a.example"),
    _no("backslash", b"a.example\\b.example", "A New Era of SSRF (Tsai 2017)"),
    _no("quotes", b'"a.example"'),
    _no("markup", b"<script>a.example", "Host header injection"),
    _no("percent-encoded", b"a%2eexample", "RFC 3986 §3.2.2: names are not decoded here"),
    _no("UTF-8", "ą.example".encode(), "RFC 5890: ASCII on the wire"),
    _no("full-width dot", "a。example".encode(), "IDNA dots"),
    _no("NUL", b"a.example\x00.b.example", "strings that end at NUL"),
    _no("bare CR", b"a.example\r.b.example", "RFC 9112 §2.2"),
    _no("bare LF", b"a.example\n.b.example", "RFC 9112 §2.2"),
    _no("two dots", b"a..example", "RFC 1035 §2.3.1: no empty label"),
    _no("two dots at the end", b"a.example..", "RFC 1035 §2.3.1: no empty label"),
    _no("dot first", b".a.example", "RFC 1035 §2.3.1: no empty label"),
    _no("only a dot", b"."),
    _no("only a port", b":80"),
    _no("port in letters", b"a.example:http"),
    _no("port with a sign", b"a.example:+80", "int() and strtol leniency"),
    _no("negative port", b"a.example:-80"),
    _no("port 0", b"a.example:0", "no such port"),
    _no("port out of range", b"a.example:65536", "0 in 16 bits"),
    _no("port far out of range", b"a.example:4294967376", "80 in 32 bits"),
    _no("two ports", b"a.example:80:81", "two readers find two ports"),
    _no("port and name", b"a.example:80.b.example", "A New Era of SSRF (Tsai 2017)"),
    _no("IPv6 without brackets", b"::1", "RFC 3986 §3.2.2"),
    _no("IPv6 never closed", b"[::1", "RFC 3986 §3.2.2"),
    _no("IPv6 with more behind", b"[::1]b.example", "RFC 3986 §3.2.2"),
    _no("IPv6 with a zone", b"[fe80::1%25eth0]", "a zone means nothing elsewhere"),
    _no("IPv6 too long", b"[1:2:3:4:5:6:7:8:9]", "RFC 4291 §2.2"),
    _no("IPvFuture", b"[v1.x]", "RFC 3986 §3.2.2: nothing speaks it"),
    _no("name in brackets", b"[a.example]", "RFC 3986 §3.2.2"),
    _no("too long", b"a" * 63 + b"." + b"b" * 300, "RFC 1035 §2.3.4"),
)

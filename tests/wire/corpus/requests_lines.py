"""Line ends and control characters, wherever they can be put."""

from tests.wire.corpus.case import Case, Want, passed, refused, request, series

_BARE = "some readers end a line there, some do not"
_CONTROL = "some readers strip it, stop at it, or end a line there"


def _value(name: str, value: bytes, source: str = "RFC 9110 §5.5") -> Case:
    return refused(f"{name} in a value", request(b"X-A: a" + value + b"b"), _CONTROL, source)


def _name(name: str, byte: bytes, source: str = "RFC 9110 §5.6.2") -> Case:
    return refused(f"{name} in a name", request(b"X-A" + byte + b"B: c"), _CONTROL, source)


def _target(name: str, byte: bytes, source: str = "RFC 3986 §2") -> Case:
    return refused(f"{name} in the target", request(first=b"GET /x" + byte + b"y HTTP/1.1"), _CONTROL, source)


CASES: tuple[Case, ...] = (
    series(
        "an empty line before",
        b"\r\n" + request(),
        "one CRLF left over from the request before is forgiven",
        "RFC 9112 §2.2",
        [Want()],
    ),
    refused(
        "two empty lines before",
        b"\r\n\r\n" + request(),
        "more than one is somebody's end of a header",
        "RFC 9112 §2.2",
    ),
    refused("LF before", b"\n" + request(), _BARE, "RFC 9112 §2.2"),
    refused("CR before", b"\r" + request(), _BARE, "RFC 9112 §2.2"),
    refused("space before", b" " + request(), "not a method", "RFC 9112 §3"),
    refused("NUL before", b"\x00" + request(), "not a method", "RFC 9112 §3"),
    refused("byte-order mark before", b"\xef\xbb\xbf" + request(), "not a method", "RFC 9112 §3"),
    refused("every line ends in LF", request(end=b"\n"), _BARE, "RFC 9112 §2.2; 'Host of Troubles' (Chen et al. 2016)"),
    refused("every line ends in CR", request(end=b"\r") + b"\r\n\r\n", _BARE, "CVE-2023-30589 (llhttp)"),
    refused("request line ends in LF", request().replace(b"\r\n", b"\n", 1), _BARE, "RFC 9112 §2.2"),
    refused("request line ends in CR", request().replace(b"\r\n", b"\r", 1), _BARE, "RFC 9112 §2.2"),
    refused("request line ends in CR CR LF", request().replace(b"\r\n", b"\r\r\n", 1), _BARE, "RFC 9112 §2.2"),
    refused("a field ends in LF", b"GET /x HTTP/1.1\r\nHost: a.example\nX: y\r\n\r\n", _BARE, "CVE-2022-32214 (Node)"),
    refused(
        "a field ends in CR", b"GET /x HTTP/1.1\r\nHost: a.example\rX: y\r\n\r\n", _BARE, "CVE-2023-30589 (llhttp)"
    ),
    refused(
        "a field ends in CR CR LF", b"GET /x HTTP/1.1\r\nHost: a.example\r\r\nX: y\r\n\r\n", _BARE, "RFC 9112 §2.2"
    ),
    refused("a field ends in LF CR", b"GET /x HTTP/1.1\r\nHost: a.example\n\rX: y\r\n\r\n", _BARE, "RFC 9112 §2.2"),
    refused("the header ends in LF LF", b"GET /x HTTP/1.1\r\nHost: a.example\r\nX: y\n\n", _BARE, "RFC 9112 §2.2"),
    refused("the header ends in CRLF LF", b"GET /x HTTP/1.1\r\nHost: a.example\r\n\n", _BARE, "RFC 9112 §2.2"),
    refused("the header ends in LF CRLF", b"GET /x HTTP/1.1\r\nHost: a.example\n\r\n", _BARE, "RFC 9112 §2.2"),
    refused(
        "the header ends in CRLF CR CRLF",
        b"GET /x HTTP/1.1\r\nHost: a.example\r\n\r\r\n\r\n",
        _BARE,
        "CVE-2022-35256 (Node)",
    ),
    refused(
        "a line of white space",
        b"GET /x HTTP/1.1\r\nHost: a.example\r\n \r\nX: y\r\n\r\n",
        "an empty line to some, a fold to others",
        "RFC 9112 §5.2",
    ),
    refused(
        "white space before the first field",
        b"GET /x HTTP/1.1\r\n Host: a.example\r\n\r\n",
        "a second half of the request line to some",
        "RFC 9112 §2.2",
    ),
    refused(
        "white space line first",
        b"GET /x HTTP/1.1\r\n \r\nHost: a.example\r\n\r\n",
        "an empty line to some",
        "RFC 9112 §2.2",
    ),
    refused("folded field", request(b"X-A: a", b" b"), "obs-fold", "RFC 9112 §5.2"),
    refused("field folded with a tab", request(b"X-A: a", b"\tb"), "obs-fold", "RFC 9112 §5.2"),
    refused(
        "a fold that looks like a field",
        request(b"X-A: a", b" X-Real-IP: 1.1.1.1"),
        "obs-fold",
        "Practical HTTP Header Smuggling (Thatcher 2021)",
    ),
    refused(
        "folded Host",
        b"GET /x HTTP/1.1\r\nHost: a.example\r\n .b.example\r\n\r\n",
        "obs-fold",
        "'Host of Troubles' (Chen et al. 2016)",
    ),
    refused("fold at the end", request(b"X-A: a", b" "), "obs-fold", "RFC 9112 §5.2"),
    _value("NUL", b"\x00", "RFC 9110 §5.5; CVE-2013-4547 family"),
    _value("SOH", b"\x01"),
    _value("backspace", b"\x08"),
    _value("vertical tab", b"\x0b", "CVE-2019-18277 family"),
    _value("form feed", b"\x0c"),
    _value("escape", b"\x1b", "log injection"),
    _value("unit separator", b"\x1f", "str.splitlines of Python"),
    _value("DEL", b"\x7f"),
    _value("bare CR", b"\r"),
    _value("bare LF", b"\n"),
    refused("NUL at the end of a value", request(b"X-A: a\x00"), _CONTROL, "RFC 9110 §5.5"),
    refused("CR at the end of a value", request(b"X-A: a\r"), _BARE, "RFC 9112 §2.2"),
    _name("NUL", b"\x00", "CVE-2021-43797 (Netty)"),
    _name("tab", b"\t"),
    _name("vertical tab", b"\x0b"),
    _name("DEL", b"\x7f"),
    _name("bare CR", b"\r"),
    _name("bare LF", b"\n"),
    _target("NUL", b"\x00", "CVE-2013-4547 (nginx)"),
    _target("tab", b"\t", "Exploiting HTTP Parsers Inconsistencies (da Costa 2023)"),
    _target("vertical tab", b"\x0b"),
    _target("escape", b"\x1b"),
    _target("DEL", b"\x7f"),
    _target("bare CR", b"\r"),
    _target("bare LF", b"\n"),
    passed(
        "tab and obs-text in a value",
        request(b"X-A: a\tb \xe4\xf6\xfc"),
        "allowed, if odd; passed on as they are",
        "RFC 9110 §5.5",
        Want(has=(b"x-a: a\tb \xe4\xf6\xfc",)),
    ),
    passed(
        "next-line character in a value",
        request(b"X-A: a\x85X-Real-IP: 1.1.1.1"),
        "one byte of a value, not a line's end; only str.splitlines thinks otherwise",
        "RFC 9110 §5.5; str.splitlines of Python",
        Want(has=(b"x-a: a\x85X-Real-IP: 1.1.1.1",)),
    ),
    passed(
        "UTF-8 in a value",
        request("X-A: żółw".encode()),
        "bytes above ASCII are opaque",
        "RFC 9110 §5.5",
        Want(has=("x-a: żółw".encode(),)),
    ),
    passed("empty value", request(b"X-A:"), "a value may be empty", "RFC 9110 §5.5", Want(has=(b"x-a: ",))),
    passed("value of white space", request(b"X-A: \t "), "the same as empty", "RFC 9112 §5", Want(has=(b"x-a: ",))),
    refused("only empty lines", b"\r\n\r\n\r\n\r\n", "not a request", "RFC 9112 §2.2"),
    refused(
        "TLS where HTTP is spoken", b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00\r\n\r\n", "not a request", "RFC 9112 §3"
    ),
)

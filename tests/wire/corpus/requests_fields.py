"""Names and values of fields, their number and size."""

from tests.wire.corpus.case import Case, Want, passed, refused, request

_TOKEN = "a name is a token"
_DROPPED = "a CGI-like server cannot tell it from the name with a dash: dropped"
_THATCHER = "Practical HTTP Header Smuggling (Thatcher 2021)"


def _no(name: str, *lines: bytes, reason: str = _TOKEN, source: str = "RFC 9110 §5.1", status: int = 400) -> Case:
    return refused(name, request(*lines), reason, source, status=status)


def _dropped(name: str, line: bytes, field: bytes, reason: str = _DROPPED, source: str = _THATCHER) -> Case:
    return passed(name, request(line, b"X-A: a"), reason, source, Want(has=(b"x-a: a",), lacks=(field,)))


CASES: tuple[Case, ...] = (
    _no("line without a colon", b"X-A"),
    _no("line without a colon that is a request line", b"GET /admin HTTP/1.1", source="CVE-2019-20444 (Netty)"),
    _no("empty name", b": a", source="CVE-2023-25725 (HAProxy)"),
    _no("only a colon", b":"),
    _no("space in a name", b"X A: a"),
    _no("space before the colon", b"X-A : a", reason="white space before the colon", source="RFC 9112 §5.1"),
    _no("tab before the colon", b"X-A\t: a", reason="white space before the colon", source="RFC 9112 §5.1"),
    _no("byte above ASCII in a name", b"X-\xc4: a"),
    _no("slash in a name", b"X/A: a"),
    _no("equals sign instead of a colon", b"X-A=a"),
    _no("bracket in a name", b"X[A]: a", source="PHP makes X_A_ of it"),
    _no("quotes in a name", b'"X-A": a'),
    _no("at sign in a name", b"X@A: a"),
    _no("backslash in a name", b"X\\A: a"),
    _no("comma in a name", b"X,A: a"),
    _no(
        "pseudo field",
        b":path: /admin",
        reason="HTTP/2's, never in HTTP/1",
        source="HTTP/2: The Sequel is Always Worse (Kettle 2021)",
    ),
    _no(
        "pseudo field for the host",
        b":authority: b.example",
        reason="HTTP/2's, never in HTTP/1",
        source="HTTP/2: The Sequel is Always Worse (Kettle 2021)",
    ),
    _no("name with a colon first", b":X-A: a", source="HTTP/2 downgrade names (Kettle 2021)"),
    _no(
        "a hundred and one fields",
        *(b"X-%d: a" % number for number in range(100)),
        reason="over the limit",
        source="RFC 6585 §5",
        status=431,
    ),
    _no("one field too large", b"X-A: " + b"a" * 33000, reason="over the limit", source="RFC 6585 §5", status=431),
    _no(
        "fields too large together",
        *(b"X-%d: " % number + b"a" * 2000 for number in range(20)),
        reason="over the limit",
        source="RFC 6585 §5",
        status=431,
    ),
    _no("name too large", b"X" * 33000 + b": a", reason="over the limit", source="RFC 6585 §5", status=431),
    passed(
        "a hundred fields",
        request(*(b"X-%d: a" % number for number in range(99))),
        "up to the limit",
        "RFC 9110 §5.4",
        Want(has=(b"x-0: a", b"x-98: a")),
    ),
    passed(
        "repeated fields keep their order",
        request(b"Cookie: a=1", b"X-A: a", b"Cookie: b=2"),
        "the order of equal names means something",
        "RFC 9110 §5.3",
        Want(has=(b"cookie: a=1", b"cookie: b=2", b"x-a: a")),
    ),
    passed(
        "colons and spaces in a value",
        request(b"X-A: b: c:  d"),
        "only the first colon ends the name",
        "RFC 9112 §5",
        Want(has=(b"x-a: b: c:  d",)),
    ),
    passed(
        "a value that looks like a field",
        request(b"X-A: Content-Length: 5"),
        "a value is a value",
        "RFC 9112 §5",
        Want(has=(b"x-a: Content-Length: 5",), lacks=(b"content-length",)),
    ),
    _dropped("underscore", b"X_Real_IP: 1.1.1.1", b"x_real_ip"),
    _dropped("underscore for our own", b"X_Forwarded_For: 1.1.1.1", b"x_forwarded_for"),
    _dropped("mixed underscore and dash", b"X-Forwarded_For: 1.1.1.1", b"x-forwarded_for"),
    _dropped("underscore in any name", b"Some_Name: a", b"some_name", source="nginx underscores_in_headers"),
    _dropped("dot", b"X.Real.IP: 1.1.1.1", b"x.real.ip", source="PHP makes X_Real_IP of it"),
    _dropped("tilde, star and the like", b"X~Real*IP: 1.1.1.1", b"x~real*ip"),
    _dropped("apostrophe", b"X'Real'IP: 1.1.1.1", b"x'real'ip"),
    _dropped("plus", b"X+A: 1", b"x+a"),
    _dropped("bar", b"X|A: 1", b"x|a"),
    _dropped(
        "Proxy", b"Proxy: http://b.example", b"proxy", "CGI programs read it as HTTP_PROXY", "CVE-2016-5385 (httpoxy)"
    ),
    _dropped(
        "Proxy-Authorization",
        b"Proxy-Authorization: Basic eDp5",
        b"proxy-authorization",
        "for this hop",
        "RFC 9110 §11.7.2",
    ),
)

"""Request heads: what each field section means, and which are refused for which reason."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingressd.errors import BadRequest
from ingressd.http.fields import PassedNames
from ingressd.http.head import RequestFields, has_bare_line_end, read_request_fields
from ingressd.http.request_line import split_request_line


def read(*lines: str, host: str = "a.example", names: PassedNames = PassedNames.PLAIN) -> RequestFields:
    section = "".join(f"{line}\r\n" for line in ((f"Host: {host}",) if host else ()) + lines)
    return read_request_fields(section.encode("latin-1") + b"\r\n", 100, names)


@pytest.mark.parametrize(
    ("line", "read_as"),
    [
        (b"GET / HTTP/1.1", (b"GET", b"/", 1)),
        (b"GET / HTTP/1.0", (b"GET", b"/", 0)),
        (b"M-SEARCH * HTTP/1.1", (b"M-SEARCH", b"*", 1)),
        (b"get /\xff?q=\x80 HTTP/1.1", (b"get", b"/\xff?q=\x80", 1)),
    ],
)
def test_request_lines(line: bytes, read_as: tuple[bytes, bytes, int]) -> None:
    assert split_request_line(line) == read_as


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"GET",
        b"GET /",
        b"GET  / HTTP/1.1",
        b"GET /  HTTP/1.1",
        b"GET / HTTP/1.1 ",
        b" GET / HTTP/1.1",
        b"GET\t/ HTTP/1.1",
        b"GET / a HTTP/1.1",
        b"GET / HTTP/2.0",
        b"GET / HTTP/0.9",
        b"GET / HTTP/1.2",
        b"GET / HTTP/1.10",
        b"GET / http/1.1",
        b"GET / HTTP/1,1",
        b"GE(T / HTTP/1.1",
        b"GET /\x00 HTTP/1.1",
        b"GET /\x7f HTTP/1.1",
        b"GET /\r HTTP/1.1",
        b"G" * 33 + b" / HTTP/1.1",
        b"\x16\x03\x01\x02\x00\x01",  # a TLS ClientHello
        b"PRI * HTTP/2.0",
    ],
)
def test_refused_request_lines(line: bytes) -> None:
    with pytest.raises(BadRequest) as refusal:
        split_request_line(line)
    assert refusal.value.reason == "bad_request_line"


REFUSED = {
    "two hosts": ("Host: a.example\r\n", "bad_host"),
    "host with a path": ("X: y\r\n", "bad_host"),
    "both framings": ("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", "bad_fields"),
    "the same length twice": ("Content-Length: 1\r\nContent-Length: 1\r\n", "bad_fields"),
    "two lengths": ("Content-Length: 1\r\nContent-Length: 2\r\n", "bad_fields"),
    "a list of lengths": ("Content-Length: 1, 1\r\n", "bad_fields"),
    "signed length": ("Content-Length: +1\r\n", "bad_fields"),
    "negative length": ("Content-Length: -1\r\n", "bad_fields"),
    "hexadecimal length": ("Content-Length: 0x1\r\n", "bad_fields"),
    "empty length": ("Content-Length:\r\n", "bad_fields"),
    "length with a space": ("Content-Length: 1 0\r\n", "bad_fields"),
    "length with an underscore": ("Content-Length: 1_0\r\n", "bad_fields"),
    "length beyond 64 bits": ("Content-Length: 18446744073709551617\r\n", "bad_fields"),
    "length beyond 63 bits": ("Content-Length: 9999999999999999999\r\n", "bad_content_length"),
    "length of 19 digits": ("Content-Length: 0000000000000000001\r\n", "bad_content_length"),
    "gzip": ("Transfer-Encoding: gzip\r\n", "bad_fields"),
    "identity": ("Transfer-Encoding: identity\r\n", "bad_fields"),
    "chunked, then gzip": ("Transfer-Encoding: chunked, gzip\r\n", "bad_fields"),
    "gzip, then chunked": ("Transfer-Encoding: gzip, chunked\r\n", "bad_transfer_encoding"),
    "chunked twice": ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "bad_fields"),
    "chunked in quotes": ('Transfer-Encoding: "chunked"\r\n', "bad_fields"),
    "chunked with a vertical tab": ("Transfer-Encoding: \x0bchunked\r\n", "bad_fields"),
    "chunked with a parameter": ("Transfer-Encoding: chunked;q=1\r\n", "bad_fields"),
    "empty encoding": ("Transfer-Encoding:\r\n", "bad_fields"),
    "space before the colon": ("X : y\r\n", "bad_fields"),
    "folded value": ("X: y\r\n z\r\n", "bad_fields"),
    "folded by a tab": ("X: y\r\n\tz\r\n", "bad_fields"),
    "no colon": ("X\r\n", "bad_fields"),
    "no name": (": y\r\n", "bad_fields"),
    "bare LF": ("X: y\nZ: z\r\n", "bad_fields"),
    "bare CR": ("X: y\rZ: z\r\n", "bad_fields"),
    "bare CR before the end": ("X: y\r\r\n", "bad_fields"),
    "NUL in a value": ("X: a\x00b\r\n", "bad_fields"),
    "NUL in a name": ("X\x00: ab\r\n", "bad_fields"),
    "control character": ("X: a\x01b\r\n", "bad_fields"),
    "DEL": ("X: a\x7fb\r\n", "bad_fields"),
    "obs-text in a name": ("X\xe9: y\r\n", "bad_fields"),
    "brackets in a name": ("X[0]: y\r\n", "bad_fields"),
    "early end by bare LF": ("X: y\n\nGET /x HTTP/1.1\r\n", "bad_fields"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_sections(name: str) -> None:
    lines, reason = REFUSED[name]
    host = "Host: a/b" if name == "host with a path" else "Host: a.example"
    with pytest.raises(BadRequest) as refusal:
        read_request_fields(f"{host}\r\n{lines}\r\n".encode("latin-1"), 100)
    assert refusal.value.reason == reason
    read("X: after a refusal the next section is read as ever")


def test_white_space_before_the_first_field_is_no_continuation() -> None:
    with pytest.raises(BadRequest):
        read_request_fields(b" Host: a.example\r\n\r\n", 100)


def test_number_of_fields_is_bounded() -> None:
    read(*["X: y"] * 99)
    with pytest.raises(BadRequest) as refusal:
        read(*["X: y"] * 100)
    assert refusal.value.reason == "too_many_fields"


def test_meanings() -> None:
    fields = read(
        "content-length: 0012",
        "EXPECT: 100-Continue",
        "User-Agent: curl",
        "Referer: /x",
        "Accept: text/html",
        "accept: b",
    )
    assert (fields.host, fields.host_field) == ("a.example", b"a.example")
    assert (fields.content_length, fields.has_body, fields.expects_continue) == (12, True, True)
    assert (fields.agent, fields.referer, fields.accept) == (b"curl", b"/x", b"text/html,b")
    assert fields.onward == b"User-Agent: curl\r\nReferer: /x\r\nAccept: text/html\r\naccept: b\r\n"


@pytest.mark.parametrize(
    ("lines", "close", "keep_alive"),
    [
        ((), False, False),
        (("Connection: close",), True, False),
        (("Connection: Keep-Alive",), False, True),
        (("Connection: x, CLOSE ,,", "Connection: keep-alive"), True, True),
        (("Connection: closed",), False, False),
    ],
)
def test_connection_options(lines: tuple[str, ...], close: bool, keep_alive: bool) -> None:
    fields = read(*lines)
    assert (fields.close, fields.keep_alive) == (close, keep_alive)


@pytest.mark.parametrize(
    ("lines", "offered"),
    [
        (("Connection: Upgrade", "Upgrade: websocket"), b"websocket"),
        (("Connection: keep-alive, upgrade", "Upgrade: a, b/1"), b"a, b/1"),
        (("Connection: Upgrade", "Upgrade: a,, B/1,", "Upgrade:"), b"a, B/1"),
        (("Connection: Upgrade", "Upgrade: ,"), b""),
        (("Upgrade: websocket",), b""),  # RFC 9110 §7.8: only with the connection option
        (("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"), b""),
        (("Connection: Upgrade", "Upgrade: websocket, h2c"), b""),
        (("Connection: Upgrade", "Upgrade: websocket", "Upgrade: H2C"), b""),
        (("Connection: Upgrade", "Upgrade: TLS/1.2"), b""),
        (("Connection: Upgrade", "Upgrade: HTTP/3"), b""),
        (("Connection: Upgrade", "Upgrade: websocket", "Content-Length: 1"), b""),
        (("Connection: Upgrade", "Upgrade: " + "a, " * 85 + "a"), b", ".join([b"a"] * 86)),
        (("Connection: Upgrade", "Upgrade: " + "a, " * 85 + "ab"), b""),
        (("Connection: Upgrade", "Upgrade: websocket", "Transfer-Encoding: chunked"), b""),
    ],
)
def test_what_may_be_switched_to(lines: tuple[str, ...], offered: bytes) -> None:
    assert read(*lines).upgrade == offered


@pytest.mark.parametrize(
    ("lines", "close", "offers_h2c"),
    [
        (("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c"), False, True),
        (("Connection: Upgrade", "Upgrade: H2C", "Content-Length: 1"), False, True),
        (("Connection: close, Upgrade", "Upgrade: h2c"), True, True),
        (("Upgrade: h2c",), False, False),
        (("Connection: Upgrade", "Upgrade: h2c, h2c"), True, False),
        (("Connection: Upgrade", "Upgrade: websocket, h2c"), True, False),
        (("Connection: Upgrade", "Upgrade: h2c/1"), True, False),
        (("Connection: Upgrade", "Upgrade: h2"), True, False),
        (("Connection: Upgrade", "Upgrade: h2c" + ", " * 200), True, False),
        (("Connection: Upgrade", "Upgrade: websocket"), False, False),
    ],
)
def test_h2c_alone_does_not_end_the_connection(lines: tuple[str, ...], close: bool, offers_h2c: bool) -> None:
    fields = read(*lines)
    assert (fields.close, fields.offers_h2c, fields.upgrade == b"websocket") == (
        close,
        offers_h2c,
        lines[-1] == "Upgrade: websocket",
    )


@pytest.mark.parametrize(
    ("lines", "request_id"),
    [
        (("X-Request-ID: 0af-._:/+=@Z",), b"0af-._:/+=@Z"),
        (("X-Request-ID: " + "a" * 128,), b"a" * 128),
        (("X-Request-ID: " + "a" * 129,), b""),
        (("X-Request-ID: a b",), b""),
        (("X-Request-ID: a\xe9",), b""),
        (('X-Request-ID: "',), b""),
        (("X-Request-ID:",), b""),
        (("X-Request-ID: a", "X-Request-ID: b"), b""),
    ],
)
def test_request_ids_are_kept_when_well_formed(lines: tuple[str, ...], request_id: bytes) -> None:
    fields = read(*lines)
    assert fields.request_id == request_id
    assert fields.onward == b""


def test_trailers_are_wanted_only_with_the_connection_option() -> None:
    assert read("TE: trailers", "Connection: TE").te_trailers
    assert read("TE: gzip, Trailers", "Connection: te").te_trailers
    assert not read("TE: trailers").te_trailers
    assert not read("TE: gzip", "Connection: TE").te_trailers


DROPPED = """Keep-Alive: 5|Proxy-Connection: close|Proxy-Authorization: x|Proxy-Authenticate: x|TE: x|Trailer: X
Transfer-Encoding: chunked|Upgrade: x|Expect: x|HTTP2-Settings: x|Proxy: http://evil|Forwarded: for=x|X-Forwarded-For: x
X-Forwarded-Host: x|X-Forwarded-Proto: x|X-Forwarded-Port: x|X-Forwarded-Scheme: x|X-Forwarded-Prefix: x|X-Scheme: x
X-Forwarded: x|X-Real-IP: x|X-Original-URI: x|X-Original-URL: x|X-Original-Forwarded-For: x|X_Real_IP: x|X.Real.IP: x
X_Anything: x|x-FORWARDED-for: x|Content-Length: 0|X-Rewrite-URL: x""".replace("\n", "|").split("|")


@pytest.mark.parametrize("line", DROPPED)
def test_fields_that_do_not_pass(line: str) -> None:
    assert read(line).onward == b""


def test_what_a_client_claims_is_kept_apart_whatever_connection_names() -> None:
    fields = read("X-Forwarded-For: 192.0.2.1", "X-A: b", "Connection: x-forwarded-for, x-a", "x-scheme:  https ")
    assert (fields.claimed, fields.onward) == (b"X-Forwarded-For: 192.0.2.1\r\nx-scheme: https\r\n", b"")
    assert read("X-A: b", "X_Real_IP: 192.0.2.1", "Proxy: x").claimed == b""


@pytest.mark.parametrize(
    ("names", "lines", "passed"),
    [
        (PassedNames.PLAIN, ("X_Any: 1", "X.Any-2: 2", "X-A: b"), ["X-A: b"]),
        (PassedNames.UNDERSCORES, ("X_Any: 1", "X.Any-2: 2", "X-A: b"), ["X-A: b", "X_Any: 1"]),
        (PassedNames.TOKENS, ("X_Any:  1 ", "X.Any-2: 2", "X-A: b"), ["X-A: b", "X_Any: 1", "X.Any-2: 2"]),
        (PassedNames.UNDERSCORES, ("x_any: 1", "X_Any: 2"), ["x_any: 1", "X_Any: 2"]),
        # another field of the section, before or behind, passed on or not
        (PassedNames.UNDERSCORES, ("X_Any: 1", "X-Any: 2"), ["X-Any: 2"]),
        (PassedNames.UNDERSCORES, ("X-Any: 2", "x_any: 1"), ["X-Any: 2"]),
        (PassedNames.UNDERSCORES, ("X_Any-Two: 1", "X-Any_Two: 2"), []),
        (PassedNames.TOKENS, ("X.Any: 1", "X_Any: 2"), []),
        (PassedNames.UNDERSCORES, ("X.Any: 1", "X_Any: 2"), []),
        (PassedNames.UNDERSCORES, ("X_Any: 1", "X-Any: 2", "Connection: X-Any"), []),
        (PassedNames.UNDERSCORES, ("X_Any: 1", "Connection: x_any"), []),
    ],
)
def test_names_that_not_every_server_reads_alike(names: PassedNames, lines: tuple[str, ...], passed: list[str]) -> None:
    assert read(*lines, names=names).onward == "".join(f"{line}\r\n" for line in passed).encode()
    assert read(*lines, names=names).lead.startswith(b"Host: a.example\r\n")


@pytest.mark.parametrize(
    "name",
    [
        *("X_Real_IP", "X-Real_IP", "x_forwarded-for", "X_Forwarded_Anything", "X_Original_URI", "X_Scheme"),
        *("Content_Length", "Transfer_Encoding", "Keep_Alive", "User_Agent", "X_Request_ID", "Proxy_Authorization"),
        *("HTTP2_Settings", "X.Real.IP", "X!Real|IP", "Content.Length", "Content~Length", "X_Rewrite.URL"),
    ],
)
def test_no_name_passes_that_a_server_could_take_for_one_of_ours(name: str) -> None:
    for names in PassedNames:
        fields = read(f"{name}: 1", names=names)
        assert (fields.onward, fields.claimed, fields.content_length) == (b"", b"", -1)


def test_sections_are_remembered_by_what_may_pass() -> None:
    for _ in range(2):
        assert [bool(read("X_Any: 1", names=names).onward) for names in PassedNames] == [False, True, True]


PASSED = [
    "Cookie: a=b",
    "Authorization: Basic x",
    "X-Realm: y",
    "Via: 1.1 x",
    "Date: x",
    "X: \xe9\xff",
]


def test_order_spelling_and_repetition_of_the_rest_are_kept() -> None:
    lines = [*PASSED, "cookie: c=d", "X-Empty:", "X-Spaced:  \t a  b \t "]
    wanted = [*PASSED, "cookie: c=d", "X-Empty: ", "X-Spaced: a  b"]
    assert read(*lines).onward == "".join(f"{line}\r\n" for line in wanted).encode("latin-1")


def test_fields_named_in_connection_end_here_whatever_their_spelling() -> None:
    fields = read("X-Hop: 1", "Connection: x-HOP, X-Other, close", "x-hop: 2", "X-Stay: 3", "x-OTHER: 4")
    assert fields.onward == b"X-Stay: 3\r\n"


def test_connection_cannot_name_away_framing_or_host() -> None:
    fields = read("Connection: host, content-length, x-request-id", "Content-Length: 3", "X-Request-ID: a")
    assert (fields.host, fields.content_length, fields.request_id) == ("a.example", 3, b"a")


@pytest.mark.parametrize(
    ("data", "is_bare"),
    [
        (b"GET / HTTP/1.1\r\nHost: a", False),
        (b"GET / HTTP/1.1\r", False),
        (b"GET / HTTP/1.1\n", True),
        (b"GET /\rHTTP", True),
        (b"\n", True),
        (b"\r\n\r", False),
        (b"\r\r", True),
    ],
)
def test_bare_line_ends(data: bytes, is_bare: bool) -> None:
    assert has_bare_line_end(data) is is_bare


@given(st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b"a"]), max_size=12).map(b"".join))
def test_any_line_end_that_is_not_whole_is_bare(data: bytes) -> None:
    settled = data.removesuffix(b"\r")
    assert has_bare_line_end(data) is bool(set(b"\r\n") & set(settled.replace(b"\r\n", b"a")))


SECTIONS = st.sampled_from(
    [
        "Connection: close\r\n",
        "Connection: Upgrade\r\nUpgrade: websocket\r\n",
        "Content-Length: 5\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Proxy-Connection: close\r\n",
        "Connection: keep-alive\r\n",
        "Broken\r\n",
        "X: y\nBare: LF\r\n",
        "",
    ]
)


@given(st.lists(SECTIONS, min_size=1, max_size=6), st.integers())
def test_no_section_changes_how_the_next_is_read(sections: list[str], salt: int) -> None:
    """One parser reads the sections of all clients; ``salt`` keeps them from being remembered."""
    for number, section in enumerate(sections):
        block = f"Host: a.example\r\nX-Salt: {salt}.{number}\r\n{section}\r\n".encode()
        if "Broken" in section or "Bare" in section:
            with pytest.raises(BadRequest):
                read_request_fields(block, 100)
        else:
            assert read_request_fields(block, 100).onward == b"X-Salt: %d.%d\r\n" % (salt, number)


@given(st.binary(max_size=200))
def test_any_section_is_read_or_refused(data: bytes) -> None:
    try:
        fields = read_request_fields(data + b"\r\n\r\n", 100)
    except BadRequest:
        return
    assert fields.onward == b"" or fields.onward.endswith(b"\r\n")


@given(st.binary(max_size=100))
def test_any_request_line_is_read_or_refused(line: bytes) -> None:
    try:
        method, target, minor = split_request_line(line)
    except BadRequest:
        return
    assert b"%b %b HTTP/1.%d" % (method, target, minor) == line

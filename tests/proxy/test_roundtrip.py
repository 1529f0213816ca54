"""What we forward, h11 reads as exactly one request with the same meaning; what we answer, as exactly one response."""

import re

import h11
from hypothesis import given
from hypothesis import strategies as st

from tests.support.memory import MemoryPath

NAME = st.text("-09azAZ", min_size=1, max_size=10)  # too few letters to spell a field that means something
VALUE = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=30).map(
    lambda text: re.sub("[\x7f-\x9f]", "", text).strip(" \t\xa0\x85")
)
SEGMENT = st.text("abz019-._~!$&'()*+,;=:@", max_size=8).filter(lambda text: text.split(";")[0] not in (".", ".."))
PATH = st.lists(SEGMENT, max_size=4).map(lambda parts: "/" + "/".join(parts))
QUERY = st.text("ab=&?/%:@!\xe9", max_size=10)
BODY = st.one_of(st.none(), st.binary(max_size=50), st.lists(st.binary(min_size=1, max_size=20), max_size=5))
METHOD = st.sampled_from(["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND", "x!y"])


def framed(body: bytes | list[bytes] | None) -> tuple[str, bytes]:
    """Framing field and body as sent: none, counted, chunked."""
    if body is None:
        return "", b""
    if isinstance(body, bytes):
        return f"Content-Length: {len(body)}\r\n", body
    return "Transfer-Encoding: chunked\r\n", b"".join(
        b"%x;e\r\n%b\r\n" % (len(part), part) for part in body
    ) + b"0\r\n\r\n"


def payload(body: bytes | list[bytes] | None) -> bytes:
    return b"".join(body) if isinstance(body, list) else body or b""


@given(METHOD, PATH, QUERY, st.lists(st.tuples(NAME, VALUE), max_size=5), BODY, st.integers(0, 1 << 30))
def test_requests(
    method: str, path: str, query: str, fields: list[tuple[str, str]], body: bytes | list[bytes] | None, cut: int
) -> None:
    framing, sent_body = framed(body)
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields)
    head = f"{method} {path}?{query} HTTP/1.1\r\nHost: a.example\r\n{lines}{framing}\r\n".encode("latin-1")
    sent = head + sent_body
    place = cut % len(sent)
    through = MemoryPath()
    through.send(sent[:place])
    through.send(sent[place:])
    through.close()
    [(request, read_body)] = through.requests
    assert len(through.origins[0].trailers) == 1
    assert request.method.decode() == method
    onward_path, _, onward_query = request.target.decode().partition("?")
    assert onward_path == re.sub("/{2,}", "/", path)
    assert onward_query == query.replace("\xe9", "%E9")
    assert read_body == payload(body)
    ours = {b"x-request-id", b"x-real-ip", b"x-scheme", b"host", b"content-length", b"transfer-encoding"}
    passed = [
        (name, value) for name, value in request.headers if name not in ours and not name.startswith(b"x-forwarded-")
    ]
    assert passed == [(name.lower().encode(), value.encode("latin-1")) for name, value in fields]


@given(
    st.lists(st.tuples(NAME, VALUE), max_size=5), BODY.filter(lambda body: body is not None), st.integers(0, 1 << 30)
)
def test_responses(fields: list[tuple[str, str]], body: bytes | list[bytes] | None, cut: int) -> None:
    framing, sent_body = framed(body)
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields)
    sent = f"HTTP/1.1 200 OK\r\n{lines}Date: now\r\n{framing}\r\n".encode("latin-1") + sent_body
    place = cut % len(sent)
    through = MemoryPath()
    origin = through.origins[0]
    origin.is_scripted = True
    through.send(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
    origin.connection.data_received(sent[:place])
    origin.connection.data_received(sent[place:])
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method="GET", target="/", headers=[("host", "a")]))
    client.send(h11.EndOfMessage())
    client.receive_data(through.received)
    response = client.next_event()
    assert isinstance(response, h11.Response)
    read_body = b""
    while isinstance(event := client.next_event(), h11.Data):
        read_body += bytes(event.data)
    assert isinstance(event, h11.EndOfMessage)
    assert client.next_event() is h11.PAUSED or client.trailing_data == (b"", False)
    assert read_body == payload(body)
    passed = [
        (name, value) for name, value in response.headers if name not in (b"content-length", b"transfer-encoding")
    ]
    assert passed == [*((name.lower().encode(), value.encode("latin-1")) for name, value in fields), (b"date", b"now")]
    through.close()


BITS = st.sampled_from(
    [
        b"GET ",
        b"POST ",
        b"/",
        b"/a",
        b" HTTP/1.1",
        b" HTTP/1.0",
        b"\r\n",
        b"\r\n\r\n",
        b"\n",
        b"\r",
        b"Host: a.example",
        b"Host: b",
        b"Content-Length: 3",
        b"Content-Length: 0",
        b"Transfer-Encoding: chunked",
        b"Connection: close",
        b"0\r\n\r\n",
        b"3\r\nabc\r\n",
        b"abc",
        b":",
        b" ",
        b"\x00",
        b"\xff",
        b"Connection: upgrade\r\nUpgrade: x",
        b"X: y",
    ]
)


@given(st.lists(BITS, max_size=25).map(b"".join), st.integers(0, 1 << 30))
def test_anything_is_served_or_refused_alike_under_any_cut(sent: bytes, cut: int) -> None:
    place = cut % (len(sent) + 1)
    outcomes = []
    for pieces in ([sent], [sent[:place], sent[place:]]):
        through = MemoryPath()
        for piece in pieces:
            if piece:
                through.send(piece)
        requests = [(request.method, request.target, body) for request, body in through.requests]
        outcomes.append((requests, through.statuses, through.transport.is_done()))
        through.close()
    assert outcomes[0] == outcomes[1]

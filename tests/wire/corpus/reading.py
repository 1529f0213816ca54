"""The second opinion: what h11 understands of the bytes that left ingressd.

h11 forgives more than an endpoint should have to, so what we write is held to the grammar first.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

import h11

# RFC 9112 §3, §5 without anything optional, and RFC 9110 §5.5; names as narrow as we promise them.
_HEAD = re.compile(
    rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+ /[\x21-\x7e]* HTTP/1\.1\r\n"
    rb"(?:[A-Za-z0-9-]+: (?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?\r\n)+\r\n"
)


@dataclass(frozen=True, slots=True)
class Seen:
    """A complete request. ``fields`` have lower-case names."""

    method: bytes
    target: bytes
    host: bytes
    fields: tuple[tuple[bytes, bytes], ...]
    body: bytes
    trailers: tuple[tuple[bytes, bytes], ...] = ()

    def values(self, name: bytes) -> list[bytes]:
        return [value for field, value in self.fields if field == name]


_RESPONSE_HEAD = re.compile(
    rb"HTTP/1\.1 [1-5][0-9][0-9] [\t\x20-\x7e\x80-\xff]*\r\n"
    rb"(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+: "
    rb"(?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?\r\n)*\r\n"
)


def check_head(data: bytes) -> None:
    """Fail unless ``data`` begins with a head that every reader must take for the same one."""
    if b"\r\n\r\n" in data:
        head = data[: data.index(b"\r\n\r\n") + 4]
        assert _HEAD.fullmatch(head), f"not a plain head: {head!r}"


@lru_cache(maxsize=4096)
def first_request(data: bytes) -> tuple[Seen, int] | None:
    """The request that ``data`` begins with and how many bytes it takes; None when it is not complete.

    Fails when ``data`` cannot become a request.
    """
    if not data:
        return None
    check_head(data)
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 22)
    connection.receive_data(data)
    request: h11.Request | None = None
    body = b""
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            return None
        if isinstance(event, h11.Request):
            request = event
        elif isinstance(event, h11.Data):
            body += event.data
        else:
            assert isinstance(event, h11.EndOfMessage), event
            assert request is not None
            fields = tuple(request.headers)
            hosts = [value for name, value in fields if name == b"host"]
            [host] = hosts
            seen = Seen(request.method, request.target, host, fields, body, tuple(event.headers))
            return seen, len(data) - len(connection.trailing_data[0])


_ASKED = [(b"host", b"a"), (b"connection", b"upgrade"), (b"upgrade", b"any")]  # so that 101 can be read, too


@dataclass(frozen=True, slots=True)
class Answer:
    """A response. ``is_whole``: read to its end as its framing says."""

    status: int
    fields: tuple[tuple[bytes, bytes], ...]
    body: bytes
    is_whole: bool
    reason: bytes = b""
    trailers: tuple[tuple[bytes, bytes], ...] = ()

    def values(self, name: bytes) -> list[bytes]:
        return [value for field, value in self.fields if field == name]


@dataclass(frozen=True, slots=True)
class Answers:
    """What a client got: final responses, interim ones before them, and bytes that belong to none."""

    final: tuple[Answer, ...]
    interim: tuple[int, ...]
    rest: bytes

    @property
    def statuses(self) -> list[int]:
        return [answer.status for answer in self.final]


@lru_cache(maxsize=4096)
def answers(data: bytes, methods: tuple[bytes, ...], *, ended: bool) -> Answers:
    """Read responses to requests with ``methods``. ``ended``: the connection was closed in an orderly way."""
    final: list[Answer] = []
    interim: list[int] = []
    for method in methods:
        if not data:
            break
        connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 22)
        connection.send(h11.Request(method=method, target=b"/", headers=_ASKED))
        connection.send(h11.EndOfMessage())
        _check_response_heads(data)
        connection.receive_data(data)
        answer, unread = _one(connection, interim, ended)
        if answer is None:
            break
        final.append(answer)
        data = unread
        if not answer.is_whole:
            break
    return Answers(tuple(final), tuple(interim), data)


def _check_response_heads(data: bytes) -> None:
    """The interim heads that ``data`` begins with, and the final one."""
    while b"\r\n\r\n" in data:
        head, _, data = data.partition(b"\r\n\r\n")
        assert _RESPONSE_HEAD.fullmatch(head + b"\r\n\r\n"), f"not a plain head: {head!r}"
        if not head.startswith(b"HTTP/1.1 1"):
            break


def _one(connection: h11.Connection, interim: list[int], ended: bool) -> tuple[Answer | None, bytes]:
    head: h11.Response | None = None
    body = b""
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA and ended:
            ended = False
            try:
                connection.receive_data(b"")
                event = connection.next_event()
            except h11.RemoteProtocolError:
                event = h11.NEED_DATA
        if isinstance(event, h11.InformationalResponse):
            interim.append(event.status_code)
            if event.status_code == 101:
                head = None
                answer = Answer(101, tuple(event.headers), b"", True, event.reason)
                return answer, connection.trailing_data[0]
        elif isinstance(event, h11.Response):
            head = event
        elif isinstance(event, h11.Data):
            body += event.data
        elif head is None:
            return None, connection.trailing_data[0]
        else:
            whole = isinstance(event, h11.EndOfMessage)
            trailers = tuple(event.headers) if isinstance(event, h11.EndOfMessage) else ()
            answer = Answer(head.status_code, tuple(head.headers), body, whole, head.reason, trailers)
            return answer, connection.trailing_data[0] if whole else b""

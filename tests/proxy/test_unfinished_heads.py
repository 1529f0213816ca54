"""Heads that come in pieces: what can be said of the beginning is said at once, and each byte is looked at once."""

import pytest

from ingressd.http import head
from ingressd.proxy import request_head
from ingressd.proxy.limits import Limits
from tests.support.memory import MemoryPath

LARGE = b"GET / HTTP/1.1\r\nHost: a.example\r\n" + b"X: %b\r\n" % (b"x" * 40) * 80


def byte_by_byte(path: MemoryPath, data: bytes) -> None:
    for at in range(len(data)):
        path.send(data[at : at + 1])


@pytest.mark.parametrize("before", [b"", b"\r\n"])
@pytest.mark.parametrize("first", [byte for byte in range(256) if byte not in b"\r\n"])
def test_the_first_byte_says_whether_it_can_be_a_request(before: bytes, first: int) -> None:
    path = MemoryPath()
    byte_by_byte(path, before)

    path.send(bytes([first]))

    begins_a_token = chr(first).isascii() and (chr(first).isalnum() or first in b"!#$%&'*+-.^_`|~")
    assert path.statuses == ([] if begins_a_token else [400])
    assert path.transport.is_done() is not begins_a_token
    path.close()


def test_a_large_head_that_comes_byte_by_byte_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: list[int] = []

    def looking(data: bytes) -> bool:
        looked_at.append(len(data))
        return head.has_bare_line_end(data)

    monkeypatch.setattr(request_head, "has_bare_line_end", looking)
    path = MemoryPath()

    byte_by_byte(path, LARGE + b"\r\n")

    assert sum(looked_at) < 2 * len(LARGE)
    assert path.statuses == [200]
    path.close()


@pytest.mark.parametrize("wrong", [b"\n", b"\rX", b"\n\r\n\r\n"])
@pytest.mark.parametrize("before", [LARGE, LARGE[:-2], LARGE + b"X: y", b"\r\n" + LARGE + b"\r\nGET /"])
def test_a_bare_line_end_is_found_wherever_the_pieces_end(before: bytes, wrong: bytes) -> None:
    path = MemoryPath()

    byte_by_byte(path, before + wrong)

    assert path.statuses[-1] == 400
    assert path.transport.is_done()
    path.close()


@pytest.mark.parametrize(("limits", "status"), [(Limits(header_bytes=3000), 431), (Limits(header_bytes=5000), 200)])
def test_the_limit_holds_for_pieces(limits: Limits, status: int) -> None:
    path = MemoryPath(limits=limits)

    byte_by_byte(path, LARGE + b"\r\n")

    assert path.statuses == [status]
    path.close()


def test_a_head_may_be_larger_than_what_is_read_ahead() -> None:
    path = MemoryPath(limits=Limits(pipelined_bytes=1000))

    for piece in (LARGE[:2000], LARGE[2000:]):
        path.send(piece)
        assert path.transport.is_reading()
    path.send(b"\r\n")

    assert path.statuses == [200]
    path.close()


def test_requests_sent_ahead_of_an_unfinished_head_do_not_hold_it_back() -> None:
    path = MemoryPath(limits=Limits(pipelined_bytes=1000))
    path.origins[0].is_scripted = True
    path.send(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n" + LARGE)
    assert not path.transport.is_reading()

    path.origins[0].connection.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    assert path.transport.is_reading()
    path.close()


def head_of(line_bytes: int, block_bytes: int) -> bytes:
    """A request head whose line, and whose fields with the line end before them, are so long."""
    line = b"GET /%b HTTP/1.1" % (b"a" * (line_bytes - len("GET / HTTP/1.1")))
    fields = b"\r\nHost: a.example"
    while (missing := block_bytes - len(fields)) > 0:
        size = missing if missing < 2000 else 1000
        fields += b"\r\nX: " + b"x" * (size - len("\r\nX: "))
    return line + fields + b"\r\n\r\n"


@pytest.mark.parametrize(("too_long", "status"), [((0, 0), 200), ((1, 0), 414), ((0, 1), 431)])
def test_a_head_is_as_long_in_pieces_as_it_is_in_one(too_long: tuple[int, int], status: int) -> None:
    limits = Limits()
    head = head_of(limits.request_line_bytes + too_long[0], limits.header_bytes + too_long[1])
    line_end = head.index(b"\r\n")
    places = {*range(line_end - 1, line_end + 4), *range(len(head) - 6, len(head) + 1)}
    for at in sorted(places):
        path = MemoryPath()
        path.send(head[:at])
        path.send(head[at:])
        assert path.statuses == [status], f"cut {len(head) - at} bytes before its end"
        path.close()

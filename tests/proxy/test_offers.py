"""h2c is offered by clients that would do with HTTP/1.1: the connection goes on if they waited to be told."""

import pytest

from tests.support.gateway import one_host
from tests.support.memory import MemoryOrigin, MemoryPath

OFFER = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
FIRST = b"GET /first HTTP/1.1\r\nHost: a.example\r\n" + OFFER + b"\r\n"
POST = b"POST /first HTTP/1.1\r\nHost: a.example\r\n" + OFFER + b"Content-Length: 5\r\n\r\nhello"
OWN = b"GET /first HTTP/1.1\r\nHost: nobody.example\r\n" + OFFER + b"\r\n"
SECOND = b"GET /second HTTP/1.1\r\nHost: a.example\r\n\r\n"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"


def scripted() -> tuple[MemoryPath, MemoryOrigin]:
    path = MemoryPath(one_host([1]))
    path.origins[0].is_scripted = True
    return path, path.origins[0]


@pytest.mark.parametrize("first", [FIRST, POST])
def test_what_comes_after_the_answer_is_a_request(first: bytes) -> None:
    path = MemoryPath()

    path.send(first)
    path.send(SECOND)

    assert [request.target for request, _ in path.requests] == [b"/first", b"/second"]
    assert path.statuses == [200, 200]
    assert b"upgrade" not in path.forwarded.lower()
    assert b"Connection: close" not in path.received
    path.close()


def test_the_same_for_an_answer_of_ours() -> None:
    path = MemoryPath()

    path.send(OWN)
    path.send(SECOND)

    assert path.statuses == [404, 200]
    path.close()


@pytest.mark.parametrize("ahead", [SECOND, PREFACE, b"G", b"\0"])
@pytest.mark.parametrize("first", [FIRST, POST, OWN])
def test_what_comes_with_the_offer_is_not(first: bytes, ahead: bytes) -> None:
    path = MemoryPath()

    path.send(first + ahead)
    path.send(SECOND)

    assert path.statuses == [404 if first is OWN else 200]
    assert b"\r\nConnection: close\r\n" in path.received
    assert b"/second" not in path.forwarded
    assert path.transport.is_done()
    path.close()


@pytest.mark.parametrize("first", [FIRST, POST])
def test_nor_is_what_comes_before_the_answer_begins(first: bytes) -> None:
    path, origin = scripted()
    path.send(first)
    path.send(SECOND)
    assert not path.transport.is_reading()

    origin.connection.data_received(HEAD + b"ok")

    assert b"\r\nConnection: close\r\n" in path.received
    assert path.statuses == [200]
    assert path.transport.is_done()
    assert path.transport.is_reading()  # to be dropped, so that no reset overtakes the answer
    path.close()
    assert b"/second" not in path.forwarded


def test_nor_what_comes_before_it_ends() -> None:
    path, origin = scripted()
    path.send(FIRST)
    origin.connection.data_received(HEAD + b"o")
    path.send(PREFACE)

    origin.connection.data_received(b"k")

    assert path.received.endswith(b"\r\n\r\nok")
    assert path.statuses == [200]
    assert path.transport.is_done()
    path.close()


def test_an_offer_later_on_the_connection() -> None:
    path = MemoryPath()

    path.send(SECOND + FIRST + SECOND)

    assert path.statuses == [200, 200]
    assert path.transport.is_done()
    path.close()


@pytest.mark.parametrize("protocol", [b"websocket", b"h2c, websocket", b"h2", b"h2c/1", b"TLS/1.2", b"x"])
def test_other_offers_end_the_connection(protocol: bytes) -> None:
    """Who tunnels whatever the answer is (Egorov 2019) must not reach us with what is tunnelled."""
    path = MemoryPath()

    path.send(FIRST.replace(b"h2c", protocol))
    path.send(SECOND)

    assert path.statuses == [200]
    assert path.transport.is_done()
    path.close()

"""Back-pressure: whoever cannot keep up pauses the other side, nothing piles up, and nobody stays paused."""

from ingressd.proxy.limits import Limits
from tests.support.memory import MemoryOrigin, MemoryPath

GET = b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"
UNKNOWN = b"GET / HTTP/1.1\r\nHost: b.example\r\n\r\n"
PIECE = b"x" * 100_000


def scripted(path: MemoryPath) -> MemoryOrigin:
    origin = path.origins[-1]
    origin.is_scripted = True
    return origin


def test_a_client_that_stops_reading_pauses_the_endpoint_and_resumes_it() -> None:
    path = MemoryPath()
    origin = scripted(path)
    path.send(GET)
    path.transport.stop_taking()
    origin.connection.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n" + PIECE)
    assert not origin.transport.is_reading()
    path.transport.take(1 << 20)
    assert origin.transport.is_reading()
    origin.connection.data_received(PIECE)
    assert not origin.transport.is_reading()
    path.transport.take(1 << 20)
    origin.connection.data_received(PIECE)
    path.transport.take(1 << 20)
    assert path.statuses == [200]
    path.close()


def test_an_endpoint_paused_by_one_client_is_not_paused_for_the_next() -> None:
    path = MemoryPath()
    origin = scripted(path)
    path.send(GET)
    path.transport.stop_taking()
    origin.connection.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + PIECE)
    assert path.gateway.pool.idle == 1
    assert origin.transport.is_reading()
    path.close()


def test_no_request_is_begun_for_a_client_that_does_not_read() -> None:
    path = MemoryPath()
    origin = scripted(path)
    path.send(GET * 2)
    path.transport.stop_taking()
    origin.connection.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + PIECE)
    assert origin.transport.written.count(GET[:16]) == 1
    path.send(GET)
    assert origin.transport.written.count(GET[:16]) == 1
    path.transport.take(1 << 20)
    assert origin.transport.written.count(GET[:16]) == 2
    path.close()


def test_own_answers_do_not_pile_up_either() -> None:
    path = MemoryPath()
    path.transport.stop_taking()
    for _ in range(20):
        if path.transport.is_reading():
            path.send(UNKNOWN * 1000)
    assert not path.transport.is_reading()
    assert path.transport.get_write_buffer_size() < path.transport.HIGH + 1000
    while not path.transport.is_reading():
        path.transport.take(1 << 20)
    assert set(path.statuses) == {404}
    path.close()


def test_read_ahead_is_bounded_however_long_the_client_goes_on() -> None:
    path = MemoryPath(limits=Limits(pipelined_bytes=1000, requests_per_connection=10_000))
    path.origins[0].is_scripted = True
    sent = 0
    answered = 0
    while answered < 300:
        if path.transport.is_reading():
            path.send(GET * 50)
            sent += 50
        path.origins[0].connection.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        answered += 1
        assert sent - answered <= 1000 / len(GET) + 50
    assert path.statuses == [200] * 300
    path.close()


def test_read_ahead_that_turns_out_to_be_a_body_is_let_in() -> None:
    path = MemoryPath(limits=Limits(pipelined_bytes=1000))
    origin = scripted(path)
    post = b"POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5000\r\n\r\n"
    path.send(GET + post + b"x" * 2000)
    assert not path.transport.is_reading()
    origin.connection.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    assert path.transport.is_reading()
    path.send(b"x" * 3000)
    assert origin.transport.written.endswith(b"x" * 5000)
    path.close()


def post(path: MemoryPath, length: int) -> MemoryOrigin:
    origin = scripted(path)
    path.send(b"PUT / HTTP/1.1\r\nHost: a.example\r\nContent-Length: %d\r\n\r\n" % length)
    return origin


def test_an_endpoint_that_stops_reading_pauses_the_client_and_resumes_it() -> None:
    path = MemoryPath()
    origin = post(path, 300_000)
    origin.transport.stop_taking()
    path.send(PIECE)
    assert not path.transport.is_reading()
    origin.transport.take(1 << 20)
    assert path.transport.is_reading()
    path.send(PIECE)
    origin.transport.take(1 << 20)
    path.send(PIECE)
    assert not path.transport.is_reading()
    origin.connection.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    assert path.transport.is_reading()
    assert path.statuses == [200]
    path.close()


def test_a_first_piece_that_is_too_much_at_once_pauses_the_client_too() -> None:
    path = MemoryPath()
    origin = scripted(path)
    origin.transport.stop_taking()
    path.send(b"PUT / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 300000\r\n\r\n" + PIECE)
    assert not path.transport.is_reading()
    origin.transport.take(1 << 20)
    assert path.transport.is_reading()
    path.close()


def test_a_connection_with_unsent_request_bytes_is_not_used_again() -> None:
    path = MemoryPath()
    origin = post(path, 300_000)
    origin.transport.stop_taking()
    path.send(PIECE)
    origin.transport.take(90_000)
    path.send(PIECE)
    origin.transport.take(90_000)
    path.send(PIECE)
    origin.connection.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    assert origin.transport.aborted
    assert path.gateway.pool.idle == 0
    path.close()


def test_a_client_paused_by_one_request_is_not_paused_after_it() -> None:
    path = MemoryPath()
    origin = post(path, 100_000)
    origin.transport.stop_taking()
    path.send(PIECE + GET)
    assert not path.transport.is_reading()
    origin.transport.take(1 << 20)
    origin.connection.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    assert path.transport.is_reading()
    path.close()


UPGRADE = b"GET / HTTP/1.1\r\nHost: a.example\r\nConnection: upgrade\r\nUpgrade: chat\r\n\r\n"
SWITCHING = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: chat\r\n\r\n"


def tunnel(path: MemoryPath) -> MemoryOrigin:
    origin = scripted(path)
    path.send(UPGRADE)
    origin.connection.data_received(SWITCHING)
    origin.transport.stop_taking()
    return origin


def test_a_tunnel_pauses_whoever_is_too_fast() -> None:
    path = MemoryPath()
    origin = tunnel(path)
    path.send(PIECE)
    assert not path.transport.is_reading()
    origin.transport.take(1 << 20)
    assert path.transport.is_reading()
    path.transport.stop_taking()
    origin.connection.data_received(PIECE)
    assert not origin.transport.is_reading()
    path.transport.take(1 << 20)
    assert origin.transport.is_reading()
    path.close()


def test_a_tunnel_that_was_full_once_is_still_watched() -> None:
    path = MemoryPath()
    origin = tunnel(path)
    path.send(PIECE)
    origin.transport.take(1 << 20)
    assert origin.connection.deadline < float("inf")
    path.close()


def test_what_was_said_last_in_a_tunnel_is_still_sent() -> None:
    path = MemoryPath()
    origin = tunnel(path)
    origin.connection.eof_received()
    path.send(b"the last words")
    path.down.eof_received()
    assert origin.transport.is_closing()
    assert not origin.transport.aborted
    assert origin.transport.written.endswith(b"the last words")
    path.close()


def test_a_body_that_cannot_come_any_more_is_not_waited_for() -> None:
    path = MemoryPath()
    origin = scripted(path)
    path.send(GET + b"PUT / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 9\r\n\r\nabc")
    assert path.down.eof_received()
    origin.connection.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    assert path.transport.aborted
    path.close()
    assert path.statuses == [200, 499]
    assert b"PUT" not in origin.transport.written

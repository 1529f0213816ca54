"""Every wait ends: who is waited for, how long, and what the client is told. Time passes when the test says so."""

import pytest
from msgspec.structs import replace

from ingressd.policy.timeouts import Timeouts
from ingressd.proxy.limits import Limits
from ingressd.routing.snapshot import Route
from tests.support.clock import Clock
from tests.support.gateway import one_host
from tests.support.memory import MemoryOrigin, MemoryPath

GET = b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"
PUT = b"PUT / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 200000\r\n\r\n"
PIECE = b"x" * 100_000
LIMITS = Limits(
    header_s=10,
    keep_alive_s=30,
    body_gap_s=20,
    client_write_gap_s=15,
    linger_s=5,
    upstream_idle_s=25,
    linger_bytes=1000,
    min_rate=0.01,  # the gaps alone decide, but for the tests of the rate
)
RATED = replace(LIMITS, min_rate=100.0)
READ_S, SEND_S = 40.0, 35.0


@pytest.fixture(autouse=True)
def _clock(clock: Clock) -> None:
    passing[:] = [clock]


passing: list[Clock] = []


def make(limits: Limits = LIMITS) -> tuple[MemoryPath, MemoryOrigin]:
    timeouts = Timeouts(read_s=READ_S, send_s=SEND_S)
    path = MemoryPath(one_host([1], route=Route("prefix", "/", "default/app:80", timeouts=timeouts)), limits=limits)
    origin = path.origins[0]
    origin.is_scripted = True
    return path, origin


def passes(path: MemoryPath, seconds: float) -> None:
    path.local.pass_time(passing[0], seconds)


def check_waits(path: MemoryPath, seconds: float) -> None:
    """Nothing ends before ``seconds`` have passed (two ticks tolerance), then the client is told or cut off."""
    passes(path, seconds - 1)
    assert not path.transport.is_done()
    passes(path, 2)
    assert path.transport.is_done()


def test_no_request_at_all() -> None:
    path, _ = make()
    check_waits(path, 10)
    assert path.received == b""
    assert path.statuses == []
    path.close()


def test_an_unfinished_head_gets_408_and_no_time_for_further_bytes() -> None:
    path, _ = make()
    path.send(b"GET / HTTP/1.1\r\n")
    passes(path, 9)
    path.send(b"Host: a")
    passes(path, 2)
    assert path.received.startswith(b"HTTP/1.1 408 ")
    assert path.statuses == [408]
    path.close()


def test_an_unfinished_second_head() -> None:
    path, origin = make()
    path.send(GET + b"GET /")
    origin.connection.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    check_waits(path, 10)
    assert path.statuses == [200, 408]
    path.close()


@pytest.mark.parametrize("sent_since", [b"", b"\r\n"])
def test_an_idle_connection_is_closed_without_a_word(sent_since: bytes) -> None:
    path, origin = make()
    path.send(GET)
    origin.connection.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    path.send(sent_since)
    received = path.received
    check_waits(path, 30)
    assert path.received == received
    path.close()


def test_idle_after_an_own_answer() -> None:
    path, _ = make()
    path.send(b"GET / HTTP/1.1\r\nHost: b\r\n\r\n")
    check_waits(path, 30)
    assert path.statuses == [404]
    path.close()


def test_a_body_that_stalls() -> None:
    path, origin = make()
    path.send(PUT)
    passes(path, 15)
    path.send(b"x")
    passes(path, 15)
    assert not path.transport.is_done()
    passes(path, 10)
    assert path.received.startswith(b"HTTP/1.1 408 ")
    assert path.statuses == [408]
    assert origin.transport.aborted  # or the endpoint would take half a body for a whole one
    path.close()


def test_a_body_that_drips_is_refused_and_one_that_flows_is_not() -> None:
    dripping, _ = make(RATED)
    dripping.send(PUT)
    for _ in range(4):
        passes(dripping, 5)
        dripping.send(b"x")
    passes(dripping, 2)
    assert dripping.statuses == [408]
    dripping.close()
    flowing, _ = make(RATED)
    flowing.send(PUT)
    for _ in range(20):
        passes(flowing, 15)
        flowing.send(b"x" * 1600)
    assert not flowing.transport.is_done()
    flowing.close()


def test_time_in_which_the_endpoint_holds_a_body_back_is_not_counted() -> None:
    path, origin = make(RATED)
    path.send(PUT + b"x")
    for _ in range(2):
        passes(path, 15)
        origin.transport.stop_taking()
        path.send(b"x" * 90_000)
        passes(path, SEND_S - 5)
        origin.transport.take(90_000)
    passes(path, 15)
    assert not path.transport.is_done()
    path.close()


def test_a_reader_that_drips_is_cut_off() -> None:
    path, origin = make(RATED)
    path.send(GET)
    path.transport.stop_taking()
    origin.connection.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + PIECE)
    path.transport.take(2000)
    passes(path, 16)
    assert not path.transport.is_done()
    path.transport.take(100)
    passes(path, 16)
    assert path.transport.aborted
    path.close()


def test_a_body_held_back_by_the_endpoint_is_not_the_clients_fault() -> None:
    path, origin = make()
    origin.transport.stop_taking()
    path.send(PUT + PIECE)
    check_waits(path, SEND_S)
    assert path.received.startswith(b"HTTP/1.1 504 ")
    assert path.statuses == [504]
    path.close()


def test_an_endpoint_that_takes_the_body_slowly_gets_more_time() -> None:
    path, origin = make()
    origin.transport.stop_taking()
    path.send(PUT + PIECE)
    for _ in range(5):
        origin.transport.take(1000)
        passes(path, SEND_S + 1)
        assert not path.transport.is_done()
    passes(path, SEND_S + 1)
    assert path.statuses == [504]
    path.close()


def test_a_long_upload_over_a_reused_connection() -> None:
    path, _ = make()
    path.send(PUT)  # the connection has waited in the pool
    for _ in range(10):
        passes(path, 15)
        path.send(b"x" * 10)
    assert not path.transport.is_done()
    path.close()
    assert path.statuses == [499]


def test_an_endpoint_that_never_answers() -> None:
    path, _ = make()
    path.send(GET)
    passes(path, READ_S - 1)
    path.send(b"GET /")  # what the client sends meanwhile changes nothing
    passes(path, 2)
    assert path.received.startswith(b"HTTP/1.1 504 ")
    assert path.statuses[0] == 504
    assert path.local.retried() == {}
    path.close()


def test_the_endpoints_time_begins_when_it_has_the_whole_request() -> None:
    path, _ = make()
    path.send(PUT)
    for _ in range(20):
        passes(path, 10)
        path.send(b"x" * 10_000)
    passes(path, READ_S - 1)
    assert path.statuses == []
    passes(path, 2)
    assert path.statuses == [504]
    path.close()


def test_each_byte_of_a_response_buys_time() -> None:
    path, origin = make()
    path.send(GET)
    for byte in b"HTTP/1.1 200 OK\r\n":
        passes(path, READ_S - 1)
        origin.connection.data_received(bytes([byte]))
    assert not path.transport.is_done()
    origin.connection.data_received(b"Content-Length: 9\r\n\r\n1")
    passes(path, READ_S - 1)
    origin.connection.data_received(b"2")
    passes(path, READ_S + 1)
    assert path.transport.aborted
    assert path.statuses == [200]
    path.close()


def test_the_endpoint_is_not_to_blame_while_the_client_does_not_read() -> None:
    path, origin = make()
    path.send(GET)
    path.transport.stop_taking()
    origin.connection.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + PIECE)
    for _ in range(10):
        path.transport.take(1000)
        passes(path, 16)
    assert not path.transport.is_done()
    passes(path, 16)
    assert path.transport.aborted
    path.close()
    assert path.statuses == [200]


def test_a_client_that_does_not_read_before_its_connection_is_closed() -> None:
    path, origin = make()
    path.send(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    path.transport.stop_taking()
    origin.connection.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + PIECE)
    assert path.transport.is_done()
    path.transport.take(90_000)  # no longer paused, and still not all of it
    for _ in range(3):
        path.transport.take(10)
        passes(path, 16)
        assert not path.transport.aborted
    passes(path, 16)
    assert path.transport.aborted
    path.close()


def test_a_refused_client_may_go_on_sending_for_a_while() -> None:
    path, _ = make()
    path.send(b"NONSENSE\r\n\r\n")
    assert path.transport.ended
    path.send(b"x" * 999)
    assert path.transport.is_reading()
    path.send(b"x" * 999)
    assert not path.transport.is_reading()  # enough of it, but the answer must still arrive
    passes(path, 4)
    assert not path.transport.is_closing()
    passes(path, 2)
    assert path.transport.aborted
    path.close()


def test_an_idle_endpoint_connection_is_closed() -> None:
    path, origin = make()
    passes(path, 24)
    assert path.gateway.pool.idle == 1
    passes(path, 2)
    assert path.gateway.pool.idle == 0
    assert origin.transport.is_closing()
    path.close()


EXPECTING = PUT.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n")


def test_whoever_waits_for_100_waits_for_the_endpoint() -> None:
    path, _ = make()
    path.send(EXPECTING)
    check_waits(path, READ_S)
    assert path.received.startswith(b"HTTP/1.1 504 ")
    path.close()


def test_after_100_it_is_the_clients_turn() -> None:
    path, origin = make()
    path.send(EXPECTING)
    passes(path, READ_S - 1)
    origin.connection.data_received(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert path.received == b"HTTP/1.1 100 Continue\r\n\r\n"
    passes(path, 19)
    assert not path.transport.is_done()
    passes(path, 2)
    assert path.statuses == [408]
    path.close()


def test_a_body_sent_without_waiting_for_100() -> None:
    path, origin = make()
    path.send(EXPECTING)
    path.send(PIECE)
    passes(path, 19)
    path.send(PIECE)
    origin.connection.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    assert path.statuses == [200]
    assert not path.transport.is_done()
    path.close()


def test_no_deadline_outlives_its_connection() -> None:
    path, origin = make()
    path.send(PUT)
    path.lose()
    assert path.down.wake_at == origin.connection.wake_at == float("inf")
    passes(path, 1000)
    path.close()

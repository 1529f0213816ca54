"""What load programs print, and what we make of it."""

import pytest

from benchmarks.peers.clients.answers import Answers, percentile
from benchmarks.peers.load import LoadError, parse_h2load, parse_wrk

WRK = """Running 1s test @ http://localhost:8080/
  1 threads and 64 connections
  Latency Distribution
     50%    1.72ms
  20765 requests in 1.05s, 4.79MB read
  Socket errors: connect 0, read 1, write 0, timeout 2
  Non-2xx or 3xx responses: 3

{"requests": 20765, "bytes": 5025130, "duration_us": 1045136, "connect": 0, "read": 1, "write": 0, "status": 3, \
"timeout": 2, "p50_us": 1720, "p99_us": 66763, "p999_us": 91429}
"""

H2LOAD = """starting benchmark...
TLS Protocol: TLSv1.3
Application protocol: {protocol}

finished in {time}, 8200.00 req/s, 2.07MB/s
requests: 8230 total, 8206 started, 8204 done, 8200 succeeded, 4 failed, 1 errored, 2 timeout
status codes: 8200 2xx, 0 3xx, 3 4xx, 1 5xx
traffic: 2.07MB (2167432) total, 104.13KB (106630) headers (space savings 90.00%), 800.78KB (820000) data
"""


def test_wrk() -> None:
    seen = parse_wrk(WRK)
    assert (seen.requests, seen.seconds, seen.bytes, seen.errors) == (20765, 1.045136, 5025130, 6)
    assert seen.latency_us == {"p50": 1720, "p99": 66763, "p99.9": 91429}


def test_wrk_without_figures() -> None:
    with pytest.raises(LoadError, match="unable to connect"):
        parse_wrk("unable to connect to localhost:8080 Connection refused\n")


@pytest.mark.parametrize(("time", "seconds"), [("2.00s", 2.0), ("998.50ms", 0.9985), ("900us", 0.0009), ("1m", 60.0)])
def test_h2load(time: str, seconds: float) -> None:
    seen = parse_h2load(H2LOAD.format(protocol="h2", time=time))
    assert (seen.requests, seen.errors, seen.bytes) == (8200, 4 + 1 + 2 + 3 + 1, 2167432)
    assert seen.seconds == pytest.approx(seconds)


def test_h2load_that_fell_back() -> None:
    with pytest.raises(LoadError, match=r"http/1\.1 instead of h2"):
        parse_h2load(H2LOAD.format(protocol="http/1.1", time="1s"))


def test_h2load_without_figures() -> None:
    with pytest.raises(LoadError, match="unrecognized option"):
        parse_h2load("h2load: unrecognized option\n")


@pytest.mark.parametrize(("share", "value"), [(0.5, 50.0), (0.99, 99.0), (0.999, 100.0), (1.0, 100.0), (0.0, 1.0)])
def test_percentile(share: float, value: float) -> None:
    assert percentile([float(number) for number in range(1, 101)], share) == value


def test_percentile_of_few() -> None:
    assert percentile([], 0.5) == 0.0
    assert percentile([7.0], 0.999) == 7.0


ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nServer: x\r\n\r\nhello"


def test_answer_in_pieces() -> None:
    answers = Answers()
    assert [answers.feed(bytes([byte])) for byte in ANSWER * 2] == ([False] * (len(ANSWER) - 1) + [True]) * 2
    assert answers.ok


def test_answer_of_another_status() -> None:
    answers = Answers()
    assert answers.feed(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
    assert not answers.ok


@pytest.mark.parametrize("data", [ANSWER + b"more", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"])
def test_what_is_no_single_answer(data: bytes) -> None:
    with pytest.raises(ValueError, match="answer"):
        Answers().feed(data)

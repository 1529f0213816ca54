"""A rate is one rate whatever the number of workers: as many get through with two as with one."""

import os
import signal
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from tests.annotations.case import Ask, Case
from tests.annotations.desk import Desk
from tests.annotations.wire import Line
from tests.support.eventually import eventually

CONNECTIONS, REQUESTS = 50, 4
BY_MINUTE = Case(title="by the minute", annotations={"limit-rpm": "10"}, steps=())
BY_SECOND = Case(title="by the second", annotations={"limit-rps": "10"}, steps=())
HELD = Case(title="at a time", annotations={"limit-connections": "5", "proxy-read-timeout": "2"}, steps=())
AT_A_TIME = 12
_PLAIN = Ask()
AT_ONCE = 51  # ten, five times over as burst, and the one that finds it empty


def statuses(
    desk: Desk,
    case: Case,
    ask: Ask = _PLAIN,
    connections: int = CONNECTIONS,
    requests: int = REQUESTS,
) -> Counter[int]:
    """Of all requests of all connections, which are open before the first of them asks."""
    host = desk.host(case)
    together = Barrier(connections)

    def client(_: int) -> list[int]:
        line = Line(desk.daemon.http_port, ask, host, None)
        together.wait(10)
        try:
            return [line.ask(ask, host, {}).status for _ in range(requests)]
        finally:
            line.close()

    with ThreadPoolExecutor(connections) as pool:
        return Counter(status for found in pool.map(client, range(connections)) for status in found)


@pytest.mark.parametrize("workers", [1, 2])
def test_the_same_number_gets_through(workers: int) -> None:
    with Desk("rates", [BY_MINUTE, BY_SECOND], f"--workers={workers}") as desk:
        by_minute = statuses(desk, BY_MINUTE)
        started = time.monotonic()
        by_second = statuses(desk, BY_SECOND)
        leaked = 10 * (time.monotonic() - started)

    assert set(by_minute) == set(by_second) == {200, 503}
    assert sum(by_minute.values()) == sum(by_second.values()) == CONNECTIONS * REQUESTS
    assert AT_ONCE <= by_minute[200] <= AT_ONCE + 1  # one more every six seconds
    assert AT_ONCE <= by_second[200] <= AT_ONCE + leaked + 1


@pytest.mark.parametrize("workers", [1, 2])
def test_so_many_at_a_time(workers: int) -> None:
    """Those that got through wait for an endpoint that says nothing; the others are told at once."""
    with Desk("held", [HELD], f"--workers={workers}") as desk:
        found = statuses(desk, HELD, Ask(answer={"stall": True}), AT_A_TIME, 1)

    assert found == {504: 5, 503: AT_A_TIME - 5}


@pytest.mark.parametrize("workers", [1, 2])
def test_what_killed_workers_had_under_way_is_under_way_no_more(workers: int) -> None:
    case = Case(title="at a time", annotations={"limit-connections": "5"}, steps=())
    stalled = Ask(answer={"stall": True})
    with Desk("killed", [case], f"--workers={workers}") as desk, ThreadPoolExecutor(5) as pool:
        lines = [Line(desk.daemon.http_port, stalled, desk.host(case), None) for _ in range(5)]
        held = [pool.submit(line.ask, stalled, desk.host(case), {}) for line in lines]
        eventually(lambda: desk.daemon.metrics().sum("ingressd_upstream_connections", state="active") == 5)
        assert status(desk, case) == 503

        for pid in desk.daemon.workers.values():
            os.kill(pid, signal.SIGKILL)

        assert all(isinstance(one.exception(), ConnectionError) for one in held)
        eventually(lambda: status(desk, case) == 200)


def status(desk: Desk, case: Case) -> int:
    line = Line(desk.daemon.http_port, _PLAIN, desk.host(case), None)
    try:
        return line.ask(_PLAIN, desk.host(case), {}).status
    finally:
        line.close()

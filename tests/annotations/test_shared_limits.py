"""A rate is one rate whatever the number of workers: as many get through with two as with one."""

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from tests.annotations.case import Ask, Case
from tests.annotations.desk import Desk
from tests.annotations.wire import Line

CONNECTIONS, REQUESTS = 50, 4
BY_MINUTE = Case(title="by the minute", annotations={"limit-rpm": "10"}, steps=())
BY_SECOND = Case(title="by the second", annotations={"limit-rps": "10"}, steps=())
AT_ONCE = 51  # ten, five times over as burst, and the one that finds it empty


def statuses(desk: Desk, case: Case) -> Counter[int]:
    """Of all requests of all connections, which are open before the first of them asks."""
    host = desk.host(case)
    together = Barrier(CONNECTIONS)

    def client(_: int) -> list[int]:
        line = Line(desk.daemon.http_port, Ask(), host, None)
        together.wait(10)
        try:
            return [line.ask(Ask(), host, {}).status for _ in range(REQUESTS)]
        finally:
            line.close()

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        return Counter(status for found in pool.map(client, range(CONNECTIONS)) for status in found)


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

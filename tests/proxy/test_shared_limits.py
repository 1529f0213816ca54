"""Limits that all workers share: the arithmetic, real processes, crashes, and a full table."""

import os
import signal
import warnings
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingressd.policy.rate_limit import RateLimits
from ingressd.proxy.shared_limits import (
    MAX_WORKERS,
    NOTHING_HELD,
    TOO_FAST,
    TOO_MANY,
    UNDECIDED,
    BoundLimits,
    SharedLimits,
)

TEN = RateLimits("a", per_second=10)
CLIENT = "192.0.2.1"


@pytest.fixture
def fd() -> Iterator[int]:
    fd = SharedLimits.create(2)
    yield fd
    os.close(fd)


@pytest.fixture
def shared(fd: int) -> SharedLimits:
    return SharedLimits(fd, workers=2, index=0)


def passed(shared: SharedLimits, limits: BoundLimits, now_ms: int, times: int, client: str = CLIENT) -> int:
    return sum(shared.enter(limits, client, now_ms) >= 0 for _ in range(times))


def in_a_worker(body: Callable[[], int]) -> Callable[[], int]:
    """Run ``body`` in a forked process; the function returned waits and gives its result, below 0 if it was killed."""
    read, write = os.pipe()
    with warnings.catch_warnings():  # from 3.12 on: pytest's watchdog is a thread; it takes no lock the child needs
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        try:
            os.write(write, b"%d" % body())
        finally:
            os._exit(0)
    os.close(write)

    def result() -> int:
        said = os.read(read, 100)
        os.close(read)
        _, status = os.waitpid(pid, 0)
        return int(said) if said else -os.WTERMSIG(status)

    return result


# -- the arithmetic

AT_ONCE = {
    "rps 1": (RateLimits("a", per_second=1), 6),
    "rps 10": (TEN, 51),
    "rpm 1": (RateLimits("a", per_minute=1), 6),
    "rpm 30, twice": (RateLimits("a", per_minute=30, burst_multiplier=2), 61),
    "no burst": (RateLimits("a", per_second=10, burst_multiplier=0), 1),
    "both: the smaller": (RateLimits("a", per_second=10, per_minute=6), 31),
    "connections only": (RateLimits("a", connections=7), 7),
}


@pytest.mark.parametrize(("limits", "at_once"), AT_ONCE.values(), ids=AT_ONCE)
def test_so_many_pass_at_once(shared: SharedLimits, limits: RateLimits, at_once: int) -> None:
    assert passed(shared, BoundLimits(limits), 1000, 500) == at_once


def test_the_bucket_leaks_at_the_rate(shared: SharedLimits) -> None:
    limits = BoundLimits(TEN)
    assert passed(shared, limits, 1000, 500) == 51
    assert passed(shared, limits, 1099, 500) == 0
    assert passed(shared, limits, 1100, 500) == 1
    assert passed(shared, limits, 2100, 500) == 10
    assert passed(shared, limits, 60_000, 500) == 51


def test_refused_requests_do_not_add(shared: SharedLimits) -> None:
    limits = BoundLimits(TEN)
    passed(shared, limits, 1000, 51)
    assert [shared.enter(limits, CLIENT, 1000 + ms) for ms in range(100)] == [TOO_FAST] * 100
    assert shared.enter(limits, CLIENT, 1100) == NOTHING_HELD


def test_clients_and_limits_are_apart_and_spellings_are_not(shared: SharedLimits) -> None:
    limits, other = BoundLimits(TEN), BoundLimits(RateLimits("b", per_second=10))
    assert passed(shared, limits, 1000, 500) == 51
    assert passed(shared, limits, 1000, 500, "::ffff:192.0.2.1") == 0
    assert passed(shared, limits, 1000, 500, "192.0.2.2") == 51
    assert passed(shared, other, 1000, 500) == 51
    assert passed(shared, limits, 1000, 500, "2001:db8::1") == 51
    assert passed(shared, limits, 1000, 500, "2001:DB8:0:0::1") == 0


def test_exempt_clients_are_not_counted(shared: SharedLimits) -> None:
    limits = BoundLimits(RateLimits("a", per_second=1, connections=1, exempt=("192.0.2.0/24",)))
    assert passed(shared, limits, 1000, 500) == 500
    assert passed(shared, limits, 1000, 500, "198.51.100.1") == 1


def test_a_client_without_an_address_is_one_client(shared: SharedLimits) -> None:
    limits = BoundLimits(RateLimits("a", per_second=1, exempt=("0.0.0.0/0", "::/0")))
    assert passed(shared, limits, 1000, 500, "unknown") == 6


def test_counters_outlive_the_configuration(fd: int, shared: SharedLimits) -> None:
    assert passed(shared, BoundLimits(TEN), 1000, 500) == 51
    again = SharedLimits(fd, workers=2, index=0)
    assert passed(again, BoundLimits(TEN), 1000, 500) == 0


def nginx(rate: int, burst: int, times_ms: list[int]) -> list[bool]:
    """The algorithm of ngx_http_limit_req_lookup, for one client."""
    verdicts, known, excess, last = [], False, 0, 0
    for now in times_ms:
        after = max(0, excess - rate * (now - last) // 1000 + 1000) if known else 0
        verdicts.append(after <= burst)
        if after <= burst:
            known, excess, last = True, after, now
    return verdicts


@given(st.integers(1, 100), st.booleans(), st.integers(1, 5), st.lists(st.integers(0, 3000), max_size=80))
def test_every_verdict_is_nginx_s(number: int, is_minute: bool, multiplier: int, pauses_ms: list[int]) -> None:
    now, times = 5_000, []
    for pause in pauses_ms:
        now += pause
        times.append(now)
    settings = RateLimits("a", 0 if is_minute else number, number if is_minute else 0, burst_multiplier=multiplier)
    fd = SharedLimits.create(1)
    shared, limits = SharedLimits(fd, workers=1, index=0), BoundLimits(settings)
    ours = [shared.enter(limits, CLIENT, time) >= 0 for time in times]
    os.close(fd)
    rate = number * 1000 // (60 if is_minute else 1)
    assert ours == nginx(rate, number * multiplier * 1000, times)


# -- requests at a time


def test_requests_at_a_time(shared: SharedLimits) -> None:
    limits = BoundLimits(RateLimits("a", connections=2))
    held = [shared.enter(limits, CLIENT, 1000) for _ in range(3)]
    assert held[0] > 0
    assert held[2] == TOO_MANY
    shared.leave(held[0])
    assert shared.enter(limits, CLIENT, 1000) == held[0]
    assert shared.enter(limits, CLIENT, 1000) == TOO_MANY
    assert shared.enter(limits, "192.0.2.2", 1000) > 0


def test_the_rate_comes_first_and_counts_what_is_too_many(shared: SharedLimits) -> None:
    limits = BoundLimits(RateLimits("a", per_second=1, connections=1))
    assert shared.enter(limits, CLIENT, 1000) > 0
    assert [shared.enter(limits, CLIENT, 1000) for _ in range(7)] == [TOO_MANY] * 5 + [TOO_FAST] * 2


def test_leaving_more_often_than_entering_counts_nothing_below_zero(shared: SharedLimits) -> None:
    limits = BoundLimits(RateLimits("a", connections=1))
    held = shared.enter(limits, CLIENT, 1000)
    for _ in range(3):
        shared.leave(held)
    shared.leave(NOTHING_HELD)
    assert passed(shared, limits, 1000, 5) == 1


# -- processes


def hammer(fd: int, workers: int, index: int) -> Callable[[], int]:
    def body() -> int:
        shared, limits = SharedLimits(fd, workers=workers, index=index), BoundLimits(TEN)
        return sum(passed(shared, limits, now, 60) for now in range(1000, 3000, 10))

    return in_a_worker(body)


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_workers_together_let_through_what_one_would(workers: int) -> None:
    fd = SharedLimits.create(workers)
    running = [hammer(fd, workers, index) for index in range(workers)]
    assert sum(result() for result in running) == 51 + 19
    os.close(fd)


def test_requests_at_a_time_are_counted_over_all_workers(fd: int, shared: SharedLimits) -> None:
    limits = BoundLimits(RateLimits("a", connections=5))
    assert passed(shared, limits, 1000, 2) == 2

    def other() -> int:
        mine = SharedLimits(fd, workers=2, index=1)
        held = [mine.enter(limits, CLIENT, 1000) for _ in range(10)]
        for one in held:
            mine.leave(one)
        return sum(one > 0 for one in held)

    assert in_a_worker(other)() == 3
    assert passed(shared, limits, 1000, 10) == 3


def test_what_a_killed_worker_had_under_way_is_forgotten(fd: int, shared: SharedLimits) -> None:
    limits = BoundLimits(RateLimits("a", connections=5))
    assert passed(shared, limits, 1000, 1) == 1

    def dies() -> int:
        passed(SharedLimits(fd, workers=2, index=1), limits, 1000, 4)
        os.kill(os.getpid(), signal.SIGKILL)
        return 0

    assert in_a_worker(dies)() == -signal.SIGKILL
    assert passed(shared, limits, 1000, 9) == 0
    replacement = SharedLimits(fd, workers=2, index=1)
    assert passed(replacement, limits, 1000, 9) == 4


def test_a_worker_killed_inside_a_bucket_leaves_it_open(fd: int, shared: SharedLimits) -> None:
    limits = BoundLimits(TEN)
    shared.enter(limits, CLIENT, 1000)
    bucket, _ = limits.places[CLIENT]

    def dies() -> int:
        mine = SharedLimits(fd, workers=2, index=1)
        if mine._acquire(bucket):
            os.kill(os.getpid(), signal.SIGKILL)
        return 0

    assert in_a_worker(dies)() == -signal.SIGKILL
    assert passed(shared, limits, 1000, 500) == 50


def test_a_worker_that_stops_inside_a_bucket_costs_its_clients_an_answer_and_nobody_else(
    fd: int, shared: SharedLimits
) -> None:
    limits = BoundLimits(TEN)
    shared.enter(limits, CLIENT, 1000)
    bucket, _ = limits.places[CLIENT]
    is_inside, may_go = os.pipe(), os.pipe()

    def stops() -> int:
        os.close(may_go[1])  # or a test that fails would leave this process waiting for itself
        mine = SharedLimits(fd, workers=2, index=1)
        has_it = mine._acquire(bucket)
        os.write(is_inside[1], b"x")
        os.read(may_go[0], 1)
        return int(has_it)

    result = in_a_worker(stops)
    os.read(is_inside[0], 1)
    assert shared.enter(limits, CLIENT, 1000) == UNDECIDED
    limits.places["another"] = (bucket ^ 1, b"k" * 16)
    assert shared.enter(limits, "another", 1000) == NOTHING_HELD
    os.write(may_go[1], b"x")
    assert result() == 1
    for end in (*is_inside, *may_go):
        os.close(end)
    assert shared.enter(limits, CLIENT, 1000) == NOTHING_HELD


# -- a full bucket


def crowd(limits: BoundLimits, count: int) -> list[str]:
    """Clients that all meet in one bucket."""
    clients = [f"client {number}" for number in range(count)]
    for number, client in enumerate(clients, 1):
        limits.places[client] = (7, bytes([number]) * 16)
    return clients


def test_in_a_full_bucket_who_owes_nothing_makes_room(shared: SharedLimits) -> None:
    limits = BoundLimits(TEN)
    *clients, newcomer = crowd(limits, 9)
    for client in clients[:7]:
        passed(shared, limits, 1000, 500, client)
    passed(shared, limits, 1000, 1, clients[7])
    assert passed(shared, limits, 1000, 500, newcomer) == 51
    assert [passed(shared, limits, 1000, 1, client) for client in clients[:7]] == [0] * 7


def test_in_a_full_bucket_a_newcomer_takes_over_the_smallest_debt(shared: SharedLimits) -> None:
    limits = BoundLimits(TEN)
    *clients, newcomer = crowd(limits, 9)
    for owed, client in enumerate(clients):
        assert passed(shared, limits, 1000, 10 + owed, client) == 10 + owed
    assert passed(shared, limits, 1000, 500, newcomer) == 41  # the first of them had 41 left


def test_nobody_gets_a_fresh_burst_by_being_pushed_out(shared: SharedLimits) -> None:
    limits = BoundLimits(TEN)
    clients = crowd(limits, 40)
    total = sum(passed(shared, limits, 1000, 500, client) for _ in range(5) for client in clients)
    assert total == 8 * 51
    assert sum(passed(shared, limits, 1100, 500, client) for client in clients) == 8


def test_a_slot_with_requests_under_way_is_not_given_away(shared: SharedLimits) -> None:
    limits = BoundLimits(RateLimits("a", connections=1))
    *clients, newcomer = crowd(limits, 9)
    held = [shared.enter(limits, client, 1000) for client in clients]
    assert shared.enter(limits, newcomer, 1000) == UNDECIDED
    shared.leave(held[3])
    assert shared.enter(limits, newcomer, 1000) == held[3]


def test_what_is_remembered_of_clients_is_bounded(shared: SharedLimits) -> None:
    limits = BoundLimits(TEN)
    for number in range(10_000):
        assert shared.enter(limits, f"10.0.{number >> 8}.{number & 255}", 1000) == NOTHING_HELD
    assert len(limits.places) <= 4096


@pytest.mark.parametrize("workers", [0, MAX_WORKERS + 1])
def test_a_number_of_workers_that_has_no_room_is_named(workers: int) -> None:
    with pytest.raises(ValueError, match=f"{workers} workers cannot share limits"):
        SharedLimits.create(workers)

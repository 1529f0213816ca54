"""Waits after failures, on a clock of our own."""

import pytest

from ingressd.kube.backoff import Backoff, KeyedRetries, TokenBucket


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def low(least: float, most: float) -> float:
    return least


def high(least: float, most: float) -> float:
    return most


def test_waits_double_up_to_the_cap(clock: Clock) -> None:
    backoff = Backoff(clock=clock, uniform=low)
    assert [backoff.after_failure() for _ in range(8)] == [0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0, 30.0]


def test_jitter_lengthens_by_as_much_again_and_stays_below_the_cap(clock: Clock) -> None:
    backoff = Backoff(clock=clock, uniform=high)
    assert [backoff.after_failure() for _ in range(6)] == [1.6, 3.2, 6.4, 12.8, 25.6, 30.0]


def test_the_servers_wish_is_a_least_wait(clock: Clock) -> None:
    backoff = Backoff(clock=clock, uniform=low)
    assert backoff.after_failure(at_least_s=5.0) == 5.0
    assert backoff.after_failure(at_least_s=1.0) == 1.6
    assert backoff.after_failure(at_least_s=60.0) == 60.0


def test_health_is_counted_from_the_end_of_the_wait(clock: Clock) -> None:
    backoff = Backoff(clock=clock, uniform=low)
    backoff.after_failure()
    backoff.after_failure(at_least_s=10.0)
    clock.now += 129.9
    assert backoff.after_failure() == 3.2
    clock.now += 3.2 + 120.0
    assert backoff.is_at_rest
    assert backoff.after_failure() == 0.8


def test_only_the_first_in_a_row_is_at_once(clock: Clock) -> None:
    backoff = Backoff(clock=clock, uniform=low)
    assert [backoff.at_once() for _ in range(3)] == [0.0, 1.6, 3.2]
    clock.now += 3.2 + 120.0
    assert backoff.at_once() == 0.0


def test_it_lasts_for_weeks(clock: Clock) -> None:
    backoff = Backoff(clock=clock, uniform=low)
    for _ in range(2000):
        delay_s = backoff.after_failure()
        clock.now += delay_s
    assert delay_s == 30.0


def test_a_bucket_gives_its_burst_and_then_its_rate(clock: Clock) -> None:
    bucket = TokenBucket(per_s=10.0, burst=2, clock=clock)
    assert [bucket.take() for _ in range(4)] == pytest.approx([0.0, 0.0, 0.1, 0.2])
    clock.now += 100.0
    assert [bucket.try_take() for _ in range(3)] == [True, True, False]
    clock.now += 0.15
    assert bucket.try_take()


def test_each_key_has_its_own_row_of_failures(clock: Clock) -> None:
    retries = KeyedRetries[str](clock=clock)
    assert [retries.after_failure("a") for _ in range(3)] == [0.005, 0.01, 0.02]
    assert retries.after_failure("b") == 0.005
    retries.forget("a")
    assert retries.after_failure("a") == 0.005


def test_one_key_waits_no_longer_than_the_cap(clock: Clock) -> None:
    retries = KeyedRetries[str](clock=clock)
    for _ in range(40):
        clock.now += 1000.0
        delay_s = retries.after_failure("a")
    assert delay_s == 1000.0


def test_all_keys_together_are_retried_ten_times_a_second_after_a_burst(clock: Clock) -> None:
    retries = KeyedRetries[int](clock=clock)
    waits = [retries.after_failure(key) for key in range(120)]
    assert waits[:100] == [0.005] * 100
    assert waits[100:] == pytest.approx([0.1 * n for n in range(1, 21)])

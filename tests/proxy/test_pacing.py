"""How much of an answer may go when."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingressd.policy.rate_limit import Bandwidth
from ingressd.proxy.pacing import Pacer


def test_the_first_bytes_are_free() -> None:
    pacer = Pacer(Bandwidth(1000, after_bytes=5000), 10.0)
    assert pacer.allowance(10.0) == 6000  # and a second's worth
    assert pacer.sent(4999, 10.0) == 0.0
    assert pacer.allowance(10.0) == 1001


def test_an_exhausted_budget_says_how_long_to_wait() -> None:
    pacer = Pacer(Bandwidth(1000), 10.0)
    assert pacer.sent(1000, 10.0) == pytest.approx(0.1)
    assert pacer.allowance(10.0) == 0
    assert pacer.allowance(10.1) == pytest.approx(100, abs=1)


def test_a_piece_that_cannot_be_divided_is_waited_for() -> None:
    pacer = Pacer(Bandwidth(1000), 10.0)
    assert pacer.sent(5000, 10.0) == pytest.approx(4.1)
    assert pacer.allowance(14.0) == 0


def test_waiting_for_the_upstream_saves_up_one_second_only() -> None:
    pacer = Pacer(Bandwidth(1000), 10.0)
    pacer.sent(1000, 10.0)
    assert pacer.allowance(100.0) == 1000


def test_a_clock_that_stands_still() -> None:
    pacer = Pacer(Bandwidth(1000), 10.0)
    assert pacer.allowance(9.0) == 1000


@given(st.integers(1, 10**7), st.integers(0, 10**6), st.lists(st.integers(1, 300_000), min_size=1, max_size=50))
def test_never_faster_than_the_rate(rate: int, after: int, pieces: list[int]) -> None:
    pacer, now, gone = Pacer(Bandwidth(rate, after), 0.0), 0.0, 0
    for piece in pieces:
        count = min(piece, pacer.allowance(now))
        gone += count
        assert gone <= after + rate * (1.0 + now) + 1
        wait_s = pacer.sent(count, now)
        assert wait_s <= 0.1 + 1 / rate
        now += wait_s
        assert pacer.allowance(now) > 0 or rate < 100

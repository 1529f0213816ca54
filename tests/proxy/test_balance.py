"""Round robin: even, and never the same endpoint twice for one request while there is another."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from ingressd.proxy.balance import round_robin


@given(st.integers(1, 7), st.integers(0, 1 << 20), st.integers(1, 50))
def test_even(count: int, start: int, rounds: int) -> None:
    endpoints = [f"e{number}" for number in range(count)]
    picks = Counter(round_robin(endpoints, start + step, ()) for step in range(count * rounds))
    assert set(picks.values()) == {rounds}
    assert len(picks) == count


@given(st.integers(1, 7), st.integers(0, 1 << 20))
def test_a_retry_goes_elsewhere_until_all_were_tried(count: int, start: int) -> None:
    endpoints = [f"e{number}" for number in range(count)]
    tried: list[str] = []
    for step in range(count):
        pick = round_robin(endpoints, start + step, tried)
        assert pick is not None
        assert pick not in tried
        tried.append(pick)
    assert round_robin(endpoints, start + count, tried) in endpoints


def test_nobody_there() -> None:
    assert round_robin([], 3, ()) is None

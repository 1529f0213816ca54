from collections import Counter

import pytest

from ingressd.proxy.balance import DECAY_S, Latency, better_of_two


def seen(*readings: tuple[float, float]) -> Latency:
    """Readings are (seconds it took, when)."""
    latency = Latency()
    for took_s, now in readings:
        latency.observe(took_s, now)
    return latency


@pytest.mark.parametrize(
    ("readings", "now", "expected"),
    [
        ((), 5.0, 0.0),
        (((0.2, 1.0),), 1.0, 0.2),
        (((0.2, 1.0), (0.9, 1.1)), 1.1, 0.9),  # a peak counts at once
        (((0.9, 1.0), (0.1, 1.0)), 1.0, 0.9),  # a quick answer in the same moment changes nothing
        (((0.9, 0.0), (0.1, DECAY_S)), DECAY_S, 0.1 + 0.8 * 0.36788),
        (((0.9, 0.0),), DECAY_S, 0.9 * 0.36788),  # left alone it fades
        (((0.9, 0.0),), 1e6, 0.0),
        (((0.9, 5.0),), 4.0, 0.9),  # a clock that is behind
    ],
)
def test_what_to_expect(readings: tuple[tuple[float, float], ...], now: float, expected: float) -> None:
    assert seen(*readings).seconds(now) == pytest.approx(expected, abs=1e-5)


def test_a_busy_endpoint_costs_more_even_when_nothing_is_known_of_it() -> None:
    assert Latency().cost(3, 0.0) > Latency().cost(1, 0.0) > Latency().cost(0, 0.0)
    slow, quick = seen((1.0, 0.0)), seen((0.1, 0.0))
    assert slow.cost(0, 0.0) > quick.cost(3, 0.0)
    assert slow.cost(0, 0.0) < quick.cost(20, 0.0)


COSTS = {"a": 1.0, "b": 2.0, "c": 3.0}


def test_the_better_of_each_pair() -> None:
    picks = Counter(better_of_two("abc", roll, (), COSTS.__getitem__) for roll in range(6))
    assert picks == {"a": 4, "b": 2}  # of the six ordered pairs; the worst is never the better one


def test_equals_share() -> None:
    picks = Counter(better_of_two("abcd", roll, (), lambda _: 1.0) for roll in range(12))
    assert picks == {"a": 3, "b": 3, "c": 3, "d": 3}


@pytest.mark.parametrize(
    ("endpoints", "tried", "picks"),
    [
        ("", "", {None}),
        ("a", "", {"a"}),
        ("a", "a", {"a"}),
        ("abc", "a", {"b"}),
        ("abc", "ab", {"c"}),
        ("abc", "abc", {"a", "b"}),
        ("ab", "", {"a"}),
    ],
)
def test_second_attempts_go_elsewhere_while_there_is_somebody(
    endpoints: str, tried: str, picks: set[str | None]
) -> None:
    rolls = range(12)
    assert {better_of_two(list(endpoints), roll, list(tried), COSTS.__getitem__) for roll in rolls} == picks

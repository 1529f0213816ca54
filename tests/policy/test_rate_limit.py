"""The bucket's arithmetic, digit for digit."""

import pytest

from ingressd.policy.rate_limit import NO_LIMIT, Leak, RateLimits, leak_per_minute, leak_per_second

LEAKS = {
    "a second": (RateLimits("a", per_second=10), Leak(10_000, 50_000), NO_LIMIT),
    "a minute": (RateLimits("a", per_minute=30, burst_multiplier=2), NO_LIMIT, Leak(500, 60_000)),
    "one a minute, rounded down": (RateLimits("a", per_minute=1), NO_LIMIT, Leak(16, 5_000)),
    "both": (RateLimits("a", per_second=1, per_minute=60), Leak(1000, 5_000), Leak(1000, 300_000)),
    "none": (RateLimits("a", connections=3), NO_LIMIT, NO_LIMIT),
    "no burst": (RateLimits("a", per_second=2, burst_multiplier=0), Leak(2000, 0), NO_LIMIT),
}
# rate, level, elapsed ms, level with one request more
LEVELS = (
    (1000, 0, 0, 1000),
    (1000, 0, 400, 600),
    (1000, 5000, 1000, 5000),
    (1000, 5000, 999, 5001),
    (1000, 500, 10_000, 0),
    (16, 1000, 62, 2000),
    (16, 1000, 63, 1999),
)


@pytest.mark.parametrize(("limits", "second", "minute"), LEAKS.values(), ids=LEAKS)
def test_rates_and_bursts(limits: RateLimits, second: Leak, minute: Leak) -> None:
    assert (leak_per_second(limits), leak_per_minute(limits)) == (second, minute)


@pytest.mark.parametrize(("rate", "level", "elapsed_ms", "after"), LEVELS)
def test_levels(rate: int, level: int, elapsed_ms: int, after: int) -> None:
    assert Leak(rate, 0).level(level, elapsed_ms) == after


@pytest.mark.parametrize(("rate", "level", "empty_ms"), [(1000, 2500, 2500), (16, 16, 1000), (0, 0, 0)])
def test_when_it_is_empty(rate: int, level: int, empty_ms: int) -> None:
    assert Leak(rate, 0).empty_in_ms(level) == empty_ms

"""Which endpoint gets the next attempt. Pure: position, time and randomness are passed in."""

from collections.abc import Callable, Collection, Sequence
from math import exp
from typing import TypeVar

T = TypeVar("T")

DECAY_S = 10.0
"""Seconds after which a latency counts for a third of what it did, as in ingress-nginx."""
LEAST_LATENCY_S = 1e-4  # what differs by less does not differ; and a factor of zero would hide how busy an endpoint is


def round_robin(endpoints: Sequence[T], position: int, tried: Collection[T]) -> T | None:
    """The endpoint at ``position`` (any non-negative number), or the next one after it that is not in ``tried``.

    When all were tried the one at ``position`` is tried again: with a single endpoint a retry has nowhere else to go.
    None when there are no endpoints.
    """
    count = len(endpoints)
    if not count:
        return None
    first = endpoints[position % count]
    if first not in tried:
        return first
    for step in range(1, count):
        candidate = endpoints[(position + step) % count]
        if candidate not in tried:
            return candidate
    return first


class Latency:
    """How long an endpoint took lately: the peak-sensitive moving average of Finagle (peak EWMA).

    A reading above the average replaces it at once, one below moves it slowly; left alone, it fades, so that whoever
    was slow is asked again. It belongs to the address, and outlives every swap of the table.
    """

    __slots__ = ("_at", "_value_s")

    def __init__(self) -> None:
        self._value_s = 0.0  # when ``_at``; 0.0: nothing known
        self._at = 0.0

    def observe(self, took_s: float, now: float) -> None:
        """An attempt took ``took_s`` seconds, connecting included, up to the response's head or its failure."""
        value = self._value_s
        if took_s < value:
            weight = exp((self._at - now) / DECAY_S) if now > self._at else 1.0
            took_s += (value - took_s) * weight
        self._value_s = took_s
        self._at = now

    def seconds(self, now: float) -> float:
        """What to expect of the endpoint; 0.0 when nothing is known, or not any more."""
        if not self._value_s or now <= self._at:
            return self._value_s
        return self._value_s * exp((self._at - now) / DECAY_S)

    def cost(self, active: int, now: float) -> float:
        """For ``better_of_two``: what to expect, times how many requests are under way there."""
        return (self.seconds(now) + LEAST_LATENCY_S) * (active + 1)


def better_of_two(endpoints: Sequence[T], roll: int, tried: Collection[T], cost: Callable[[T], float]) -> T | None:
    """Of two endpoints at random (``roll``: any non-negative number) the one of lower ``cost``.

    Those in ``tried`` are left out, unless all were tried. None when there are no endpoints.
    """
    candidates = [one for one in endpoints if one not in tried] or endpoints if tried else endpoints
    count = len(candidates)
    if count < 2:
        return candidates[0] if count else None
    first = roll % count
    second = roll // count % (count - 1)
    one, other = candidates[first], candidates[second + (second >= first)]
    return other if cost(other) < cost(one) else one

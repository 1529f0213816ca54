"""Which endpoint gets the next attempt. Pure: position and randomness are passed in."""

from collections.abc import Collection, Sequence
from typing import TypeVar

T = TypeVar("T")


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

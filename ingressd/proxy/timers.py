"""Deadlines that cost nothing per request: a coarse wheel instead of a timer for each.

Whoever has a deadline writes it into its ``deadline`` and calls ``schedule`` only when that is earlier than its next
wake-up. The wheel wakes an item at its slot; a deadline that has moved on since just moves the item to a later slot.
"""

from typing import Protocol

NEVER = float("inf")
TICK_S = 0.25


class Timed(Protocol):
    """Something with one deadline (monotonic seconds). ``wake_at`` belongs to the wheel: NEVER when not in it."""

    deadline: float
    wake_at: float

    def on_deadline(self, now: float) -> None:
        """The deadline has passed."""


class TimerWheel:
    """Slots of ``TICK_S`` seconds; deadlines are met up to one tick late, never early."""

    __slots__ = ("_slots", "_turned_to")

    def __init__(self, now: float) -> None:
        self._slots: dict[int, set[Timed]] = {}
        self._turned_to = int(now / TICK_S)

    def schedule(self, item: Timed) -> None:
        """Make sure that ``item`` wakes soon after its deadline."""
        if item.wake_at != NEVER:
            self._leave(item)
        if item.deadline == NEVER:
            return
        slot = max(int(item.deadline / TICK_S), self._turned_to) + 1
        item.wake_at = slot * TICK_S
        self._slots.setdefault(slot, set()).add(item)

    def cancel(self, item: Timed) -> None:
        """Forget ``item``; a closed connection must not stay reachable until its deadline."""
        if item.wake_at != NEVER:
            self._leave(item)

    def _leave(self, item: Timed) -> None:
        slot = self._slots.get(round(item.wake_at / TICK_S))
        if slot is not None:
            slot.discard(item)
        item.wake_at = NEVER

    def turn(self, now: float) -> None:
        """Wake everything that is due."""
        while self._turned_to < int(now / TICK_S):
            self._turned_to += 1
            for item in self._slots.pop(self._turned_to, ()):
                item.wake_at = NEVER
                if item.deadline <= now:
                    item.on_deadline(now)
                else:
                    self.schedule(item)

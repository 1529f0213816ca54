"""Deadlines that cost nothing per request: a coarse wheel instead of a timer for each.

Whoever has a deadline writes it into its ``deadline`` and calls ``schedule`` only when that is earlier than its next
wake-up. The wheel wakes an item at its slot; a deadline that has moved on since just moves the item to a later slot.
"""

import logging
from typing import Protocol

log = logging.getLogger(__name__)

NEVER = float("inf")
TICK_S = 0.25


class Timed(Protocol):
    """Something with one deadline (monotonic seconds).

    ``wake_at`` belongs to the wheel: the earliest deadline that its slot meets in time, NEVER when it is in none.
    """

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
        began = int(item.deadline / TICK_S)
        if began < self._turned_to:
            began = self._turned_to
        item.wake_at = began * TICK_S
        slot = self._slots.get(began + 1)
        if slot is None:
            self._slots[began + 1] = {item}
        else:
            slot.add(item)

    def cancel(self, item: Timed) -> None:
        """Forget ``item``; a closed connection must not stay reachable until its deadline."""
        if item.wake_at != NEVER:
            self._leave(item)

    def _leave(self, item: Timed) -> None:
        slot = self._slots.get(round(item.wake_at / TICK_S) + 1)
        if slot is not None:
            slot.discard(item)
        item.wake_at = NEVER

    def turn(self, now: float) -> None:
        """Wake everything that is due."""
        while self._turned_to < int(now / TICK_S):
            self._turned_to += 1
            slot = self._slots.get(self._turned_to)
            if slot is not None:
                self._wake(slot, now)
                del self._slots[self._turned_to]

    def _wake(self, slot: set[Timed], now: float) -> None:
        while slot:  # whoever is woken may cancel others that are due
            item = slot.pop()
            item.wake_at = NEVER
            if item.deadline > now:
                self.schedule(item)
                continue
            try:
                item.on_deadline(now)
            except Exception:
                log.exception("a deadline could not be acted upon")  # and the others still can

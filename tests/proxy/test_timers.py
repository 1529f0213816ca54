"""The wheel: never early, at most one tick late, whatever items do to each other."""

import logging
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingressd.proxy.timers import NEVER, TICK_S, TimerWheel

START = 1000.1


class Item:
    """Notes when it was woken."""

    def __init__(self, wheel: TimerWheel, deadline: float = NEVER) -> None:
        self.wheel = wheel
        self.deadline = deadline
        self.wake_at = NEVER
        self.woken: list[float] = []
        self.act: Callable[[], None] = lambda: None
        wheel.schedule(self)

    def on_deadline(self, now: float) -> None:
        self.woken.append(now)
        self.act()


def turn_through(wheel: TimerWheel, seconds: float, *, step: float = TICK_S) -> None:
    for tick in range(1, int(seconds / step) + 2):
        wheel.turn(START + tick * step)


@given(st.lists(st.floats(min_value=0, max_value=30), min_size=1, max_size=20))
def test_deadlines_are_met_up_to_two_ticks_late_and_never_early(delays: list[float]) -> None:
    wheel = TimerWheel(START)
    items = [Item(wheel, START + delay) for delay in delays]
    turn_through(wheel, 31)
    for item in items:
        [woken] = item.woken
        assert item.deadline <= woken <= item.deadline + 2 * TICK_S


def test_a_deadline_that_moved_on_wakes_later_and_once() -> None:
    wheel = TimerWheel(START)
    item = Item(wheel, START + 1)
    item.deadline = START + 5
    turn_through(wheel, 4)
    assert item.woken == []
    turn_through(wheel, 20)
    assert len(item.woken) == 1


def test_a_deadline_that_moved_nearer_needs_scheduling() -> None:
    wheel = TimerWheel(START)
    item = Item(wheel, START + 60)
    item.deadline = START + 1
    assert item.deadline < item.wake_at
    wheel.schedule(item)
    turn_through(wheel, 2)
    assert len(item.woken) == 1
    turn_through(wheel, 100)
    assert len(item.woken) == 1


def test_never_and_cancelled_are_never_woken_and_not_held() -> None:
    wheel = TimerWheel(START)
    item, forgotten, dropped = Item(wheel), Item(wheel, START + 1), Item(wheel, START + 1)
    wheel.cancel(forgotten)
    wheel.cancel(forgotten)
    dropped.deadline = NEVER
    turn_through(wheel, 5)
    assert item.woken == forgotten.woken == dropped.woken == []
    assert item.wake_at == forgotten.wake_at == dropped.wake_at == NEVER


def test_the_loop_was_stuck_for_an_hour() -> None:
    wheel = TimerWheel(START)
    items = [Item(wheel, START + delay) for delay in (1, 1800, 3599)]
    wheel.turn(START + 3600)
    assert [len(item.woken) for item in items] == [1, 1, 1]


def test_whoever_is_woken_may_schedule_itself_anew_even_in_the_past() -> None:
    wheel = TimerWheel(START)
    item = Item(wheel, START + 1)
    item.act = lambda: wheel.schedule(item)  # its deadline has passed
    turn_through(wheel, 3)
    assert 3 <= len(item.woken) <= 3 / TICK_S


@pytest.mark.parametrize("woken_first", [0, 1])
def test_whoever_is_woken_may_cancel_or_move_others_that_are_due(woken_first: int) -> None:
    wheel = TimerWheel(START)
    items = [Item(wheel, START + 1), Item(wheel, START + 1)]

    def move_the_other(this: int) -> None:
        other = items[1 - this]
        other.deadline = START + 10
        wheel.schedule(other)

    for number, item in enumerate(items):
        item.act = lambda number=number: move_the_other(number)  # type: ignore[misc]
    turn_through(wheel, 3)
    assert sorted(len(item.woken) for item in items) == [0, 1]
    moved = items[[len(item.woken) for item in items].index(0)]
    wheel.cancel(moved)
    turn_through(wheel, 20)
    assert moved.woken == []


def test_one_that_fails_keeps_none_from_being_woken(caplog: pytest.LogCaptureFixture) -> None:
    wheel = TimerWheel(START)
    items = [Item(wheel, START + 1) for _ in range(3)]

    def fail() -> None:
        raise RuntimeError("on purpose")

    for item in items:
        item.act = fail
    with caplog.at_level(logging.ERROR):
        turn_through(wheel, 2)
    assert [len(item.woken) for item in items] == [1, 1, 1]
    assert len(caplog.records) == 3

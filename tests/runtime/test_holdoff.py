"""Time is virtual here: a loop with nothing to do jumps to its next timer."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import pytest

from ingressd.runtime.holdoff import HoldOff


class VirtualLoop(asyncio.SelectorEventLoop):
    now = 100.0
    _ready: Any
    _scheduled: Any

    def time(self) -> float:
        return self.now

    def _run_once(self) -> None:
        if not self._ready and self._scheduled:
            self.now = max(self.now, self._scheduled[0]._when)
        super()._run_once()  # type: ignore[misc]


def in_virtual_time(work: Callable[[VirtualLoop], Awaitable[None]]) -> None:
    loop = VirtualLoop()
    try:
        loop.run_until_complete(work(loop))
    finally:
        loop.close()


def poke_at(loop: VirtualLoop, hold_off: HoldOff, moments: Iterable[float]) -> None:
    for moment in moments:
        loop.call_at(100.0 + moment, hold_off.poke)


@pytest.mark.parametrize(
    ("moments", "took_s", "due"),
    [
        ([0.0], 0.0, 0.05),
        ([0.0, 0.03], 0.0, 0.08),
        ([0.02 * n for n in range(10)], 0.0, 0.1),  # never quiet: the ceiling
        ([0.02 * n for n in range(100)], 0.4, 0.4),  # acting is dear: worth waiting for as long as it takes
        ([0.02 * n for n in range(100)], 9.0, 1.0),
        ([0.0], 9.0, 0.05),  # a single change never waits for more than quiet
    ],
)
def test_a_burst_is_taken_when_it_pauses_or_has_waited_long_enough(
    moments: list[float], took_s: float, due: float
) -> None:
    async def work(loop: VirtualLoop) -> None:
        hold_off = HoldOff()
        hold_off.acted(took_s)
        poke_at(loop, hold_off, moments)
        assert await hold_off.wait() == pytest.approx(100.0)
        assert loop.now - 100.0 == pytest.approx(due)

    in_virtual_time(work)


def test_what_comes_after_is_the_next_burst() -> None:
    async def work(loop: VirtualLoop) -> None:
        hold_off = HoldOff()
        poke_at(loop, hold_off, [0.0, 3.0])
        await hold_off.wait()
        assert await hold_off.wait() == pytest.approx(103.0)
        assert loop.now == pytest.approx(103.05)

    in_virtual_time(work)

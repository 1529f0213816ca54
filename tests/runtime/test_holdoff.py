"""When changes are acted upon, on a clock of the test's own."""

import asyncio
from collections.abc import Sequence

import pytest

from ingressd.runtime.holdoff import HoldOff
from tests.runtime.fake_time import run

QUIET_S, CEILING_S = 0.05, 0.25


async def act(pokes: Sequence[float], until_s: float) -> list[tuple[float, float]]:
    """When it was acted, and the time of the first change acted upon, for changes at these times."""
    loop = asyncio.get_running_loop()
    hold_off = HoldOff(quiet_s=QUIET_S, ceiling_s=CEILING_S)
    acted: list[tuple[float, float]] = []
    for at in pokes:
        loop.call_at(at, hold_off.poke)
    try:
        async with asyncio.timeout_at(until_s):
            while True:
                first = await hold_off.wait()
                acted.append((loop.time(), first))
    except TimeoutError:
        return acted


@pytest.mark.parametrize(
    ("pokes", "expected"),
    [
        pytest.param([], [], id="nothing happens, nothing is done"),
        pytest.param([1.0], [(1.05, 1.0)], id="one change waits for quiet"),
        pytest.param([1.0, 1.03, 1.06], [(1.11, 1.0)], id="a burst is taken at once"),
        pytest.param([1.0, 1.2], [(1.05, 1.0), (1.25, 1.2)], id="two changes far apart"),
        pytest.param([1.0, 1.0, 1.0], [(1.05, 1.0)], id="several in one moment"),
    ],
)
def test_when_it_acts(pokes: list[float], expected: list[tuple[float, float]]) -> None:
    assert run(act(pokes, 10.0)) == [pytest.approx(one) for one in expected]


def test_a_burst_without_end_waits_no_longer_than_the_ceiling() -> None:
    pokes = [1.0 + 0.01 * number for number in range(100)]

    acted = run(act(pokes, 10.0))

    gaps = [when - first for when, first in acted]
    assert max(gaps) == pytest.approx(CEILING_S)
    assert len(acted) == 4  # a second of changes, a quarter of a second each
    assert acted[-1][0] >= pokes[-1]


def test_what_comes_during_the_work_is_not_lost() -> None:
    async def busy() -> list[float]:
        loop = asyncio.get_running_loop()
        hold_off = HoldOff(quiet_s=QUIET_S, ceiling_s=CEILING_S)
        loop.call_at(1.0, hold_off.poke)
        loop.call_at(1.5, hold_off.poke)  # while the first one is worked on
        first = await hold_off.wait()
        await asyncio.sleep(2.0)
        return [first, await hold_off.wait(), loop.time()]

    assert run(busy()) == pytest.approx([1.0, 1.5, 3.05], abs=0.06)

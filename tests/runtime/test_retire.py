import asyncio
from collections.abc import Iterator

from ingressd.runtime.retire import Retirement


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_one_step_in_each_turn_of_the_loop_and_in_order() -> None:
    done: list[str] = []

    def work(name: str) -> Iterator[None]:
        for step in range(2):
            done.append(f"{name}{step}")
            yield

    retirement = Retirement(asyncio.get_running_loop())
    retirement.add(work("a"))
    retirement.add(work("b"))
    assert done == []
    await turns(1)
    assert done == ["a0"]
    await turns(5)
    assert done == ["a0", "a1", "b0", "b1"]
    assert len(retirement) == 0
    retirement.add(work("c"))
    await turns(3)
    assert done[-2:] == ["c0", "c1"]

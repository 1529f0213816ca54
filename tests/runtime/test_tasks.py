"""Tasks are kept until they end, and no failure of one is lost."""

import asyncio
import gc

import pytest

from ingressd.runtime.tasks import TaskSet


async def test_a_failure_is_told(caplog: pytest.LogCaptureFixture) -> None:
    async def fail() -> None:
        raise ValueError("the reason")

    tasks = TaskSet()
    with pytest.raises(ValueError, match="the reason"):
        await tasks.start(fail(), name="the work")

    await asyncio.sleep(0)
    [record] = caplog.records
    assert "the work" in record.message
    assert "the reason" in record.message


async def test_nobody_else_need_hold_on_to_a_task() -> None:
    done = asyncio.Event()

    async def work() -> None:
        await asyncio.sleep(0)
        done.set()

    tasks = TaskSet()
    tasks.start(work(), name="work")
    gc.collect()

    await asyncio.wait_for(done.wait(), 5.0)


async def test_cancel_waits_for_the_end() -> None:
    ended = []

    async def work(number: int) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.append(number)

    tasks = TaskSet()
    for number in range(3):
        tasks.start(work(number), name=f"work-{number}")
    await asyncio.sleep(0)

    await tasks.cancel()

    assert sorted(ended) == [0, 1, 2]

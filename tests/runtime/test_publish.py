"""The control process's side of the channels, with workers played by the test."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterable

import pytest

from ingressd.policy.policies import GlobalPolicies
from ingressd.routing.snapshot import Backend, Endpoint, Snapshot
from ingressd.runtime.channel import (
    Applied,
    Ask,
    Backends,
    Begin,
    Commit,
    FrameReader,
    FromWorker,
    Refused,
    Report,
    ToWorker,
    decode_to_worker,
    encode_frame,
)
from ingressd.runtime.publish import Publisher
from ingressd.runtime.tasks import TaskSet
from ingressd.telemetry.metrics import WorkerStats
from ingressd.telemetry.report import WorkerReport

FULL = [Begin, Backends, Commit]


def serving(*addresses: str) -> Snapshot:
    endpoints = tuple(Endpoint(address, 8080) for address in addresses)
    return Snapshot(backends={"default/web:80": Backend("default/web:80", "default", "web", "80", endpoints)})


class Observer:
    """What the publisher told."""

    def __init__(self) -> None:
        self.served: list[int] = []
        self.applied: list[tuple[int, int]] = []
        self.refused: list[tuple[int, int, str]] = []
        self.reports: list[tuple[int, int]] = []
        self.told = asyncio.Event()

    def on_served(self, generation: int) -> None:
        self.served.append(generation)

    def on_applied(self, worker: int, generation: int) -> None:
        self.applied.append((worker, generation))
        self.told.set()

    def on_refused(self, worker: int, generation: int, message: str) -> None:
        self.refused.append((worker, generation, message))
        self.told.set()

    def on_report(self, worker: int, pid: int, report: WorkerReport) -> None:
        self.reports.append((worker, pid))
        self.told.set()

    async def hear(self) -> None:
        """Until it is told something."""
        await self.told.wait()
        self.told.clear()


class PlayedWorker:
    """The worker's end of a channel."""

    def __init__(self, ours: socket.socket) -> None:
        self._socket = ours
        self._frames = FrameReader()
        self._waiting: list[ToWorker] = []

    async def next(self) -> ToWorker:
        while not self._waiting:
            data = await asyncio.get_running_loop().sock_recv(self._socket, 65536)
            if not data:
                raise EOFError
            self._waiting += [decode_to_worker(frame) for frame in self._frames.feed(data)]
        return self._waiting.pop(0)

    async def change(self) -> list[ToWorker]:
        """A whole change, from Begin to Commit."""
        messages = [await self.next()]
        while not isinstance(messages[-1], Commit):
            messages.append(await self.next())
        return messages

    async def say(self, message: FromWorker) -> None:
        await asyncio.get_running_loop().sock_sendall(self._socket, encode_frame(message))

    def has_more(self) -> bool:
        """Whether anything else was sent by now."""
        try:
            return bool(self._waiting) or bool(self._socket.recv(1, socket.MSG_PEEK))
        except BlockingIOError:
            return False

    def die(self) -> None:
        self._socket.close()


class Stage:
    def __init__(self) -> None:
        self.tasks = TaskSet()
        self.observer = Observer()
        self.publisher = Publisher(self.observer, self.tasks)
        self._played: list[PlayedWorker] = []

    def worker(self, index: int, pid: int = 100) -> PlayedWorker:
        theirs, ours = socket.socketpair()
        ours.setblocking(False)
        self.publisher.attach(index, pid, theirs)
        self._played.append(PlayedWorker(ours))
        return self._played[-1]

    async def apply(self, *workers: PlayedWorker) -> None:
        """These workers take a change and serve it."""
        for worker in workers:
            [*_, last] = await worker.change()
            assert isinstance(last, Commit)
            await worker.say(Applied(last.generation))
            await self.observer.hear()

    async def close(self) -> None:
        for worker in self._played:
            worker.die()
        await self.tasks.cancel()


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    stage = Stage()
    yield stage
    await stage.close()


def kinds(messages: Iterable[ToWorker]) -> list[type]:
    return [type(message) for message in messages]


async def test_a_new_worker_gets_everything_then_only_what_changed(stage: Stage) -> None:
    stage.publisher.publish(1, serving("10.0.0.1"))
    worker = stage.worker(0)

    change = await worker.change()
    assert change[0] == Begin(1, True, GlobalPolicies())
    assert kinds(change) == FULL
    await worker.say(Applied(1))
    await stage.observer.hear()
    assert stage.observer.served == [1]

    stage.publisher.publish(2, serving("10.0.0.1"))
    assert await worker.change() == [Begin(2, False), Commit(2, None, "")]


async def test_meanwhile_changes_are_folded_into_one(stage: Stage) -> None:
    worker = stage.worker(0)
    stage.publisher.publish(1, serving("10.0.0.1"))
    await worker.change()

    for generation in range(2, 100):
        stage.publisher.publish(generation, serving(f"10.0.0.{generation}"))
    assert not worker.has_more()
    await worker.say(Applied(1))

    change = await worker.change()
    assert change[0] == Begin(99, False)
    assert change[1] == Backends(upserts=tuple(serving("10.0.0.99").backends.values()))


async def test_a_slow_worker_holds_nobody_up(stage: Stage) -> None:
    slow, quick = stage.worker(0), stage.worker(1)
    for generation in range(1, 4):
        stage.publisher.publish(generation, serving(f"10.0.0.{generation}"))
        await stage.apply(quick)

    assert stage.observer.served == []
    await slow.change()
    await slow.say(Applied(1))
    await stage.observer.hear()
    await stage.apply(slow)
    assert stage.observer.served == [1, 3]


async def test_what_was_refused_is_not_sent_again_at_once_but_with_what_is_newer(stage: Stage) -> None:
    worker = stage.worker(0)
    stage.publisher.publish(1, serving("10.0.0.1"))
    await stage.apply(worker)
    stage.publisher.publish(2, serving("10.0.0.2"))
    await worker.change()

    await worker.say(Refused(2, "no"))
    await stage.observer.hear()

    assert stage.observer.refused == [(0, 2, "no")]
    assert not worker.has_more()
    assert stage.publisher.served_generation == 1
    stage.publisher.publish(3, serving("10.0.0.2", "10.0.0.3"))
    change = await worker.change()
    assert change[0] == Begin(3, False)
    assert change[1] == Backends(upserts=tuple(serving("10.0.0.2", "10.0.0.3").backends.values()))


async def test_what_was_refused_is_sent_again_later(stage: Stage) -> None:
    """It may have been for want of memory or a descriptor: nobody should wait for another change."""
    stage.publisher = Publisher(stage.observer, stage.tasks, first_retry_s=0.001)
    worker = stage.worker(0)
    stage.publisher.publish(1, serving("10.0.0.1"))
    for _ in range(3):
        assert (await worker.change())[0] == Begin(1, True, GlobalPolicies())
        await worker.say(Refused(1, "no"))
        await stage.observer.hear()
    await stage.apply(worker)
    assert stage.observer.served == [1]


async def test_a_replaced_worker_starts_from_nothing(stage: Stage) -> None:
    first, other = stage.worker(0), stage.worker(1)
    stage.publisher.publish(1, serving("10.0.0.1"))
    await stage.apply(first, other)
    first.die()

    second = stage.worker(0, pid=101)
    change = await second.change()

    assert change[0] == Begin(1, True, GlobalPolicies())
    assert kinds(change) == FULL
    assert not other.has_more()
    assert {pid for _, pid, _, _ in stage.publisher.workers()} == {100, 101}


async def test_whoever_comes_late_is_heard_of(stage: Stage) -> None:
    """The first configuration counts as served by all only when the last worker has it, in whatever order they come."""
    stage.publisher.publish(1, serving("10.0.0.1"))
    await stage.apply(stage.worker(0))
    await stage.apply(stage.worker(1))

    assert stage.observer.applied == [(0, 1), (1, 1)]


async def test_reports_are_asked_for_and_waited_for(stage: Stage) -> None:
    worker = stage.worker(3, pid=7)
    stage.publisher.publish(1, serving("10.0.0.1"))
    await stage.apply(worker)
    collecting = stage.tasks.start(stage.publisher.collect_reports(10.0), name="collect")

    assert await worker.next() == Ask()
    await worker.say(Report(WorkerStats().report()))
    await collecting

    assert stage.observer.reports == [(3, 7)]


async def test_a_worker_that_does_not_report_is_not_waited_for_long(stage: Stage) -> None:
    worker = stage.worker(0)
    stage.publisher.publish(1, serving("10.0.0.1"))
    await stage.apply(worker)

    await stage.publisher.collect_reports(0.01)

    assert stage.observer.reports == []

"""The control process's side of the channels: every worker gets what it does not have yet, and no more.

Each worker has at most one change under way. What happens meanwhile is folded into the next change, so that a slow
worker costs neither memory nor the others' time.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Iterator
from time import monotonic
from typing import Protocol

from ingressd.routing.delta import SnapshotDelta, difference
from ingressd.routing.snapshot import Snapshot
from ingressd.runtime.channel import (
    Applied,
    Ask,
    FrameReader,
    Refused,
    Report,
    change_frames,
    decode_from_worker,
    encode_frame,
    send_frames,
)
from ingressd.runtime.tasks import TaskSet
from ingressd.telemetry.report import WorkerReport

log = logging.getLogger(__name__)

_READ_BYTES = 1 << 16
_LONGEST_RETRY_S = 300.0


class PublishObserver(Protocol):
    """Who wants to know what became of a publication."""

    def on_served(self, generation: int) -> None:
        """Every worker there is serves ``generation`` or a newer one."""

    def on_applied(self, worker: int, generation: int) -> None:
        """This worker serves ``generation`` now."""

    def on_refused(self, worker: int, generation: int, message: str) -> None:
        """A worker could not build it and goes on with what it had."""

    def on_report(self, worker: int, pid: int, report: WorkerReport) -> None:
        """A worker's counters since its last report."""


class _Worker:
    """One worker as the control process sees it."""

    def __init__(self, index: int, pid: int, channel: socket.socket) -> None:
        self.index = index
        self.pid = pid
        self.channel = channel
        self.writer: asyncio.StreamWriter | None = None
        self.has = Snapshot()  # what it serves, as far as we know
        self.generation = 0
        self.sending: tuple[int, Snapshot] | None = None
        self.refused = 0  # the generation it could not build; sent again after a while, or as part of a newer one
        self.failures = 0  # in a row
        self.last_heard = monotonic()
        self.reported = asyncio.Event()


class Publisher:
    """Keeps all workers at the newest snapshot."""

    def __init__(self, observer: PublishObserver, tasks: TaskSet, *, first_retry_s: float = 5.0) -> None:
        """``first_retry_s``: what a worker refused is sent again after so long, then twice as long, and so on."""
        self._observer = observer
        self._tasks = tasks
        self._first_retry_s = first_retry_s
        self._workers: dict[int, _Worker] = {}
        self._newest: tuple[int, Snapshot] | None = None
        self._served = 0
        self._last_difference: tuple[Snapshot, Snapshot, SnapshotDelta] | None = None

    @property
    def generation(self) -> int:
        return self._newest[0] if self._newest else 0

    @property
    def served_generation(self) -> int:
        """The newest generation that every worker serves."""
        return self._served

    def workers(self) -> list[tuple[int, int, int, float]]:
        """Index, process id, generation and seconds since it was last heard of, of each worker."""
        now = monotonic()
        return [(one.index, one.pid, one.generation, now - one.last_heard) for one in self._workers.values()]

    def attach(self, index: int, pid: int, channel: socket.socket) -> None:
        """A new or replaced worker: it gets everything."""
        old = self._workers.pop(index, None)
        if old is not None and old.writer is not None:
            old.writer.close()
        worker = self._workers[index] = _Worker(index, pid, channel)
        self._tasks.start(self._follow(worker), name=f"worker-{index}")

    def publish(
        self, generation: int, snapshot: Snapshot, *, since: tuple[Snapshot, SnapshotDelta] | None = None
    ) -> None:
        """Bring every worker to ``snapshot``. ``since``: an older one and what differs from it, if that is known."""
        self._newest = (generation, snapshot)
        if since is not None:
            self._last_difference = (since[0], snapshot, since[1])
        for worker in self._workers.values():
            self._pump(worker)

    async def collect_reports(self, timeout_s: float) -> None:
        """Ask all workers for their counters and wait, boundedly, until they came."""
        asked = []
        for worker in self._workers.values():
            if worker.writer is not None:
                worker.reported.clear()
                if worker.sending is None:
                    worker.writer.write(encode_frame(Ask()))
                asked.append(worker.reported.wait())
        if asked:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.gather(*asked), timeout_s)

    async def _follow(self, worker: _Worker) -> None:
        worker.channel.setblocking(False)
        reader, worker.writer = await asyncio.open_unix_connection(sock=worker.channel)
        self._pump(worker)
        frames = FrameReader()
        try:
            while data := await reader.read(_READ_BYTES):
                for frame in frames.feed(data):
                    self._take(worker, frame)
        except ConnectionError:
            pass
        finally:
            worker.writer.close()
            if self._workers.get(worker.index) is worker:
                del self._workers[worker.index]

    def _take(self, worker: _Worker, frame: bytes) -> None:
        worker.last_heard = monotonic()
        match decode_from_worker(frame):
            case Report(report):
                self._observer.on_report(worker.index, worker.pid, report)
                if not report.is_partial:
                    worker.reported.set()
            case Applied(generation):
                if worker.sending is not None:
                    worker.generation, worker.has = worker.sending
                    worker.sending, worker.failures = None, 0
                self._note_served(generation)
                self._observer.on_applied(worker.index, generation)
                self._pump(worker)
            case Refused(generation, message):
                worker.sending = None
                worker.refused = generation
                self._observer.on_refused(worker.index, generation, message)
                retry_s = min(self._first_retry_s * 2.0 ** min(worker.failures, 16), _LONGEST_RETRY_S)
                worker.failures += 1
                asyncio.get_running_loop().call_later(retry_s, self._try_again, worker, generation)
                self._pump(worker)

    def _try_again(self, worker: _Worker, generation: int) -> None:
        """What could not be built may have wanted memory or a descriptor that others had."""
        if worker.refused == generation and self._workers.get(worker.index) is worker:
            worker.refused = 0
            self._pump(worker)

    def _note_served(self, generation: int) -> None:
        everywhere = min((worker.generation for worker in self._workers.values()), default=generation)
        if everywhere > self._served:
            self._served = everywhere
            self._observer.on_served(everywhere)

    def _pump(self, worker: _Worker) -> None:
        """Send what is newest unless something is under way, or it is what the worker has or has refused."""
        if worker.writer is None or worker.sending is not None or self._newest is None:
            return
        generation, snapshot = self._newest
        if generation in (worker.generation, worker.refused):
            return
        worker.sending = self._newest
        delta = self._difference(worker.has, snapshot)
        frames = change_frames(delta, snapshot, generation, full=worker.generation == 0)
        self._tasks.start(self._send(worker, worker.writer, frames), name=f"change-{worker.index}-{generation}")

    async def _send(self, worker: _Worker, writer: asyncio.StreamWriter, frames: Iterator[bytes]) -> None:
        with contextlib.suppress(ConnectionError):
            await send_frames(writer, frames)

    def _difference(self, old: Snapshot, new: Snapshot) -> SnapshotDelta:
        """Workers usually are at the same snapshot: the difference is worked out once for all of them."""
        last = self._last_difference
        if last is not None and last[0] is old and last[1] is new:
            return last[2]
        delta = difference(old, new)
        self._last_difference = (old, new, delta)
        return delta

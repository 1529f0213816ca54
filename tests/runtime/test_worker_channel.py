"""A worker whose control process is replaced in the middle of a change, or not there."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from typing import Self

import pytest
from msgspec.structs import replace

from ingressd.proxy.shared_limits import SharedLimits
from ingressd.routing.delta import difference
from ingressd.routing.snapshot import Material, Route, Snapshot, VirtualHost
from ingressd.runtime.channel import (
    Applied,
    Begin,
    Commit,
    FrameReader,
    FromWorker,
    Hosts,
    Refused,
    change_frames,
    decode_from_worker,
)
from ingressd.runtime.kept_configuration import read_configuration, write_configuration
from ingressd.runtime.worker import Worker
from ingressd.settings import Settings, SourceSettings
from ingressd.tls.context import listener_context

LARGE = Material("users:ns/a", {"auth": b"".join(b"user%d:{PLAIN}x\n" % number for number in range(20_000))})


class Control:
    """The other end of a worker's channel."""

    def __init__(self) -> None:
        self._socket, self.workers = socket.socketpair()
        self._socket.setblocking(False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    async def send(self, snapshot: Snapshot, generation: int) -> None:
        frames = change_frames(difference(Snapshot(), snapshot), snapshot, generation, full=True)
        await asyncio.get_running_loop().sock_sendall(self._socket, b"".join(frames))

    async def verdict(self) -> FromWorker:
        """What the worker says of a change; its reports are passed over."""
        frames = FrameReader()
        while data := await asyncio.get_running_loop().sock_recv(self._socket, 1 << 16):
            for frame in frames.feed(data):
                message = decode_from_worker(frame)
                if isinstance(message, Applied | Refused):
                    return message
        raise AssertionError("the worker has closed the channel")


@pytest.fixture
async def worker() -> AsyncIterator[Worker]:
    settings = Settings(source=SourceSettings(kind="manifests"), access_log="off")
    shared = SharedLimits(SharedLimits.create(1), workers=1, index=0)
    loop = asyncio.get_running_loop()
    with socket.socket() as link, socket.socket() as channel:
        worker = Worker(settings, link, channel, [], listener_context(), loop, shared)
        yield worker
        assert worker._channel is not None
        worker._channel.close()
        await worker._tasks.cancel()
        worker.gateway.services.close()


def hosts(*names: str) -> Snapshot:
    return Snapshot(hosts={name: VirtualHost(name, (Route("prefix", "/", "", status=204),)) for name in names})


async def test_what_the_old_one_was_saying_is_no_part_of_what_the_new_one_says(worker: Worker) -> None:
    with Control() as old, Control() as new:
        await replaced(worker, old, new)
    state = worker.gateway.state
    assert (state.find("new.test", "/").route.status, state.find("old.test", "/").route.status) == (204, 404)
    assert not worker.gateway.materials.keys()


async def replaced(worker: Worker, old: Control, new: Control) -> None:
    await worker._open_channel(old.workers)
    await old.send(replace(hosts("old.test"), materials={LARGE.key: LARGE}), 1)
    while not worker._building.locked():  # a large material is being read, in a thread
        await asyncio.sleep(0)
    await worker._open_channel(new.workers)
    await new.send(hosts("new.test"), 1)
    assert await new.verdict() == Applied(1)


async def test_a_change_that_cannot_be_built_is_refused_and_the_next_is_taken(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Control() as control:
        await worker._open_channel(control.workers)
        with monkeypatch.context() as patched:
            patched.setattr(worker._builder, "_take_hosts", lambda _: 1 / 0)
            await control.send(hosts("a.test"), 1)
            assert await control.verdict() == Refused(1, "ZeroDivisionError: division by zero")
        await control.send(hosts("b.test"), 2)
        assert await control.verdict() == Applied(2)
        assert worker.gateway.state.find("a.test", "/").route.status == 404


async def test_a_worker_that_nobody_tells_begins_with_the_last_configuration(worker: Worker) -> None:
    """Until a control process says what there is."""
    with Control() as control:
        await worker._open_channel(control.workers)
        kept = write_configuration(hosts("kept.test"), 7)
        await worker._serve_last(os.dup(kept))
        assert worker.gateway.state.generation == 7
        assert worker.gateway.state.find("kept.test", "/").route.status == 204

        await control.send(hosts("new.test"), 1)
        assert await control.verdict() == Applied(1)
        assert worker.gateway.state.find("kept.test", "/").route.status == 404

        await worker._serve_last(kept)
        assert worker.gateway.state.generation == 1


async def test_the_last_configuration_does_not_come_between_pieces_of_a_new_one(worker: Worker) -> None:
    with Control() as control:
        await worker._open_channel(control.workers)
        await control.send(replace(hosts("new.test"), materials={LARGE.key: LARGE}), 1)
        while not worker._building.locked():
            await asyncio.sleep(0)
        await worker._serve_last(write_configuration(hosts("kept.test"), 7))
        assert await control.verdict() == Applied(1)
    state = worker.gateway.state
    assert (state.find("new.test", "/").route.status, state.find("kept.test", "/").route.status) == (204, 404)


async def test_a_kept_configuration_is_read_as_it_was_written() -> None:
    snapshot = replace(hosts(*(f"{number}.test" for number in range(200))), materials={LARGE.key: LARGE})
    kept = write_configuration(snapshot, 3)
    for _ in range(2):  # several workers read the same open file
        messages = list(read_configuration(kept))
        assert messages[0] == Begin(3, True, snapshot.policies)
        assert isinstance(messages[-1], Commit)
        read = {host.name: host for one in messages if isinstance(one, Hosts) for host in one.upserts}
        assert read == snapshot.hosts
    os.close(kept)

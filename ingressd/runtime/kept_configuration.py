"""The last complete configuration, outside of the process that made it.

The control process writes what every worker serves into a memory file and hands it to the supervisor, which keeps one.
A worker that is started while the control process is new as well, and has not heard from the API server yet, begins
with it; without, its share of the connections would wait until the API server is back. It may be some seconds old, and
whatever a control process says takes its place.

The file holds private keys, as the channel to a worker does: it is memory, has no name, and is closed by whoever has
read it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Iterator
from typing import Final

from ingressd.routing.delta import difference
from ingressd.routing.snapshot import Snapshot
from ingressd.runtime import links
from ingressd.runtime.channel import FrameReader, ToWorker, change_frames, decode_to_worker

log = logging.getLogger(__name__)

PAUSE_S: Final = 10.0
"""Writing 20,000 routes takes 30 ms of a thread: no more often than this, however often endpoints change."""
_CHUNK_BYTES: Final = 1 << 20


class Keeper:
    """The control process's side: what it is given is handed to the parent soon."""

    def __init__(self, link: socket.socket) -> None:
        self._link = link
        self._newest: tuple[int, Snapshot] | None = None
        self._changed = asyncio.Event()

    def take(self, generation: int, snapshot: Snapshot) -> None:
        """Every worker serves this now."""
        self._newest = generation, snapshot
        self._changed.set()

    async def run(self) -> None:
        """Until cancelled. A configuration that there is no memory for is told, and not kept."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            if self._newest is not None:
                await self._hand_over(*self._newest)
            await asyncio.sleep(PAUSE_S)

    async def _hand_over(self, generation: int, snapshot: Snapshot) -> None:
        try:
            descriptor = await asyncio.to_thread(write_configuration, snapshot, generation)
        except OSError as error:
            log.warning("the configuration cannot be kept for new workers: %s", error.strerror)
            return
        links.send(self._link, links.KEEP, descriptor)
        os.close(descriptor)


def write_configuration(snapshot: Snapshot, generation: int) -> int:
    """A descriptor of a memory file that holds the frames of a full change to ``snapshot``.

    Raises:
        OSError: there is no memory, or no descriptor, for it.
    """
    descriptor = os.memfd_create("ingressd-configuration", os.MFD_CLOEXEC)
    try:
        with open(descriptor, "wb", _CHUNK_BYTES, closefd=False) as file:
            file.writelines(change_frames(difference(Snapshot(), snapshot), snapshot, generation, full=True))
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def read_configuration(descriptor: int) -> Iterator[ToWorker]:
    """The messages in the file, by a position of our own: others read the same open file."""
    frames = FrameReader()
    at = 0
    while data := os.pread(descriptor, _CHUNK_BYTES, at):
        at += len(data)
        yield from map(decode_to_worker, frames.feed(data))

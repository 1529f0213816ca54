"""A worker's end of its channel: frames from the control process, and what is said back."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, Final

from ingressd.runtime.channel import Commit, FrameReader, FromWorker, decode_to_worker, encode_frame

_FRAMES_AHEAD: Final = 64


class WorkerChannel(asyncio.Protocol):
    """Frames from the control process, a bounded number ahead of the builder."""

    def __init__(self) -> None:
        self._reader = FrameReader()
        self._frames: deque[bytes] = deque()
        self._arrived = asyncio.Event()
        self._transport: asyncio.Transport | None = None
        self._paused = False
        self.is_open = False
        self.has_begun = False  # something of a change has been taken

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self.is_open = True

    def data_received(self, data: bytes) -> None:
        self._frames.extend(self._reader.feed(data))
        self._arrived.set()
        if len(self._frames) > _FRAMES_AHEAD and self._transport is not None and not self._paused:
            self._paused = True
            self._transport.pause_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = False
        self._arrived.set()

    async def next_frame(self) -> bytes | None:
        """The next frame; None when the control process has gone and everything it sent is taken."""
        while not self._frames:
            if not self.is_open:
                return None
            self._arrived.clear()
            await self._arrived.wait()
        if self._paused and len(self._frames) < _FRAMES_AHEAD // 2 and self._transport is not None and self.is_open:
            self._paused = False
            self._transport.resume_reading()
        return self._frames.popleft()

    async def skip_change(self) -> int:
        """Read past the rest of a change that could not be built; returns its generation."""
        while (frame := await self.next_frame()) is not None:
            message = decode_to_worker(frame)
            if isinstance(message, Commit):
                return message.generation
        return 0

    def send(self, message: FromWorker) -> None:
        """Queue a message; a control process that has gone misses it."""
        if self.is_open and self._transport is not None:
            self._transport.write(encode_frame(message))

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

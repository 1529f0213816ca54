"""What a swap leaves behind is let go a little at a time: ten thousand of anything freed at once is a pause."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator


class Retirement:
    """Work that nobody waits for, one step in each turn of the loop. A step is what a generator does between yields."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._work: deque[Iterator[None]] = deque()

    def __len__(self) -> int:
        return len(self._work)

    def add(self, steps: Iterator[None]) -> None:
        """Begin with ``steps`` when everything before is done."""
        self._work.append(steps)
        if len(self._work) == 1:
            self._loop.call_soon(self._step)

    def _step(self) -> None:
        try:
            next(self._work[0])
        except StopIteration:
            self._work.popleft()
        if self._work:
            self._loop.call_soon(self._step)

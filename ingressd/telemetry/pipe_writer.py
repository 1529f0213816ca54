"""Log lines into a pipe, which is what standard output is in a container: written by the loop itself, never blocking.

A thread would be the obvious way, and costs more: writes into a pipe must be small to stay whole (PIPE_BUF), so the
thread fights the loop for the interpreter lock once per 4 KiB, and near saturation falls behind and loses lines.
A non-blocking write into a pipe never waits: it is a copy of 4 KiB, or EAGAIN.

The descriptor given is shared with other processes and O_NONBLOCK belongs to the open file, not to the descriptor;
setting it would change their standard output too. So the pipe is opened a second time, for us alone.
"""

import os
import select
from collections import deque
from collections.abc import Iterator
from time import monotonic
from typing import Final

PIPE_BUF: Final = select.PIPE_BUF
"""A write up to this size is never mixed with another's, and is done whole or not at all (pipe(7))."""


class PipeWriter:
    """Writes whole lines to the pipe behind ``fd``. Raises OSError when it cannot be opened anew (another owner)."""

    hand_over_bytes: Final = 32 * 1024  # half of what a pipe holds by default

    def __init__(self, fd: int, *, max_waiting_bytes: int) -> None:
        self._fd = os.open(f"/proc/self/fd/{fd}", os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        self._max_waiting_bytes = max_waiting_bytes
        self._waiting: deque[memoryview] = deque()
        self._waiting_bytes = 0
        self.dropped = 0

    def put(self, chunk: bytearray) -> None:
        """Write, or keep for later, or count as dropped. Never waits; the caller gives the chunk away."""
        if self._waiting_bytes + len(chunk) > self._max_waiting_bytes:
            self.dropped += chunk.count(b"\n")
        else:
            self._waiting_bytes += len(chunk)
            self._waiting.extend(whole_lines(chunk, PIPE_BUF))
        self.resume()

    def resume(self) -> None:
        """Write what waits, as far as the reader has made room."""
        waiting = self._waiting
        while waiting:
            lines = waiting[0]
            try:
                os.write(self._fd, lines)
            except BlockingIOError:
                return
            except OSError:  # nobody reads any more
                self.dropped += bytes(lines).count(b"\n")
            self._waiting_bytes -= len(lines)
            waiting.popleft()

    def reopen(self) -> None:
        """A pipe has no name to open again."""

    def close(self, *, timeout_s: float) -> bool:
        """Write what waits, for at most ``timeout_s``. False: the reader is stuck and lines are lost."""
        deadline = monotonic() + timeout_s
        poll = select.poll()
        poll.register(self._fd, select.POLLOUT)
        self.resume()
        while self._waiting and (left_s := deadline - monotonic()) > 0:
            poll.poll(left_s * 1000)
            self.resume()
        os.close(self._fd)
        lost = sum(bytes(lines).count(b"\n") for lines in self._waiting)
        self._waiting.clear()
        self.dropped += lost
        return lost == 0


def whole_lines(chunk: bytearray, max_bytes: int) -> Iterator[memoryview]:
    """``chunk`` in pieces of whole lines up to ``max_bytes``; a single line longer than that is a piece by itself."""
    view = memoryview(chunk)
    start = 0
    while start < len(chunk):
        end = chunk.rfind(b"\n", start, start + max_bytes) + 1
        if end <= start:
            end = chunk.index(b"\n", start) + 1
        yield view[start:end]
        start = end

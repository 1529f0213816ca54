"""Log lines into a file, or whatever else may block: a thread takes them from a bounded queue and only writes.

The loop hands over and never waits; the thread waits for the disk or the reader. They share a queue and counters that
each only one side changes, so there is no lock to wait for. What such a thread costs is each wake-up, when it and the
loop fight for the interpreter lock; hence the large chunks.
"""

import contextlib
import os
import select
from queue import SimpleQueue
from threading import Thread
from typing import Final, Literal

from ingressd.telemetry.pipe_writer import whole_lines

_REOPEN: Final = "reopen"
_CLOSE: Final = "close"


class ThreadWriter:
    """Writes whole lines to ``fd``, at most ``max_write_bytes`` per call. The first chunk starts the thread.

    With ``path`` the descriptor is owned: ``reopen`` replaces it, ``close`` closes it.
    """

    hand_over_bytes: Final = 256 * 1024

    def __init__(self, fd: int, *, path: str | None, max_write_bytes: int, max_waiting_bytes: int) -> None:
        self._fd = fd
        self._path = path
        self._max_write_bytes = max_write_bytes
        self._max_waiting_bytes = max_waiting_bytes
        self._queue: SimpleQueue[bytearray | Literal["reopen", "close"]] = SimpleQueue()
        self._thread: Thread | None = None
        self._bytes_put = self._lines_refused = 0  # changed by the loop only
        self._bytes_done = self._lines_lost = 0  # changed by the thread only
        self._is_mid_line = False

    @property
    def dropped(self) -> int:
        """Lines refused because too much was waiting, and lines whose write failed."""
        return self._lines_refused + self._lines_lost

    def put(self, chunk: bytearray) -> None:
        """Queue whole lines, or count them as dropped. Never waits; the caller gives the chunk away."""
        if self._bytes_put - self._bytes_done + len(chunk) > self._max_waiting_bytes:
            self._lines_refused += chunk.count(b"\n")
            return
        self._bytes_put += len(chunk)
        self._start()
        self._queue.put(chunk)

    def resume(self) -> None:
        """The thread needs no push."""

    def reopen(self) -> None:
        """Open ``path`` again once everything queued so far is written. Does nothing without a path."""
        if self._path is not None:
            self._start()
            self._queue.put(_REOPEN)

    def close(self, *, timeout_s: float) -> bool:
        """Let the thread finish what is queued; wait at most ``timeout_s``. False: it is still stuck in a write."""
        self._start()
        self._queue.put(_CLOSE)
        if self._thread is not None:
            self._thread.join(timeout_s)
            return not self._thread.is_alive()
        return True

    def _start(self) -> None:
        if self._thread is None:
            # A daemon: a reader that never reads must not keep the process from ending.
            self._thread = Thread(target=self._run, name="access-log", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while True:
            item = self._queue.get()
            if isinstance(item, bytearray):
                for lines in whole_lines(item, self._max_write_bytes):
                    self._write_all(bytes(lines))
                self._bytes_done += len(item)
            elif item == _REOPEN:
                self._replace_file()
            else:
                break
        if self._path is not None:
            os.close(self._fd)

    def _write_all(self, lines: bytes) -> None:
        if self._is_mid_line:
            lines = b"\n" + lines  # a full disk cut the line before; this one shall not suffer
        done = 0
        while done < len(lines):
            try:
                done += os.write(self._fd, lines[done:] if done else lines)
            except BlockingIOError:  # standard output was made non-blocking by somebody who shares it
                self._wait_writable()
            except OSError:
                self._lines_lost += lines.count(b"\n", max(done, int(self._is_mid_line)))
                break
        if done:
            self._is_mid_line = lines[done - 1] != 0x0A

    def _wait_writable(self) -> None:
        poll = select.poll()
        poll.register(self._fd, select.POLLOUT)
        poll.poll()

    def _replace_file(self) -> None:
        if self._path is None:
            return
        with contextlib.suppress(OSError):  # the old file goes on: lines in the wrong place beat no lines
            new = open_for_append(self._path)
            old, self._fd = self._fd, new
            self._is_mid_line = False
            os.close(old)


def open_for_append(path: str) -> int:
    """Open ``path`` so that whole writes of several workers follow each other. Raises OSError."""
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)

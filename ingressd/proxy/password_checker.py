"""The process that checks passwords, as its worker sees it: started when first asked, one question at a time."""

import asyncio
import contextlib
import logging
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

log = logging.getLogger(__name__)

PROGRAM = Path(__file__).parent.parent / "passwords.py"
# -P: beside the program lie names of the standard library (http).
COMMAND = (sys.executable, "-P", str(PROGRAM))
_RIGHT = b"\x01"
_REAP_S = 0.2


class Turn(NamedTuple):
    """A byte of a memory file: who has a record lock on it may check, the others wait."""

    fd: int
    byte: int


class PasswordChecker:
    """``on_verdict`` is called with each answer, ``on_lost`` when the process ended by itself."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        on_verdict: Callable[[bool], None],
        on_lost: Callable[[], None],
        turn: Turn | None = None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._command = command if turn is None else (*command, str(turn.fd), str(turn.byte))
        self._inherited = () if turn is None else (turn.fd,)
        self._on_verdict = on_verdict
        self._on_lost = on_lost
        self._process: subprocess.Popen[bytes] | None = None
        self._link: socket.socket | None = None

    @property
    def pid(self) -> int:
        """0: there is none now."""
        return self._process.pid if self._process is not None else 0

    def ask(self, message: bytes) -> None:
        """Send a question; one at a time, so it always fits into the socket's buffer. Starts the process if need be.

        Raises:
            OSError: it cannot be started.
        """
        if self._link is None:
            self._link = self._start()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it ended: reading says so in a moment
            self._link.sendall(message)

    def stop(self, *, wait: bool = False) -> None:
        """End it in the middle of whatever it does; ``wait`` until it is gone."""
        if self._link is not None:
            self._loop.remove_reader(self._link.fileno())
            self._link.close()
            self._link = None
        if self._process is not None:
            self._process.kill()
            if wait:
                self._process.wait()
            else:
                _reap(self._loop, self._process)
            self._process = None

    def _start(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        fd = theirs.fileno()
        try:
            # Errors could only be a traceback. A session of its own: signals to our group are ours to obey.
            self._process = subprocess.Popen(  # noqa: S603  # fixed words
                self._command,
                stdin=fd,
                stdout=fd,
                stderr=subprocess.DEVNULL,
                pass_fds=self._inherited,
                start_new_session=True,
            )
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        ours.setblocking(False)
        self._loop.add_reader(ours.fileno(), self._on_readable, ours)
        return ours

    def _on_readable(self, link: socket.socket) -> None:
        try:
            answer = link.recv(1)
        except BlockingIOError:
            return
        except ConnectionResetError:
            answer = b""
        if answer:
            self._on_verdict(answer == _RIGHT)
        else:
            self.stop()
            self._on_lost()


def _reap(loop: asyncio.AbstractEventLoop, process: subprocess.Popen[bytes]) -> None:
    """Take note of the end of a killed process without waiting for it."""
    if process.poll() is None and not loop.is_closed():
        loop.call_later(_REAP_S, _reap, loop, process)

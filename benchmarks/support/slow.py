"""Clients that take as long as they may, and how they are put an end to.

    python -m benchmarks.support.slow KIND COUNT PORT HOST PAUSE_S

``head`` sends a request head byte by byte, ``body`` a request body, ``read`` takes a large answer byte by byte. Each
connection does one step every PAUSE_S; the steps are spread evenly. Ends with its standard input.
"""

import json
import select
import socket
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from itertools import cycle
from types import TracebackType
from typing import Any, Self

LARGE_PATH = "/large"
_SLICES = 50  # of a round through all connections


class Slow:
    """One connection. ``end`` says how it ended: a status, "closed", "reset"; "" while it is open."""

    def __init__(self, port: int, host: str) -> None:
        self.end = ""
        self.ended_after_s = 0.0
        self._started = time.monotonic()
        self._answer = b""
        self.socket = socket.socket()
        self._prepare()
        self.socket.connect(("127.0.0.1", port))
        self.socket.setblocking(False)
        self._begin(host)

    def _prepare(self) -> None:
        """Before it connects."""

    def _begin(self, host: str) -> None:
        """What is not slow about it."""

    def _act(self) -> None:
        """One step."""

    def step(self) -> None:
        try:
            self._act()
            self._look()
        except BlockingIOError:
            return
        except OSError:
            self._over(self.end or "reset")

    def _look(self) -> None:
        """Take what the other side says; nobody should say anything but that it is over."""
        data = self.socket.recv(4096)
        self._answer += data
        if self._answer.startswith(b"HTTP/1.1 ") and len(self._answer) > 12:
            self._over(self._answer[9:12].decode())
        elif not data:
            self._over("closed")

    def _over(self, how: str) -> None:
        self.end = how
        self.ended_after_s = time.monotonic() - self._started
        self.socket.close()


class SlowHead(Slow):
    def _begin(self, host: str) -> None:
        self._bytes = cycle(b"X-More: of this\r\n")
        self._first = iter(f"GET / HTTP/1.1\r\nHost: {host}\r\n".encode())

    def _act(self) -> None:
        following = next(self._first, None)
        self.socket.send(bytes((next(self._bytes) if following is None else following,)))


class SlowBody(Slow):
    def _begin(self, host: str) -> None:
        self.socket.send(f"POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 1000000\r\n\r\n".encode())

    def _act(self) -> None:
        self.socket.send(b"x")


class SlowReader(Slow):
    def _prepare(self) -> None:
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)

    def _begin(self, host: str) -> None:
        self.socket.send(f"GET {LARGE_PATH} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())

    def _look(self) -> None:
        if not self.socket.recv(1):
            self._over("closed")


KINDS: dict[str, type[Slow]] = {"head": SlowHead, "body": SlowBody, "read": SlowReader}


@dataclass(frozen=True)
class Ends:
    """How the connections of one kind ended, or "open"; and after how long, the first and the last."""

    count: Counter[str]
    first_s: float
    last_s: float

    def __str__(self) -> str:
        counted = ", ".join(f"{number} {how}" for how, number in sorted(self.count.items()))
        return f"{counted} (after {self.first_s:.0f}-{self.last_s:.0f} s)" if self.last_s else counted


class Attack:
    """One kind of slow clients, in a process of their own. ``stop`` returns how they ended."""

    def __init__(self, kind: str, count: int, port: int, host: str, pause_s: float) -> None:
        self._command = [sys.executable, "-m", "benchmarks.support.slow", kind, *map(str, (count, port, host, pause_s))]

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        if self._process.stdout.readline() != "open\n":
            raise RuntimeError("the slow clients could not connect; see above")
        return self

    def stop(self) -> Ends:
        said: dict[str, Any] = json.loads(self._process.communicate(timeout=60)[0])
        return Ends(Counter(said["count"]), said["first_s"], said["last_s"])

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()


def main(kind: str, count: int, port: int, host: str, pause_s: float) -> None:
    clients = [KINDS[kind](port, host) for _ in range(count)]
    print("open", flush=True)
    for number in cycle(range(_SLICES)):
        due = time.monotonic() + pause_s / _SLICES
        for client in clients[number::_SLICES]:
            if not client.end:
                client.step()
        if select.select([sys.stdin], [], [], max(0.0, due - time.monotonic()))[0]:
            break
    after = [client.ended_after_s for client in clients if client.end]
    ends = Counter(client.end or "open" for client in clients)
    print(json.dumps({"count": ends, "first_s": min(after, default=0.0), "last_s": max(after, default=0.0)}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], float(sys.argv[5]))

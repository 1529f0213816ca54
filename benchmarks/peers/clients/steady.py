"""A fixed rate: one request when it is due, on the connection that has been free the longest.

    python -m benchmarks.peers.clients.steady '{"port": …, "rate": 1000, "connections": 4, "seconds": 2}'

Latency counts from when a request was due, so a proxy that stalls is charged for those that had to wait
(coordinated omission). It contains this client's own lateness, which is reported beside it ("late") and is the same
for every peer.
"""

import ctypes
import json
import select
import socket
import sys
import time
from collections import deque
from typing import Any

from benchmarks.peers.clients.answers import Answers, percentile

_PR_SET_TIMERSLACK = 29
_SETTLE_S = 0.2  # first requests open connections to the backend: not counted


class Connection:
    __slots__ = ("answers", "due", "socket")

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.answers = Answers()
        self.due = 0.0

    def fileno(self) -> int:
        return self.socket.fileno()


class Steady:
    def __init__(self, options: dict[str, Any]) -> None:
        self._request = f"GET {options['path']} HTTP/1.1\r\nHost: {options['host']}\r\n\r\n".encode()
        self._every = 1 / options["rate"]
        self._seconds = options["seconds"]
        self._all = [Connection(options["port"]) for _ in range(options["connections"])]
        self._free = deque(self._all)
        self.latency: list[float] = []
        self.late: list[float] = []

    def run(self) -> None:
        clock = time.perf_counter
        due = clock()
        self._counted_from = due + _SETTLE_S
        end = self._counted_from + self._seconds
        while due < end:
            now = clock()
            while due <= now and self._free:
                self._send(self._free.popleft(), due)
                due += self._every
            busy = [one for one in self._all if one.due]
            wait = max(0.0, due - clock()) if self._free else 5.0
            readable = select.select(busy, (), (), wait)[0]
            if not readable and not self._free:
                raise SystemExit("no answer in 5 seconds")
            for one in readable:
                self._receive(one)
        self._settle()

    def _send(self, one: Connection, due: float) -> None:
        one.due = due
        one.socket.sendall(self._request)
        if due >= self._counted_from:
            self.late.append(time.perf_counter() - due)

    def _receive(self, one: Connection) -> None:
        data = one.socket.recv(65536)
        if not data:
            raise SystemExit("closed by the proxy")
        if one.answers.feed(data):
            if one.due >= self._counted_from:
                self.latency.append(time.perf_counter() - one.due)
            one.due = 0.0
            self._free.append(one)

    def _settle(self) -> None:
        while busy := [one for one in self._all if one.due]:
            readable = select.select(busy, (), (), 5.0)[0]
            if not readable:
                raise SystemExit("no answer in 5 seconds")
            for one in readable:
                self._receive(one)

    def figures(self) -> dict[str, Any]:
        latency, late = sorted(self.latency), sorted(self.late)
        if not all(one.answers.ok for one in self._all):
            raise SystemExit("an answer other than 200")
        shares = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999}
        return {
            "requests": len(latency),
            "seconds": self._seconds,
            "latency_us": {name: percentile(latency, share) * 1e6 for name, share in shares.items()},
            "notes": {f"late {name} µs": percentile(late, share) * 1e6 for name, share in shares.items()},
        }


if __name__ == "__main__":
    ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, 1, 0, 0, 0)  # a waiting process is woken within 50 µs otherwise
    steady = Steady(json.loads(sys.argv[1]))
    steady.run()
    json.dump(steady.figures(), sys.stdout)

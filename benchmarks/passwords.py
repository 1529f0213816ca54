"""Wrong logins: what 20 a second, each with a new password for bcrypt at cost 12, do to everybody else.

    python -m benchmarks.passwords [--rate 20] [--hold 10] [--rounds 3] [--workers 2] [--apart]

A quarter of a second of CPU each, so five times what one core can check. Meanwhile one ordinary client in a process of
its own asks for something small on a route without authentication, one request after the other. Claim: the slowest
percent of its answers is within twice of what it is without the logins. With ``--apart`` the logins do not go through
the daemon: processes of this script's have them checked, in the same way, on the same machine.
"""

import argparse
import asyncio
import math
import os
import signal
import socket
import statistics
import tempfile
import threading
import time
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from benchmarks.support.clients import probing
from benchmarks.support.daemon import Daemon
from benchmarks.support.figures import Figures, Load, machine
from benchmarks.support.patient import Patient
from benchmarks.support.site import HOST, write_site
from ingressd.proxy.password_checker import Turn
from ingressd.proxy.password_checks import ChecksUnavailable, PasswordChecks
from ingressd.proxy.shared_limits import SharedLimits
from tests.support import api_objects, sites

CLOSED = "closed.example"
ANNOTATIONS = {"auth-type": "basic", "auth-secret": "users", "auth-realm": "benchmark"}
HASH = b"$2b$12$oFYXdRoYYCfjlHWFYqdRwuUU54yItRnqlipvnZMlmNCIfYFuJUwqq"
PROBE_PAUSE_S = 0.002
MOST_TIMES_QUIET = 2.0


@dataclass
class Logins:
    """Wrong logins at a steady rate, each on a connection of its own, and what they were answered."""

    port: int
    rate: float
    answers: Counter[int] = field(default_factory=Counter)
    _threads: list[threading.Thread] = field(default_factory=list)

    @contextmanager
    def running(self) -> Iterator[None]:
        is_over = threading.Event()
        pace = threading.Thread(target=self._send_all, args=(is_over,))
        pace.start()
        try:
            yield
        finally:
            is_over.set()
            for thread in (pace, *self._threads):
                thread.join()

    def _send_all(self, is_over: threading.Event) -> None:
        while not is_over.wait(1 / self.rate):
            thread = threading.Thread(target=self._send)
            thread.start()
            self._threads.append(thread)

    def _send(self) -> None:
        login = b64encode(b"alice:" + os.urandom(8).hex().encode())
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as connection:
            connection.sendall(
                b"GET / HTTP/1.1\r\nHost: %b\r\nConnection: close\r\nAuthorization: Basic %b\r\n\r\n"
                % (CLOSED.encode(), login)
            )
            self.answers[int(connection.recv(65536).split(b" ", 2)[1])] += 1


@contextmanager
def apart(processes: int, rate: float) -> Iterator[None]:
    """The checks alone, as so many workers would have them made."""
    pids = []
    fd = SharedLimits.create(processes)
    for index in range(processes):
        pid = os.fork()
        if pid == 0:
            asyncio.run(_check_all(rate / processes, SharedLimits(fd, workers=processes, index=index).turn))
        pids.append(pid)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


async def _check_all(rate: float, turn: Turn) -> None:
    checks = PasswordChecks(turn=turn)
    waiting: set[asyncio.Future[bool]] = set()  # who lets go of the answer is not checked for
    for number in count():
        with suppress(ChecksUnavailable):
            answer = checks.check(HASH, os.urandom(8), f"client {number % 8}")
            if isinstance(answer, asyncio.Future):
                waiting.add(answer)
                answer.add_done_callback(waiting.discard)
        await asyncio.sleep(1 / rate)


def answers_us(daemon: Daemon, seconds: float) -> list[float]:
    """What the ordinary client waited for each answer, the shortest first."""
    with probing(daemon.http_port, HOST, PROBE_PAUSE_S) as probes:
        time.sleep(seconds)
    return sorted(took * 1e6 for _, took in probes)


def share_of(values: list[float], share: float) -> float:
    return values[math.ceil(len(values) * share) - 1]


def write_closed_site(directory: Path, port: int) -> list[str]:
    """The site, and a host of the same backend with basic authentication."""
    flags = write_site(directory, port)
    closed = sites.ingress("closed", {CLOSED: {"/": "shop"}})
    prefix = "nginx.ingress.kubernetes.io"
    closed["metadata"]["annotations"] = {f"{prefix}/{name}": value for name, value in ANNOTATIONS.items()}
    sites.write(directory / "closed", closed, api_objects.secret("users", data={"auth": b"alice:" + HASH}))
    return flags


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=20.0, help="wrong logins a second")
    parser.add_argument("--hold", type=float, default=10.0, help="seconds, with and without")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--apart", action="store_true")
    options = parser.parse_args()
    load = Load()
    figures, answers = Figures(), Counter[int]()
    quiet: list[list[float]] = []
    attacked: list[list[float]] = []
    with tempfile.TemporaryDirectory() as folder, Patient() as backend:
        (Path(folder) / "closed").mkdir()
        flags = write_closed_site(Path(folder), backend.port)
        flags += ["--manifests", str(Path(folder) / "closed"), f"--workers={options.workers}"]
        with Daemon(flags, log=Path(folder) / "log") as daemon:
            for _ in range(options.rounds):
                quiet.append(answers_us(daemon, options.hold))
                logins = Logins(daemon.http_port, options.rate, answers)
                with apart(options.workers, options.rate) if options.apart else logins.running():
                    attacked.append(answers_us(daemon, options.hold))
    goal = MOST_TIMES_QUIET * statistics.median(share_of(values, 0.99) for values in quiet)
    figures.add("p99, quiet", "us", [share_of(values, 0.99) for values in quiet])
    figures.add("p99, attacked", "us", [share_of(values, 0.99) for values in attacked], goal=round(goal))
    figures.add("median, quiet", "us", [share_of(values, 0.5) for values in quiet])
    figures.add("median, attacked", "us", [share_of(values, 0.5) for values in attacked])
    print(f"Others and the checks used {load.foreign_share():.0%} of the machine meanwhile.\n\n{figures.table()}")
    print("checks apart from the daemon" if options.apart else f"answers to wrong logins by status: {dict(answers)}")
    if not options.apart and not set(answers) <= {401, 503}:
        raise SystemExit(f"{CLOSED} answered others than 401 and 503: it is not closed")
    figures.save("passwords", machine() | {"foreign_cpu_share": load.foreign_share()} | vars(options))


if __name__ == "__main__":
    main()

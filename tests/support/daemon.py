"""``Daemon``: the program as a user runs it, in processes of its own.

    with Daemon("--manifests", str(directory)) as daemon:
        assert daemon.get("/", host="shop.example").status == 200

Free loopback ports and two workers unless the flags say otherwise. At the end it must stop cleanly, and no process of
it may be left, whatever the test did.
"""

from __future__ import annotations

import os
import re
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from prometheus_client.parser import text_string_to_metric_families

from tests.support.eventually import eventually
from tests.support.fetch import Answer, Client, fetch, trusting

CHECKOUT = Path(__file__).resolve().parents[2]
READY = re.compile(r"ingressd ready http=(\S+):(\d+) https=(\S+):(\d+) admin=(\S+):(\d+) workers=(\d+) routes=(\d+)")
READY_S = 20.0
_LEFT_OVER_S = 10.0
_LOOPBACK = ("--bind-address=127.0.0.1", "--http-port=0", "--https-port=0", "--healthz-port=0")
_START = "import sys, ingressd.cli\nsys.exit(ingressd.cli.main())"
_FLAGS = (*_LOOPBACK, "--admin-address=127.0.0.1", "--workers=2", "--log-format=json")


class Lines:
    """What a process writes to one of its streams, as it comes."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._lines: list[str] = []
        self._more = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self._stream:
            with self._more:
                self._lines.append(line.rstrip("\n"))
                self._more.notify_all()
        with self._more:
            self._stream.close()
            self._more.notify_all()

    def __iter__(self) -> Any:
        with self._more:
            return iter(list(self._lines))

    @property
    def text(self) -> str:
        return "\n".join(self)

    def wait_for(self, matching: Callable[[str], object], *, within_s: float = 10.0) -> str:
        """The first such line, waited for if need be. Raises TimeoutError; EOFError when there will be none."""
        deadline = time.monotonic() + within_s
        seen = 0
        with self._more:
            while True:
                for line in self._lines[seen:]:
                    if matching(line):
                        return line
                seen = len(self._lines)
                left = deadline - time.monotonic()
                if self._stream.closed:
                    raise EOFError("the stream ended without such a line")
                if left <= 0:
                    raise TimeoutError(f"no such line in {within_s:g} s")
                self._more.wait(left)

    def abandon(self) -> None:
        """Read no more: the writer finds the pipe broken."""
        raw = self._stream.fileno()
        with open(os.devnull, "rb") as nothing:
            os.dup2(nothing.fileno(), raw)

    def join(self) -> None:
        """Until everything is read; the writers have ended."""
        self._reader.join(_LEFT_OVER_S)


class Metrics:
    """One scrape."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.families = {family.name: family for family in text_string_to_metric_families(text)}
        self._samples = [sample for family in self.families.values() for sample in family.samples]

    def sum(self, name: str, **labels: str) -> float:
        """Of all samples of that name with at least these labels."""
        return sum(
            sample.value for sample in self._samples if sample.name == name and labels.items() <= sample.labels.items()
        )


class Daemon:
    """See the module's text. ``wait_until_ready`` false: the test looks at the start itself. ``patch`` is Python run
    before the program: to shorten times that no flag sets, or to make one part fail on command.
    """

    def __init__(
        self,
        *flags: str,
        environment: Mapping[str, str] | None = None,
        wait_until_ready: bool = True,
        patch: str = "",
    ) -> None:
        program = ["-c", f"{patch}\n{_START}"] if patch else ["-m", "ingressd"]
        self._command = [sys.executable, *program, *_FLAGS, *flags]
        self._environment = environment or {}
        self._wait_until_ready = wait_until_ready
        self._trusting = trusting()
        self.process: subprocess.Popen[str]
        self.stdout: Lines
        self.stderr: Lines
        self.http_port = self.https_port = self.admin_port = 0

    # -- life

    def start(self) -> Self:
        self.process = subprocess.Popen(
            self._command,
            cwd=CHECKOUT,
            env=clean_environment() | dict(self._environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self.stdout, self.stderr = Lines(self.process.stdout), Lines(self.process.stderr)
        if self._wait_until_ready:
            self.await_ready()
        return self

    def await_ready(self, *, within_s: float = READY_S) -> str:
        """The ready line; from then on the ports are known."""
        try:
            line = self.stdout.wait_for(lambda line: line.startswith("ingressd ready"), within_s=within_s)
        except (TimeoutError, EOFError) as error:
            self.kill()
            raise AssertionError(f"not ready: {error}; its log:\n{self.log}") from None
        said = READY.fullmatch(line)
        assert said is not None, line
        self.http_port, self.https_port, self.admin_port = (int(said[group]) for group in (2, 4, 6))
        return line

    def stop(self, number: signal.Signals = signal.SIGTERM, *, within_s: float = 20.0) -> int:
        """Send a signal and wait for the end; returns the exit code."""
        self.process.send_signal(number)
        return self.wait(within_s=within_s)

    def wait(self, *, within_s: float = 20.0) -> int:
        """Wait for the end; returns the exit code, negative for a signal."""
        try:
            code = self.process.wait(within_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {within_s:g} s; its log:\n{self.log}") from None
        for lines in (self.stdout, self.stderr):
            lines.join()
        return code

    def kill(self) -> None:
        """End every process of it at once."""
        for pid in self.processes():
            _kill(pid)
        self.process.wait()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        try:
            if error is not None:
                error.add_note(f"the daemon's log:\n{self.log}")
            elif self.process.poll() is None:
                code = self.stop()
                assert code == 0, f"exit code {code}; its log:\n{self.log}"
            if error is None:
                eventually(lambda: not self.processes(), within_s=_LEFT_OVER_S)
        finally:
            self.kill()
            eventually(lambda: not self.processes(), within_s=_LEFT_OVER_S)
            for lines in (self.stdout, self.stderr):
                lines.join()

    # -- what it is made of

    @property
    def log(self) -> str:
        return self.stderr.text

    def processes(self) -> list[int]:
        """Every live process of its session."""
        return [pid for pid, _, session in _all_processes() if session == self.process.pid]

    @property
    def supervisor(self) -> int:
        return self.process.pid

    @property
    def workers(self) -> dict[int, int]:
        """Process ids of the workers the control process talks to, by index."""
        return {one["index"]: one["pid"] for one in self.status()["workers"]}

    @property
    def control(self) -> int:
        """The child of the supervisor that is no worker."""
        workers = set(self.workers.values())
        children = {pid for pid, parent, _ in _all_processes() if parent == self.supervisor}
        [control] = children - workers
        return control

    def worker_of(self, client: Client) -> int | None:
        """The process that accepted a client's connection; None while it waits in a queue."""
        inode = _server_inode(client.local_port, client.port)
        owners = [pid for pid in self.processes() if inode and inode in _socket_inodes(pid)]
        return owners[0] if owners else None

    # -- what it says

    def get(self, path: str, *, host: str, scheme: str = "http", **request: Any) -> Answer:
        """One request on a connection of its own."""
        if scheme == "http":
            return fetch(self.http_port, path, host, **request)
        return fetch(self.https_port, path, host, **{"tls": self._trusting} | request)

    def connect(self, host: str, *, scheme: str = "http", tls: ssl.SSLContext | None = None) -> Client:
        """A connection to send several requests on."""
        if scheme == "http":
            return Client(self.http_port, host)
        return Client(self.https_port, host, tls=tls or self._trusting)

    def admin(self, path: str) -> Answer:
        return fetch(self.admin_port, path)

    def api(self, name: str) -> Any:
        answer = self.admin(f"/api/{name}")
        assert answer.status == 200, answer
        return answer.json()

    def status(self) -> dict[str, Any]:
        status: dict[str, Any] = self.api("status")
        return status

    def metrics(self) -> Metrics:
        answer = self.admin("/metrics")
        assert answer.status == 200, answer
        return Metrics(answer.text)

    def is_ready(self) -> bool:
        return self.admin("/readyz").status == 200


def clean_environment() -> dict[str, str]:
    """The environment without what would be taken for flags or for a cluster of the developer's."""
    unwanted = ("KUBECONFIG", "KUBERNETES_SERVICE_HOST", "POD_IP", "POD_NAMESPACE")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("INGRESSD_")}
    return {name: value for name, value in kept.items() if name not in unwanted} | {"NO_PROXY": "*", "no_proxy": "*"}


def _all_processes() -> list[tuple[int, int, int]]:
    """Process, parent and session of everything alive; the dead that wait to be reaped do not count."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            stat = (entry / "stat").read_text()
        except OSError:
            continue
        state, parent, _, session = stat.rpartition(")")[2].split()[:4]
        if state not in "ZX":
            found.append((int(entry.name), int(parent), int(session)))
    return found


def _server_inode(client_port: int, server_port: int) -> str:
    """Of the server's end of a connection on IPv4; "" when nobody has accepted it."""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, remote, *rest = line.split()
        if (int(local[9:], 16), int(remote[9:], 16)) == (server_port, client_port):
            return "" if rest[6] == "0" else rest[6]
    return ""


def _socket_inodes(pid: int) -> set[str]:
    found = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = os.readlink(entry)
        except OSError:
            continue
        if target.startswith("socket:["):
            found.add(target[8:-1])
    return found


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return

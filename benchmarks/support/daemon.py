"""The daemon under test, as anybody would start it: command line, ready line, admin server, /proc."""

import json
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
Memory = dict[str, float]
"""``rss``, ``pss`` and ``private`` in MB (10^6 bytes)."""


class Daemon:
    """``with Daemon(arguments) as daemon``: started and ready; ``ready_s`` says how long that took."""

    def __init__(self, arguments: Sequence[str], *, log: Path) -> None:
        self._command = [sys.executable, "-m", "ingressd", *arguments]
        self._log = log

    def __enter__(self) -> Self:
        started = time.monotonic()
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, stderr=log, text=True)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        self.ready_s = time.monotonic() - started
        if not line.startswith("ingressd ready "):
            self._process.kill()
            raise RuntimeError(f"ingressd did not start: {self._log.read_text()[-2000:]}")
        self.ready_line = line.strip()
        said = dict(item.split("=", 1) for item in line.split()[2:])
        self.routes = int(said["routes"])
        self.http_port, self.https_port = (int(said[name].rpartition(":")[2]) for name in ("http", "https"))
        self._admin = f"http://{said['admin']}"
        self.worker_pids = {one["index"]: int(one["pid"]) for one in self.status()["workers"]}
        self.supervisor_pid = self._process.pid
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        (self.control_pid,) = set(map(int, children)) - set(self.worker_pids.values())
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._process.terminate()
        try:
            self._process.wait(timeout=40)
        except subprocess.TimeoutExpired:
            self._process.kill()

    def get(self, path: str) -> bytes:
        with _opener.open(self._admin + path, timeout=30) as response:
            body: bytes = response.read()
        return body

    def status(self) -> Any:
        return json.loads(self.get("/api/status"))

    def metrics(self) -> str:
        return self.get("/metrics").decode()

    def histogram(self, name: str) -> dict[float, int]:
        """Cumulative counts by upper bound."""
        found = re.findall(rf'^{name}_bucket{{le="([^"]+)"}} (\S+)$', self.metrics(), re.M)
        return {float(bound): int(float(count)) for bound, count in found}

    def pids(self) -> dict[str, int]:
        workers = {f"worker {index}": pid for index, pid in sorted(self.worker_pids.items())}
        return {"supervisor": self.supervisor_pid, "control": self.control_pid, **workers}

    def memory(self) -> dict[str, Memory]:
        return {name: memory_of(pid) for name, pid in self.pids().items()}

    def cpu_s(self) -> dict[str, float]:
        return {name: cpu_s_of(pid) for name, pid in self.pids().items()}


def memory_of(pid: int) -> Memory:
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    kb = {name: int(value) for name, value in re.findall(r"^(\w+):\s+(\d+) kB", text, re.M)}
    private = kb["Private_Clean"] + kb["Private_Dirty"]
    return {"rss": kb["Rss"] * 1.024e-3, "pss": kb["Pss"] * 1.024e-3, "private": private * 1.024e-3}


def cpu_s_of(pid: int) -> float:
    """CPU seconds of a process's main thread and the others, from the scheduler."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def worst_bucket(before: dict[float, int], after: dict[float, int]) -> tuple[int, float]:
    """How many values came between the two looks, and the upper bound of the bucket of the largest (0 if none)."""
    new = {bound: after[bound] - before.get(bound, 0) for bound in after}
    count = new[float("inf")]
    return count, next((bound for bound in sorted(new) if new[bound] == count), 0.0) if count else 0.0

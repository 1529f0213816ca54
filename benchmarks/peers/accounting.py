"""CPU and memory of a process with all its descendants, and what the rest of the machine did meanwhile, from /proc."""

import os
import re
import time
from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct

from benchmarks.support.figures import Load

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_CORES = os.cpu_count() or 1


class Cpu(Struct, frozen=True):
    """CPU time of one process since it began, in microseconds.

    ``exact_us`` is the scheduler's account of its live threads, to the nanosecond. ``user_us`` and ``system_us`` come
    in ticks (10 ms) and include ended threads and reaped children: they say how the time was split.
    """

    exact_us: float = 0.0
    user_us: float = 0.0
    system_us: float = 0.0

    def __sub__(self, other: "Cpu") -> "Cpu":
        return Cpu(self.exact_us - other.exact_us, self.user_us - other.user_us, self.system_us - other.system_us)

    def __add__(self, other: "Cpu") -> "Cpu":
        return Cpu(self.exact_us + other.exact_us, self.user_us + other.user_us, self.system_us + other.system_us)


def descendants(root: int) -> list[int]:
    """Processes below ``root``, at any depth; without itself, and without those that have ended."""
    parents: dict[int, int] = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                fields = _stat_fields(int(entry.name))
            except OSError:
                continue
            if fields[0] not in "ZX":
                parents[int(entry.name)] = int(fields[1])
    found, level = list[int](), {root}
    while level:
        level = {pid for pid, parent in parents.items() if parent in level}
        found += sorted(level)
    return found


def tree(root: int) -> list[int]:
    return [root, *descendants(root)]


def cpu_of(pid: int) -> Cpu:
    """What the process used; nothing when it has ended (its parent then has it among its children)."""
    try:
        fields = _stat_fields(pid)
        exact = sum(_thread_us(task) for task in Path(f"/proc/{pid}/task").iterdir())
    except OSError:
        return Cpu()
    user, system, children_user, children_system = (int(field) * 1e6 / TICKS_PER_S for field in fields[11:15])
    return Cpu(exact, user + children_user, system + children_system)


def cpu_of_each(pids: Iterable[int]) -> dict[int, Cpu]:
    return {pid: cpu_of(pid) for pid in pids}


def spent(before: dict[int, Cpu], after: dict[int, Cpu]) -> Cpu:
    """Sum over all processes; one that is new counts from nothing."""
    total = Cpu()
    for pid, cpu in after.items():
        total += cpu - before.get(pid, Cpu())
    return total


def _stat_fields(pid: int) -> list[str]:
    """Fields of /proc/PID/stat from the third (state) on; the second, a name, may hold anything."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _thread_us(task: Path) -> float:
    try:
        return int((task / "schedstat").read_text().split()[0]) / 1e3
    except OSError:
        return 0.0


class Memory(Struct, frozen=True):
    """MiB. ``rss`` counts a page once for every process that has it, ``pss`` shares it out."""

    rss: float
    pss: float
    private: float


def memory_of(pids: Iterable[int]) -> Memory:
    """Sum over processes."""
    kib: dict[str, int] = {}
    for pid in pids:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        for name, value in re.findall(r"^(\w+):\s+(\d+) kB", text, re.M):
            kib[name] = kib.get(name, 0) + int(value)
    return Memory(
        kib.get("Rss", 0) / 1024,
        kib.get("Pss", 0) / 1024,
        (kib.get("Private_Clean", 0) + kib.get("Private_Dirty", 0)) / 1024,
    )


class Others:
    """What share of the machine's CPU time others had since this was made: other processes, other virtual machines."""

    def __init__(self) -> None:
        self._load = Load()
        self._stolen = _stolen_s()
        self._started = time.monotonic()

    def share(self) -> float:
        """0 to 1."""
        stolen = (_stolen_s() - self._stolen) / ((time.monotonic() - self._started) * _CORES)
        return self._load.foreign_share() + max(0.0, stolen)


def _stolen_s() -> float:
    return int(Path("/proc/stat").read_text().split("\n", 1)[0].split()[8]) / TICKS_PER_S

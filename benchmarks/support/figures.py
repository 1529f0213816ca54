"""Repeated measurements → a table for people and JSON for machines, with what else the machine was doing."""

import json
import os
import platform
import re
import statistics
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent.parent / "results"


@dataclass
class Figure:
    """One line of the table: all values of one measurement in ``unit``, and the goal they are held to (0: none)."""

    title: str
    unit: str
    values: list[float]
    goal: float = 0.0
    note: str = ""

    def row(self) -> str:
        digits = 0 if self.unit == "MB" else 2 if self.unit == "s" else 1
        median, least, most = (
            f"{value:.{digits}f}" for value in (statistics.median(self.values), min(self.values), max(self.values))
        )
        goal = f"{self.goal:g} {self.unit}" if self.goal else ""
        verdict = "" if not self.goal else "yes" if max(self.values) <= self.goal else "**no**"
        return f"| {self.title} | {median} {self.unit} | {least} | {most} | {len(self.values)} | {goal} | {verdict} |"


@dataclass
class Figures:
    """All lines of one run."""

    lines: list[Figure] = field(default_factory=list)

    def add(self, title: str, unit: str, values: Iterable[float], goal: float = 0.0, note: str = "") -> None:
        self.lines.append(Figure(title, unit, list(values), goal, note))

    def table(self) -> str:
        head = "| | median | least | most | times | goal | met by all |\n|---|---|---|---|---|---|---|\n"
        return head + "\n".join(line.row() for line in self.lines) + "\n"

    def save(self, name: str, about: dict[str, Any]) -> Path:
        RESULTS.mkdir(exist_ok=True)
        path = RESULTS / f"{name}-{time.strftime('%Y%m%d-%H%M%S')}.json"
        lines = [vars(line) for line in self.lines]
        path.write_text(json.dumps({"about": about, "figures": lines}, indent=1) + "\n")
        return path


class Load:
    """What share of the machine others used since this was made. ``own`` are processes of ours: children and theirs
    are counted with them."""

    def __init__(self) -> None:
        self.loadavg_before = os.getloadavg()[0]
        self._started = time.monotonic()
        self._busy = _busy_s()
        self._own = _session_s()

    def foreign_share(self) -> float:
        """Of all CPU time there was. Ended processes of ours count as others', so this is rather too high."""
        spent = time.monotonic() - self._started
        foreign = (_busy_s() - self._busy) - (_session_s() - self._own)
        return max(0.0, foreign) / (spent * (os.cpu_count() or 1))


def _busy_s() -> float:
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    user, nice, system, _, _, irq, softirq = map(int, fields[:7])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def _session_s() -> float:
    """CPU seconds of all processes descending from us, ourselves included, and of those of them that were reaped."""
    times: dict[int, tuple[int, float]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            times[int(entry.name)] = int(fields[1]), sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    total = 0.0
    for pid in times:
        ancestor = pid
        while ancestor in times and ancestor != os.getpid():
            ancestor = times[ancestor][0]
        if ancestor == os.getpid():
            total += times[pid][1]
    return total


def machine() -> dict[str, str]:
    """What the figures were measured on."""
    model = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.M)
    return {
        "cpu": f"{os.cpu_count()} x {model.group(1) if model else platform.machine()}",
        "kernel": platform.release(),
        "python": platform.python_version(),
        "date": time.strftime("%Y-%m-%d"),
    }


def write_page(page: Path, figures: str, marker: str = "<!-- figures: written by the benchmark -->") -> None:
    """Replace what follows ``marker`` in a page."""
    kept, found, _ = page.read_text().partition(marker)
    if not found:
        raise SystemExit(f"{page} has no line {marker}")
    page.write_text(f"{kept}{marker}\n\n{figures}")

"""The usual ``process_*`` figures of every process of ours, read from /proc (proc_pid_stat(5)).

prometheus_client knows only the process it runs in and no label to tell several apart.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

PROC: Final = Path("/proc")
_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")


class ProcessFigures(NamedTuple):
    """None: the kernel does not tell us (another user's process)."""

    cpu_s: float
    resident_bytes: int
    virtual_bytes: int
    start_time_s: float
    open_fds: int | None
    max_fds: int | None


def read_process(pid: int, *, proc: Path = PROC) -> ProcessFigures | None:
    """None when there is no such process any more."""
    folder = proc / str(pid)
    try:
        # The name in parentheses may hold anything, also spaces and parentheses: fields count from the last one.
        fields = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()
        return ProcessFigures(
            cpu_s=(int(fields[11]) + int(fields[12])) / _TICKS_PER_S,
            resident_bytes=int(fields[21]) * _PAGE_BYTES,
            virtual_bytes=int(fields[20]),
            start_time_s=_boot_time_s(proc) + int(fields[19]) / _TICKS_PER_S,
            open_fds=_open_fds(folder),
            max_fds=_max_fds(folder),
        )
    except (OSError, ValueError, IndexError):
        return None


def _boot_time_s(proc: Path) -> int:
    for line in (proc / "stat").read_text().splitlines():
        if line.startswith("btime "):
            return int(line.split()[1])
    return 0


def _open_fds(folder: Path) -> int | None:
    try:
        return len(os.listdir(folder / "fd"))
    except OSError:
        return None


def _max_fds(folder: Path) -> int | None:
    try:
        for line in (folder / "limits").read_text().splitlines():
            if line.startswith("Max open files"):
                soft = line.split()[3]
                return None if soft == "unlimited" else int(soft)
    except OSError:
        pass
    return None


def process_families(pids: Mapping[str, int], *, proc: Path = PROC) -> Iterator[Metric]:
    """Families for the processes that live, each under its name in ``pids``."""
    label = ["process"]
    cpu = CounterMetricFamily("process_cpu_seconds_total", "User and system CPU time spent, in seconds.", labels=label)
    resident = GaugeMetricFamily("process_resident_memory_bytes", "Resident memory, in bytes.", labels=label)
    virtual = GaugeMetricFamily("process_virtual_memory_bytes", "Virtual memory, in bytes.", labels=label)
    started = GaugeMetricFamily("process_start_time_seconds", "Start time, seconds since the epoch.", labels=label)
    fds = GaugeMetricFamily("process_open_fds", "Open file descriptors.", labels=label)
    max_fds = GaugeMetricFamily("process_max_fds", "Open file descriptors allowed.", labels=label)
    for name, pid in pids.items():
        figures = read_process(pid, proc=proc)
        if figures is None:
            continue
        cpu.add_metric([name], figures.cpu_s)
        resident.add_metric([name], figures.resident_bytes)
        virtual.add_metric([name], figures.virtual_bytes)
        started.add_metric([name], figures.start_time_s)
        if figures.open_fds is not None:
            fds.add_metric([name], figures.open_fds)
        if figures.max_fds is not None:
            max_fds.add_metric([name], figures.max_fds)
    yield from (cpu, resident, virtual, started, fds, max_fds)

"""What the kernel knows of processes: who owns a connection, when one has ended, what it has used."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterable
from pathlib import Path


def owners(server_port: int, pids: Iterable[int]) -> dict[int, int]:
    """Client port → process that accepted its connection to ``server_port``, over IPv4."""
    inodes = {}
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if int(fields[1][9:], 16) == server_port:
            inodes[f"socket:[{fields[9]}]"] = int(fields[2][9:], 16)
    found = {}
    for pid in pids:
        for link in _links(pid):
            if link in inodes:
                found[inodes[link]] = pid
    return found


def _links(pid: int) -> list[str]:
    links = []
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            links.append(os.readlink(entry))
        except OSError:
            continue
    return links


def descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def cpu_s(pid: int) -> float:
    """CPU seconds of all its threads, from the scheduler."""
    return sum(int((task / "schedstat").read_text().split()[0]) for task in Path(f"/proc/{pid}/task").iterdir()) / 1e9


def resident_kib(pid: int) -> int:
    [line] = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1])


async def ended(descriptor: int) -> float:
    """Monotonic time at which the process behind a pidfd had ended: its sockets are closed by then."""
    loop = asyncio.get_running_loop()
    over: asyncio.Future[float] = loop.create_future()

    def note() -> None:
        loop.remove_reader(descriptor)
        over.set_result(time.monotonic())

    loop.add_reader(descriptor, note)
    return await over

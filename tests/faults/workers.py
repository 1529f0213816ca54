"""Killing a worker, and what may be lost by it."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

from tests.faults import processes
from tests.faults.ledger import Request
from tests.support.daemon import Daemon
from tests.support.eventually import soon


@dataclass(frozen=True)
class Killed:
    """``connections``: the client ports it had accepted; ``gone``: monotonic time when it was no more."""

    connections: frozenset[int]
    gone: float

    def excuses(self, lost: Collection[Request]) -> bool:
        """Whether all of these were under way on it: at most one on each of its connections, sent while it lived."""
        each = Counter(request.connection for request in lost)
        return (
            set(each) <= self.connections
            and max(each.values(), default=0) <= 1
            and all(request.sent_at < self.gone and request.outcome in ("nothing", "cut") for request in lost)
        )


async def kill_worker(daemon: Daemon, index: int) -> Killed:
    """Returns when its replacement serves."""
    pid = daemon.workers[index]
    connections = frozenset(processes.owners(daemon.http_port, [pid]))
    descriptor = os.pidfd_open(pid)
    os.kill(pid, signal.SIGKILL)
    gone = await processes.ended(descriptor)
    os.close(descriptor)
    await soon(lambda: daemon.workers.get(index, pid) != pid and daemon.is_ready())
    return Killed(connections, gone)

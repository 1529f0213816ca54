"""How many CPUs this process may really use."""

import os
from pathlib import Path

_CPU_MAX = Path("/sys/fs/cgroup/cpu.max")


def usable_cpus(cpu_max: Path = _CPU_MAX) -> int:
    """CPUs of our affinity, no more than a container's quota (cgroup v2) rounded up; at least one.

    A worker more than the quota allows would only be throttled in the middle of requests.
    """
    count = len(os.sched_getaffinity(0))
    try:
        quota, period = cpu_max.read_text().split()
        allowed = -(-int(quota) // int(period))
    except (OSError, ValueError):  # no cgroup v2 here, or "max": no quota
        return count
    return max(1, min(count, allowed))

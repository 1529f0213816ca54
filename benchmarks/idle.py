"""What an idle keep-alive connection costs a worker in resident memory, plain and with TLS.

    python -m benchmarks.idle [--counts 1000 10000]

One worker, a new one for each scheme. Every connection has done one request before it rests. A hundred connections come
and go first, so that what a worker needs once is not counted with them. The kernel's share is not in these figures.
"""

import argparse
import re
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.support.backend import Backend
from benchmarks.support.daemon import Daemon, memory_of
from benchmarks.support.figures import Figures, Load, machine
from benchmarks.support.idle import IdleClients
from benchmarks.support.site import HOST, write_site

WARM_UP = 100
SETTLED_S = 3.0  # reports and buffers of the last requests are done with
LIMIT_S = 10.0
GOAL_KIB = {"http": 3.0, "https": 24.0}


def measure(scheme: str, counts: list[int], folder: Path, backend: int) -> Iterator[tuple[int, float, float]]:
    """Connections, RSS of the worker (MB), and what each connection has added to it (KiB)."""
    flags = [*write_site(folder, backend), "--workers=1"]
    with Daemon(flags, log=folder / "log") as daemon:
        port = daemon.http_port if scheme == "http" else daemon.https_port
        with IdleClients(port, HOST, scheme) as clients:
            clients.grow_to(WARM_UP)
        before = resident_mb(daemon, 0)
        yield 0, before, 0.0
        with IdleClients(port, HOST, scheme) as clients:
            for count in counts:
                clients.grow_to(count)
                after = resident_mb(daemon, count)
                yield count, after, (after - before) * 1e6 / 1024 / count


def resident_mb(daemon: Daemon, connections: int) -> float:
    """RSS of the worker at rest; it has exactly so many connections."""
    time.sleep(SETTLED_S)
    until = time.monotonic() + LIMIT_S
    while (found := idle_connections(daemon)) != connections:
        if time.monotonic() > until:
            raise RuntimeError(f"{found} connections are idle instead of {connections}")
        time.sleep(0.2)
    [worker] = daemon.worker_pids.values()
    return memory_of(worker)["rss"]


def idle_connections(daemon: Daemon) -> int:
    [line] = re.findall(r'^ingressd_connections\{state="idle"\} (\S+)$', daemon.metrics(), re.M)
    return int(float(line))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--counts", type=int, nargs="+", default=[1000, 10_000])
    options = parser.parse_args()
    load, figures = Load(), Figures()
    for scheme, goal in GOAL_KIB.items():
        with tempfile.TemporaryDirectory() as folder, Backend() as backend:
            for count, rss_mb, each_kib in measure(scheme, options.counts, Path(folder), backend.port):
                figures.add(f"{scheme}: RSS of the worker with {count} idle connections", "MB", [rss_mb])
                if count:
                    figures.add(f"{scheme}: each of {count} idle connections", "KiB", [each_kib], goal=goal)
    print(figures.table())
    figures.save("idle", machine() | vars(options) | {"foreign_cpu_share": load.foreign_share()})


if __name__ == "__main__":
    main()

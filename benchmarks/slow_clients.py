"""Slow clients: what thousands of them do to an ordinary client and to memory, and how they are put an end to.

    python -m benchmarks.slow_clients [--heads 2000] [--bodies 500] [--readers 500] [--hold 75]

2,000 connections that send a request head byte by byte, 500 that send a body so, and 500 that read an answer of 8 MiB
so, one step a second each, all on one worker. Meanwhile one ordinary client in a process of its own asks for something
small, one request after the other; every one of them must succeed, and the slowest percent must be within three times
of what it is without the slow ones. A second attack shows whether the memory of the first is used again.
"""

import argparse
import math
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.support.clients import probing
from benchmarks.support.daemon import Daemon, memory_of
from benchmarks.support.figures import Figures, Load, machine
from benchmarks.support.patient import Patient
from benchmarks.support.site import HOST, write_site
from benchmarks.support.slow import Attack, Ends

PROBE_PAUSE_S = 0.002
STEP_S = 1.0
QUIET_S = 10.0
SETTLED_S = 3.0
MOST_TIMES_QUIET = 3.0


@dataclass
class Seen:
    """What one part of the run showed."""

    answers_us: list[float] = field(default_factory=list)
    rss_mb: list[float] = field(default_factory=list)

    @property
    def p99_us(self) -> float:
        return sorted(self.answers_us)[math.ceil(len(self.answers_us) * 0.99) - 1]


class Run:
    """One daemon with one worker."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        [self._worker] = daemon.worker_pids.values()

    def watch(self, seconds: float) -> Seen:
        """What an ordinary client and the worker's memory say for so long. A request that fails ends the benchmark."""
        seen = Seen()
        with probing(self._daemon.http_port, HOST, PROBE_PAUSE_S) as probes:
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                seen.rss_mb.append(self.rss_mb())
                time.sleep(0.5)
        seen.answers_us = [took * 1e6 for _, took in probes]
        return seen

    def rss_mb(self) -> float:
        return memory_of(self._worker)["rss"]

    @contextmanager
    def attacked(self, counts: dict[str, int]) -> Iterator[dict[str, Attack]]:
        """All slow clients are connected."""
        with ExitStack() as stack:
            yield {
                kind: stack.enter_context(Attack(kind, count, self._daemon.http_port, HOST, STEP_S))
                for kind, count in counts.items()
            }


def measure(daemon: Daemon, counts: dict[str, int], hold_s: float) -> tuple[Figures, dict[str, Ends]]:
    run, figures = Run(daemon), Figures()
    quiet = run.watch(QUIET_S)
    with run.attacked(counts) as attacks:
        attacked = run.watch(hold_s)
        ends = {kind: attack.stop() for kind, attack in attacks.items()}
    time.sleep(SETTLED_S)
    left_mb = run.rss_mb()
    with run.attacked(counts):
        again = run.watch(QUIET_S)
    figures.add(f"p99 of {len(quiet.answers_us)} answers, quiet", "us", [quiet.p99_us])
    goal = MOST_TIMES_QUIET * quiet.p99_us
    figures.add(f"p99 of {len(attacked.answers_us)} answers, attacked", "us", [attacked.p99_us], goal=round(goal))
    figures.add("RSS of the worker, quiet", "MB", quiet.rss_mb)
    figures.add("RSS of the worker, attacked", "MB", attacked.rss_mb)
    figures.add("RSS of the worker, when they have left", "MB", [left_mb])
    figures.add("RSS of the worker, attacked again", "MB", again.rss_mb)
    return figures, ends


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--heads", type=int, default=2000)
    parser.add_argument("--bodies", type=int, default=500)
    parser.add_argument("--readers", type=int, default=500)
    parser.add_argument("--hold", type=float, default=75.0, help="seconds; heads have 60")
    options = parser.parse_args()
    counts = {"head": options.heads, "body": options.bodies, "read": options.readers}
    load = Load()
    with tempfile.TemporaryDirectory() as folder, Patient() as backend:
        flags = write_site(Path(folder), backend.port)
        with Daemon([*flags, "--workers=1"], log=Path(folder) / "log") as daemon:
            figures, ends = measure(daemon, counts, options.hold)
    print(f"Others used {load.foreign_share():.0%} of the machine meanwhile.\n\n{figures.table()}")
    for kind, how in ends.items():
        print(f"{counts[kind]} x {kind}: {how}")
    about = machine() | {
        "foreign_cpu_share": load.foreign_share(),
        "ends": {kind: str(how) for kind, how in ends.items()},
    }
    figures.save("slow-clients", about | vars(options))


if __name__ == "__main__":
    main()

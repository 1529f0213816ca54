"""Ten thousand Ingresses: how soon ready, how soon a change is live, how long a worker pauses, what memory it takes.

    python -m benchmarks.scale [--ingresses 10000] [--workers 2] [--quick] [--page docs/scale.md]

The daemon runs as anybody would start it, against the API-server fixture in a process of its own. A change counts from
before it is sent to the API server until every worker has answered a real request with it; the clients know which
worker they speak to. Meanwhile a probe asks for an unrelated host, one request after the other, and notes the worst
answer. Everything shares the machine: daemon, API server, backend, clients. Figures go to benchmarks/results/.
"""

import argparse
import base64
import math
import os
import signal
import ssl
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.support import objects
from benchmarks.support.backend import Backend
from benchmarks.support.clients import WorkerClient, handshake, probing
from benchmarks.support.daemon import Daemon, worst_bucket
from benchmarks.support.figures import Figures, Load, machine, write_page
from benchmarks.support.objects import NAMESPACE, Issuer, host_name
from tests.support.apiserver.harness import ApiServer

SECRETS = 200
BURST_CHANGES, BURST_PER_S = 200, 20.0
SETTLE_S = 1.0  # between changes, so that each is one change
AMID_S = 0.065  # a change is held off 0.05 s before it is compiled
LIMIT_S = 30.0
POLL_S = 0.001
PROBE_PAUSE_S = 0.001
PROBED = 7  # a Service that never changes
SWAPS = "ingressd_worker_swap_seconds"
Act = Callable[[int], None]
IsLive = Callable[[int, int], bool]
"""(repetition, worker's process id) → whether that worker serves it."""


class Bench:
    """A loaded API server, a backend, and the figures of one daemon after the other."""

    def __init__(self, api: ApiServer, backend: Backend, arguments: argparse.Namespace) -> None:
        self.api = api
        self.backend = backend
        self.count: int = arguments.ingresses
        self.workers: int = arguments.workers
        self.repeat: int = 3 if arguments.quick else 10
        self.starts: int = 1 if arguments.quick else 3
        self.burst: int = 60 if arguments.quick else BURST_CHANGES
        self.issuer = Issuer()
        self.figures = Figures()
        self._clients: dict[int, WorkerClient] = {}
        self._generation = 0
        self._rotated: dict[int, bytes] = {}

    def load(self) -> None:
        made = list(objects.cluster(self.count, SECRETS, self.backend.port, self.issuer))
        for at in range(0, len(made), 5000):
            self.api.create_all(made[at : at + 5000])

    def daemon(self, folder: Path) -> Daemon:
        return Daemon(
            ["--kubeconfig", str(self.api.kubeconfig), "--bind-address", "127.0.0.1", "--admin-address", "127.0.0.1",
             "--http-port", "0", "--https-port", "0", "--healthz-port", "0", "--workers", str(self.workers),
             "--allow-loopback-endpoints", "--access-log", "off"],
            log=folder / "ingressd.log",
        )  # fmt: skip

    def run(self, folder: Path) -> None:
        ready = []
        for _ in range(self.starts - 1):
            with self.daemon(folder) as daemon:
                ready.append(daemon.ready_s)
        with self.daemon(folder) as daemon:
            ready.append(daemon.ready_s)
            self.figures.add("start → ready", "s", ready, goal=8)
            say(daemon.ready_line)
            self._memory(daemon, "after start")
            self._clients = {
                pid: WorkerClient(daemon.http_port, pid, host_name(0)) for pid in daemon.worker_pids.values()
            }
            self._changes(daemon)
            self._memory(daemon, "after all that")
            self._control_restart(daemon)

    # ── what changes ────────────────────────────────────────────────────────────────────────────────────────────────

    def _changes(self, daemon: Daemon) -> None:
        with self._watched(daemon, "nothing changes"):
            time.sleep(self.repeat * SETTLE_S)
        with self._watched(daemon, "one endpoint set"):
            self._measure(
                "one endpoint set changed → live everywhere", 0.3, self._change_endpoints, self._has_endpoints
            )
        for number in range(self.count, self.count + self.repeat):  # Services that no Ingress names yet
            self.api.create(objects.service(number))
            self.api.create(objects.endpoint_slice(number, self.backend.port))
        with self._watched(daemon, "endpoint sets amid compiles"):
            title = "one endpoint set changed amid the compile for an Ingress → live everywhere"
            self._measure(title, 0.3, self._change_endpoints, self._has_endpoints, before=self._touch_ingress)
        with self._watched(daemon, "new Ingress"):
            self._measure("one Ingress created → live everywhere", 1.0, self._create_ingress, self._answers)
        with self._watched(daemon, "deleted Ingress"):
            self._measure("one Ingress deleted → gone everywhere", 1.0, self._delete_ingress, self._is_gone)
        with self._watched(daemon, "rotated certificate"):
            showing = _Showing(daemon, self._rotated)
            self._measure("one certificate rotated → shown everywhere", 1.0, self._rotate, showing.is_new)
        with self._watched(daemon, f"burst of {self.burst}"):
            title = f"{self.burst} endpoint changes, {BURST_PER_S:g} a second: each → live everywhere"
            self.figures.add(title, "s", self._burst(), goal=0.3)

    def _measure(self, title: str, goal: float, act: Act, is_live: IsLive, before: Act | None = None) -> None:
        took = []
        for turn in range(self.repeat):
            time.sleep(SETTLE_S)
            if before is not None:
                before(turn)
            started = time.monotonic()
            act(turn)
            self._until_live(turn, is_live, started)
            took.append(time.monotonic() - started)
        say(f"{title}: {', '.join(f'{one:.3f}' for one in took)}")
        self.figures.add(title, "s", took, goal)

    def _until_live(self, turn: int, is_live: IsLive, started: float) -> None:
        waiting = set(self._clients)
        while waiting:
            waiting = {pid for pid in waiting if not is_live(turn, pid)}
            if time.monotonic() - started > LIMIT_S:
                raise SystemExit(f"not live in {LIMIT_S} s")
            time.sleep(POLL_S)

    def _change_endpoints(self, turn: int) -> None:
        self._generation += 1
        endpoints = objects.endpoints_of(turn, self._generation)
        self.api.patch("EndpointSlice", objects.slice_name(turn), {"endpoints": endpoints}, NAMESPACE)

    def _has_endpoints(self, turn: int, pid: int) -> bool:
        status, address = self._clients[pid].get(host_name(turn))
        assert status == 200, status
        return address in objects.addresses_of(turn, self._generation)

    def _create_ingress(self, turn: int) -> None:
        self.api.create(objects.ingress(self.count + turn, 0))

    def _touch_ingress(self, turn: int) -> None:
        """Returns when the compile for it has just begun."""
        annotations = {"example.com/touched": f"{self._generation}"}
        self.api.patch(
            "Ingress", f"ingress-{self.count - 1 - turn}", {"metadata": {"annotations": annotations}}, NAMESPACE
        )
        time.sleep(AMID_S)

    def _answers(self, turn: int, pid: int) -> bool:
        return self._clients[pid].get(host_name(self.count + turn))[0] == 200

    def _delete_ingress(self, turn: int) -> None:
        self.api.delete("Ingress", f"ingress-{self.count + turn}", NAMESPACE)

    def _is_gone(self, turn: int, pid: int) -> bool:
        return self._clients[pid].get(host_name(self.count + turn))[0] == 404

    def _rotate(self, turn: int) -> None:
        secret = self.issuer.secret(turn, self.count, SECRETS, generation=turn + 1)
        pem = base64.b64decode(secret["data"]["tls.crt"]).decode()
        self._rotated[turn] = ssl.PEM_cert_to_DER_cert(pem)
        self.api.patch("Secret", f"secret-{turn}", {"data": secret["data"]}, NAMESPACE)

    def _burst(self) -> Iterator[float]:
        """Seconds each change of a steady stream took, all under way at once."""
        self._generation += 1
        first, waiting, next_number = time.monotonic(), dict[int, tuple[float, set[int]]](), 0
        while waiting or next_number < self.burst:
            now = time.monotonic()
            if next_number < self.burst and now >= first + next_number / BURST_PER_S:
                self._change(10 + next_number)
                waiting[10 + next_number] = now, set(self._clients)
                next_number += 1
            for number, (started, pids) in list(waiting.items()):
                pids -= {pid for pid in pids if self._has_endpoints(number, pid)}
                if not pids:
                    del waiting[number]
                    yield time.monotonic() - started
            time.sleep(POLL_S)

    def _change(self, number: int) -> None:
        endpoints = objects.endpoints_of(number, self._generation)
        self.api.patch("EndpointSlice", objects.slice_name(number), {"endpoints": endpoints}, NAMESPACE)

    def _control_restart(self, daemon: Daemon) -> None:
        """Its successor sends everything anew to workers that go on serving."""
        before = daemon.status()["started"]
        with self._watched(daemon, "control process killed, everything sent anew"):
            os.kill(daemon.control_pid, signal.SIGKILL)
            started = time.monotonic()
            while time.monotonic() - started < LIMIT_S and not _is_back(daemon, before):
                time.sleep(0.05)
            self.figures.add("control process killed → all served anew", "s", [time.monotonic() - started])

    # ── what it costs ───────────────────────────────────────────────────────────────────────────────────────────────

    @contextmanager
    def _watched(self, daemon: Daemon, what: str) -> Iterator[None]:
        """Notes the worst swap of any worker and what one steady client saw."""
        load, before = Load(), daemon.histogram(SWAPS)
        cpu = daemon.cpu_s()
        with probing(daemon.http_port, host_name(PROBED), PROBE_PAUSE_S) as seen:
            yield
        after = daemon.histogram(SWAPS)
        if sum(after.values()) < sum(before.values()):  # another control process counts anew
            before = {}
        swaps, bound = worst_bucket(before, after)
        if swaps:
            self.figures.add(f"… {what}: worst of {swaps} swaps took at most", "ms", [bound * 1e3], goal=5)
        slow = sorted((took * 1e3 for _, took in seen), reverse=True)
        self.figures.add(f"… {what}: worst of {len(slow)} answers to a steady client", "ms", slow[:1])
        percentile = slow[math.ceil(len(slow) / 1000)]
        note = {name: round(after - cpu.get(name, 0.0), 3) for name, after in _cpu_s(daemon).items()}
        foreign = load.foreign_share()
        self.figures.lines[-1].note = f"p99.9 {percentile:.1f} ms, foreign CPU {foreign:.0%}, CPU s {note}"
        say(f"{what}: {swaps} swaps, worst <= {bound * 1e3:g} ms; probe worst {slow[0]:.1f} ms, "
            f"p99.9 {percentile:.1f} ms of {len(slow)}; CPU {note}; foreign CPU {foreign:.0%}")  # fmt: skip

    def _memory(self, daemon: Daemon, when: str) -> None:
        memory = daemon.memory()
        say(f"memory {when}: {memory}")
        workers = [one for name, one in memory.items() if name.startswith("worker")]
        both = [memory["control"][kind] + memory["supervisor"][kind] for kind in ("rss", "pss")]
        self.figures.add(f"RSS of each worker, {when}", "MB", [one["rss"] for one in workers], goal=200)
        self.figures.add(f"PSS of each worker, {when}", "MB", [one["pss"] for one in workers])
        self.figures.add(f"RSS of control process and supervisor, {when}", "MB", both[:1], goal=400)
        self.figures.add(f"PSS of control process and supervisor, {when}", "MB", both[1:])


class _Showing:
    """Asks for certificates with new handshakes until every worker has shown the new one."""

    def __init__(self, daemon: Daemon, wanted: dict[int, bytes]) -> None:
        self._port, self._pids = daemon.https_port, daemon.worker_pids.values()
        self._wanted = wanted

    def is_new(self, turn: int, pid: int) -> bool:
        found, certificate = handshake(self._port, host_name(turn), self._pids)
        return found == pid and certificate == self._wanted[turn]


def _cpu_s(daemon: Daemon) -> dict[str, float]:
    try:
        return daemon.cpu_s()
    except FileNotFoundError:
        return {}


def _is_back(daemon: Daemon, before: float) -> bool:
    try:
        status = daemon.status()
    except OSError:
        return False
    return bool(status["ready"] and status["started"] != before)


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def page_of(figures: Figures, load: Load, arguments: argparse.Namespace) -> str:
    about = machine()
    where = f"{about['cpu']}, Linux {about['kernel']}, CPython {about['python']}, {about['date']}"
    what = f"{arguments.ingresses} Ingresses, {arguments.workers} workers"
    others = (
        f"Others used {load.foreign_share():.0%} of the machine meanwhile; load average before: {load.loadavg_before}."
    )
    return f"{what}, on {where}. {others}\n\n{figures.table()}"


def main(command: Collection[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ingresses", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="fewer repetitions")
    parser.add_argument("--page", type=Path, help="a page whose figures are replaced by these")
    arguments = parser.parse_args(command if command is None else list(command))
    load = Load()
    with ApiServer() as api, Backend() as backend, tempfile.TemporaryDirectory() as folder:
        bench = Bench(api, backend, arguments)
        say("loading the API server")
        bench.load()
        bench.run(Path(folder))
        page = page_of(bench.figures, load, arguments)
        about = machine() | {"foreign_cpu_share": load.foreign_share(), "loadavg_before": load.loadavg_before}
        say(f"figures in {bench.figures.save('scale', about | vars(arguments) | {'page': str(arguments.page)})}")
    print(page)
    if arguments.page:
        write_page(arguments.page, page)


if __name__ == "__main__":
    main()

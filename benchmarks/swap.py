"""The longest pause of a busy worker's loop by changes: 20,000 routes, wrk at full speed, 20 endpoint changes a second.

    python -m benchmarks.swap [--seconds 60] [--ingresses 10000] [--per-second 20]

A real worker process on core 0; on core 1 wrk, the backend, and this process, which compiles and publishes what changes
as the control process does. Three parts of the same length: load alone, load with endpoint changes, load with a new
host each second (a compile of everything). For each: what taking up one piece of a change cost the loop at worst, as
time on the clock and on the CPU (the difference is other work of the machine), the collector's worst pause, and wrk's
latencies. Goal: no pause above 5 ms; we aim at 2.
"""

import argparse
import asyncio
import gc
import json
import os
import re
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, thread_time
from typing import Any

import msgspec

from benchmarks.compile import Farm, build, endpoint_slice, ingress
from benchmarks.support.backend import Backend
from benchmarks.support.figures import Figures, Load, machine
from benchmarks.support.objects import addresses_of
from ingressd.model.cluster import Key
from ingressd.model.objects import ClusterObject, EndpointPort, EndpointSlice, IngressClass, Meta, SliceEndpoint
from ingressd.proxy.listener import Listener, bind_listeners
from ingressd.proxy.shared_limits import SharedLimits
from ingressd.routing.compile import Compiled, RouteDefaults
from ingressd.runtime import links
from ingressd.runtime.channel import ToWorker
from ingressd.runtime.configuration import Configuration
from ingressd.runtime.loops import new_event_loop
from ingressd.runtime.publish import Publisher
from ingressd.runtime.tasks import TaskSet
from ingressd.runtime.worker import Worker, worker_main
from ingressd.settings import Settings, SourceSettings
from ingressd.telemetry.report import WorkerReport
from ingressd.tls.context import listener_context

SECRETS = 200
LOADED = 50
"""Services that wrk asks for; every other change is to one of them."""
CONNECTIONS = 32
Step = Callable[[int], None]


# ── the worker, with a clock beside it ──────────────────────────────────────────────────────────────────────────────


class Clock:
    """Notes what changes and the collector cost the loop; hands it over when asked through ``control``."""

    def __init__(self, worker: Worker, control: socket.socket) -> None:
        self._worker = worker
        self._control = control
        self._pieces: dict[str, list[tuple[float, float]]] = {}
        self._collections: list[tuple[float, float, int]] = []
        self._started = 0.0, 0.0
        builder = worker._builder
        self._take = builder.take
        builder.take = self.take  # type: ignore[method-assign]
        gc.callbacks.append(self._on_collection)
        asyncio.get_running_loop().add_reader(control.fileno(), self._hand_over)

    def take(self, message: ToWorker, *, since: float | None = None) -> int | None:
        wall, cpu = since or perf_counter(), thread_time()
        try:
            return self._take(message, since=since)
        finally:
            name = type(message).__name__
            self._pieces.setdefault(name, []).append((perf_counter() - wall, thread_time() - cpu))

    def _on_collection(self, phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            self._started = perf_counter(), thread_time()
        else:
            wall, cpu = self._started
            self._collections.append((perf_counter() - wall, thread_time() - cpu, info["generation"]))

    def _hand_over(self) -> None:
        self._control.recv(1)
        said = {"pieces": self._pieces, "collections": self._collections}
        self._pieces, self._collections = {}, []
        self._control.setblocking(True)
        self._control.sendall(json.dumps(said).encode() + b"\n")


def serve(
    settings: Settings, link: socket.socket, channel: socket.socket, listeners: Sequence[Listener], clock: socket.socket
) -> int:
    """What the forked process does: ``worker_main``, with a clock installed when its loop runs."""
    run = Worker.run

    async def run_with_clock(worker: Worker) -> int:
        worker.clock = Clock(worker, clock)  # type: ignore[attr-defined]
        return await run(worker)

    Worker.run = run_with_clock  # type: ignore[method-assign,assignment]
    return worker_main(settings, 0, link, channel, listeners, listener_context(), SharedLimits.create(1))


# ── what the control process does ───────────────────────────────────────────────────────────────────────────────────


class Silent:
    """Wants to know of the first time only."""

    def __init__(self) -> None:
        self.served = asyncio.Event()

    def on_served(self, generation: int) -> None:
        self.served.set()

    def on_applied(self, worker: int, generation: int) -> None: ...

    def on_refused(self, worker: int, generation: int, message: str) -> None:
        raise SystemExit(f"refused: {message}")

    def on_report(self, worker: int, pid: int, report: WorkerReport) -> None: ...


class Everything:
    """A source whose objects are in the store already."""

    is_synced = True

    async def run(self, store: object) -> None: ...

    async def synced(self) -> None: ...

    def want(self, config_maps: Iterable[Key]) -> None: ...

    async def named(self) -> None: ...

    def describe(self) -> str:
        return "a farm"


class Cluster:
    """The objects, and two kinds of change."""

    def __init__(self, farm: Farm, configuration: Configuration, port: int) -> None:
        self._store = configuration.store
        self._count = len(farm.ingresses)
        self._port = port
        store = self._store
        store.put(IngressClass(Meta(name="ingressd"), "ingressd.io/ingress-controller"))
        slices = (one for group in farm.slices.values() for one in group)
        objects: list[ClusterObject] = [*farm.ingresses.values(), *farm.services.values(), *slices]
        for obj in [*objects, *farm.secrets.values()]:
            store.put(obj)
        for number in range(LOADED):
            store.put(self._real_slice(number, 0))

    def _real_slice(self, number: int, generation: int) -> EndpointSlice:
        endpoints = tuple(SliceEndpoint(address) for address in addresses_of(number, generation))
        made = endpoint_slice(number)
        return msgspec.structs.replace(made, ports=(EndpointPort("", self._port),), endpoints=endpoints)

    def nothing(self, turn: int) -> None: ...

    def endpoints(self, turn: int) -> None:
        if turn % 2:
            self._store.put(self._real_slice(turn // 2 % LOADED, 1 + turn // (2 * LOADED)))
        else:
            self._store.put(endpoint_slice(LOADED + turn % (self._count - LOADED), last=10 + turn % 200))

    def new_host(self, turn: int) -> None:
        self._store.put(ingress(self._count + turn, SECRETS))


# ── measuring ───────────────────────────────────────────────────────────────────────────────────────────────────────

_SCRIPT = """
local n = 0
request = function()
  n = (n + 1) % {loaded}
  return "GET /api/orders/" .. n .. " HTTP/1.1\\r\\nHost: host-" .. n .. ".example.com\\r\\nUser-Agent: wrk\\r\\n\\r\\n"
end
"""


async def wrk(port: int, seconds: float, script: Path) -> dict[str, float]:
    """Requests per second, latencies in ms, and how many answers were wrong."""
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds:g}s", "--latency", "-s", str(script)]
    process = await asyncio.create_subprocess_exec(
        *command, f"http://127.0.0.1:{port}/", stdout=asyncio.subprocess.PIPE
    )
    os.sched_setaffinity(process.pid, {1})
    said = (await process.communicate())[0].decode()
    found = {"req/s": float(re.search(r"Requests/sec:\s+([\d.]+)", said).group(1))}  # type: ignore[union-attr]
    for name, value, unit in re.findall(r"^\s+(50|99)%\s+([\d.]+)(us|ms|s)", said, re.M):
        found[f"p{name} ms"] = float(value) * {"us": 0.001, "ms": 1, "s": 1000}[unit]
    worst = re.search(r"Latency\s+\S+\s+\S+\s+([\d.]+)(us|ms|s)", said)
    assert worst is not None
    found["max ms"] = float(worst.group(1)) * {"us": 0.001, "ms": 1, "s": 1000}[worst.group(2)]
    wrong = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
    broken = [int(number) for number in re.findall(r"(?:connect|read|write|timeout) (\d+)", said)]
    found["wrong"] = (int(wrong.group(1)) if wrong else 0) + sum(broken)
    return found


async def part(
    name: str, figures: Figures, clock: socket.socket, load: Awaitable[dict[str, float]], step: Step, per_second: float
) -> None:
    loop = asyncio.get_running_loop()
    running = asyncio.ensure_future(load)  # noqa: TID251 - awaited below
    await asyncio.sleep(1.0)
    await _asked(clock)  # forget how it began
    foreign = Load()
    started, turn = loop.time(), 0
    while not running.done():
        step(turn)
        turn += 1
        await asyncio.sleep(max(0.0, started + turn / per_second - loop.time()))
    seen = await running
    said = await _asked(clock)
    share = foreign.foreign_share()
    pieces = [both for some in said["pieces"].values() for both in some]
    print(f"{name}: {seen}; foreign CPU {share:.0%}")
    for kind, some in said["pieces"].items():
        wall, cpu = (max(one[index] for one in some) * 1e3 for index in (0, 1))
        print(f"  {kind}: {len(some)}, worst {wall:.2f} ms, CPU {cpu:.2f} ms")
    for index, clock_name in enumerate(("clock", "CPU")):
        if pieces:
            worst = max(one[index] for one in pieces) * 1e3
            figures.add(f"{name}: worst piece of {turn} changes, {clock_name}", "ms", [worst], goal=5)
        if said["collections"]:
            worst = max(one[index] for one in said["collections"]) * 1e3
            count = len(said["collections"])
            figures.add(f"{name}: worst of {count} garbage collections, {clock_name}", "ms", [worst], goal=5)
    for key in ("p50 ms", "p99 ms", "max ms"):
        figures.add(f"{name}: wrk {key.split()[0]}", "ms", [seen[key]])
    figures.lines[-1].note = f"{seen}, foreign CPU {share:.0%}"


async def _asked(clock: socket.socket) -> Any:
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(clock, b"?")
    said = b""
    while not said.endswith(b"\n"):
        said += await loop.sock_recv(clock, 1 << 20)
    return json.loads(said)


def start_worker(listeners: Sequence[Listener]) -> tuple[int, socket.socket, socket.socket]:
    """Its process id, our end of its channel, and of the clock's."""
    _, link = links.new_link()
    channel, to_worker = socket.socketpair()
    clock, to_clock = socket.socketpair()
    settings = Settings(source=SourceSettings(kind="manifests"), access_log="/dev/null", workers=1)
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.sched_setaffinity(0, {0})
            channel.close()
            clock.close()
            code = serve(settings, link, to_worker, listeners, to_clock)
        finally:
            os._exit(code)
    to_worker.close()
    to_clock.close()
    clock.setblocking(False)
    return pid, channel, clock


async def measure(
    arguments: argparse.Namespace, pid: int, channel: socket.socket, clock: socket.socket, port: int
) -> None:
    figures, tasks, observer, load = Figures(), TaskSet(), Silent(), Load()
    publisher = Publisher(observer, tasks)
    configuration = Configuration(RouteDefaults(allow_loopback_endpoints=True), publisher, _ignore)
    with Backend() as backend, TemporaryDirectory() as folder:
        os.sched_setaffinity(backend.pid, {1})
        cluster = Cluster(build(arguments.ingresses, SECRETS), configuration, backend.port)
        gc.collect()
        gc.freeze()
        publisher.attach(0, pid, channel)
        tasks.start(configuration.follow(Everything()), name="configuration")
        await observer.served.wait()
        script = Path(folder) / "load.lua"
        script.write_text(_SCRIPT.replace("{loaded}", str(LOADED)))
        parts: list[tuple[str, Step, float]] = [
            ("load alone", cluster.nothing, 1.0),
            (f"{arguments.per_second:g} endpoint changes a second", cluster.endpoints, arguments.per_second),
            ("a new host each second", cluster.new_host, 1.0),
        ]
        for name, step, per_second in parts:
            await part(name, figures, clock, wrk(port, arguments.seconds + 1, script), step, per_second)
    await tasks.cancel()
    about = machine() | {"foreign_cpu_share": load.foreign_share(), "ingresses": arguments.ingresses}
    print(f"\nothers used {load.foreign_share():.0%} of the machine; {about}\n\n{figures.table()}")
    print(f"figures in {figures.save('swap', about)}", file=sys.stderr)


def _ignore(compiled: Compiled) -> None: ...


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60, help="of each part")
    parser.add_argument("--ingresses", type=int, default=10_000)
    parser.add_argument("--per-second", type=float, default=20)
    arguments = parser.parse_args()
    (listeners,) = bind_listeners("127.0.0.1", "http", 0, 1)
    pid, channel, clock = start_worker(listeners)
    os.sched_setaffinity(0, {1})
    port = listeners[0].port
    for listener in listeners:
        listener.socket.close()
    loop = new_event_loop()
    try:
        loop.run_until_complete(measure(arguments, pid, channel, clock, port))
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


if __name__ == "__main__":
    main()

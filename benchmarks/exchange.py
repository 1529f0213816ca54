"""Python's share of one exchange: data path objects with transports that do nothing, so no kernel is measured.

    python -m benchmarks.exchange [--profile]

Prints microseconds per request for a keep-alive GET that is answered by 100 bytes, with every feature on: counters,
access log, request id, forwarded fields, deadlines.
"""

import argparse
import asyncio
import cProfile
import os
import pstats
import statistics
import time
from collections.abc import Callable
from typing import Any

from ingressd.proxy.downstream import Downstream
from ingressd.proxy.gateway import Gateway
from ingressd.proxy.limits import Limits
from ingressd.proxy.pool import Pool
from ingressd.proxy.serving import Backends, LiveRoute, ServingState
from ingressd.proxy.shared_limits import SharedLimits
from ingressd.proxy.upstream import UpstreamConnection
from ingressd.routing.delta import difference
from ingressd.routing.snapshot import Route, Snapshot
from ingressd.routing.table import RouteTable
from ingressd.runtime.building import SnapshotBuilder
from ingressd.runtime.channel import FrameReader, change_frames, decode_to_worker
from ingressd.telemetry.access_log import AccessLog
from ingressd.telemetry.metrics import WorkerStats
from ingressd.tls.sni import CertificateSwitch, ServerNames
from tests.support.gateway import one_host

HOST_ONLY = b"GET /some/path?with=query HTTP/1.1\r\nHost: a.example\r\n\r\n"
BROWSER = (
    b"GET /some/path?with=query HTTP/1.1\r\nHost: a.example\r\nConnection: keep-alive\r\n"
    b'sec-ch-ua: "Chromium";v="156", "Not A Brand";v="24"\r\nsec-ch-ua-mobile: ?0\r\nsec-ch-ua-platform: "Linux"\r\n'
    b"Upgrade-Insecure-Requests: 1\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/156\r\n"
    b"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\nSec-Fetch-Site: none\r\n"
    b"Sec-Fetch-Mode: navigate\r\nAccept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en-GB,en;q=0.9\r\n"
)
ANSWER = (
    b"HTTP/1.1 200 OK\r\nServer: origin\r\nDate: Sat, 21 Nov 2026 00:00:00 GMT\r\nContent-Type: text/plain\r\n"
    b"Content-Length: 100\r\n\r\n" + b"x" * 100
)
AT_ONCE = 100


class NoTransport:
    """Takes writes and forgets them."""

    def write(self, data: bytes) -> None: ...
    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...
    def abort(self) -> None: ...
    def close(self) -> None: ...
    def is_closing(self) -> bool:
        return False

    def get_write_buffer_size(self) -> int:
        return 0

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return ("127.0.0.1", 12345) if name in ("peername", "sockname") else default


def make_gateway(
    loop: asyncio.AbstractEventLoop, snapshot: Snapshot, log: AccessLog, shared_limits: SharedLimits | None = None
) -> Gateway:
    """A gateway that serves ``snapshot`` and has no sockets."""
    stats = WorkerStats()
    limits = Limits(requests_per_connection=1 << 60, upstream_requests_per_connection=1 << 60)
    pool = Pool(limits.upstream_idle_per_endpoint)
    nothing = LiveRoute(Route("prefix", "/", ""), "_", None, stats.route("_", "", "", ""))
    state = ServingState(0, RouteTable.empty(), nothing)
    backends = Backends(pool)
    gateway = Gateway(
        loop, state, stats=stats, log=log, pool=pool, backends=backends, limits=limits, shared_limits=shared_limits
    )
    builder = SnapshotBuilder(gateway, CertificateSwitch(ServerNames()))
    reader = FrameReader()
    for frames in change_frames(difference(Snapshot(), snapshot), snapshot, 1, full=True):
        for frame in reader.feed(frames):
            builder.take(decode_to_worker(frame))
    return gateway


def make_pair(gateway: Gateway) -> tuple[Downstream, UpstreamConnection]:
    """A client connection, and an idle connection to the only endpoint."""
    down = Downstream(gateway, b"http", b"80")
    down.connection_made(NoTransport())  # type: ignore[arg-type]
    route = gateway.state.find("a.example", "/")
    assert route.backend is not None
    endpoint = route.backend.endpoints[0]
    up = UpstreamConnection(gateway, endpoint)
    up.connection_made(NoTransport())  # type: ignore[arg-type]
    gateway.pool.lease(endpoint)
    gateway.pool.release(endpoint, up, reusable=True)
    up.rest(time.monotonic())
    return down, up


def requests_of(kind: str, first: int) -> list[bytes]:
    """The next few requests: the same one (a remembered field section), or each with a field or a path of its own."""
    numbers = range(first, first + AT_ONCE)
    if kind == "Host only":
        return [HOST_ONLY] * AT_ONCE
    if kind == "12 fields, remembered":
        return [BROWSER + b"Cookie: session=1\r\n\r\n"] * AT_ONCE
    if kind == "Host only, each path new":
        return [HOST_ONLY.replace(b"path", b"path/%d" % number) for number in numbers]
    return [BROWSER + b"Cookie: session=%d\r\n\r\n" % number for number in numbers]


def microseconds(
    down: Downstream, up: UpstreamConnection, count: int, requests_from: Callable[[int], list[bytes]]
) -> float:
    """Per exchange. Requests are made a few at a time, so that they are in the cache as a read is."""
    used = 0.0
    for first in range(0, count, AT_ONCE):
        messages = requests_from(first)
        started = time.process_time()
        for message in messages:
            down.data_received(message)
            up.data_received(ANSWER)
        used += time.process_time() - started
    assert down.requests == count
    return used / count * 1e6


def run(kind: str, count: int) -> float:
    """Microseconds per exchange."""
    loop = asyncio.new_event_loop()
    log = AccessLog(os.open(os.devnull, os.O_WRONLY))
    down, up = make_pair(make_gateway(loop, one_host([1]), log))
    us = microseconds(down, up, count, lambda first: requests_of(kind, first))
    log.close()
    loop.close()
    return us


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--count", type=int, default=40_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--profile", action="store_true", help="profile one round of the first kind")
    options = parser.parse_args()
    if options.profile:
        profile = cProfile.Profile()
        profile.runcall(run, "Host only", options.count)
        pstats.Stats(profile).sort_stats("tottime").print_stats(30)
        return
    kinds = ("Host only", "Host only, each path new", "12 fields, remembered", "12 fields, each new")
    figures: dict[str, list[float]] = {kind: [] for kind in kinds}
    for _ in range(options.rounds):
        for kind in kinds:
            figures[kind].append(run(kind, options.count))
    print("| request | µs per exchange: median (min-max) |\n| --- | --- |")
    for kind, values in figures.items():
        print(f"| {kind} | {statistics.median(values):.2f} ({min(values):.2f}-{max(values):.2f}) |")


if __name__ == "__main__":
    main()

"""A worker's data path inside the test process: real sockets, no processes, a snapshot given by the test.

Whatever a test does, at its end every exchange was counted once, and as often as it was logged.
"""

import asyncio
import socket
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from msgspec.structs import replace

from ingressd.policy.timeouts import Timeouts
from ingressd.proxy.gateway import Gateway
from ingressd.proxy.limits import Limits
from ingressd.proxy.listener import Acceptor, Listener
from ingressd.proxy.pool import Pool
from ingressd.proxy.serving import Backends, LiveRoute, ServingState
from ingressd.proxy.shared_limits import SharedLimits
from ingressd.proxy.timers import TICK_S
from ingressd.routing.delta import difference
from ingressd.routing.snapshot import Backend, CertificatePair, Endpoint, Route, Snapshot, VirtualHost
from ingressd.routing.table import RouteTable
from ingressd.runtime.building import SnapshotBuilder
from ingressd.runtime.channel import FrameReader, change_frames, decode_to_worker
from ingressd.telemetry.access_log import AccessLog, AccessRecord
from ingressd.telemetry.metrics import WorkerStats
from ingressd.telemetry.report import WorkerReport
from ingressd.tls.context import listener_context
from ingressd.tls.sni import CertificateSwitch, ServerNames
from tests.support.clock import Clock
from tests.tls.authority import leaf


class RecordingLog(AccessLog):
    """An access log that keeps its records, and lets a test wait for them."""

    def __init__(self) -> None:
        super().__init__(None)
        self.is_on = True
        self.records: list[AccessRecord] = []
        self._more = asyncio.Event()

    def record(self, *fields: Any) -> None:
        texts: Any = [field.decode("latin-1") if isinstance(field, bytes) else field for field in fields]
        self.records.append(AccessRecord("", *texts))
        self._more.set()

    async def wait_for(self, count: int) -> list[AccessRecord]:
        """The records, once there are at least ``count``."""
        while len(self.records) < count:
            self._more.clear()
            await self._more.wait()
        return self.records


class LocalGateway:
    """The gateway under test, its ports, and ``show``: serve another snapshot, through the same frames as in life."""

    def __init__(
        self, gateway: Gateway, switch: CertificateSwitch, log: AccessLog, tls: ssl.SSLContext | None = None
    ) -> None:
        self.gateway = gateway
        self.switch = switch
        self.log = log
        self._reports: list[WorkerReport] = []
        self.http_port = 0
        self.https_port = 0
        self._builder = SnapshotBuilder(gateway, switch, tls)
        self._snapshot = Snapshot()
        self._generation = 0

    def show(self, snapshot: Snapshot) -> None:
        self._generation += 1
        delta = difference(self._snapshot, snapshot)
        reader = FrameReader()
        for frames in change_frames(delta, snapshot, self._generation, full=self._generation == 1):
            for frame in reader.feed(frames):
                self._builder.take(decode_to_worker(frame))
        self._snapshot = snapshot

    def pass_time(self, clock: Clock, seconds: float) -> None:
        """Let every deadline of the next ``seconds`` come, now. The data path must be using ``clock``."""
        clock.passed_s += seconds
        self.gateway.wheel.turn(clock())

    async def answered(self, count: int) -> list[int]:
        """Statuses in the log, once there are ``count`` of them; 499: the client had left."""
        assert isinstance(self.log, RecordingLog)
        return [record.status for record in await self.log.wait_for(count)]

    def _report(self) -> list[WorkerReport]:
        self._reports.append(self.gateway.stats.report())
        return self._reports

    def counted(self) -> int:
        """Requests in the metrics."""
        return sum(sum(route.requests.values()) for report in self._report() for route in report.routes)

    def sent_bytes(self) -> int:
        """Body bytes of answers in the metrics."""
        return sum(route.response_bytes for report in self._report() for route in report.routes)

    def rejected(self) -> Counter[str]:
        """Own answers by reason."""
        return sum((Counter(report.rejected) for report in self._report()), Counter())

    def retried(self) -> Counter[str]:
        """Further attempts by reason."""
        return sum((Counter(report.retried) for report in self._report()), Counter())


@asynccontextmanager
async def local_gateway(
    snapshot: Snapshot,
    *,
    limits: Limits | None = None,
    log: AccessLog | None = None,
    shared_limits: SharedLimits | None = None,
) -> AsyncIterator[LocalGateway]:
    """Serve ``snapshot`` on free loopback ports; everything is closed at the end."""
    tls = listener_context()
    local = make_gateway(
        asyncio.get_running_loop(), snapshot, limits=limits, log=log, tls=tls, shared_limits=shared_limits
    )
    local.switch.install(tls)
    async with _serving(local, local.gateway, tls):
        yield local
    check_counts(local)


def make_gateway(
    loop: asyncio.AbstractEventLoop,
    snapshot: Snapshot,
    *,
    limits: Limits | None = None,
    log: AccessLog | None = None,
    tls: ssl.SSLContext | None = None,
    shared_limits: SharedLimits | None = None,
) -> LocalGateway:
    """A gateway that serves ``snapshot`` and has no listeners."""
    log = log or RecordingLog()
    stats = WorkerStats()
    limits = limits or Limits()
    pool = Pool(limits.upstream_idle_per_endpoint)
    nothing = LiveRoute(Route("prefix", "/", ""), "_", None, stats.route("_", "", "", ""))
    gateway = Gateway(
        loop,
        ServingState(0, RouteTable.empty(), nothing),
        stats=stats,
        log=log,
        pool=pool,
        backends=Backends(pool),
        limits=limits,
        shared_limits=shared_limits,
    )
    local = LocalGateway(gateway, CertificateSwitch(ServerNames()), log, tls)
    local.show(snapshot)
    return local


def check_counts(local: LocalGateway) -> None:
    """Nothing is under way any more, and every exchange was counted and logged exactly once."""
    assert local.gateway.active == 0
    assert local.gateway.pool.active == 0
    if isinstance(local.log, RecordingLog):
        assert local.counted() == len(local.log.records)


@asynccontextmanager
async def _serving(local: LocalGateway, gateway: Gateway, tls: ssl.SSLContext) -> AsyncIterator[None]:
    listeners = [Listener("http", _listen()), Listener("https", _listen())]
    local.http_port, local.https_port = (listener.port for listener in listeners)
    acceptor = Acceptor(gateway, listeners, tls)
    await acceptor.open()
    ticking = gateway.loop.create_task(_tick(gateway))
    try:
        yield
    finally:
        ticking.cancel()
        acceptor.close()
        gateway.abort_all()
        for backend in list(gateway.backends.keys()):
            gateway.backends.release(gateway.backends.remove(backend))
        while gateway.connections or gateway.pool.idle or gateway.pool.active:
            await asyncio.sleep(0)


async def _tick(gateway: Gateway) -> None:
    while True:
        await asyncio.sleep(TICK_S)
        gateway.tick()


def _listen() -> socket.socket:
    bound = socket.create_server(("127.0.0.1", 0))
    bound.setblocking(False)
    return bound


def one_host(
    ports: Sequence[int],
    *,
    host: str = "a.example",
    route: Route | None = None,
    timeouts: Timeouts = Timeouts(),  # noqa: B008 - frozen
    max_body_bytes: int = 1 << 20,
) -> Snapshot:
    """A snapshot with one host whose every path goes to endpoints on loopback ``ports``."""
    backend = Backend("default/app:80", "default", "app", "80", tuple(Endpoint("127.0.0.1", port) for port in ports))
    route = route or Route(
        "prefix", "/", backend.key, "default", "web", "app", timeouts=timeouts, max_body_bytes=max_body_bytes
    )
    return Snapshot(hosts={host: VirtualHost(host, (route,))}, backends={backend.key: backend})


def https_host(ports: Sequence[int], *, host: str = "a.example") -> Snapshot:
    """``one_host``, and a certificate for whatever name a client asks for."""
    pair = CertificatePair("default/tls", leaf().pem, leaf().key_pem)
    return replace(one_host(ports, host=host), certificates={pair.key: pair}, default_certificate=pair.key)

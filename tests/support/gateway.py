"""A worker's data path inside the test process: real sockets, no processes, a snapshot given by the test."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from ingressd.proxy.gateway import Gateway
from ingressd.proxy.limits import Limits
from ingressd.proxy.listener import Listener, serve
from ingressd.proxy.pool import Pool
from ingressd.proxy.serving import Backends, LiveRoute, ServingState
from ingressd.proxy.timers import TICK_S
from ingressd.routing.delta import difference
from ingressd.routing.snapshot import Backend, Endpoint, Route, Snapshot, VirtualHost
from ingressd.routing.table import RouteTable
from ingressd.runtime.building import SnapshotBuilder
from ingressd.runtime.channel import FrameReader, change_frames, decode_to_worker
from ingressd.telemetry.access_log import AccessLog
from ingressd.telemetry.metrics import WorkerStats
from ingressd.tls.context import listener_context
from ingressd.tls.sni import CertificateSwitch, ServerNames


class LocalGateway:
    """The gateway under test, its ports, and ``show``: serve another snapshot, through the same frames as in life."""

    def __init__(self, gateway: Gateway, builder: SnapshotBuilder) -> None:
        self.gateway = gateway
        self.http_port = 0
        self.https_port = 0
        self._builder = builder
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


@asynccontextmanager
async def local_gateway(
    snapshot: Snapshot, *, limits: Limits | None = None, log: AccessLog | None = None
) -> AsyncIterator[LocalGateway]:
    """Serve ``snapshot`` on free loopback ports; everything is closed at the end."""
    loop = asyncio.get_running_loop()
    stats = WorkerStats()
    limits = limits or Limits()
    pool = Pool(limits.upstream_idle_per_endpoint)
    nothing = LiveRoute(Route("prefix", "/", ""), "_", None, stats.route("_", "", "", ""))
    gateway = Gateway(
        loop,
        ServingState(0, RouteTable.empty(), nothing),
        stats=stats,
        log=log or AccessLog(None),
        pool=pool,
        backends=Backends(pool),
        limits=limits,
    )
    switch = CertificateSwitch(ServerNames())
    tls = listener_context()
    switch.install(tls)
    local = LocalGateway(gateway, SnapshotBuilder(gateway, switch))
    local.show(snapshot)
    async with _serving(local, gateway, tls):
        yield local


@asynccontextmanager
async def _serving(local: LocalGateway, gateway: Gateway, tls: ssl.SSLContext) -> AsyncIterator[None]:
    listeners = [Listener("http", _listen()), Listener("https", _listen())]
    local.http_port, local.https_port = (listener.port for listener in listeners)
    servers = await serve(gateway, listeners, tls)
    ticking = gateway.loop.create_task(_tick(gateway))
    try:
        yield
    finally:
        ticking.cancel()
        for server in servers:
            server.close()
        for listener in listeners:
            listener.socket.close()
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


def one_host(ports: Sequence[int], *, host: str = "a.example", route: Route | None = None) -> Snapshot:
    """A snapshot with one host whose every path goes to endpoints on loopback ``ports``."""
    backend = Backend("default/app:80", "default", "app", "80", tuple(Endpoint("127.0.0.1", port) for port in ports))
    route = route or Route("prefix", "/", backend.key, "default", "web", "app")
    return Snapshot(hosts={host: VirtualHost(host, (route,))}, backends={backend.key: backend})

"""A worker that takes changes as frames, as from the control process, and has no sockets."""

import asyncio
import ssl

from ingressd.proxy.gateway import Gateway
from ingressd.proxy.limits import Limits
from ingressd.proxy.pool import Pool
from ingressd.proxy.serving import Backends, LiveRoute, ServingState
from ingressd.routing.delta import difference
from ingressd.routing.snapshot import Route, Snapshot
from ingressd.routing.table import RouteTable
from ingressd.runtime.building import SnapshotBuilder
from ingressd.runtime.channel import ToWorker, change_frames, decode_to_worker
from ingressd.telemetry.access_log import AccessLog
from ingressd.telemetry.metrics import WorkerStats
from ingressd.tls.context import listener_context
from ingressd.tls.sni import CertificateSwitch, ServerNames


class Receiver:
    """A worker without sockets."""

    def __init__(self) -> None:
        self.stats = WorkerStats()
        self.pool = Pool(8)
        nothing = LiveRoute(Route("prefix", "/", ""), "_", None, self.stats.route("_", "", "", ""))
        self.gateway = Gateway(
            asyncio.get_running_loop(),
            ServingState(0, RouteTable.empty(), nothing),
            stats=self.stats,
            log=AccessLog.open("off"),
            pool=self.pool,
            backends=Backends(self.pool),
            limits=Limits(),
        )
        self.switch = CertificateSwitch(ServerNames())
        self.listener = listener_context()
        self.builder = SnapshotBuilder(self.gateway, self.switch, self.listener)
        self.generation = 0

    def change(self, old: Snapshot, new: Snapshot, *, full: bool = False, pieces: int | None = None) -> None:
        """Take a change, or only its first ``pieces``."""
        for message in self._messages(old, new, full=full)[:pieces]:
            self.builder.take(message)

    async def change_in_steps(self, old: Snapshot, new: Snapshot, *, full: bool = False) -> int:
        """Take a change as a worker does; returns how often requests could come in between."""
        turns = 0
        is_done = False

        def count() -> None:
            nonlocal turns
            turns += 1
            if not is_done:
                self.gateway.loop.call_soon(count)

        count()
        for message in self._messages(old, new, full=full):
            await self.builder.prepare(message)
            self.builder.take(message)
        is_done = True
        return turns

    def _messages(self, old: Snapshot, new: Snapshot, *, full: bool) -> list[ToWorker]:
        self.generation += 1
        frames = change_frames(difference(old, new), new, self.generation, full=full)
        return [decode_to_worker(frame[4:]) for frame in frames]

    def find(self, host: str, path: str = "/") -> LiveRoute:
        return self.gateway.state.find(host, path)

    def addresses(self, host: str) -> list[str]:
        backend = self.find(host).backend
        assert backend is not None
        return [one.address for one in backend.endpoints]

    def shown(self, name: str) -> ssl.SSLContext | None:
        return self.switch.names.choose(f"{name}.test")

    async def settle(self) -> None:
        """What was left behind is let go, a step in each turn."""
        while len(self.builder._retirement):
            await asyncio.sleep(0)

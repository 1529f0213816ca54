"""A serving process: receive → build → swap, and the data path on its loop.

It is forked from the parent with its sockets, a link to the parent (orders in, heartbeats out) and a channel to the
control process (changes in, reports out). It imports nothing of the control side, which keeps it small.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import resource
import socket
import ssl
from collections.abc import Sequence
from time import monotonic, perf_counter

from ingressd.proxy.admission import backlog_of, connections_of
from ingressd.proxy.gateway import Gateway
from ingressd.proxy.limits import Limits
from ingressd.proxy.listener import Acceptor, Listener
from ingressd.proxy.pool import Pool
from ingressd.proxy.serving import Backends, LiveRoute, ServingState
from ingressd.proxy.shared_limits import SharedLimits
from ingressd.proxy.timers import TICK_S
from ingressd.routing.snapshot import Route
from ingressd.routing.table import RouteTable
from ingressd.runtime import links
from ingressd.runtime.building import SnapshotBuilder
from ingressd.runtime.channel import (
    Applied,
    Ask,
    Commit,
    Materials,
    Refused,
    Report,
    ToWorker,
    decode_to_worker,
)
from ingressd.runtime.heap import keep_freed_memory
from ingressd.runtime.kept_configuration import read_configuration
from ingressd.runtime.logs import set_up_logs
from ingressd.runtime.loops import new_event_loop
from ingressd.runtime.tasks import TaskSet
from ingressd.runtime.worker_channel import WorkerChannel
from ingressd.settings import Settings
from ingressd.telemetry.access_log import AccessLog
from ingressd.telemetry.metrics import ROUTES_PER_REPORT, WorkerStats
from ingressd.tls.sni import CertificateSwitch, ServerNames, silence_unreadable_names

log = logging.getLogger(__name__)

_REPORT_S = 1.0
_DRAIN_CHECK_S = 0.05
_MANY_ROUTES = 500
"""Routes with traffic since the last report: adding up so many costs the control process 5 ms and more, so a worker
that has more tells them less often. Whoever asks (a scrape) gets all there is at once."""
_MANY_ROUTES_EACH = 5  # reports
# The collector looks at few young objects at a time (5,000 are under a millisecond; 20,000 were 4), and at the older
# ones hardly ever: the data path makes no cycles per request.
_GC_THRESHOLDS = (5_000, 200, 100)


def worker_main(
    settings: Settings, index: int, link: socket.socket, channel: socket.socket,
    listeners: Sequence[Listener], tls: ssl.SSLContext, limits_fd: int,
) -> int:  # fmt: skip
    """Run worker ``index`` to its end; returns the process's exit code. Called in a freshly forked child.

    ``limits_fd`` is of ``SharedLimits``: counters that all workers share, and that outlive each of them.
    """
    set_up_logs(settings.log_level, settings.log_format, f"worker-{index}")
    gc.set_threshold(*_GC_THRESHOLDS)
    keep_freed_memory()
    loop = new_event_loop()
    asyncio.set_event_loop(loop)
    shared_limits = SharedLimits(limits_fd, workers=settings.workers, index=index)
    try:
        return loop.run_until_complete(Worker(settings, link, channel, listeners, tls, loop, shared_limits).run())
    finally:
        loop.close()


def _limits(settings: Settings, listeners: int) -> Limits:
    """The limits that were set, and what our descriptors allow."""
    asked = settings.limits
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return Limits(
        connections=min(asked.max_connections or 1 << 30, connections_of(descriptors, listeners)),
        connections_per_client=asked.max_connections_per_client,
        backlog=backlog_of(descriptors),
        requests_per_connection=asked.keep_alive_requests,
        keep_alive_s=asked.keep_alive_timeout_s,
        header_s=asked.header_timeout_s,
        body_gap_s=asked.body_timeout_s,
        client_write_gap_s=asked.send_timeout_s,
        header_bytes=asked.max_header_bytes,
        request_line_bytes=asked.max_request_line_bytes,
        header_fields=asked.max_header_fields,
        reuse_for_all=asked.reuse_for_all,
    )


class Worker:
    """The rim of one worker: everything below it knows neither processes nor signals."""

    def __init__(
        self, settings: Settings, link: socket.socket, channel: socket.socket,
        listeners: Sequence[Listener], tls: ssl.SSLContext, loop: asyncio.AbstractEventLoop,
        shared_limits: SharedLimits,
    ) -> None:  # fmt: skip
        self._settings = settings
        self._loop = loop
        self._link = link
        self._channel_socket = channel
        self._accepts = False
        self._tasks = TaskSet()
        self._draining = asyncio.Event()
        self._channel: WorkerChannel | None = None
        self._building = asyncio.Lock()  # one piece at a time, whoever sent it
        self._seconds = 0
        self._routes_told = 0  # in the last report of all routes
        self.stats = WorkerStats(has_details=settings.metrics_names != "ingressd")
        limits = _limits(settings, len(listeners))
        pool = Pool(limits.upstream_idle_per_endpoint)
        nothing = LiveRoute(Route("prefix", "/", ""), "_", None, self.stats.route("_", "", "", ""))
        self.gateway = Gateway(
            loop,
            ServingState(0, RouteTable.empty(), nothing),
            stats=self.stats,
            log=AccessLog.open(settings.access_log),
            pool=pool,
            backends=Backends(pool),
            limits=limits,
            shared_limits=shared_limits,
        )
        self._acceptor = Acceptor(self.gateway, listeners, tls)
        self._switch = CertificateSwitch(ServerNames())
        self._switch.install(tls)
        silence_unreadable_names()
        self._builder = SnapshotBuilder(self.gateway, self._switch, tls)

    async def run(self) -> int:
        """Serve until told to drain; 0 when everything open had ended by then or was cut at the parent's order."""
        loop = self._loop
        loop.add_reader(self._link.fileno(), self._on_link)
        await self._open_channel(self._channel_socket)
        self._beat()
        self._tick()
        self._each_second(monotonic())
        await self._draining.wait()
        await self._drain()
        await self._tasks.cancel()
        self.gateway.services.close()
        self.gateway.log.close()
        return 0

    # -- the parent

    def _on_link(self) -> None:
        try:
            message, descriptor = links.receive(self._link)
        except links.LinkClosed:
            # The parent is gone, and with it whoever would replace us or end us: end now, so that the pod restarts.
            log.error("the supervisor is gone: ending")
            self.gateway.log.close(timeout_s=0.5)
            os._exit(1)
        except BlockingIOError:
            return
        if message == links.DRAIN:
            self._draining.set()
        elif message == links.CUT:
            self.gateway.abort_all()
        elif message == links.REOPEN:
            self.gateway.log.reopen()
        elif message == links.CHANNEL and descriptor is not None:
            replacement = socket.socket(fileno=descriptor)
            self._tasks.start(self._open_channel(replacement), name="channel")
        elif message == links.LAST and descriptor is not None:
            self._tasks.start(self._serve_last(descriptor), name="last configuration")

    def _beat(self) -> None:
        links.send(self._link, links.BEAT)
        self._loop.call_later(links.BEAT_S, self._beat)

    # -- the control process

    async def _open_channel(self, channel: socket.socket) -> None:
        """Take changes from ``channel``; the control process sends everything anew to a new one."""
        channel.setblocking(False)
        if self._channel is not None:
            self._channel.close()
        current = self._channel = WorkerChannel()
        await self._loop.create_unix_connection(lambda: current, sock=channel)
        self._tasks.start(self._follow(current), name="changes")

    async def _follow(self, channel: WorkerChannel) -> None:
        while (frame := await channel.next_frame()) is not None:
            started = perf_counter()
            message = decode_to_worker(frame)
            if isinstance(message, Ask):
                self._report()
                continue
            async with self._building:
                if channel is not self._channel:
                    return  # a new control process has begun to send everything anew
                channel.has_begun = True
                answer = await self._take(message, channel, started)
            if answer is not None:
                channel.send(answer)
            await asyncio.sleep(0)  # requests between any two pieces

    async def _take(self, message: ToWorker, channel: WorkerChannel, started: float) -> Applied | Refused | None:
        """Build one piece. What has become of the change, when this was the end of it."""
        try:
            generation = await self._build(message, started)
        except _NotBuiltError as error:
            refused = message.generation if isinstance(message, Commit) else await channel.skip_change()
            return Refused(refused, str(error))
        if generation is None:
            return None
        await self._begin_to_accept()
        return Applied(generation)

    async def _build(self, message: ToWorker, started: float) -> int | None:
        """The generation that is served now, if this was the last piece of it.

        Raises:
            _NotBuiltError: it cannot be built; what was built aside is forgotten.
        """
        try:
            if isinstance(message, Commit | Materials):
                await self._builder.prepare(message)
                started = perf_counter()
            return self._builder.take(message, since=started)
        except Exception as error:
            log.exception("cannot build the new configuration; the one before goes on")
            self._builder.abandon()
            raise _NotBuiltError(f"{type(error).__name__}: {error}") from error

    async def _serve_last(self, descriptor: int) -> None:
        """Begin with the last configuration there was, if nobody has begun to say what there is now."""
        try:
            async with self._building:
                if self._accepts or (self._channel is not None and self._channel.has_begun):
                    return
                for message in read_configuration(descriptor):
                    await self._build(message, perf_counter())
                    await asyncio.sleep(0)
                await self._begin_to_accept()
                log.warning("no control process knows the cluster yet: serving the last configuration there was")
        except _NotBuiltError:
            pass  # told; the control process will send one
        finally:
            os.close(descriptor)

    async def _begin_to_accept(self) -> None:
        if not self._accepts and not self._draining.is_set():
            self._accepts = True
            await self._acceptor.open()
            links.send(self._link, links.ACCEPTING)

    # -- the clock

    def _tick(self) -> None:
        self._loop.call_later(TICK_S, self._tick)  # first: time goes on, whatever becomes of this turn
        self.gateway.tick()
        self.gateway.log.flush()

    def _each_second(self, due: float) -> None:
        now = monotonic()
        self._loop.call_at(self._loop.time() + _REPORT_S, self._each_second, now + _REPORT_S)
        self.stats.loop_lag(max(0.0, now - due))
        self.gateway.tell_time()
        self._seconds += 1
        if self._routes_told <= _MANY_ROUTES or self._seconds % _MANY_ROUTES_EACH == 0:
            self._routes_told = 0
            self._report()
        else:
            self._report(max_routes=0)

    def _report(self, max_routes: int = ROUTES_PER_REPORT) -> None:
        channel = self._channel
        if channel is None or not channel.is_open:
            return
        gateway, stats = self.gateway, self.stats
        connections = len(gateway.connections)
        stats.connections["active"] = gateway.active
        stats.connections["idle"] = max(0, connections - gateway.active)
        stats.upstream_connections["active"] = gateway.pool.active
        stats.upstream_connections["idle"] = gateway.pool.idle
        stats.log_dropped = gateway.log.dropped
        report = stats.report(max_routes=max_routes)
        channel.send(Report(report))
        self._routes_told += len(report.routes)
        if report.is_partial and max_routes:
            self._loop.call_soon(self._report)

    # -- the end

    async def _drain(self) -> None:
        """Accept what already waits, then no more; open exchanges finish, the parent ends us if they do not."""
        await asyncio.sleep(_DRAIN_CHECK_S)  # the loop accepts what is in the queues: closing would reset it
        self._acceptor.close()
        self.gateway.drain()
        while self.gateway.connections or self.gateway.handshakes:  # noqa: ASYNC110 - connections tell nobody, on purpose
            await asyncio.sleep(_DRAIN_CHECK_S)


class _NotBuiltError(Exception):
    """Why a piece of a change could not be built."""

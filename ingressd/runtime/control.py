"""The control process: watches, compiles, publishes, writes status, answers the admin server.

It may be ended and started again at any time: workers serve on, and a new one sends them everything anew.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import socket
import time
from collections import Counter
from collections.abc import Coroutine, Iterator
from typing import Any

from ingressd.errors import StartError
from ingressd.kube.resolve import NameResolver
from ingressd.model.finding import Finding
from ingressd.routing.compile import Compiled
from ingressd.routing.snapshot import Snapshot
from ingressd.runtime import links, view
from ingressd.runtime.clusterwork import ClusterWork
from ingressd.runtime.configuration import Configuration
from ingressd.runtime.kept_configuration import Keeper
from ingressd.runtime.labels import LabelsOf
from ingressd.runtime.logs import set_up_logs
from ingressd.runtime.loops import new_event_loop
from ingressd.runtime.publish import Publisher
from ingressd.runtime.sources import Source, open_source, route_defaults
from ingressd.runtime.tasks import TaskSet
from ingressd.settings import Settings
from ingressd.telemetry.admin import AdminServer
from ingressd.telemetry.exposition import CertificateExpiry, Exposition
from ingressd.telemetry.nginx_names import ControllerName
from ingressd.telemetry.report import WorkerReport
from ingressd.version import __version__

log = logging.getLogger(__name__)

_SILENCE_S = 5.0
_COLLECT_S = 0.25
_FINDINGS_LOGGED = 20
_LOG_LEVELS = {"error": logging.ERROR, "warning": logging.WARNING, "info": logging.INFO}
# Tens of thousands of long-lived objects and little garbage: collecting by default counts would cost seconds.
GC_THRESHOLDS = (50_000, 20, 50)


def control_main(settings: Settings, link: socket.socket, admin: socket.socket) -> int:
    """Run the control process to its end; returns the process's exit code. Called in a freshly forked child."""
    set_up_logs(settings.log_level, settings.log_format, "control")
    gc.set_threshold(*GC_THRESHOLDS)
    loop = new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        return loop.run_until_complete(Control(settings, link, admin).run())
    finally:
        loop.close()


class Control:
    """The rim of the control process; also what the admin server shows (``telemetry.admin.AdminView``)."""

    def __init__(self, settings: Settings, link: socket.socket, admin: socket.socket) -> None:
        self._settings = settings
        self._link = link
        self._admin = AdminServer(self, admin)
        self._tasks = TaskSet()
        self._publisher = Publisher(self, self._tasks)
        self._exposition = Exposition(
            version=__version__,
            controller=None if settings.metrics_names == "ingressd" else _controller_name(settings),
            own_route_names=settings.metrics_names != "nginx",
        )
        self._exposition.set_orphans(lambda: view.orphans_of(self._shown))
        defaults = route_defaults(
            settings.routing,
            time.time(),
            max_body_bytes=settings.limits.max_body_bytes,
            https_port=settings.https_port,
        )
        self._configuration = Configuration(defaults, self._publisher, self._on_compiled, self._on_failed)
        self._resolver = NameResolver(self._on_resolved)
        self._keeper = Keeper(link)
        self._source: Source | None = None
        self._cluster: ClusterWork | None = None
        self._stop = asyncio.Event()
        self._logged: frozenset[Finding] = frozenset()
        self._parent_heard = time.monotonic()
        self._shown = Snapshot()
        self._has_failed = False  # the last compile did
        self._is_ready = False
        self._is_draining = False
        self._drain_timeout_s: float | None = None  # what the parent was told last
        self._started = time.time()

    async def run(self) -> int:
        """Work until the parent says stop, or is gone."""
        loop = asyncio.get_running_loop()
        loop.add_reader(self._link.fileno(), self._on_link)
        self._beat()
        await self._admin.start()
        try:
            async with open_source(self._settings, self._exposition.watches) as (source, client):
                self._source = source
                self._start(source.run(self._configuration.store), name="source")
                self._start(self._configuration.follow(source), name="configuration")
                self._start(self._resolver.run(), name="resolver")
                self._tasks.start(self._keeper.run(), name="keeper")
                if client is not None:
                    store = self._configuration.store
                    self._cluster = ClusterWork(client, self._settings, store, self._exposition.set_leader)
                    self._cluster.start()
                await self._stop.wait()
                if self._cluster is not None:
                    await self._cluster.close()
                await self._tasks.cancel()
        except StartError as error:
            links.send(self._link, links.FAILED + b" " + str(error).encode()[: links.MAX_MESSAGE_BYTES - 16])
            await self._stop.wait()
        await self._admin.close()
        return 0

    def _start(self, work: Coroutine[Any, Any, None], *, name: str) -> None:
        """Something without which this process only seems to work."""
        self._tasks.start(_or_start_over(work, name), name=name)

    # -- the parent

    def _on_link(self) -> None:
        try:
            message, descriptor = links.receive(self._link)
        except BlockingIOError:
            return
        except links.LinkClosed:
            log.error("the supervisor is gone: ending")
            os._exit(1)
        self._parent_heard = time.monotonic()
        word, *rest = message.split(b" ")
        if word == links.CHANNEL and descriptor is not None:
            self._publisher.attach(int(rest[0]), int(rest[1]), socket.socket(fileno=descriptor))
        elif word == links.DRAINING:
            self._is_draining = True
        elif word == links.RELOAD:
            self._reload()
        elif word == links.STOP:
            self._stop.set()

    def _beat(self) -> None:
        links.send(self._link, links.BEAT)
        asyncio.get_running_loop().call_later(links.BEAT_S, self._beat)

    def _reload(self) -> None:
        reload = getattr(self._source, "reload", None)
        if reload is not None:
            reload()
        self._configuration.recompile()

    # -- what compile and workers say

    def _on_resolved(self) -> None:
        # A name that failed is known to have no address; one not asked for yet is not.
        failed = dict.fromkeys(self._resolver.problems, ())
        self._configuration.on_resolved({**failed, **self._resolver.resolved})

    def _on_failed(self) -> None:
        self._has_failed = True
        self._exposition.reload_failed()

    def _on_compiled(self, compiled: Compiled) -> None:
        if self._has_failed and self._publisher.served_generation == self._configuration.generation:
            self._exposition.reload_succeeded(time.time())  # what comes out now is what is served
        self._has_failed = False
        findings = self._configuration.findings
        self._log_new(findings)
        self._resolver.want(compiled.external_names)
        self._tell_drain_timeout(compiled.snapshot.policies.drain_timeout_s)
        if self._source is not None:
            self._source.want(self._configuration.named_config_maps)
        if self._cluster is not None:
            self._cluster.on_compiled(compiled, findings)
        self._exposition.set_findings(Counter(finding.level for finding in findings))
        self._show(compiled.snapshot)
        if self._configuration.generation == 1:
            gc.collect()
            gc.freeze()  # the first complete state is what most of the process's memory is

    def _tell_drain_timeout(self, seconds: float | None) -> None:
        if seconds != self._drain_timeout_s:
            self._drain_timeout_s = seconds
            links.send(self._link, links.DRAIN_TIMEOUT + (b" -" if seconds is None else b" %g" % seconds))

    def _show(self, snapshot: Snapshot) -> None:
        """Tell metrics what there is to count. Endpoint changes, the most frequent ones, change nothing of it."""
        before, self._shown = self._shown, snapshot
        if snapshot.server_names is not before.server_names or snapshot.certificates is not before.certificates:
            self._exposition.set_certificates(_expiries(snapshot))
        if snapshot.hosts is not before.hosts or snapshot.fallback is not before.fallback:
            self._exposition.keep_routes(LabelsOf(snapshot))

    def _log_new(self, findings: tuple[Finding, ...]) -> None:
        """Each finding is told once, when it appears; a flood of them is told by its number."""
        new = [finding for finding in findings if finding not in self._logged]
        self._logged = frozenset(findings)
        for finding in new[:_FINDINGS_LOGGED]:
            log.log(_LOG_LEVELS[finding.level], "%s", view.describe(finding))
        if len(new) > _FINDINGS_LOGGED:
            log.warning("and %d more findings: see /api/findings", len(new) - _FINDINGS_LOGGED)

    def on_served(self, generation: int) -> None:
        now = time.monotonic()
        if generation == self._configuration.generation:
            self._keeper.take(generation, self._configuration.snapshot)
        changed_at = self._configuration.changed_at
        for served in [one for one in changed_at if one <= generation]:
            self._exposition.applied(now - changed_at.pop(served))
        self._exposition.generation_served(generation)
        self._exposition.reload_succeeded(time.time())

    def on_applied(self, worker: int, generation: int) -> None:
        """Ready is when the last worker serves anything at all, in whatever order they came and however often."""
        serving = sum(generation > 0 for _, _, generation, _ in self._publisher.workers())
        if not self._is_ready and serving >= self._settings.workers:
            self._is_ready = True
            routes = view.count_routes(self._configuration.snapshot)
            links.send(self._link, b"%b %d" % (links.READY, routes))

    def on_refused(self, worker: int, generation: int, message: str) -> None:
        log.error("worker-%d cannot serve generation %d: %s", worker, generation, message)
        self._configuration.last_succeeded = False
        self._exposition.reload_failed()

    def on_report(self, worker: int, pid: int, report: WorkerReport) -> None:
        self._exposition.merge(worker, report)

    # -- telemetry.admin.AdminView

    async def healthy(self) -> tuple[bool, str]:
        """Whether supervisor and workers have spoken lately. Never depends on the API server."""
        if time.monotonic() - self._parent_heard > _SILENCE_S:
            return False, "the supervisor is silent"
        heard = {index: silent_s for index, _, _, silent_s in self._publisher.workers()}
        for index in range(self._settings.workers):
            silent_s = heard.get(index)
            if silent_s is None:
                return False, f"worker-{index} is not connected"
            if silent_s > _SILENCE_S:
                return False, f"worker-{index} has been silent for {silent_s:.0f} s"
        return True, "ok"

    async def ready(self) -> tuple[bool, str]:
        """Whether the first complete configuration is served and nothing is ending."""
        if self._is_draining:
            return False, "draining"
        if not self._is_ready:
            synced = self._source is not None and self._source.is_synced
            return False, "waiting for workers" if synced else "waiting for the first complete configuration"
        return True, "ok"

    async def metrics(self) -> bytes:
        await self._publisher.collect_reports(_COLLECT_S)
        self._update_exposition()
        return await asyncio.to_thread(self._exposition.render)

    def _update_exposition(self) -> None:
        workers = self._publisher.workers()
        present = {index for index, _, _, _ in workers}
        for index in range(self._settings.workers):
            if index not in present:
                self._exposition.worker_gone(index)
        pids = {f"worker-{index}": pid for index, pid, _, _ in workers}
        self._exposition.set_processes({"supervisor": os.getppid(), "control": os.getpid(), **pids})

    def routes(self) -> Any:
        return view.routes_of(self._configuration.snapshot)

    def backends(self) -> Any:
        return view.backends_of(self._configuration.snapshot)

    def certificates(self) -> Any:
        return view.certificates_of(self._configuration.snapshot)

    def findings(self) -> Any:
        return view.findings_of(self._configuration.findings)

    def status(self) -> Any:
        configuration = self._configuration
        return {
            "version": __version__,
            "started": self._started,
            "ready": self._is_ready,
            "draining": self._is_draining,
            "source": self._source.describe() if self._source is not None else None,
            "synced": self._source is not None and self._source.is_synced,
            "generation": configuration.generation,
            "served_generation": self._publisher.served_generation,
            "last_reload_successful": configuration.last_succeeded,
            "last_reload_success": configuration.last_success,
            "leader": self._cluster is not None and self._cluster.is_leader,
            "hosts": len(configuration.snapshot.hosts),
            "routes": view.count_routes(configuration.snapshot),
            "backends": len(configuration.snapshot.backends),
            "certificates": len(configuration.snapshot.certificates),
            "findings": len(configuration.findings),
            "workers": [
                {"index": index, "pid": pid, "generation": generation, "silent_s": round(silent_s, 1)}
                for index, pid, generation, silent_s in sorted(self._publisher.workers())
            ],
        }


async def _or_start_over(work: Coroutine[Any, Any, None], name: str) -> None:
    try:
        await work
    except Exception:
        log.exception("%s failed: starting over", name)
        os._exit(1)  # the parent starts a new control process, workers serve on


def _controller_name(settings: Settings) -> ControllerName:
    return ControllerName(
        os.environ.get("POD_NAMESPACE", ""),
        settings.routing.controller_class,
        os.environ.get("POD_NAME") or socket.gethostname(),
        settings.status.election_id,
    )


def _expiries(snapshot: Snapshot) -> Iterator[CertificateExpiry]:
    for name, key in snapshot.server_names.items():
        pair = snapshot.certificates.get(key)
        namespace, _, secret = key.partition("/")
        if pair is not None:
            yield CertificateExpiry(name, namespace, secret, pair.not_after)

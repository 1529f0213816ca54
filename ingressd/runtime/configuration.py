"""Store to Snapshot to workers: the config flow's one loop."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping

from ingressd.kube.store import Store
from ingressd.model.cluster import ClusterState, Key
from ingressd.model.finding import Finding
from ingressd.routing.compile import Compiled, CompileMemo, RouteDefaults, compile_routes, refresh_endpoints
from ingressd.routing.delta import SnapshotDelta, difference, is_empty
from ingressd.routing.snapshot import Snapshot
from ingressd.runtime.holdoff import HoldOff
from ingressd.runtime.log_findings import log_findings
from ingressd.runtime.publish import Publisher
from ingressd.runtime.sources import Source

log = logging.getLogger(__name__)

_CERTIFICATE_CHECK_S = 3600.0
"""How often everything is compiled for the clock's sake alone: certificates expire without an event."""

_RETRY_S = 30.0
"""When a compile that failed is tried again, if nothing changes before."""
_NAMED_S = 5.0
"""How long the first configuration waits for ConfigMaps in namespaces that are not watched."""

_SHORT_ROAD = frozenset(("EndpointSlice", "Service"))
"""Changes that can alter nothing but endpoint sets; both kinds are reported by the key of the Service."""
_FEW_SERVICES = 100
"""So many take about a millisecond on the short road, less than handing them to a thread."""

_MAX_PENDING = 1000
"""Generations whose way to the workers is timed: a worker that refuses everything leaves them all unserved."""


class Configuration:
    """Waits for a quiet moment, compiles what changed, publishes it when it differs.

    Endpoint changes take the short road: nothing but their backends is worked out again.
    """

    def __init__(
        self,
        defaults: RouteDefaults,
        publisher: Publisher,
        on_compiled: Callable[[Compiled], None],
        on_failed: Callable[[], None] = lambda: None,
    ) -> None:
        """``on_failed``: compiling raised, which is a fault of ours; what is served stays as it is."""
        self._defaults = defaults
        self._publisher = publisher
        self._on_compiled = on_compiled
        self._on_failed = on_failed
        self._memo = CompileMemo()
        self._hold_off = HoldOff()
        self._is_stale = True  # compile everything, whatever changed
        self._resolved: Mapping[str, tuple[str, ...]] = {}
        self.store = Store(self._hold_off.poke)
        self.compiled: Compiled | None = None
        self.generation = 0
        self.changed_at: dict[int, float] = {}  # generation → monotonic time of the first change it carries
        self.last_succeeded = True
        self.last_success = 0.0  # seconds since the epoch

    @property
    def snapshot(self) -> Snapshot:
        return self.compiled.snapshot if self.compiled is not None else Snapshot()

    @property
    def named_config_maps(self) -> frozenset[Key]:
        """ConfigMaps that the controller's own names, whatever namespaces are watched."""
        context = self._memo.context
        return frozenset(context.sources) if context is not None else frozenset()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is wrong with objects, as far as source and compile could tell."""
        compiled = self.compiled.findings if self.compiled is not None else ()
        of_log = log_findings(self.snapshot.policies.log, self._defaults.config_map)
        return tuple(sorted({*self.store.findings(), *compiled, *of_log}))

    def recompile(self) -> None:
        """Compile everything in the next quiet moment."""
        self._is_stale = True
        self._hold_off.poke()

    def on_resolved(self, resolved: Mapping[str, tuple[str, ...]]) -> None:
        """Names of ExternalName Services have other addresses now."""
        self._resolved = resolved
        self.recompile()

    async def follow(self, source: Source) -> None:
        """Run for ever. Nothing is published before every required object was seen."""
        await source.synced()
        await self._wait_for_named(source)
        log.info("in sync: %s", source.describe())
        self.recompile()
        while True:
            changed_at = await self._next_moment()
            started = time.monotonic()
            try:
                await self._compile(changed_at)
            except Exception:
                self.last_succeeded = False
                self._is_stale = True
                log.exception("compiling failed; what is served stays as it is")
                self._on_failed()
                asyncio.get_running_loop().call_later(_RETRY_S, self._hold_off.poke)
            self._hold_off.acted(time.monotonic() - started)

    async def _wait_for_named(self, source: Source) -> None:
        """The header sets that the controller's ConfigMap names may be in namespaces that nobody watches: they are part
        of the first configuration too, unless nobody says for a while whether they can be had.
        """
        try:
            self._memo.use(self._defaults, self.store.freeze(self._resolved))
            source.want(self.named_config_maps)
            async with asyncio.timeout(_NAMED_S):
                await source.named()
        except TimeoutError:
            log.warning("ConfigMaps that the controller's names are still to come: going on without their headers")
        except Exception:
            log.exception("the controller's ConfigMap cannot be read ahead")  # compiling says so too, and tries again

    async def _next_moment(self) -> float:
        try:
            async with asyncio.timeout(_CERTIFICATE_CHECK_S):
                return await self._hold_off.wait()
        except TimeoutError:
            self._is_stale = True
            return time.monotonic()

    async def _compile(self, changed_at: float) -> None:
        changes = self.store.take_changes()
        cluster = self.store.freeze(self._resolved)
        before = self.compiled
        services: set[Key] | None = None
        if before is not None and not self._is_stale and all(kind in _SHORT_ROAD for kind, _ in changes):
            services = {key for _, key in changes}
        self._is_stale = False
        if services is not None and len(services) <= _FEW_SERVICES:
            compiled, delta = self._work_out(cluster, services)
        else:
            # In a thread, so that health checks and watches are answered meanwhile; the values it reads are frozen.
            compiled, delta = await asyncio.to_thread(self._work_out, cluster, services)
        self.compiled = compiled
        self.last_succeeded = True
        self.last_success = time.time()
        if before is None or not is_empty(delta):
            self.generation += 1
            self.changed_at[self.generation] = changed_at
            if len(self.changed_at) > _MAX_PENDING:
                del self.changed_at[next(iter(self.changed_at))]
            since = before.snapshot if before is not None else Snapshot()
            self._publisher.publish(self.generation, compiled.snapshot, since=(since, delta))
        self._on_compiled(compiled)

    def _work_out(self, cluster: ClusterState, services: set[Key] | None) -> tuple[Compiled, SnapshotDelta]:
        """The new state of everything, or of these Services only, and what differs from the one before."""
        before = self.compiled
        if before is None or services is None:
            compiled = self._compile_all(cluster)
        else:
            compiled = self._refresh(before, cluster, services)
        return compiled, difference(self.snapshot, compiled.snapshot)

    def _compile_all(self, cluster: ClusterState) -> Compiled:
        return compile_routes(cluster, self._defaults, self._memo, now=time.time())

    def _refresh(self, before: Compiled, cluster: ClusterState, services: set[Key]) -> Compiled:
        return refresh_endpoints(before, cluster, self._defaults, services, self._memo)

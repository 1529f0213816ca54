"""``/metrics``: everything the control process knows, as Prometheus text.

The loop tells ``Exposition`` what happened (workers' reports, what was compiled, what the watches saw); ``render`` may
run in a thread at the same time, and should: with thousands of routes it takes a while.
"""

import time
from bisect import bisect_left
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from msgspec import Struct
from prometheus_client import Metric, generate_latest
from prometheus_client.registry import Collector

from ingressd.telemetry import nginx_names
from ingressd.telemetry.families import Values, by_one, counter, gauge, histogram
from ingressd.telemetry.nginx_names import ControllerFigures, ControllerName
from ingressd.telemetry.processes import PROC, process_families
from ingressd.telemetry.report import LAG_BUCKETS_S, SWAP_BUCKETS_S, RouteLabels, WorkerReport
from ingressd.telemetry.text import render_routes
from ingressd.telemetry.totals import (
    MAX_SERIES,
    RouteTotals,
    WorkerTotals,
    add_counts,
    empty_histogram,
    sum_gauges,
)

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

APPLY_BUCKETS_S: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Around the goals: an endpoint live within 0.3 s, an Ingress within 1 s."""

LEVELS: Final = ("error", "warning", "info")


class CertificateExpiry(Struct, frozen=True, gc=False):
    """One name served with one Secret's certificate. ``not_after``: seconds since the epoch."""

    host: str
    namespace: str
    secret: str
    not_after: float


class WatchFigures:
    """What ``kube`` reports of its watches (it sees this as its ``WatchObserver``)."""

    def __init__(self) -> None:
        self.restarts: dict[str, int] = {}
        self.last_event: dict[str, float] = {}

    def restarted(self, kind: str) -> None:
        """A watch of this kind was opened again."""
        self.restarts[kind] = self.restarts.get(kind, 0) + 1

    def event(self, kind: str, at: float) -> None:
        """The server said something about this kind at ``at``, seconds since the epoch."""
        self.restarts.setdefault(kind, 0)
        self.last_event[kind] = at


class Exposition:
    """Totals and present values of the whole program. All methods but ``render`` belong to one loop.

    ``now`` is a clock in seconds that never goes back. With ``controller`` ingress-nginx's names are shown as well; for
    routes, of which there may be thousands, ours only if ``own_route_names``.
    """

    def __init__(
        self,
        *,
        version: str,
        controller: ControllerName | None = None,
        own_route_names: bool = True,
        now: Callable[[], float] = time.monotonic,
        max_series: int = MAX_SERIES,
        proc: Path = PROC,
    ) -> None:
        self.watches = WatchFigures()
        self._version = version
        self._controller = controller
        self._own_route_names = own_route_names or controller is None
        self._proc = proc
        self._routes = RouteTotals(now, max_series=max_series, has_paths=controller is not None)
        self._workers = WorkerTotals(SWAP_BUCKETS_S, LAG_BUCKETS_S)
        self._applied = empty_histogram(APPLY_BUCKETS_S)
        self._generation = 0
        self._reload_succeeded = False
        self._reload_success_at = 0.0
        self._reloads = self._reload_errors = self._requests = 0
        self._orphans: Callable[[], Mapping[tuple[str, str], bool]] = dict
        self._certificates: tuple[CertificateExpiry, ...] = ()
        self._findings: Mapping[str, int] = {}
        self._is_leader = False
        self._pids: Mapping[str, int] = {}
        self._collector = _Collector(self._families)

    def merge(self, worker: int, report: WorkerReport) -> None:
        """Add a report. ``worker`` is the number of the place the worker fills; a replacement fills the same one."""
        for delta in report.routes:
            self._routes.add(delta)
            self._requests += sum(delta.requests.values())
        self._routes.forget_deleted()
        workers = self._workers
        add_counts(workers.rejected, report.rejected)
        add_counts(workers.retried, report.retried)
        workers.add_swaps(report.swaps)
        workers.add_lags(report.loop_lag)
        workers.log_dropped += report.log_dropped
        workers.connections[worker] = report.connections
        workers.upstream_connections[worker] = report.upstream_connections

    def worker_gone(self, worker: int) -> None:
        """Its connections are gone with it; what it counted stays."""
        self._workers.connections.pop(worker, None)
        self._workers.upstream_connections.pop(worker, None)

    def keep_routes(self, live: Container[RouteLabels]) -> None:
        """The routes of the newest snapshot, labelled as the workers label them. Others are dropped after 5 minutes."""
        self._routes.keep(live)

    def generation_served(self, generation: int) -> None:
        """Every worker serves this snapshot now."""
        self._generation = generation

    def applied(self, seconds: float) -> None:
        """A change took this long from being seen to being served by every worker."""
        counts = [0] * (len(APPLY_BUCKETS_S) + 1)
        counts[bisect_left(APPLY_BUCKETS_S, seconds)] = 1
        self._applied = self._applied.plus(counts, seconds)

    def reload_succeeded(self, at: float) -> None:
        """At ``at``, seconds since the epoch, a snapshot was taken up by every worker."""
        self._reload_success_at = at
        self._reload_succeeded = True
        self._reloads += 1

    def reload_failed(self) -> None:
        """A snapshot could not be compiled or some worker could not take it up; the one before is still served."""
        self._reload_succeeded = False
        self._reload_errors += 1

    def set_certificates(self, certificates: Iterable[CertificateExpiry]) -> None:
        self._certificates = tuple(certificates)

    def set_findings(self, by_level: Mapping[str, int]) -> None:
        self._findings = dict(by_level)

    def set_leader(self, is_leader: bool) -> None:
        self._is_leader = is_leader

    def set_processes(self, pids: Mapping[str, int]) -> None:
        """Our processes by name: ``supervisor``, ``control``, ``worker-0`` …"""
        self._pids = dict(pids)

    def set_orphans(self, find: Callable[[], Mapping[tuple[str, str], bool]]) -> None:
        """``find`` says of each Ingress whether a backend of it has no endpoint. Asked by ``render``, in its thread."""
        self._orphans = find

    def render(self) -> bytes:
        """Prometheus text 0.0.4. Blocks for as long as it takes: call it in a thread."""
        parts = [generate_latest(self._collector)]
        if self._own_route_names:
            parts.append(render_routes(self._routes))
        if self._controller is not None:
            figures = self._figures()
            parts.append(nginx_names.render_controller(figures, self._controller, self._version, proc=self._proc))
            parts.append(render_routes(self._routes, nginx_names.route_names(self._controller)))
        return b"".join(parts)

    def _figures(self) -> ControllerFigures:
        return ControllerFigures(
            generation=self._generation,
            reload_succeeded=self._reload_succeeded,
            reload_success_at=self._reload_success_at,
            reloads=self._reloads,
            reload_errors=self._reload_errors,
            is_leader=self._is_leader,
            certificates=[
                nginx_names.Expiry(one.host, one.namespace, one.secret, one.not_after) for one in self._certificates
            ],
            connections=sum_gauges(self._workers.connections),
            requests=self._requests,
            orphans=self._orphans(),
            worker_pids=[pid for name, pid in self._pids.items() if name.startswith("worker-")],
        )

    def _families(self) -> Iterator[Metric]:
        yield from self._worker_families()
        yield from self._config_families()
        yield from self._kube_families()
        yield gauge("ingressd_build_info", "1, with the version as a label.", ("version",), {(self._version,): 1})
        yield from process_families(self._pids, proc=self._proc)

    def _worker_families(self) -> Iterator[Metric]:
        workers = self._workers
        connections = sum_gauges(workers.connections)
        upstream = sum_gauges(workers.upstream_connections)
        yield gauge("ingressd_connections", "Client connections open now.", ("state",), by_one(connections))
        yield gauge("ingressd_upstream_connections", "Connections to endpoints.", ("state",), by_one(upstream))
        yield counter("ingressd_retries_total", "Attempts after the first.", ("reason",), by_one(workers.retried))
        yield counter(
            "ingressd_rejected_requests_total",
            "Requests answered by ingressd itself instead of an upstream.",
            ("reason",),
            by_one(workers.rejected),
        )
        yield histogram(
            "ingressd_worker_swap_seconds", "Pause of a worker's loop by one swap.", SWAP_BUCKETS_S, workers.swaps
        )
        yield histogram(
            "ingressd_worker_loop_lag_seconds", "How late timers of a worker's loop fire.", LAG_BUCKETS_S, workers.lags
        )
        yield counter(
            "ingressd_access_log_dropped_lines_total", "Lines lost to a slow reader.", (), {(): workers.log_dropped}
        )

    def _config_families(self) -> Iterator[Metric]:
        certificates: Values = {(c.host, c.namespace, c.secret): c.not_after for c in self._certificates}
        findings = dict.fromkeys(LEVELS, 0) | dict(self._findings)
        yield gauge("ingressd_config_generation", "Number of the snapshot served.", (), {(): self._generation})
        yield gauge(
            "ingressd_config_last_reload_successful",
            "1 when the newest snapshot is served by every worker.",
            (),
            {(): int(self._reload_succeeded)},
        )
        yield gauge(
            "ingressd_config_last_reload_success_timestamp_seconds",
            "When that was last so, seconds since the epoch.",
            (),
            {(): self._reload_success_at},
        )
        yield histogram(
            "ingressd_config_apply_seconds",
            "From a change seen to served by every worker.",
            APPLY_BUCKETS_S,
            self._applied,
        )
        yield gauge(
            "ingressd_ssl_expire_time_seconds",
            "When the certificate of a name expires, seconds since the epoch.",
            ("host", "namespace", "secret"),
            certificates,
        )
        yield gauge("ingressd_findings", "Things wrong with objects now.", ("level",), by_one(findings))

    def _kube_families(self) -> Iterator[Metric]:
        watches = self.watches
        yield counter(
            "ingressd_kube_watch_restarts_total", "Watches opened again.", ("kind",), by_one(watches.restarts)
        )
        yield gauge(
            "ingressd_kube_last_event_timestamp_seconds",
            "When the API server last said something about a kind, seconds since the epoch.",
            ("kind",),
            by_one(watches.last_event),
        )
        yield gauge("ingressd_leader", "1 in the one replica that writes status.", (), {(): int(self._is_leader)})


class _Collector(Collector):
    def __init__(self, families: Callable[[], Iterator[Metric]]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        return self._families()

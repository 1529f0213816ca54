"""Our figures under the names and labels ingress-nginx has for them, so that dashboards and alerts go on.

Only what we know is here; docs/metrics.md says what differs.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from msgspec import Struct

from ingressd.telemetry.processes import PROC, ProcessFigures, read_process
from ingressd.telemetry.text import DURATIONS, SIZES, Family, RouteNames, escaped

PREFIX: Final = "nginx_ingress_controller_"
_STATES: Final = {
    "reading": ("handshake",),
    "writing": ("active",),
    "waiting": ("idle",),
    "active": ("handshake", "active", "idle"),
}
"""nginx's → ours: it reads a request, answers it, waits for the next one; ``active`` are all of them there."""

_FAMILIES: Final = (
    Family(
        f"{PREFIX}request_duration_seconds",
        "From the first byte of a request to the last byte of its answer.",
        DURATIONS,
        lambda totals: totals.durations,
    ),
    Family(
        f"{PREFIX}response_duration_seconds",
        "The part of it spent with upstreams, all attempts together.",
        DURATIONS,
        lambda totals: totals.upstream,
    ),
    Family(
        f"{PREFIX}connect_duration_seconds",
        "Until there was a connection to the upstream, in the last attempt; 0 for one that was kept.",
        DURATIONS,
        lambda totals: totals.connects,
    ),
    Family(
        f"{PREFIX}header_duration_seconds",
        "Until the head of the upstream's answer, in the last attempt.",
        DURATIONS,
        lambda totals: totals.headers,
    ),
    Family(f"{PREFIX}request_size", "Bytes of request bodies.", SIZES, lambda totals: totals.request_sizes),
    Family(f"{PREFIX}response_size", "Bytes of response bodies.", SIZES, lambda totals: totals.response_sizes),
    Family(f"{PREFIX}bytes_sent", "Bytes of response bodies.", SIZES, lambda totals: totals.response_sizes),
)


class ControllerName(Struct, frozen=True):
    """Labels of every metric there: this pod, as ingress-nginx would call itself. ``lease``: its election's name."""

    namespace: str
    controller_class: str
    pod: str
    lease: str

    @property
    def labels(self) -> str:
        namespace, name, pod = escaped(self.namespace), escaped(self.controller_class), escaped(self.pod)
        return f'controller_namespace="{namespace}",controller_class="{name}",controller_pod="{pod}",'


def route_names(who: ControllerName) -> RouteNames:
    """For ``text.render_routes``."""
    help_text = "Requests answered, by route, method and status."
    return RouteNames(f"{PREFIX}requests", help_text, _FAMILIES, who.labels, has_paths=True)


class Expiry(NamedTuple):
    host: str
    namespace: str
    secret: str
    not_after: float


class ControllerFigures(Struct, frozen=True, kw_only=True):
    """What is shown beside routes. Times are seconds since the epoch.

    ``orphans``: namespace and name of each Ingress → whether one of its backends has no endpoint.
    """

    generation: int
    reload_succeeded: bool
    reload_success_at: float
    reloads: int
    reload_errors: int
    is_leader: bool
    certificates: Iterable[Expiry]
    connections: Mapping[str, int]
    requests: int
    orphans: Mapping[tuple[str, str], bool]
    worker_pids: Iterable[int]


def render_controller(figures: ControllerFigures, who: ControllerName, version: str, *, proc: Path = PROC) -> bytes:
    """Prometheus text of everything but routes."""
    lines: list[str] = []
    metrics = [_build_info(who, version), *_metrics(figures, who, proc)]
    for name, kind, text, samples in metrics:
        lines += [f"# HELP {PREFIX}{name} {text}", f"# TYPE {PREFIX}{name} {kind}"]
        lines += [f"{PREFIX}{name}{{{labels.rstrip(',')}}} {value}" for labels, value in samples]
    return "".join(line + "\n" for line in lines).encode()


_Sample = tuple[str, float]
_Metric = tuple[str, str, str, list[_Sample]]


def _build_info(who: ControllerName, version: str) -> _Metric:
    labels = f'{who.labels}release="{escaped(version)}"'
    return "build_info", "gauge", "1, with the release as a label.", [(labels, 1)]


def _metrics(figures: ControllerFigures, who: ControllerName, proc: Path) -> Iterator[_Metric]:
    here = who.labels
    yield "config_hash", "gauge", "Number of the snapshot served.", [(here, figures.generation)]
    yield (
        "config_last_reload_successful",
        "gauge",
        "1 when the newest snapshot is served by every worker.",
        [(here, int(figures.reload_succeeded))],
    )
    yield (
        "config_last_reload_successful_timestamp_seconds",
        "gauge",
        "When that was last so, seconds since the epoch.",
        [(here, figures.reload_success_at)],
    )
    yield "success", "counter", "Snapshots taken up by every worker.", [(here, figures.reloads)]
    yield "errors", "counter", "Snapshots that could not be taken up.", [(here, figures.reload_errors)]
    leader = f'{here}name="{escaped(who.lease)}"'
    yield "leader_election_status", "gauge", "1 in the replica that writes status.", [(leader, int(figures.is_leader))]
    yield (
        "ssl_expire_time_seconds",
        "gauge",
        "When the certificate of a name expires, seconds since the epoch.",
        [(_expiry_labels(who, one), one.not_after) for one in figures.certificates],
    )
    yield (
        "orphan_ingress",
        "gauge",
        "1 for an Ingress with a backend that has no endpoint.",
        [(_orphan_labels(here, *key), int(is_orphan)) for key, is_orphan in figures.orphans.items()],
    )
    yield (
        "nginx_process_connections",
        "gauge",
        "Client connections open now.",
        [
            (f'{here}state="{name}"', sum(figures.connections.get(one, 0) for one in ours))
            for name, ours in _STATES.items()
        ],
    )
    yield "nginx_process_requests_total", "counter", "Requests answered.", [(here, figures.requests)]
    processes = [found for pid in figures.worker_pids if (found := read_process(pid, proc=proc)) is not None]
    yield from _processes(processes, here)


def _processes(found: list[ProcessFigures], here: str) -> Iterator[_Metric]:
    """All workers together, as there."""
    name = "nginx_process_"
    yield f"{name}num_procs", "gauge", "Workers.", [(here, len(found))]
    cpu_s = sum(one.cpu_s for one in found)
    yield f"{name}cpu_seconds_total", "counter", "CPU time of workers, in seconds.", [(here, cpu_s)]
    resident = sum(one.resident_bytes for one in found)
    yield f"{name}resident_memory_bytes", "gauge", "Resident memory of workers, in bytes.", [(here, resident)]
    virtual = sum(one.virtual_bytes for one in found)
    yield f"{name}virtual_memory_bytes", "gauge", "Virtual memory of workers, in bytes.", [(here, virtual)]
    oldest = [(here, min(one.start_time_s for one in found))] if found else []
    yield f"{name}oldest_start_time_seconds", "gauge", "Start of the oldest worker, since the epoch.", oldest


def _expiry_labels(who: ControllerName, one: Expiry) -> str:
    labels = f'namespace="{escaped(one.namespace)}",class="{escaped(who.controller_class)}"'
    return f'{labels},host="{escaped(one.host)}",secret_name="{escaped(one.secret)}"'


def _orphan_labels(here: str, namespace: str, ingress: str) -> str:
    return f'{here}namespace="{escaped(namespace)}",ingress="{escaped(ingress)}",type="no-endpoint"'

"""What workers tell the control process: the structs that travel, and the words and bounds both sides agree on."""

from typing import Final

from msgspec import Struct

UNKNOWN_HOST: Final = "_"
"""Label for requests whose host no object names."""

METHODS: Final = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "CONNECT", "TRACE", "OTHER")

DURATION_BUCKETS_S: Final = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
"""Upper bounds in seconds: what OpenTelemetry advises for HTTP, so that dashboards made for others fit."""

SIZE_BUCKETS_BYTES: Final = (10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000)
"""Upper bounds in bytes. Sizes span seven orders of magnitude and the question asked of them is "which order?": powers
of ten answer it in eight series. They are also what ingress-nginx uses for bytes sent; the buckets of
its request_size and response_size (10, 20 … 100 bytes) leave nearly every real body in +Inf."""

SWAP_BUCKETS_S: Final = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25)
"""Around the goal for one swap, 5 ms."""

LAG_BUCKETS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)

RouteLabels = tuple[str, ...]
"""host, namespace, ingress, service; for ingress-nginx's names also the path, where a canary took the request its name
there (else ""), the method and the status."""
LABELS_OF_ROUTE: Final = 4
LABELS_WITH_PATH: Final = 6
"""As a route has them, before method and status are known."""

OVERFLOW: Final[RouteLabels] = (UNKNOWN_HOST, "_", "_", "_")
"""No object can be called "_", so nothing real is hidden behind it."""

STATUS_SPAN: Final = 1_000
"""A count's key is the method's index in ``METHODS`` x 1000 + status: an int hashes faster than a pair."""


class PhaseDelta(Struct, array_like=True, gc=False):
    """Times of last attempts: until there was a connection to the endpoint, and until the head of its answer."""

    connects: list[int]
    connects_s: float
    headers: list[int]
    headers_s: float


class RouteDelta(Struct, array_like=True, gc=False):
    """What one route saw since it was last reported. Bucket counts are not cumulative; the last one is +Inf.

    ``requests`` is keyed as ``method_and_status`` reads it.
    """

    labels: RouteLabels
    requests: dict[int, int]
    durations: list[int]
    durations_s: float
    upstream: list[int]
    upstream_s: float
    request_sizes: list[int]
    request_bytes: int
    response_sizes: list[int]
    response_bytes: int
    phases: PhaseDelta | None = None


class HistogramDelta(Struct, array_like=True, gc=False):
    """Not cumulative counts per bucket, the last one +Inf, and the sum of the values in their unit."""

    counts: list[int]
    total: float


class WorkerReport(Struct, array_like=True, gc=False):
    """Counters and histograms: differences since the report before. ``connections``, ``upstream_connections``: now.

    ``is_partial`` says that more routes wait: take another report soon.
    """

    routes: list[RouteDelta]
    rejected: dict[str, int]
    retried: dict[str, int]
    connections: dict[str, int]
    upstream_connections: dict[str, int]
    swaps: HistogramDelta
    loop_lag: HistogramDelta
    log_dropped: int = 0
    is_partial: bool = False


def method_and_status(key: int) -> tuple[str, str]:
    """Read a key of ``RouteDelta.requests``."""
    method, status = divmod(key, STATUS_SPAN)
    return METHODS[min(method, len(METHODS) - 1)], str(status)

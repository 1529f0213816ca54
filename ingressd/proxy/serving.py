"""What a worker serves: one ServingState, swapped whole by one assignment.

A table refers to live routes, live routes to live backends, live backends to live endpoints. Backends and endpoints
live on by key from state to state, because what we know of them (positions, idle connections) must survive a swap.
"""

from __future__ import annotations

import random
from collections.abc import KeysView
from typing import TYPE_CHECKING

from ingressd.proxy.balance import round_robin
from ingressd.proxy.keyed import KeyedEndpoints
from ingressd.proxy.pool import LiveEndpoint, Pool
from ingressd.routing.snapshot import Endpoint, Route
from ingressd.routing.table import RouteTable
from ingressd.telemetry.metrics import RouteStats

if TYPE_CHECKING:
    from ingressd.policy.response_fields import FixedEdit
    from ingressd.proxy.gate import Gate
    from ingressd.tls.client import UpstreamTls


class LiveBackend:
    """A backend with its endpoints of this moment and the round-robin position of this worker.

    ``keyed`` is for routes that hash or keep clients with an endpoint: whoever binds one makes it.
    """

    __slots__ = ("endpoints", "key", "keyed", "position")

    def __init__(self, key: str) -> None:
        self.key = key
        self.endpoints: tuple[LiveEndpoint, ...] = ()
        self.keyed: KeyedEndpoints[LiveEndpoint] | None = None
        # Workers must not march in step: each begins somewhere else.
        self.position = random.randrange(1 << 16)  # noqa: S311 - balance, not secrecy

    @property
    def upstream_name(self) -> str:
        """As ingress-nginx calls it: ``namespace-service-port``."""
        namespace, _, rest = self.key.partition("/")
        service, _, port = rest.partition("|")[0].rpartition(":")
        return f"{namespace}-{service}-{port}"

    @property
    def port(self) -> str:
        """Of the Service, as the Ingress spelled it."""
        return self.key.partition("|")[0].rpartition(":")[2]

    def pick(self, tried: tuple[LiveEndpoint, ...], now: float) -> LiveEndpoint | None:
        """The endpoint for the next attempt, None when there is none. ``now`` is monotonic seconds.

        Endpoints that are set aside are passed over, unless all that could be tried are.
        """
        endpoints, position = self.endpoints, self.position
        self.position = position + 1
        if not endpoints:
            return None
        picked = endpoints[position % len(endpoints)] if not tried else round_robin(endpoints, position, tried)
        if picked is not None and picked.health.aside_until:
            willing = [one for one in endpoints if one not in tried and one.health.may_try(now)]
            picked = round_robin(willing, position, ()) or picked
            picked.health.trying(now)
        return picked


class LiveRoute:
    """A route bound to what it needs at request time. ``backend`` None: answer ``route.status`` ourselves.

    ``gate`` None: it asks nothing of a request, as nearly all do. ``spares_tls`` and ``spares_http``: connections of
    that kind need not pass it, all that they get is fixed fields of answers: ``over_tls``, ``over_http``.
    """

    __slots__ = (
        "_canary_stats",
        "backend",
        "connect_s",
        "gate",
        "host",
        "max_body_bytes",
        "over_http",
        "over_tls",
        "read_s",
        "route",
        "send_s",
        "spares_http",
        "spares_tls",
        "stats",
    )

    def __init__(
        self, route: Route, host: str, backend: LiveBackend | None, stats: RouteStats, gate: Gate | None = None
    ) -> None:
        self.route = route
        self.host = host
        self.backend = backend
        self.stats = stats
        self._canary_stats: RouteStats | None = None
        self.gate = gate
        self.over_http: FixedEdit | None = None
        self.over_tls: FixedEdit | None = None
        # An answer of ours has its fields from the gate.
        self.spares_tls = gate is not None and gate.has_fixed_answers and backend is not None
        self.spares_http = self.spares_tls and gate is not None and gate.policies.https_redirect is None
        if gate is not None and self.spares_tls:
            editor = gate.answers.editor
            self.over_tls = editor.over_tls if editor.over_tls.is_needed else None
            self.over_http = editor.over_http if self.spares_http and editor.over_http.is_needed else None
        self.max_body_bytes = route.max_body_bytes
        self.connect_s = route.timeouts.connect_s
        self.read_s = route.timeouts.read_s
        self.send_s = route.timeouts.send_s

    def stats_of(self, canary: str) -> RouteStats:
        """The counts of what the route itself takes, or of what its canary of that name does."""
        if not canary:
            return self.stats
        if self._canary_stats is None or self._canary_stats.labels[-1] != canary:
            self._canary_stats = self.stats.of_canary(canary)
        return self._canary_stats


class ServingState:
    """Table and fallback of one generation; immutable in use."""

    __slots__ = ("fallback", "generation", "table")

    def __init__(self, generation: int, table: RouteTable[LiveRoute], fallback: LiveRoute) -> None:
        self.generation = generation
        self.table = table
        self.fallback = fallback

    def find(self, host: str, path: str) -> LiveRoute:
        """The route of a request; there always is one, because the fallback answers what nothing else does."""
        found = self.table.find(host, path)
        return self.fallback if found is None else found


class Backends:
    """Live backends by key. Cells are made on first mention and dropped when their backend is removed."""

    __slots__ = ("_cells", "_pool")

    def __init__(self, pool: Pool) -> None:
        self._cells: dict[str, LiveBackend] = {}
        self._pool = pool

    def cell(self, key: str) -> LiveBackend:
        cell = self._cells.get(key)
        if cell is None:
            cell = self._cells[key] = LiveBackend(key)
        return cell

    def keys(self) -> KeysView[str]:
        return self._cells.keys()

    def name(self, endpoints: tuple[Endpoint, ...], profile: UpstreamTls | None = None) -> tuple[LiveEndpoint, ...]:
        """Live endpoints for a backend's list; pair every call with ``release``.

        Raises ProfileError for a profile that no context can be made of; then nothing is named.
        """
        return tuple(self._pool.name(endpoint, profile) for endpoint in endpoints)

    def release(self, endpoints: tuple[LiveEndpoint, ...]) -> None:
        """A backend no longer lists these; idle connections to endpoints that nobody lists are closed."""
        for live in endpoints:
            for connection in self._pool.unname(live):
                connection.close()

    def remove(self, key: str) -> tuple[LiveEndpoint, ...]:
        """No route names this backend any more. Returns the endpoints it listed, for ``release``."""
        cell = self._cells.pop(key, None)
        if cell is None:
            return ()
        before, cell.endpoints = cell.endpoints, ()
        return before

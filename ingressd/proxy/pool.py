"""Leases and idle connections. Bookkeeping is synchronous; whoever leases does the I/O.

Endpoints are known by address, port and TLS profile, and outlive the snapshots that name them, so a table swap forgets
neither idle connections nor what we learnt about an endpoint, and no connection is used under another profile than the
one it was opened with. How many connections there are is bounded from outside: each is
leased to one exchange or idle, exchanges are bounded by client connections, idle ones by
``Limits.upstream_idle_per_endpoint``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ingressd.proxy.balance import Latency
from ingressd.proxy.health import EndpointHealth
from ingressd.proxy.upstream_tls import EndpointTls
from ingressd.routing.snapshot import Endpoint

if TYPE_CHECKING:
    from ingressd.proxy.upstream import UpstreamConnection
    from ingressd.tls.client import UpstreamTls


class LiveEndpoint:
    """One address of a backend as this worker knows it. ``tls`` None: it is spoken to without."""

    __slots__ = ("active", "address", "health", "idle", "label", "latency", "named_by", "port", "tls")

    def __init__(self, endpoint: Endpoint, profile: UpstreamTls | None = None) -> None:
        """Raises ProfileError."""
        self.address = endpoint.address
        self.port = endpoint.port
        self.label = (
            f"[{endpoint.address}]:{endpoint.port}"
            if ":" in endpoint.address
            else f"{endpoint.address}:{endpoint.port}"
        )
        self.idle: dict[UpstreamConnection, None] = {}  # in order of release: the last one is the warmest
        self.active = 0  # leased connections
        self.health = EndpointHealth()
        self.latency = Latency()
        self.tls = None if profile is None else EndpointTls(profile)
        self.named_by = 0  # backends that list it now

    def __repr__(self) -> str:
        return f"<{self.label}{' tls' if self.tls is not None else ''} active={self.active} idle={len(self.idle)}>"


class Pool:
    """Idle connections of all endpoints of one worker."""

    __slots__ = ("_endpoints", "active", "idle", "max_idle_per_endpoint")

    def __init__(self, max_idle_per_endpoint: int) -> None:
        self._endpoints: dict[Endpoint | tuple[Endpoint, UpstreamTls], LiveEndpoint] = {}
        self.max_idle_per_endpoint = max_idle_per_endpoint
        self.idle = 0
        self.active = 0

    def __repr__(self) -> str:
        return f"<Pool endpoints={len(self._endpoints)} active={self.active} idle={self.idle}>"

    def name(self, endpoint: Endpoint, profile: UpstreamTls | None = None) -> LiveEndpoint:
        """The live endpoint that a backend now lists; pair every call with ``unname``.

        Raises ProfileError for a profile that no context can be made of.
        """
        key = endpoint if profile is None else (endpoint, profile)
        live = self._endpoints.get(key)
        if live is None:
            live = self._endpoints[key] = LiveEndpoint(endpoint, profile)
        live.named_by += 1
        return live

    def unname(self, live: LiveEndpoint) -> list[UpstreamConnection]:
        """A backend no longer lists ``live``. Returns idle connections to close; leased ones finish their exchange."""
        live.named_by -= 1
        if live.named_by:
            return []
        endpoint = Endpoint(live.address, live.port)
        self._endpoints.pop(endpoint if live.tls is None else (endpoint, live.tls.profile), None)
        unwanted = list(live.idle)
        live.idle.clear()
        self.idle -= len(unwanted)
        return unwanted

    def lease(self, live: LiveEndpoint, *, fresh: bool = False) -> UpstreamConnection | None:
        """The warmest idle connection to ``live``. None: open one, the lease is taken (always so when ``fresh``)."""
        self.active += 1
        live.active += 1
        if fresh or not live.idle:
            return None
        self.idle -= 1
        return live.idle.popitem()[0]

    def release(self, live: LiveEndpoint, connection: UpstreamConnection | None, *, reusable: bool) -> bool:
        """End a lease. True when ``connection`` is kept as idle, False when the caller must close it."""
        self.active -= 1
        live.active -= 1
        if connection is None or not reusable or not live.named_by or len(live.idle) >= self.max_idle_per_endpoint:
            return False
        live.idle[connection] = None
        self.idle += 1
        return True

    def forget(self, live: LiveEndpoint, connection: UpstreamConnection) -> None:
        """An idle connection has closed; a no-op when it was not idle."""
        if live.idle.pop(connection, self) is None:
            self.idle -= 1

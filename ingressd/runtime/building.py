"""A worker's side of a change: build everything aside, piece by piece, then serve it by one assignment."""

from __future__ import annotations

import gc
import ssl
from time import perf_counter

from ingressd.proxy.gateway import Gateway
from ingressd.proxy.pool import LiveEndpoint
from ingressd.proxy.serving import LiveBackend, LiveRoute, ServingState
from ingressd.routing.snapshot import ANY_HOST, Route, VirtualHost
from ingressd.routing.table import RouteTable
from ingressd.runtime.channel import Backends, Begin, Certificates, Commit, Hosts, Names, ToWorker
from ingressd.runtime.labels import route_labels
from ingressd.telemetry.metrics import WorkerStats
from ingressd.telemetry.report import RouteLabels
from ingressd.tls.context import certificate_context
from ingressd.tls.sni import CertificateSwitch, ServerNames

_BUILT_IN_FALLBACK = Route("prefix", "/", "")
_FREEZE_FROM_ITEMS = 256
"""A change at least this large leaves so many long-lived objects that collecting them over and over would be felt."""


class SnapshotBuilder:
    """Takes the messages of one change after the other. Nothing is seen by requests before ``Commit``."""

    def __init__(self, gateway: Gateway, switch: CertificateSwitch) -> None:
        self._gateway = gateway
        self._switch = switch
        self._labels: dict[str, tuple[RouteLabels, ...]] = {}  # of each virtual host, to forget counters with it
        self._backends: set[str] = set()
        self._reset()

    def _reset(self) -> None:
        self._table = self._gateway.state.table
        self._names = self._switch.names
        self._full = False
        self._items = 0
        self._longest_s = 0.0
        self._new_labels: dict[str, tuple[RouteLabels, ...]] = {}
        self._hosts_removed: list[str] = []
        self._endpoints: list[tuple[LiveBackend, tuple[LiveEndpoint, ...]]] = []
        self._named: set[str] = set()
        self._backends_removed: list[str] = []

    def take(self, message: ToWorker) -> int | None:
        """Build one piece; returns the generation that is now served when it was the last.

        Raises whatever building raises; call ``abandon`` then.
        """
        started = perf_counter()
        done = None
        match message:
            case Begin():
                self._begin(message)
            case Hosts():
                self._take_hosts(message)
            case Backends():
                self._take_backends(message)
            case Certificates():
                self._take_certificates(message)
            case Names():
                self._names = self._names.with_changes(names=message.upserts, names_removed=message.removed)
            case Commit():
                self._commit(message)
                done = message.generation
        self._longest_s = max(self._longest_s, perf_counter() - started)
        if done is not None:
            self._gateway.stats.swap(self._longest_s)
            self._reset()
        return done

    def abandon(self) -> None:
        """Forget what was built aside; what is served stays as it is."""
        for _, endpoints in self._endpoints:
            self._gateway.backends.release(endpoints)
        self._reset()

    def _begin(self, message: Begin) -> None:
        self.abandon()
        self._full = message.full
        if message.full:
            self._table = RouteTable.empty()
            self._names = ServerNames()

    def _take_hosts(self, message: Hosts) -> None:
        self._items += len(message.upserts)
        for vhost in message.upserts:
            routes = vhost.routes if vhost.fallback is None else (*vhost.routes, vhost.fallback)
            self._new_labels[vhost.name] = tuple({route_labels(vhost.name, route) for route in routes})
        self._hosts_removed += message.removed
        self._table = self._table.with_changes(message.upserts, message.removed, self._bind)

    def _bind(self, vhost: VirtualHost, route: Route) -> LiveRoute:
        return self._live_route(vhost.name, route)

    def _live_route(self, host: str, route: Route) -> LiveRoute:
        gateway = self._gateway
        backend = gateway.backends.cell(route.backend) if route.backend else None
        return LiveRoute(route, host, backend, gateway.stats.route(*route_labels(host, route)))

    def _take_backends(self, message: Backends) -> None:
        self._items += len(message.upserts)
        backends = self._gateway.backends
        self._endpoints += [(backends.cell(one.key), backends.name(one.endpoints)) for one in message.upserts]
        self._named.update(one.key for one in message.upserts)
        self._backends_removed += message.removed

    def _take_certificates(self, message: Certificates) -> None:
        contexts: dict[str, ssl.SSLContext] = {
            pair.key: certificate_context(pair.chain_pem, pair.key_pem) for pair in message.upserts
        }
        self._names = self._names.with_changes(contexts=contexts, contexts_removed=message.removed)

    def _commit(self, message: Commit) -> None:
        gateway = self._gateway
        fallback = self._live_route(ANY_HOST, message.fallback or _BUILT_IN_FALLBACK)
        gone = self._hosts_removed
        if self._full:
            gone = [name for name in self._labels if name not in self._new_labels]
            self._backends_removed = [key for key in self._backends if key not in self._named]
        # From here to the end no request can come in between: this is one turn of the loop.
        released: list[LiveEndpoint] = []
        for backend, endpoints in self._endpoints:
            released += backend.endpoints
            backend.endpoints = endpoints
        gateway.state = ServingState(message.generation, self._table, fallback)
        self._switch.names = self._names.with_changes(default=message.default_certificate)
        self._endpoints = []
        gateway.backends.release(tuple(released))
        for key in self._backends_removed:
            gateway.backends.remove(key)
        self._backends.update(self._named)
        self._backends.difference_update(self._backends_removed)
        self._forget_counters(gateway.stats, gone)
        if self._items >= _FREEZE_FROM_ITEMS:
            gc.freeze()

    def _forget_counters(self, stats: WorkerStats, gone: list[str]) -> None:
        old: set[RouteLabels] = set()
        for name in (*gone, *self._new_labels):
            old.update(self._labels.pop(name, ()))
        self._labels.update(self._new_labels)
        if not old:
            return
        kept: set[RouteLabels] = set()
        for labels in self._new_labels.values():
            kept.update(labels)
        for unused in old - kept:
            stats.forget(*unused)

"""A worker's side of a change: build everything aside, piece by piece, then serve it by one assignment."""

from __future__ import annotations

import gc
import hashlib
import ssl
from collections.abc import Collection, Iterator
from time import perf_counter

from ingressd.proxy.gateway import Gateway
from ingressd.proxy.pool import LiveEndpoint
from ingressd.proxy.serving import LiveBackend, LiveRoute, ServingState
from ingressd.routing.snapshot import ANY_HOST, Backend, CertificatePair, Route, VirtualHost
from ingressd.routing.table import RouteTable
from ingressd.runtime.channel import Backends, Begin, Certificates, Commit, Hosts, Names, ToWorker
from ingressd.runtime.labels import host_labels, route_labels
from ingressd.runtime.retire import Retirement
from ingressd.tls.context import certificate_context
from ingressd.tls.sni import CertificateSwitch, ServerNames

_BUILT_IN_FALLBACK = Route("prefix", "/", "")
_FREEZE_EACH_ITEMS = 256
"""Hosts and backends live long: so many new ones are taken from the collector's sight before it looks at all of them
in one pause. A change of fewer leaves the collector alone."""
_STEP_ITEMS = 64


class SnapshotBuilder:
    """Takes the messages of one change after the other. Nothing is seen by requests before ``Commit``.

    A full change (from a new control process) is compared with what is served: what is equal stays as it is, with its
    counters and connections, so that a restart of the control process costs the data path next to nothing.
    """

    def __init__(self, gateway: Gateway, switch: CertificateSwitch) -> None:
        self._gateway = gateway
        self._switch = switch
        self._retirement = Retirement(gateway.loop)
        self._hosts: dict[str, VirtualHost] = {}
        self._backends: set[str] = set()
        self._certificates: dict[str, bytes] = {}  # digests, to know an unchanged one when it comes again
        self._reset()

    def _reset(self) -> None:
        self._table = self._gateway.state.table
        self._names = self._switch.names
        self._full = False
        self._items = 0
        self._longest_s = 0.0
        self._new_hosts: dict[str, VirtualHost] = {}
        self._hosts_removed: list[str] = []
        self._endpoints: list[tuple[LiveBackend, tuple[LiveEndpoint, ...]]] = []
        self._new_backends: list[str] = []
        self._backends_removed: list[str] = []
        self._new_certificates: dict[str, bytes] = {}
        self._certificates_removed: list[str] = []
        self._unseen_hosts: set[str] = set()  # served and not in this full change so far; at its end: gone
        self._unseen_backends: set[str] = set()

    def take(self, message: ToWorker, *, since: float | None = None) -> int | None:
        """Build one piece; returns the generation that is now served when it was the last.

        ``since`` (perf_counter) is when work on the piece began. Raises whatever building raises: call ``abandon``.
        """
        started = perf_counter() if since is None else since
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
        backends = self._gateway.backends
        for _, endpoints in self._endpoints:
            backends.release(endpoints)
        for key in self._new_backends:
            backends.release(backends.remove(key))
        self._reset()

    def _begin(self, message: Begin) -> None:
        self.abandon()
        self._full = message.full
        if message.full:
            self._names = ServerNames()
            self._unseen_hosts.update(self._hosts)
            self._unseen_backends.update(self._backends)

    # -- pieces

    def _take_hosts(self, message: Hosts) -> None:
        upserts: Collection[VirtualHost] = message.upserts
        if self._full:
            self._unseen_hosts.difference_update([vhost.name for vhost in upserts])
            upserts = [vhost for vhost in upserts if self._hosts.get(vhost.name) != vhost]
        self._new_hosts.update((vhost.name, vhost) for vhost in upserts)
        self._hosts_removed += message.removed
        if upserts or message.removed:
            self._table = self._table.with_changes(upserts, message.removed, self._bind)
        self._count(len(upserts))

    def _bind(self, vhost: VirtualHost, route: Route) -> LiveRoute:
        return self._live_route(vhost.name, route)

    def _live_route(self, host: str, route: Route) -> LiveRoute:
        gateway = self._gateway
        backend = gateway.backends.cell(route.backend) if route.backend else None
        return LiveRoute(route, host, backend, gateway.stats.route(*route_labels(host, route)))

    def _take_backends(self, message: Backends) -> None:
        for backend in message.upserts:
            self._take_backend(backend)
        if self._full:
            self._unseen_backends.difference_update([backend.key for backend in message.upserts])
        self._backends_removed += message.removed
        self._count(len(message.upserts))

    def _take_backend(self, backend: Backend) -> None:
        backends = self._gateway.backends
        cell = backends.cell(backend.key)
        if backend.key not in self._backends:  # nobody can ask for it yet, so it need not wait for the commit
            before, cell.endpoints = cell.endpoints, backends.name(backend.endpoints)
            backends.release(before)
            self._new_backends.append(backend.key)
        elif not (self._full and _same_endpoints(cell, backend)):
            self._endpoints.append((cell, backends.name(backend.endpoints)))

    def _take_certificates(self, message: Certificates) -> None:
        contexts = {pair.key: self._context(pair) for pair in message.upserts}
        self._names = self._names.with_changes(contexts=contexts, contexts_removed=message.removed)
        self._certificates_removed += message.removed

    def _context(self, pair: CertificatePair) -> ssl.SSLContext:
        digest = hashlib.blake2b(pair.chain_pem + b"\n" + pair.key_pem, digest_size=32).digest()
        self._new_certificates[pair.key] = digest
        served = self._switch.names.context(pair.key) if self._certificates.get(pair.key) == digest else None
        return served or certificate_context(pair.chain_pem, pair.key_pem)

    def _count(self, items: int) -> None:
        before, self._items = self._items, self._items + items
        if before // _FREEZE_EACH_ITEMS != self._items // _FREEZE_EACH_ITEMS:
            gc.freeze()

    # -- the swap

    def _commit(self, message: Commit) -> None:
        gateway = self._gateway
        fallback = self._live_route(ANY_HOST, message.fallback or _BUILT_IN_FALLBACK)
        if self._full:
            self._remove_unseen()
        names, old_names = self._names.with_changes(default=message.default_certificate), self._switch.names
        before = gateway.state.table
        # From here to the end no request can come in between: this is one turn of the loop.
        unlisted: list[tuple[LiveEndpoint, ...]] = []
        for backend, endpoints in self._endpoints:
            unlisted.append(backend.endpoints)
            backend.endpoints = endpoints
        gateway.state = ServingState(message.generation, self._table, fallback)
        self._switch.names = names
        unlisted += [gateway.backends.remove(key) for key in self._backends_removed]
        self._endpoints, self._table = [], gateway.state.table
        self._note_served()
        self._retire(before, unlisted)
        if self._full:
            self._retirement.add(_drop([old_names]))

    def _remove_unseen(self) -> None:
        self._hosts_removed = list(self._unseen_hosts)
        self._backends_removed = list(self._unseen_backends)
        if self._hosts_removed:
            self._table = self._table.with_changes((), self._hosts_removed, self._bind)

    def _note_served(self) -> None:
        self._backends.update(self._new_backends)
        self._backends.difference_update(self._backends_removed)
        if self._full:
            self._certificates = {}
        for key in self._certificates_removed:
            self._certificates.pop(key, None)
        self._certificates.update(self._new_certificates)

    def _retire(self, table: RouteTable[LiveRoute], unlisted: list[tuple[LiveEndpoint, ...]]) -> None:
        old_hosts = [self._hosts[name] for name in self._new_hosts if name in self._hosts]
        old_hosts += [host for name in self._hosts_removed if (host := self._hosts.pop(name, None)) is not None]
        self._hosts.update(self._new_hosts)
        if old_hosts:
            self._retirement.add(self._forget_counters(old_hosts))
        if unlisted:
            self._retirement.add(self._release(unlisted))
        if len(old_hosts) > _STEP_ITEMS:
            self._retirement.add(_take_apart(table))

    def _release(self, unlisted: list[tuple[LiveEndpoint, ...]]) -> Iterator[None]:
        while unlisted:
            for endpoints in unlisted[-_STEP_ITEMS:]:
                self._gateway.backends.release(endpoints)
            del unlisted[-_STEP_ITEMS:]
            yield

    def _forget_counters(self, old: list[VirtualHost]) -> Iterator[None]:
        """A route bound again meanwhile counts anew under the same labels; they are added up where they are shown."""
        while old:
            for vhost in old[-_STEP_ITEMS:]:
                now = self._hosts.get(vhost.name)
                for unused in set(host_labels(vhost)).difference(() if now is None else host_labels(now)):
                    self._gateway.stats.forget(*unused)
            del old[-_STEP_ITEMS:]
            yield


def _same_endpoints(cell: LiveBackend, backend: Backend) -> bool:
    live = cell.endpoints
    return len(live) == len(backend.endpoints) and all(
        one.address == other.address and one.port == other.port
        for one, other in zip(live, backend.endpoints, strict=True)
    )


def _drop(held: list[ServerNames]) -> Iterator[None]:
    held.clear()
    yield


def _take_apart(table: RouteTable[LiveRoute]) -> Iterator[None]:
    while table.take_apart(_STEP_ITEMS):
        yield

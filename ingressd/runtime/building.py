"""A worker's side of a change: build everything aside, piece by piece, then serve it by one assignment."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import ssl
from collections.abc import Collection, Iterator
from itertools import chain
from time import perf_counter

from msgspec import UNSET

from ingressd.policy.policies import HostTls
from ingressd.proxy.gate import bind_gate
from ingressd.proxy.gateway import Gateway
from ingressd.proxy.pool import LiveEndpoint
from ingressd.proxy.serving import LiveRoute, ServingState
from ingressd.routing.snapshot import ANY_HOST, CertificatePair, Route, VirtualHost
from ingressd.routing.table import RouteTable
from ingressd.runtime.backend_changes import BackendChanges
from ingressd.runtime.channel import Backends, Begin, Certificates, Commit, Hosts, Materials, Names, ToWorker
from ingressd.runtime.everybody import Everybody
from ingressd.runtime.host_tls import HeldPair, HostContexts
from ingressd.runtime.labels import host_labels, route_labels
from ingressd.runtime.retire import Retirement
from ingressd.tls.context import certificate_context
from ingressd.tls.sni import CertificateSwitch, ServerNames

_BUILT_IN_FALLBACK = Route("prefix", "/", "")
_FREEZE_EACH_ITEMS = 256
"""Hosts and backends live long: so many new ones are taken from the collector's sight before it looks at all of them
in one pause. A change of fewer leaves the collector alone."""
_STEP_ITEMS = 64
_LARGE_MATERIAL_BYTES = 1 << 16
"""Reading so much takes 3 ms: a thread does it."""


class SnapshotBuilder:
    """Takes the messages of one change after the other. Nothing is seen by requests before ``Commit``.

    A full change (from a new control process) is compared with what is served: what is equal stays as it is, with its
    counters and connections, so that a restart of the control process costs the data path next to nothing.
    """

    def __init__(self, gateway: Gateway, switch: CertificateSwitch, listener: ssl.SSLContext | None = None) -> None:
        """``listener``: the context that the worker's TLS connections begin with."""
        self._gateway = gateway
        self._switch = switch
        self._everybody = Everybody(gateway, listener)
        self._contexts = HostContexts(gateway)
        self._retirement = Retirement(gateway.loop)
        self._hosts: dict[str, VirtualHost] = {}
        self._certificates: dict[str, bytes] = {}  # digests, to know an unchanged one when it comes again
        self._tls_hosts: dict[str, HostTls] = {}
        self._backends = BackendChanges(gateway)
        self._reset()

    def _reset(self) -> None:
        self._table = self._gateway.state.table
        self._names = self._switch.names
        self._full = False
        self._steps: Iterator[None] | None = None
        self._items = 0
        self._longest_s = 0.0
        self._new_hosts: dict[str, VirtualHost] = {}
        self._hosts_removed: list[str] = []
        self._new_certificates: dict[str, bytes] = {}
        self._certificates_removed: list[str] = []
        self._unseen_hosts: set[str] = set()  # served and not in this full change so far; at its end: gone
        self._unseen_materials: set[str] = set()
        self._pairs: dict[str, CertificatePair] = {}  # in memory only as long as the change
        self._new_materials: set[str] = set()
        self._materials_removed: list[str] = []
        self._touches_tls = False

    async def prepare(self, message: ToWorker) -> None:
        """Do what of ``take(message)`` would keep the loop too long, with requests in between. Raises as ``take``."""
        if isinstance(message, Materials):
            for material in message.upserts:
                if sum(map(len, material.values.values())) > _LARGE_MATERIAL_BYTES:
                    await asyncio.to_thread(self._gateway.materials.stage, material)
        elif isinstance(message, Commit):
            self._steps = self._last_steps(message)
            while True:
                started = perf_counter()
                if next(self._steps, self) is self:
                    break
                self._longest_s = max(self._longest_s, perf_counter() - started)
                await asyncio.sleep(0)

    def take(self, message: ToWorker, *, since: float | None = None) -> int | None:
        """Build one piece; returns the generation that is now served when it was the last.

        ``since`` (perf_counter) is when work on the piece began. Raises whatever building raises: call ``abandon``.
        """
        started = perf_counter() if since is None else since
        done = None
        match message:
            case Begin():
                self._begin(message)
            case Materials():
                self._take_materials(message)
            case Hosts():
                self._take_hosts(message)
            case Backends():
                self._backends.take(message)
                self._count(len(message.upserts))
            case Certificates():
                self._take_certificates(message)
            case Names():
                self._touches_tls = True
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
        self._backends.abandon()
        self._gateway.materials.abandon()
        self._everybody.abandon()
        self._contexts.abandon()
        self._reset()

    def _begin(self, message: Begin) -> None:
        self.abandon()
        self._full = message.full
        if message.policies is not UNSET:
            self._touches_tls = True
            self._everybody.prepare(message.policies)
        if message.full:
            self._unseen_materials.update(self._gateway.materials.keys())
            self._names = ServerNames()
            self._unseen_hosts.update(self._hosts)
            self._backends.begin_full()

    # -- pieces

    def _take_materials(self, message: Materials) -> None:
        self._touches_tls = True
        for material in message.upserts:
            self._unseen_materials.discard(material.key)
            if self._gateway.materials.stage(material):
                self._new_materials.add(material.key)
        self._materials_removed += message.removed

    def _take_hosts(self, message: Hosts) -> None:
        upserts: Collection[VirtualHost] = message.upserts
        if self._full:
            self._unseen_hosts.difference_update([vhost.name for vhost in upserts])
            upserts = [vhost for vhost in upserts if self._hosts.get(vhost.name) != vhost]
        self._touches_tls = True
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
        gate = None if route.policies is None else bind_gate(host, route, gateway)
        return LiveRoute(route, host, backend, gateway.stats.route(*route_labels(host, route)), gate)

    def _take_certificates(self, message: Certificates) -> None:
        self._touches_tls = True
        contexts = {pair.key: context for pair in message.upserts if (context := self._context(pair)) is not None}
        if contexts or message.removed:
            self._names = self._names.with_changes(contexts=contexts, contexts_removed=message.removed)
        self._certificates_removed += message.removed

    def _context(self, pair: CertificatePair) -> ssl.SSLContext | None:
        """None: it came for a host's context only, and is served already."""
        digest = hashlib.blake2b(pair.chain_pem + b"\n" + pair.key_pem, digest_size=32).digest()
        self._new_certificates[pair.key] = digest
        self._pairs[pair.key] = pair
        parameters = self._everybody.next_parameters
        if self._certificates.get(pair.key) == digest and parameters.ciphers == self._everybody.parameters.ciphers:
            served = self._switch.names.context(pair.key)
            if served is not None:
                return served if self._full else None
        return certificate_context(pair.chain_pem, pair.key_pem, ciphers=parameters.ciphers)

    def _count(self, items: int) -> None:
        before, self._items = self._items, self._items + items
        if before // _FREEZE_EACH_ITEMS != self._items // _FREEZE_EACH_ITEMS:
            gc.freeze()

    # -- the swap

    def _last_steps(self, message: Commit) -> Iterator[None]:
        """What is to be made of several pieces together; nobody sees it before the commit."""
        if self._full:
            self._remove_unseen()
        policies = self._everybody.next_policies
        self._names = self._names.with_changes(
            default=message.default_certificate, known=self._hosts, rejects_unknown=policies.tls.rejects_unknown_names
        )
        yield from self._backends.last_steps(self._new_materials)
        wanted = self._wanted_tls()
        passed = {tls.passthrough for tls in wanted.values() if tls.passthrough}
        if self._touches_tls or not passed.isdisjoint(self._backends.changed()):
            yield from self._contexts.build(
                wanted,
                self._all_hosts,
                self._held,
                self._everybody.next_parameters,
                self._backends.only_endpoint,
            )

    def _wanted_tls(self) -> dict[str, HostTls]:
        wanted = {**self._tls_hosts, **{name: host.tls for name, host in self._new_hosts.items() if host.tls}}
        for name, host in self._new_hosts.items():
            if host.tls is None:
                wanted.pop(name, None)
        for name in self._hosts_removed:
            wanted.pop(name, None)
        return wanted

    def _all_hosts(self) -> Iterator[str]:
        gone = set(self._hosts_removed)
        return (name for name in chain(self._hosts, self._new_hosts) if name not in gone)

    def _held(self, host: str) -> HeldPair | None:
        key = self._names.key(host)
        digest = self._new_certificates.get(key) or (None if self._full else self._certificates.get(key))
        return None if digest is None else HeldPair(digest, self._pairs.get(key))

    def _commit(self, message: Commit) -> None:
        gateway = self._gateway
        fallback = self._live_route(ANY_HOST, message.fallback or _BUILT_IN_FALLBACK)
        for _ in self._steps or self._last_steps(message):
            pass
        names, old_names = self._names, self._switch.names
        before = gateway.state.table
        # From here to the end no request can come in between: this is one turn of the loop.
        self._everybody.commit()
        gateway.materials.commit(self._materials_removed)
        gateway.state = ServingState(message.generation, self._table, fallback)
        state = self._contexts.commit()
        if state is not None:
            gateway.hellos, gateway.client_trust = state.hellos, state.client_trust
            names = names.with_changes(own=state.own)
        self._switch.names = names
        unlisted = self._backends.commit()
        self._table = gateway.state.table
        self._note_served()
        self._retire(before, unlisted)
        if self._full:
            self._retirement.add(_drop([old_names]))

    def _remove_unseen(self) -> None:
        self._hosts_removed = list(self._unseen_hosts)
        self._materials_removed = list(self._unseen_materials)
        if self._hosts_removed:
            self._table = self._table.with_changes((), self._hosts_removed, self._bind)

    def _note_served(self) -> None:
        if self._full:
            self._certificates = {}
        for key in self._certificates_removed:
            self._certificates.pop(key, None)
        self._certificates.update(self._new_certificates)
        self._tls_hosts = self._wanted_tls()

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
                stats = self._gateway.stats
                kept = {stats.labels(*one) for one in (() if now is None else host_labels(now))}
                for unused in {stats.labels(*one) for one in host_labels(vhost)} - kept:
                    stats.forget(*unused[:5])
            del old[-_STEP_ITEMS:]
            yield


def _drop(held: list[ServerNames]) -> Iterator[None]:
    held.clear()
    yield


def _take_apart(table: RouteTable[LiveRoute]) -> Iterator[None]:
    while table.take_apart(_STEP_ITEMS):
        yield

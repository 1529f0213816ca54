"""The backends of a change: endpoints are named and profiles made aside, and put to use together by the commit."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator
from time import perf_counter
from typing import TYPE_CHECKING

from ingressd.proxy.gateway import Gateway
from ingressd.proxy.materials import Identity
from ingressd.proxy.pool import LiveEndpoint
from ingressd.proxy.serving import LiveBackend
from ingressd.proxy.upstream_tls import profile_of
from ingressd.routing.snapshot import Backend, Endpoint
from ingressd.runtime.channel import Backends
from ingressd.tls.client import ProfileError

if TYPE_CHECKING:
    from ingressd.tls.client import UpstreamTls

log = logging.getLogger(__name__)

_STEP_S = 0.001


class BackendChanges:
    """One worker's, change after change. What is equal to what is served stays, with its connections."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._served: set[str] = set()
        self._served_tls: dict[str, Backend] = {}
        self._reset()

    def _reset(self) -> None:
        self._full = False
        self._endpoints: list[tuple[LiveBackend, tuple[LiveEndpoint, ...]]] = []
        self._latest: dict[str, tuple[LiveEndpoint, ...]] = {}  # the same by key
        self._new: list[str] = []
        self._new_tls: dict[str, Backend] = {}
        self._removed: list[str] = []
        self._unseen: set[str] = set()  # served and not in this full change so far; at its end: gone

    def begin_full(self) -> None:
        """All that does not come with this change goes with it."""
        self._full = True
        self._unseen.update(self._served)

    def take(self, message: Backends) -> None:
        for backend in message.upserts:
            if backend.tls is None:
                self._take(backend, backend.endpoints, None)
            else:
                self._new_tls[backend.key] = backend  # a context for each, perhaps: one by one, at the end
        if self._full:
            self._unseen.difference_update([backend.key for backend in message.upserts])
        self._removed += message.removed

    def last_steps(self, new_materials: Collection[str]) -> Iterator[None]:
        """Backends that are spoken to over TLS: new ones, and those of which one of these materials has changed."""
        if self._full:
            self._removed = list(self._unseen)
        started = perf_counter()
        for backend in self._tls_to_make(new_materials):
            self._take_tls(backend)
            if perf_counter() - started > _STEP_S:
                yield
                started = perf_counter()

    def changed(self) -> set[str]:
        """Keys of those that this change makes, changes or removes."""
        return {cell.key for cell, _ in self._endpoints}.union(self._new, self._removed)

    def only_endpoint(self, key: str) -> tuple[str, int]:
        """Address and port of a backend's only endpoint after this change; an empty address: it has none."""
        endpoints = self._latest.get(key, self._gateway.backends.cell(key).endpoints)
        return (endpoints[0].address, endpoints[0].port) if endpoints else ("", 0)

    def commit(self) -> list[tuple[LiveEndpoint, ...]]:
        """Put it to use; returns the endpoints that nobody lists any more, to be released."""
        backends = self._gateway.backends
        unlisted: list[tuple[LiveEndpoint, ...]] = []
        for cell, endpoints in self._endpoints:
            unlisted.append(cell.endpoints)
            cell.endpoints = endpoints
        unlisted += [backends.remove(key) for key in self._removed]
        self._served.update(self._new)
        self._served.difference_update(self._removed)
        self._served_tls.update(self._new_tls)
        for key in self._removed:
            self._served_tls.pop(key, None)
        self._reset()
        return unlisted

    def abandon(self) -> None:
        """Forget what was made aside."""
        backends = self._gateway.backends
        for _, endpoints in self._endpoints:
            backends.release(endpoints)
        for key in self._new:
            backends.release(backends.remove(key))
        self._reset()

    def _take(self, backend: Backend, endpoints: tuple[Endpoint, ...], profile: UpstreamTls | None) -> None:
        backends = self._gateway.backends
        cell = backends.cell(backend.key)
        if backend.key not in self._served:  # nobody can ask for it yet, so it need not wait for the commit
            before, cell.endpoints = cell.endpoints, backends.name(endpoints, profile)
            backends.release(before)
            self._new.append(backend.key)
        elif not (self._full and _same_endpoints(cell, endpoints, profile)):
            self._latest[cell.key] = named = backends.name(endpoints, profile)
            self._endpoints.append((cell, named))

    def _take_tls(self, backend: Backend) -> None:
        """Whoever cannot be spoken to as it was asked for is not spoken to at all: no endpoints, 503."""
        try:
            self._take(backend, backend.endpoints, self._profile(backend))
        except ProfileError as error:
            log.error("the TLS settings of the backend %s %s; it answers 503", backend.key, error)
            self._take(backend, (), None)

    def _profile(self, backend: Backend) -> UpstreamTls | None:
        tls = backend.tls
        if tls is None or not tls.material:
            return None if tls is None else profile_of(tls)
        identity = self._gateway.materials.newest(tls.material)
        if not isinstance(identity, Identity):
            raise ProfileError(f"need {tls.material}, which cannot be used")
        return profile_of(tls, ca_pem=identity.ca_pem, chain_pem=identity.chain_pem, key_pem=identity.key_pem)

    def _tls_to_make(self, new_materials: Collection[str]) -> list[Backend]:
        concerned = [
            backend
            for key, backend in self._served_tls.items()
            if backend.tls is not None and backend.tls.material in new_materials
            if key not in self._new_tls
        ]
        return [*self._new_tls.values(), *concerned]


def _same_endpoints(cell: LiveBackend, endpoints: tuple[Endpoint, ...], profile: UpstreamTls | None) -> bool:
    live = cell.endpoints
    return len(live) == len(endpoints) and all(
        one.address == other.address
        and one.port == other.port
        and (profile is None if one.tls is None else one.tls.profile == profile)
        for one, other in zip(live, endpoints, strict=True)
    )

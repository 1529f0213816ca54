"""How one request's endpoints are chosen where the route does not leave it to chance: by latency, key or cookie.

Each of these stands where Forwarding has a ``LiveBackend``. Endpoints that are set aside are passed over like those
that were tried, unless nobody else is left.
"""

from __future__ import annotations

import random
from time import time
from typing import TYPE_CHECKING, Protocol

from ingressd.policy.affinity import Affinity, Sticky, choose
from ingressd.proxy.balance import better_of_two
from ingressd.proxy.keyed import KeyedEndpoints

if TYPE_CHECKING:
    from ingressd.policy.ask import Ask
    from ingressd.proxy.gate import Gate
    from ingressd.proxy.passage import Passage
    from ingressd.proxy.pool import LiveEndpoint
    from ingressd.proxy.serving import LiveBackend

Endpoints = tuple["LiveEndpoint", ...]


class Picks(Protocol):
    """Who chooses endpoints: a ``LiveBackend``, or what ``chooser`` makes of one."""

    @property
    def key(self) -> str: ...
    def pick(self, tried: Endpoints, now: float) -> LiveEndpoint | None: ...


def chooser(gate: Gate, backend: LiveBackend, ask: Ask, passage: Passage) -> Picks:
    """Who picks for this request."""
    if passage.is_stand_in:
        return backend
    policies = gate.policies
    sticky = gate.sticky_for(passage)
    settings = policies.canary_affinity if passage.is_canary else policies.affinity
    if sticky is not None and settings is not None:
        return _ByCookie(backend, sticky, settings, ask, passage)
    if passage.endpoint_key is not None:
        return _ByKey(backend, passage.endpoint_key, gate.hash_subset)
    return _ByLatency(backend) if gate.latency_balanced else backend


def _avoided(endpoints: Endpoints, tried: Endpoints, now: float) -> Endpoints:
    aside = tuple(one for one in endpoints if one.health.aside_until and not one.health.may_try(now))
    return tried + aside if aside else tried


class _Chooser:
    __slots__ = ("_backend",)

    def __init__(self, backend: LiveBackend) -> None:
        self._backend = backend

    @property
    def key(self) -> str:
        return self._backend.key

    def pick(self, tried: Endpoints, now: float) -> LiveEndpoint | None:
        endpoints = self._backend.endpoints
        picked = self._pick(endpoints, _avoided(endpoints, tried, now), now) if endpoints else None
        if picked is not None and picked.health.aside_until:
            picked.health.trying(now)
        return picked

    def _pick(self, endpoints: Endpoints, avoided: Endpoints, now: float) -> LiveEndpoint | None:
        raise NotImplementedError

    def _keyed(self) -> KeyedEndpoints[LiveEndpoint]:
        keyed = self._backend.keyed
        if keyed is None:
            keyed = self._backend.keyed = KeyedEndpoints()
        return keyed


class _ByLatency(_Chooser):
    __slots__ = ()

    def _pick(self, endpoints: Endpoints, avoided: Endpoints, now: float) -> LiveEndpoint | None:
        roll = random.getrandbits(31)
        return better_of_two(endpoints, roll, avoided, lambda one: one.latency.cost(one.active, now))


class _ByKey(_Chooser):
    __slots__ = ("_endpoint_key", "_roll", "_subset")

    def __init__(self, backend: LiveBackend, endpoint_key: bytes, subset: int) -> None:
        super().__init__(backend)
        self._endpoint_key = endpoint_key
        self._subset = subset
        self._roll = random.getrandbits(31) if subset else 0

    def _pick(self, endpoints: Endpoints, avoided: Endpoints, now: float) -> LiveEndpoint | None:
        ring = self._keyed().ring(endpoints)
        if self._subset:
            return ring.pick_of_some(self._endpoint_key, self._subset, self._roll, avoided)
        return ring.pick(self._endpoint_key, avoided)


class _ByCookie(_Chooser):
    __slots__ = ("_ask", "_passage", "_settings", "_sticky")

    def __init__(self, backend: LiveBackend, sticky: Sticky, settings: Affinity, ask: Ask, passage: Passage) -> None:
        super().__init__(backend)
        self._sticky = sticky
        self._settings = settings
        self._ask = ask
        self._passage = passage

    def _pick(self, endpoints: Endpoints, avoided: Endpoints, now: float) -> LiveEndpoint | None:
        settings = self._settings
        keyed = self._keyed().sticky(endpoints, persistent=settings.persistent, backend=settings.backend)
        chosen = choose(self._sticky, self._ask, keyed, avoided, random.getrandbits(128), time())
        if chosen is None:
            return None
        endpoint, self._passage.cookie = chosen
        return endpoint

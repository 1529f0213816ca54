"""Endpoints of one live backend by key, worked out when first asked for and again when its endpoints have changed."""

from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

from ingressd.policy.affinity import Balanced, Keyed, Persistent
from ingressd.policy.hashing import Ring


class Labelled(Protocol):
    """``address:port``, an IPv6 address in brackets."""

    @property
    def label(self) -> str: ...


T = TypeVar("T", bound=Labelled)


class KeyedEndpoints(Generic[T]):
    """Keep one with each backend that a route hashes onto or keeps clients with; nobody else pays for it.

    It trusts that a changed set of endpoints is another object, as it is in a swap.
    """

    __slots__ = ("_balanced", "_endpoints", "_persistent", "_ring")

    def __init__(self) -> None:
        self._endpoints: Sequence[T] = ()
        self._ring: Ring[T] | None = None
        self._balanced: Balanced[T] | None = None
        self._persistent: dict[str, Persistent[T]] = {}  # by salt: a route, or one more for each canary of it

    def ring(self, endpoints: Sequence[T]) -> Ring[T]:
        """For hashing. Building takes 2 ms for a thousand endpoints."""
        self._look(endpoints)
        if self._ring is None:
            self._ring = Ring(endpoints, [one.label for one in endpoints])
        return self._ring

    def sticky(self, endpoints: Sequence[T], *, persistent: bool, backend: str) -> Keyed[T]:
        """For ``policy/affinity.choose``; ``backend`` is the settings' name of the backend."""
        self._look(endpoints)
        if not persistent:
            if self._balanced is None:
                self._balanced = Balanced(self.ring(endpoints))
            return self._balanced
        known = self._persistent.get(backend)
        if known is None:
            labels = [one.label for one in endpoints]
            known = self._persistent[backend] = Persistent(endpoints, labels, backend)
        return known

    def _look(self, endpoints: Sequence[T]) -> None:
        if endpoints is not self._endpoints:
            self._endpoints = endpoints
            self._ring = self._balanced = None
            self._persistent = {}

"""What one compile may hand to the next so that unchanged objects cost a comparison.

Only ``good`` changes what is compiled; everything else gives the same result as starting empty, which a property test
holds it to. Each compile replaces the maps by what it used, so nothing outlives the objects it came from.
"""

from msgspec import Struct

from ingressd.model.cluster import Key
from ingressd.model.objects import EndpointSlice, Ingress, Service
from ingressd.routing.defaults import RouteDefaults
from ingressd.routing.endpoints import BuiltBackend
from ingressd.routing.precedence import SettledHost
from ingressd.routing.reading import HostClaim, ReadIngress
from ingressd.routing.snapshot import CertificatePair


class JudgedPair(Struct, frozen=True, gc=False, kw_only=False):
    """The verdict on a chain and key: ``pair``, or why not."""

    chain: bytes
    private: bytes
    pair: CertificatePair | None = None
    not_before: float = 0.0
    reason: str = ""
    message: str = ""

    def __repr__(self) -> str:
        return f"JudgedPair({self.pair or self.reason})"


class GoodPair(Struct, frozen=True, gc=False):
    """The last pair of a Secret that could be served. ``uid`` tells a Secret from a later one of the same name."""

    uid: str
    pair: CertificatePair


class BackendSources(Struct, frozen=True, gc=False):
    """What a backend was built from."""

    service: Service | None
    slices: tuple[EndpointSlice, ...]
    resolved: tuple[str, ...] | None


class CompileMemo:
    """Empty to begin with; belongs to one caller of ``compile_routes``."""

    def __init__(self) -> None:
        self.defaults: RouteDefaults | None = None
        self.read: dict[Key, tuple[Ingress, ReadIngress]] = {}
        self.hosts: dict[str, tuple[tuple[HostClaim, ...], SettledHost]] = {}
        self.backends: dict[str, tuple[BackendSources, BuiltBackend]] = {}
        self.judged: dict[Key, JudgedPair] = {}
        self.good: dict[Key, GoodPair] = {}

    def use(self, defaults: RouteDefaults) -> None:
        """Forget what was worked out under other defaults (not the certificates: those do not depend on them)."""
        if self.defaults != defaults:
            self.read, self.hosts, self.backends = {}, {}, {}
        self.defaults = defaults

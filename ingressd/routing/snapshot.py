"""The Snapshot: what workers serve, as frozen values that travel between processes as they are (msgpack arrays).

It is five maps with small values and no references between them but keys, so that a change of one host, one endpoint
set or one certificate is one small message: see ``difference`` and ``runtime/channel``.
"""

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from ingressd.policy.policies import GlobalPolicies, HostTls, RoutePolicies
from ingressd.policy.timeouts import Timeouts
from ingressd.policy.upstream_tls import BackendTls

MatchKind = Literal["exact", "prefix", "regex"]
"""``regex``: the path is a pattern, bound to the start and ignoring case, though the rest of its host is plain."""

ANY_HOST = "*"
"""Name of the virtual host of rules without a host."""


class Endpoint(Struct, frozen=True, gc=False, array_like=True):
    """One address of a backend: an IP literal (IPv6 without brackets) and a TCP port."""

    address: str
    port: int


class Backend(Struct, frozen=True, gc=False, array_like=True):
    """A Service port named by a route, with the endpoints that get new requests now (sorted, none twice).

    ``key`` is ``namespace/service:port`` with the port as the Ingress spelled it. No endpoints: 503.
    """

    key: str
    namespace: str
    service: str
    port: str
    endpoints: tuple[Endpoint, ...] = ()
    app_protocol: str = ""
    tls: BackendTls | None = None  # None: plain HTTP. Its ``suffix()`` is part of the key


class Route(Struct, frozen=True, gc=False, array_like=True):
    """One path of one host. ``backend`` is a key of ``Snapshot.backends``; "" answers ``status`` without an upstream.

    ``namespace``, ``ingress`` and ``service`` name the object the route came from, for metrics and logs.
    """

    kind: MatchKind
    path: str
    backend: str
    namespace: str = ""
    ingress: str = ""
    service: str = ""
    status: int = 404
    timeouts: Timeouts = Timeouts()
    max_body_bytes: int = 1 << 20  # 0: no limit
    policies: RoutePolicies | None = None  # None: nothing but to be forwarded


class VirtualHost(Struct, frozen=True, gc=False, array_like=True):
    """Routes of one host: lower case, ``*.`` + parent for one label of wildcard, ``*`` for any host.

    ``fallback`` answers paths that no route matches; None leaves them to the snapshot's. ``regex``: every route's path
    is a pattern, whatever its kind, and keeps the text that was declared, with a closing slash; see ``match.py``.
    """

    name: str
    routes: tuple[Route, ...] = ()
    fallback: Route | None = None
    regex: bool = False
    tls: HostTls | None = None


class CertificatePair(Struct, frozen=True, gc=False, array_like=True):
    """A checked certificate chain with its key, PEM. ``key`` is ``namespace/secret``. Never printed."""

    key: str
    chain_pem: bytes
    key_pem: bytes
    not_after: float = 0.0  # seconds since the epoch
    names: tuple[str, ...] = ()  # DNS names the leaf is good for

    def __repr__(self) -> str:
        return f"CertificatePair({self.key})"


class Material(Struct, frozen=True, gc=False, array_like=True):
    """What a policy names by ``key`` because it comes out of a Secret or ConfigMap: ``users:ns/name``, ``trust:…``.

    ``problem`` says why it cannot be used; whatever asked for it is then denied, never left open. Never printed.
    """

    key: str
    values: Mapping[str, bytes] = {}
    problem: str = ""

    def __repr__(self) -> str:
        return f"Material({self.key}{': ' + self.problem if self.problem else ''})"


class Snapshot(Struct, frozen=True, gc=False, kw_only=True):
    """A complete configuration. ``server_names`` maps an SNI name (exact, or ``*.parent``) to a certificate key.

    ``default_certificate`` is the key used when no name matches. ``fallback`` answers what no virtual host does; None
    is the built-in 404.
    """

    hosts: Mapping[str, VirtualHost] = {}
    backends: Mapping[str, Backend] = {}
    certificates: Mapping[str, CertificatePair] = {}
    server_names: Mapping[str, str] = {}
    default_certificate: str = ""
    fallback: Route | None = None
    materials: Mapping[str, Material] = {}
    policies: GlobalPolicies = GlobalPolicies()

"""All that a route asks of a request beside its backend, and what holds for every request of a worker.

Values, decided by the control process and sent to workers as they are; ``proxy/gate`` makes them ready and asks them in
the order of ``phases``. A route that asks for nothing has no ``RoutePolicies`` at all and pays nothing.
"""

from msgspec import Struct

from ingressd.http.fields import PassedNames
from ingressd.policy.address_list import AddressLists
from ingressd.policy.affinity import Affinity
from ingressd.policy.basic_auth import BasicAuth
from ingressd.policy.blocks import Blocks
from ingressd.policy.canary import Canary
from ingressd.policy.client_certificate import ClientCertificates
from ingressd.policy.compression import Compression
from ingressd.policy.cookies import CookieRewrite
from ingressd.policy.cors import Cors
from ingressd.policy.error_pages import ErrorPages
from ingressd.policy.external_auth import ExternalAuth
from ingressd.policy.fixed_answer import FixedAnswer
from ingressd.policy.forwarded import Forwarding
from ingressd.policy.hashing import HashBy
from ingressd.policy.location_fields import LocationRewrite
from ingressd.policy.mirror import Mirror
from ingressd.policy.next_upstream import NextUpstream
from ingressd.policy.rate_limit import Bandwidth, RateLimits
from ingressd.policy.redirects import AppRoot, FixedRedirect, HttpsRedirect, WwwRedirect
from ingressd.policy.request_fields import RequestEdits
from ingressd.policy.response_fields import ResponseEdits
from ingressd.policy.rewrite import Rewrite
from ingressd.policy.trailing_slash import TrailingSlash


class RoutePolicies(Struct, frozen=True, gc=False, omit_defaults=True):
    """What one route asks for; nothing of it is on unless it is set. The answering ones come first, in phase order."""

    client_certificates: ClientCertificates | None = None  # the same on all routes of a host
    blocks: Blocks | None = None
    app_root: AppRoot | None = None
    trailing_slash: TrailingSlash | None = None
    cors: Cors | None = None
    redirect: FixedRedirect | None = None
    www: WwwRedirect | None = None
    respond: FixedAnswer | None = None
    denied: str = ""  # why: every request is answered with 503
    rewrite: Rewrite | None = None
    varied_rewrite: Rewrite | None = None  # instead of it, where the target holds variables
    https_redirect: HttpsRedirect | None = None
    limits: RateLimits | None = None
    addresses: AddressLists | None = None
    basic_auth: BasicAuth | None = None
    external_auth: ExternalAuth | None = None
    satisfy_any: bool = False
    # towards the upstream
    request: RequestEdits | None = None
    canary: Canary | None = None
    affinity: Affinity | None = None
    canary_affinity: Affinity | None = None  # None: the canary's endpoints are not stuck to (legacy)
    hash_by: HashBy | None = None
    latency_balanced: bool = False  # peak EWMA instead of round robin
    secure_backend: str = ""  # the backend for clients that came over TLS (AUTO_HTTP)
    next_upstream: NextUpstream | None = None
    error_pages: ErrorPages | None = None
    mirror: Mirror | None = None
    buffers_request: bool = False  # the body is read whole, up to what is kept for a second attempt, before it is sent
    # towards the client
    response: ResponseEdits | None = None
    cookies: CookieRewrite | None = None
    location: LocationRewrite | None = None
    compression: Compression | None = None
    bandwidth: Bandwidth | None = None
    max_response_header_bytes: int = 0  # 0: what ``proxy/limits`` says
    access_log: bool = True


class ClientLimits(Struct, frozen=True, gc=False, omit_defaults=True):
    """What the ConfigMap says of ``proxy/limits``; None leaves what the command line said. Seconds, bytes, counts."""

    keep_alive_s: float | None = None
    requests_per_connection: int | None = None
    header_s: float | None = None
    body_gap_s: float | None = None
    header_bytes: int | None = None
    request_line_bytes: int | None = None
    names: PassedNames | None = None
    upstream_idle_per_endpoint: int | None = None
    upstream_idle_s: float | None = None
    upstream_requests_per_connection: int | None = None
    upstream_age_s: float | None = None


class LogFormat(Struct, frozen=True, gc=False, omit_defaults=True):
    """The access log's shape. ``template`` "" is our own JSON; ``escape`` as in nginx: default, json or none."""

    template: str = ""
    escape: str = "default"
    skip_targets: tuple[str, ...] = ()
    is_off: bool = False


class ListenerTls(Struct, frozen=True, gc=False, omit_defaults=True):
    """What TLS listeners offer: ``ciphers`` are TLS 1.2's; versions are spelled ``TLSv1.2`` and so on."""

    ciphers: str = ""
    protocols: tuple[str, ...] = ()
    prefers_server_order: bool = True
    rejects_unknown_names: bool = False
    sends_tickets: bool = True
    groups: str = ""  # of the key exchange, as OpenSSL spells them


class HostTls(Struct, frozen=True, gc=False, omit_defaults=True):
    """What one host's TLS asks for beside its certificate. ``trust`` names the material with the CA of its clients.

    ``passthrough`` is the backend whose only endpoint gets the bytes as they come.
    """

    trust: str = ""
    verify_depth: int = 1
    ciphers: str = ""
    prefers_server_order: bool | None = None
    passthrough: str = ""


class GlobalPolicies(Struct, frozen=True, gc=False, omit_defaults=True):
    """What holds for every connection of a worker. ``relays``: networks whose PROXY protocol header counts; None:
    connections begin without one.
    """

    forwarding: Forwarding | None = None
    relays: tuple[str, ...] | None = None
    relay_header_s: float = 5.0
    limits: ClientLimits = ClientLimits()
    log: LogFormat = LogFormat()
    tls: ListenerTls = ListenerTls()
    keeps_request_id: bool = True  # a client's X-Request-ID is passed on
    makes_request_id: bool = True  # a request without one gets one
    resolves_ipv6: bool = True  # of names that are asked on the way; those of endpoints are resolved before
    drain_timeout_s: float | None = None  # for exchanges that are open at the end; None: what the command line said

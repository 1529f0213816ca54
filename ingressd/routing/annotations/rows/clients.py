"""The client's connection, and what is believed of it: ConfigMap keys of the whole controller."""

from ingressd.routing.annotations.kinds import (
    BOOL,
    BUFFERS,
    CURVES,
    GO_DURATION,
    LIST,
    NATURAL,
    NETWORKS,
    QUALIFIED,
    SECONDS,
    SIZE,
    TEXT,
    TIME,
)
from ingressd.routing.annotations.row import Kind, Row, Support, T_co, Tier

_TYPES = (
    "application/atom+xml application/javascript application/x-javascript application/json application/rss+xml "
    "application/vnd.ms-fontobject application/x-font-ttf application/x-web-app-manifest+json application/xhtml+xml "
    "application/xml font/opentype image/svg+xml image/x-icon text/css text/javascript text/plain text/x-component"
)


def _key(
    name: str,
    kind: Kind[T_co],
    default: str,
    about: str,
    *,
    support: Support,
    tier: Tier = "T3",
    example: str = "",
    difference: str = "",
    guards: bool = False,
) -> Row[T_co]:
    return Row(
        name,
        kind,
        default,
        tier,
        about,
        support=support,
        example=example,
        difference=difference,
        guards=guards,
        scope="global",
        config_key=name,
    )


# ── whom we believe ─────────────────────────────────────────────────────────────────────────────────────────────────

USE_FORWARDED_HEADERS = _key(
    "use-forwarded-headers",
    BOOL,
    "false",
    "X-Forwarded-* of trusted peers count; the upstream's Host is then X-Forwarded-Host.",
    support="differs",
    difference="Only peers in proxy-real-ip-cidr are believed, also about scheme, host and port.",
    tier="T1",
)
COMPUTE_FULL_FORWARDED_FOR = _key(
    "compute-full-forwarded-for",
    BOOL,
    "false",
    "X-Forwarded-For is added to, not replaced.",
    support="same",
    tier="T2",
)
FORWARDED_FOR_HEADER = _key(
    "forwarded-for-header",
    TEXT,
    "X-Forwarded-For",
    "Header with the client's address.",
    support="same",
    tier="T2",
    example="CF-Connecting-IP",
)
FORWARDED_HOST_HEADER = _key(
    "forwarded-host-header", TEXT, "X-Forwarded-Host", "Header with the client's host.", support="same"
)
FORWARDED_FOR_PROXY_PROTOCOL_HEADER = _key(
    "forwarded-for-proxy-protocol-header",
    TEXT,
    "X-Forwarded-For-Proxy-Protocol",
    "nginx's name for a header inside nginx, between the PROXY protocol and X-Forwarded-For.",
    support="harmless",
    difference="There is no such step: the PROXY protocol alone says who the client is.",
)
ENABLE_REAL_IP = _key(
    "enable-real-ip",
    BOOL,
    "false",
    "The client's address comes from X-Forwarded-For of trusted peers.",
    support="same",
    tier="T2",
)
PROXY_REAL_IP_CIDR = _key(
    "proxy-real-ip-cidr", NETWORKS, "0.0.0.0/0", "Trusted peers.", support="same", tier="T1", guards=True
)
USE_PROXY_PROTOCOL = _key(
    "use-proxy-protocol",
    BOOL,
    "false",
    "Connections begin with the PROXY protocol.",
    support="same",
    tier="T2",
)
PROXY_PROTOCOL_HEADER_TIMEOUT = _key(
    "proxy-protocol-header-timeout", GO_DURATION, "5s", "Time for its header.", support="same"
)
PROXY_SET_HEADERS = _key(
    "proxy-set-headers",
    QUALIFIED,
    "",
    "ConfigMap of headers added to every upstream request.",
    support="same",
    tier="T2",
    example="ingress/request-headers",
)
PROXY_ADD_ORIGINAL_URI_HEADER = _key(
    "proxy-add-original-uri-header", BOOL, "false", "The upstream gets X-Original-URI.", support="same"
)
ENABLE_UNDERSCORES_IN_HEADERS = _key(
    "enable-underscores-in-headers",
    BOOL,
    "false",
    "Header names with `_` are passed on.",
    support="differs",
    difference="One that a server could take for another field is dropped all the same: with `-` for `_` it is the "
    "name of another field of the request, of one that the proxy reads or sets (X-Forwarded-For, Content-Length), or "
    "of one that the route sets or removes (auth-response-headers).",
    tier="T2",
)
IGNORE_INVALID_HEADERS = _key(
    "ignore-invalid-headers",
    BOOL,
    "true",
    "Headers with names of other characters than letters, digits, `-` and `_` are dropped.",
    support="differs",
    difference="`false` passes them on by the rule of enable-underscores-in-headers, which it includes; what can be no "
    "name at all (RFC 9110) is answered with 400 in any case.",
    example="false",
)

# ── the connection ──────────────────────────────────────────────────────────────────────────────────────────────────

CLIENT_HEADER_TIMEOUT = _key(
    "client-header-timeout", SECONDS, "60", "Time for a request's head.", support="same", example="10"
)
CLIENT_BODY_TIMEOUT = _key(
    "client-body-timeout", SECONDS, "60", "Longest gap in a request's body.", support="same", example="10"
)
CLIENT_HEADER_BUFFER_SIZE = _key(
    "client-header-buffer-size",
    SIZE,
    "1k",
    "First buffer for a head.",
    support="harmless",
    difference="large-client-header-buffers says what a head may measure.",
    example="4k",
)
LARGE_CLIENT_HEADER_BUFFERS = _key(
    "large-client-header-buffers",
    BUFFERS,
    "4 8k",
    "Largest head of a request.",
    support="differs",
    difference="The size is the longest request line; number times size is what all fields may measure together.",
)
KEEP_ALIVE = _key("keep-alive", SECONDS, "75", "How long an idle client is kept.", support="same", example="30")
KEEP_ALIVE_REQUESTS = _key(
    "keep-alive-requests", NATURAL, "1000", "Requests over one connection.", support="same", example="10000"
)
USE_HTTP2 = _key(
    "use-http2", BOOL, "true", "HTTP/2 is offered over TLS.", support="not yet", tier="T2", example="false"
)
HTTP2_MAX_CONCURRENT_STREAMS = _key(
    "http2-max-concurrent-streams", NATURAL, "128", "Requests at once over one connection.", support="not yet"
)
WORKER_SHUTDOWN_TIMEOUT = _key(
    "worker-shutdown-timeout",
    TIME,
    "240s",
    "Time that open requests have to finish.",
    support="differs",
    difference="Without this key it is 30 s, and what `--drain-timeout` says wins; in either case the pod's "
    "terminationGracePeriodSeconds must be longer.",
)

# ── compression ─────────────────────────────────────────────────────────────────────────────────────────────────────

USE_GZIP = _key("use-gzip", BOOL, "false", "Answers are compressed with gzip.", support="same", tier="T2")
GZIP_LEVEL = _key("gzip-level", NATURAL, "1", "How hard.", support="same", example="5")
GZIP_MIN_LENGTH = _key(
    "gzip-min-length", NATURAL, "256", "Smallest answer that is, bytes.", support="same", example="1000"
)
GZIP_TYPES = _key("gzip-types", TEXT, _TYPES, "Media types that are.", support="same", example="text/css text/plain")
GZIP_DISABLE = _key("gzip-disable", TEXT, "", "User agents that are left out.", support="same", example="msie6")
ENABLE_BROTLI = _key(
    "enable-brotli",
    BOOL,
    "false",
    "Answers are compressed with brotli.",
    support="differs",
    difference="Needs the brotli library; without it answers stay as they are.",
    tier="T2",
)
BROTLI_LEVEL = _key("brotli-level", NATURAL, "4", "How hard.", support="same", example="6")
BROTLI_MIN_LENGTH = _key(
    "brotli-min-length", NATURAL, "20", "Smallest answer that is, bytes.", support="same", example="1000"
)
BROTLI_TYPES = _key(
    "brotli-types",
    TEXT,
    f"application/xml+rss {_TYPES}",
    "Media types that are.",
    support="same",
    example="text/css text/plain",
)

# ── TLS ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

_FIXED_TLS = "OpenSSL's defaults are used."

SSL_SESSION_CACHE = _key(
    "ssl-session-cache", BOOL, "true", "TLS sessions are remembered.", support="harmless", difference=_FIXED_TLS
)
SSL_SESSION_CACHE_SIZE = _key(
    "ssl-session-cache-size", SIZE, "10m", "Memory for them.", support="harmless", difference=_FIXED_TLS
)
SSL_SESSION_TIMEOUT = _key("ssl-session-timeout", TIME, "10m", "How long.", support="harmless", difference=_FIXED_TLS)
SSL_SESSION_TICKETS = _key(
    "ssl-session-tickets",
    BOOL,
    "false",
    "Sessions are resumed by tickets.",
    support="differs",
    difference="Without this key tickets are sent: their keys are made at each start, are the same in all workers and "
    "leave memory never. `false` turns resumption off, but for TLS 1.2 clients that meet the same worker again.",
)
SSL_SESSION_TICKET_KEY = _key(
    "ssl-session-ticket-key",
    TEXT,
    "",
    "Key of the tickets.",
    support="harmless",
    difference="Keys are made at each start and cannot be set: a client that meets another replica begins anew.",
)
SSL_BUFFER_SIZE = _key("ssl-buffer-size", SIZE, "4k", "TLS records.", support="harmless", difference=_FIXED_TLS)
SSL_DH_PARAM = _key(
    "ssl-dh-param",
    TEXT,
    "",
    "Diffie-Hellman parameters.",
    support="harmless",
    difference="Keys are exchanged over elliptic curves only (ECDHE), which need none.",
    example="ingress/dhparam",
)
SSL_ECDH_CURVE = _key(
    "ssl-ecdh-curve",
    CURVES,
    "auto",
    "Curves of the key exchange, the preferred one first.",
    support="differs",
    difference="`auto` is X25519, P-256 and P-384, and the hybrid X25519MLKEM768 where OpenSSL has it; others cannot "
    "be had. Hosts that ask for client certificates keep to OpenSSL's choice.",
)
SSL_EARLY_DATA = _key(
    "ssl-early-data",
    BOOL,
    "false",
    "TLS 1.3 early data.",
    support="harmless",
    difference="Never accepted: such requests can be replayed.",
)
ENABLE_OCSP = _key("enable-ocsp", BOOL, "false", "OCSP answers are stapled.", support="not yet")

# ── addresses ───────────────────────────────────────────────────────────────────────────────────────────────────────

BIND_ADDRESS = _key(
    "bind-address",
    LIST,
    "",
    "Addresses to listen on.",
    support="harmless",
    difference="Use `--bind-address`.",
    example="10.0.0.5",
)
DISABLE_IPV6 = _key(
    "disable-ipv6",
    BOOL,
    "false",
    "Listens on IPv4 only.",
    support="harmless",
    difference="Use `--bind-address 0.0.0.0`.",
)
DISABLE_IPV6_DNS = _key(
    "disable-ipv6-dns",
    BOOL,
    "false",
    "IPv6 addresses of names are left out: of ExternalName Services, auth services and mirrors.",
    support="same",
)
DEFAULT_TYPE = _key(
    "default-type",
    TEXT,
    "text/html",
    "Content-Type of our own answers.",
    support="harmless",
    difference="Our answers are text or HTML, as the client prefers.",
    example="text/plain",
)
WORKER_PROCESSES = _key(
    "worker-processes",
    TEXT,
    "auto",
    "Serving processes.",
    support="harmless",
    difference="Use `--workers`.",
    example="4",
)
USE_GEOIP2 = _key(
    "use-geoip2",
    BOOL,
    "false",
    "nginx variables from GeoIP databases.",
    support="lost",
    difference="There is no GeoIP; block countries in front, or by denylist-source-range.",
)

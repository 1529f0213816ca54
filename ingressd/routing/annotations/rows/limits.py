"""How much and how often: rates, connections, bandwidth; and who may read answers from another origin (CORS)."""

from ingressd.routing.annotations.kinds import (
    BOOL,
    EXPOSED_LIST,
    HEADER_LIST,
    INT,
    METHOD_LIST,
    NETWORKS,
    ORIGINS,
    STATUS,
    choice,
)
from ingressd.routing.annotations.row import Row

LIMIT_RPS = Row(
    "limit-rps",
    INT,
    "0",
    "T1",
    "Requests a second of one client; more than the burst answer 503.",
    support="same",
    on_bad="freeze",
)
LIMIT_RPM = Row(
    "limit-rpm",
    INT,
    "0",
    "T2",
    "Requests a minute of one client.",
    support="same",
    on_bad="freeze",
    example="300",
)
LIMIT_BURST_MULTIPLIER = Row(
    "limit-burst-multiplier",
    INT,
    "5",
    "T2",
    "Burst as a multiple of the limit.",
    support="same",
    example="3",
)
LIMIT_CONNECTIONS = Row(
    "limit-connections",
    INT,
    "0",
    "T2",
    "Requests of one client at the same time.",
    support="same",
    on_bad="freeze",
)
LIMIT_RATE = Row(
    "limit-rate",
    INT,
    "0",
    "T3",
    "Kilobytes a second of an answer, 0 for no limit.",
    support="same",
    config_key="limit-rate",
    example="512",
)
LIMIT_RATE_AFTER = Row(
    "limit-rate-after",
    INT,
    "0",
    "T3",
    "Kilobytes of an answer before that.",
    support="same",
    config_key="limit-rate-after",
    example="1024",
)
LIMIT_ALLOWLIST = Row(
    "limit-allowlist",
    NETWORKS,
    "",
    "T2",
    "Clients without these limits.",
    support="same",
    aliases=("limit-whitelist",),
    on_bad="freeze",
)
LIMIT_REQ_STATUS_CODE = Row(
    "limit-req-status-code",
    STATUS,
    "503",
    "T2",
    "Status when limit-rps or limit-rpm is exceeded.",
    support="same",
    scope="global",
    config_key="limit-req-status-code",
)
LIMIT_CONN_STATUS_CODE = Row(
    "limit-conn-status-code",
    STATUS,
    "503",
    "T2",
    "Status when limit-connections is exceeded.",
    support="same",
    scope="global",
    config_key="limit-conn-status-code",
)
LIMIT_CONN_ZONE_VARIABLE = Row(
    "limit-conn-zone-variable",
    choice("$binary_remote_addr", "$remote_addr", "$the_real_ip"),
    "$binary_remote_addr",
    "T3",
    "What limits count by.",
    support="differs",
    difference="Limits count by the client's address, whatever nginx calls it; there is no other choice.",
    scope="global",
    config_key="limit-conn-zone-variable",
)

ENABLE_CORS = Row(
    "enable-cors",
    BOOL,
    "false",
    "T1",
    "CORS headers on every response, and 204 for OPTIONS of an allowed origin.",
    support="differs",
    difference="The 204 has no Content-Length (RFC 9110 forbids it there), and an origin must match as a whole.",
)
CORS_ALLOW_ORIGIN = Row(
    "cors-allow-origin",
    ORIGINS,
    "*",
    "T1",
    "Origins; `*.` stands for one label.",
    support="same",
    risk="Medium",
)
CORS_ALLOW_METHODS = Row(
    "cors-allow-methods",
    METHOD_LIST,
    "GET, PUT, POST, DELETE, PATCH, OPTIONS",
    "T1",
    "Access-Control-Allow-Methods.",
    support="same",
    risk="Medium",
)
CORS_ALLOW_HEADERS = Row(
    "cors-allow-headers",
    HEADER_LIST,
    "DNT,Keep-Alive,User-Agent,X-Requested-With,If-Modified-Since,Cache-Control,Content-Type,Range,Authorization",
    "T1",
    "Access-Control-Allow-Headers.",
    support="same",
    risk="Medium",
)
CORS_EXPOSE_HEADERS = Row(
    "cors-expose-headers",
    EXPOSED_LIST,
    "",
    "T2",
    "Access-Control-Expose-Headers.",
    support="same",
    risk="Medium",
)
CORS_ALLOW_CREDENTIALS = Row(
    "cors-allow-credentials",
    BOOL,
    "true",
    "T1",
    "Access-Control-Allow-Credentials.",
    support="same",
    example="false",
)
CORS_MAX_AGE = Row(
    "cors-max-age",
    INT,
    "1728000",
    "T2",
    "Access-Control-Max-Age, seconds.",
    support="same",
    example="600",
)

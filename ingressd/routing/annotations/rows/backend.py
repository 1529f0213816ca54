"""Traffic to the backend: protocol, timeouts, sizes, attempts, choice of endpoint."""

from ingressd.routing.annotations.kinds import (
    BOOL,
    HOST,
    INT,
    NATURAL,
    ON_OFF,
    OPTIONAL_SIZE,
    PAIR,
    SECONDS,
    SIZE,
    TIME,
    UPSTREAM_CONDITIONS,
    VARIABLES,
    choice,
)
from ingressd.routing.annotations.row import Row

BACKEND_PROTOCOL = Row(
    "backend-protocol",
    choice("HTTP", "AUTO_HTTP", "GRPC", "GRPCS", "FCGI", "HTTPS", fold=True),
    "HTTP",
    "T1",
    "What the pods speak. HTTPS verifies nothing and sends no server name unless proxy-ssl-* ask for it.",
    support="differs",
    difference="GRPC and GRPCS answer 503 until HTTP/2 is spoken, FCGI always.",
)
PROXY_CONNECT_TIMEOUT = Row(
    "proxy-connect-timeout",
    SECONDS,
    "5",
    "T1",
    "Time to connect to an endpoint; then the next one, at last 504.",
    support="differs",
    difference="0 stands for the default; there it fails every request.",
    config_key="proxy-connect-timeout",
    example="10",
)
PROXY_READ_TIMEOUT = Row(
    "proxy-read-timeout",
    SECONDS,
    "60",
    "T1",
    "Longest gap between two reads from the upstream; then 504.",
    support="differs",
    difference="0 stands for the default; there it fails every request.",
    config_key="proxy-read-timeout",
    example="3600",
)
PROXY_SEND_TIMEOUT = Row(
    "proxy-send-timeout",
    SECONDS,
    "60",
    "T1",
    "Longest gap between two writes to the upstream; then 504.",
    support="differs",
    difference="0 stands for the default; there it fails every request.",
    config_key="proxy-send-timeout",
    example="3600",
)
PROXY_BODY_SIZE = Row(
    "proxy-body-size",
    SIZE,
    "1m",
    "T1",
    "Largest request body, 0 for any; a larger one answers 413.",
    support="same",
    config_key="proxy-body-size",
    risk="Medium",
)
PROXY_REQUEST_BUFFERING = Row(
    "proxy-request-buffering",
    ON_OFF,
    "on",
    "T2",
    "The request body is read before the upstream is asked.",
    support="differs",
    difference="Bodies are streamed unless `on` is asked for; then they are read whole, up to what is kept for "
    "another attempt.",
    config_key="proxy-request-buffering",
    example="off",
)
PROXY_BUFFERING = Row(
    "proxy-buffering",
    ON_OFF,
    "off",
    "T2",
    "Answers are buffered.",
    support="harmless",
    config_key="proxy-buffering",
    difference="Answers are streamed, with back-pressure; nothing spools.",
)
PROXY_BUFFER_SIZE = Row(
    "proxy-buffer-size",
    SIZE,
    "4k",
    "T1",
    "Largest head of an upstream's answer; a larger one answers 502.",
    support="differs",
    difference="Never less than 32 KiB.",
    config_key="proxy-buffer-size",
    example="16k",
)
PROXY_BUFFERS_NUMBER = Row(
    "proxy-buffers-number",
    INT,
    "4",
    "T3",
    "Buffers for one answer.",
    support="harmless",
    config_key="proxy-buffers-number",
    difference="Memory is sized by back-pressure.",
)
PROXY_BUSY_BUFFERS_SIZE = Row(
    "proxy-busy-buffers-size",
    OPTIONAL_SIZE,
    "",
    "T3",
    "Buffers busy with sending.",
    support="harmless",
    config_key="proxy-busy-buffers-size",
    difference="Memory is sized by back-pressure.",
)
PROXY_MAX_TEMP_FILE_SIZE = Row(
    "proxy-max-temp-file-size",
    SIZE,
    "1024m",
    "T3",
    "Spool file of one answer.",
    support="harmless",
    config_key="proxy-max-temp-file-size",
    difference="Answers are never written to disk.",
)
CLIENT_BODY_BUFFER_SIZE = Row(
    "client-body-buffer-size",
    SIZE,
    "8k",
    "T3",
    "Request body kept in memory before it is spooled.",
    support="harmless",
    config_key="client-body-buffer-size",
    on_bad="freeze",
    difference="Memory is sized by back-pressure.",
)
PROXY_HTTP_VERSION = Row(
    "proxy-http-version",
    choice("1.0", "1.1"),
    "1.1",
    "T3",
    "HTTP version spoken to the upstream.",
    support="harmless",
    difference="HTTP/1.1 is spoken, which servers of HTTP/1.0 answer too; a body that a client sends in chunks goes on "
    "in chunks.",
    config_key="proxy-http-version",
    example="1.0",
)
CONNECTION_PROXY_HEADER = Row(
    "connection-proxy-header",
    choice("keep-alive", "close"),
    "",
    "T3",
    "Fixed Connection header for the upstream.",
    support="same",
    on_bad="freeze",
)
UPSTREAM_VHOST = Row(
    "upstream-vhost",
    HOST,
    "",
    "T2",
    "Host header for the upstream instead of the client's.",
    support="same",
    on_bad="freeze",
    example="backend.internal",
)
SERVICE_UPSTREAM = Row(
    "service-upstream",
    BOOL,
    "false",
    "T2",
    "The Service's cluster address is the one endpoint.",
    support="differs",
    difference="Holds for the paths of the Ingress that says it; there the oldest Ingress of the Service "
    "decides for all of them.",
    scope="upstream",
    config_key="service-upstream",
)
LOAD_BALANCE = Row(
    "load-balance",
    choice(
        "round_robin", "chash", "chashsubset", "sticky_balanced", "sticky_persistent", "ewma", default="round_robin"
    ),
    "round_robin",
    "T2",
    "How an endpoint is chosen.",
    support="differs",
    difference="Holds for the paths of the Ingress that says it; there the oldest Ingress of the Service "
    "decides for all of them. Names other than ewma mean round_robin; stickiness is said by "
    "affinity.",
    scope="upstream",
    config_key="load-balance",
    on_bad="freeze",
)
UPSTREAM_HASH_BY = Row(
    "upstream-hash-by",
    VARIABLES,
    "",
    "T2",
    "Endpoint by consistent hashing of this; wins over load-balance.",
    support="differs",
    difference="Holds for the paths of the Ingress that says it; there the oldest Ingress of the Service "
    "decides for all of them. Another hash is used: a key may meet another endpoint than there. Captures of the path "
    "(`$1`) are not known: endpoints are chosen in turn then.",
    scope="upstream",
    config_key="upstream-hash-by",
    on_bad="freeze",
    risk="High",
    example="$request_uri",
)
UPSTREAM_HASH_BY_SUBSET = Row(
    "upstream-hash-by-subset",
    BOOL,
    "false",
    "T3",
    "The hash chooses a group of endpoints, chance one of it.",
    support="differs",
    difference="Holds for the paths of the Ingress that says it; there the oldest Ingress of the Service "
    "decides for all of them.",
    scope="upstream",
    config_key="upstream-hash-by-subset",
    on_bad="freeze",
)
UPSTREAM_HASH_BY_SUBSET_SIZE = Row(
    "upstream-hash-by-subset-size",
    INT,
    "3",
    "T3",
    "Endpoints in a group.",
    support="differs",
    difference="Holds for the paths of the Ingress that says it; there the oldest Ingress of the Service "
    "decides for all of them.",
    scope="upstream",
    config_key="upstream-hash-by-subset-size",
    on_bad="freeze",
    example="5",
)
PROXY_NEXT_UPSTREAM = Row(
    "proxy-next-upstream",
    UPSTREAM_CONDITIONS,
    "error timeout",
    "T2",
    "When another endpoint is tried.",
    support="same",
    config_key="proxy-next-upstream",
    risk="Medium",
)
PROXY_NEXT_UPSTREAM_TRIES = Row(
    "proxy-next-upstream-tries",
    NATURAL,
    "3",
    "T2",
    "Attempts in all, 0 for as many as it takes.",
    support="differs",
    difference="0 stands for 10.",
    config_key="proxy-next-upstream-tries",
    example="2",
)
PROXY_NEXT_UPSTREAM_TIMEOUT = Row(
    "proxy-next-upstream-timeout",
    SECONDS,
    "0",
    "T3",
    "Time for all attempts, 0 for no limit.",
    support="same",
    config_key="proxy-next-upstream-timeout",
    example="10",
)
RETRY_NON_IDEMPOTENT = Row(
    "retry-non-idempotent",
    BOOL,
    "false",
    "T3",
    "POST, LOCK and PATCH are tried again like others.",
    support="same",
    scope="global",
    config_key="retry-non-idempotent",
)
PROXY_COOKIE_DOMAIN = Row(
    "proxy-cookie-domain",
    PAIR,
    "off",
    "T3",
    "Replaces Domain in the upstream's cookies.",
    support="differs",
    difference="Expressions (`~`) are not supported: the attribute is then passed on unchanged.",
    config_key="proxy-cookie-domain",
    risk="Medium",
)
PROXY_COOKIE_PATH = Row(
    "proxy-cookie-path",
    PAIR,
    "off",
    "T3",
    "Replaces Path in the upstream's cookies.",
    support="differs",
    difference="Expressions (`~`) are not supported: the attribute is then passed on unchanged.",
    config_key="proxy-cookie-path",
    risk="Medium",
    example="/app/ /",
)
UPSTREAM_KEEPALIVE_CONNECTIONS = Row(
    "upstream-keepalive-connections",
    NATURAL,
    "320",
    "T3",
    "Idle connections to endpoints kept by each worker.",
    support="differs",
    difference="For each endpoint and worker.",
    scope="global",
    config_key="upstream-keepalive-connections",
    example="512",
)
UPSTREAM_KEEPALIVE_TIMEOUT = Row(
    "upstream-keepalive-timeout",
    SECONDS,
    "60",
    "T3",
    "How long an idle one is kept.",
    support="same",
    scope="global",
    config_key="upstream-keepalive-timeout",
)
UPSTREAM_KEEPALIVE_REQUESTS = Row(
    "upstream-keepalive-requests",
    NATURAL,
    "10000",
    "T3",
    "Requests over one connection.",
    support="same",
    scope="global",
    config_key="upstream-keepalive-requests",
    example="1000",
)
UPSTREAM_KEEPALIVE_TIME = Row(
    "upstream-keepalive-time",
    TIME,
    "1h",
    "T3",
    "Age at which a connection is closed.",
    support="same",
    scope="global",
    config_key="upstream-keepalive-time",
    example="10m",
)

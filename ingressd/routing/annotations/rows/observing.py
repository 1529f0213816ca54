"""What is written down: access log, request ids, tracing."""

from ingressd.routing.annotations.kinds import BOOL, FLOAT, LIST, NATURAL, PLAIN, TEXT
from ingressd.routing.annotations.row import Row

_LOG_FORMAT = (
    '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" '
    "$request_length $request_time [$proxy_upstream_name] [$proxy_alternative_upstream_name] $upstream_addr "
    "$upstream_response_length $upstream_response_time $upstream_status $req_id"
)
_NO_TRACING = "No spans are sent; trace headers of clients go upstream as they are."
_OUR_LOG = "Where the log goes is said by `--access-log`."

ENABLE_ACCESS_LOG = Row(
    "enable-access-log",
    BOOL,
    "true",
    "T2",
    "Requests to these paths are in the access log.",
    support="same",
    example="false",
)
DISABLE_ACCESS_LOG = Row(
    "disable-access-log",
    BOOL,
    "false",
    "T2",
    "No access log at all.",
    support="same",
    scope="global",
    config_key="disable-access-log",
)
DISABLE_HTTP_ACCESS_LOG = Row(
    "disable-http-access-log",
    BOOL,
    "false",
    "T3",
    "No access log of HTTP requests.",
    support="same",
    scope="global",
    config_key="disable-http-access-log",
)
LOG_FORMAT_UPSTREAM = Row(
    "log-format-upstream",
    TEXT,
    _LOG_FORMAT,
    "T2",
    "A line of the access log, with nginx's variables.",
    support="differs",
    difference="Without this key the log is our own JSON lines.",
    scope="global",
    config_key="log-format-upstream",
    example="$remote_addr $request $status",
)
LOG_FORMAT_ESCAPE_JSON = Row(
    "log-format-escape-json",
    BOOL,
    "false",
    "T2",
    "Values in it are escaped for JSON.",
    support="same",
    scope="global",
    config_key="log-format-escape-json",
)
LOG_FORMAT_ESCAPE_NONE = Row(
    "log-format-escape-none",
    BOOL,
    "false",
    "T3",
    "Values in it are not escaped.",
    support="same",
    scope="global",
    config_key="log-format-escape-none",
)
SKIP_ACCESS_LOG_URLS = Row(
    "skip-access-log-urls",
    LIST,
    "",
    "T3",
    "URIs that are not logged.",
    support="same",
    scope="global",
    config_key="skip-access-log-urls",
    example="/health,/ready",
)
ENABLE_ACCESS_LOG_FOR_DEFAULT_BACKEND = Row(
    "enable-access-log-for-default-backend",
    BOOL,
    "false",
    "T3",
    "Requests for hosts that nobody declares are logged.",
    support="differs",
    difference="Without this key they are; `false` leaves them out.",
    scope="global",
    config_key="enable-access-log-for-default-backend",
)
ENABLE_AUTH_ACCESS_LOG = Row(
    "enable-auth-access-log",
    BOOL,
    "false",
    "T3",
    "Questions to the external auth service are logged.",
    support="harmless",
    scope="global",
    config_key="enable-auth-access-log",
    difference="The access log holds clients' requests, with the status that the service's verdict gave them; that a "
    "service cannot be asked is in the log.",
)
ACCESS_LOG_PATH = Row(
    "access-log-path",
    TEXT,
    "/var/log/nginx/access.log",
    "T3",
    "File of the access log.",
    support="harmless",
    scope="global",
    config_key="access-log-path",
    difference=_OUR_LOG,
)
HTTP_ACCESS_LOG_PATH = Row(
    "http-access-log-path",
    TEXT,
    "",
    "T3",
    "File of the access log of HTTP requests.",
    support="harmless",
    scope="global",
    config_key="http-access-log-path",
    difference=_OUR_LOG,
)
ACCESS_LOG_PARAMS = Row(
    "access-log-params",
    TEXT,
    "",
    "T3",
    "Buffering of that file.",
    support="harmless",
    scope="global",
    config_key="access-log-params",
    difference=_OUR_LOG,
    example="buffer=16k",
)
ERROR_LOG_PATH = Row(
    "error-log-path",
    TEXT,
    "/var/log/nginx/error.log",
    "T3",
    "File of the error log.",
    support="harmless",
    scope="global",
    config_key="error-log-path",
    difference="The log goes to standard error.",
)
ERROR_LOG_LEVEL = Row(
    "error-log-level",
    TEXT,
    "notice",
    "T3",
    "Level of the error log.",
    support="harmless",
    scope="global",
    config_key="error-log-level",
    difference="Use `--log-level`.",
    example="warn",
)
ENABLE_SYSLOG = Row(
    "enable-syslog",
    BOOL,
    "false",
    "T3",
    "Logs go to syslog.",
    support="lost",
    scope="global",
    config_key="enable-syslog",
    difference="Lines go where `--access-log` says, standard output as a rule: have them collected there, or whoever "
    "watches the syslog server sees nothing any more.",
)
SYSLOG_HOST = Row(
    "syslog-host",
    TEXT,
    "",
    "T3",
    "Host of syslog.",
    support="harmless",
    difference="See enable-syslog.",
    scope="global",
    config_key="syslog-host",
    example="syslog.internal",
)
SYSLOG_PORT = Row(
    "syslog-port",
    NATURAL,
    "514",
    "T3",
    "Port of syslog.",
    support="harmless",
    difference="See enable-syslog.",
    scope="global",
    config_key="syslog-port",
)
GENERATE_REQUEST_ID = Row(
    "generate-request-id",
    BOOL,
    "true",
    "T2",
    "A request without X-Request-ID gets one.",
    support="differs",
    difference="A client's X-Request-ID counts only when it is well formed: 1 to 128 letters, digits and ._:/+=@-.",
    scope="global",
    config_key="generate-request-id",
    example="false",
)

ENABLE_OPENTELEMETRY = Row(
    "enable-opentelemetry",
    BOOL,
    "false",
    "T3",
    "A span for each request.",
    support="not yet",
    config_key="enable-opentelemetry",
)
OPENTELEMETRY_TRUST_INCOMING_SPAN = Row(
    "opentelemetry-trust-incoming-span",
    BOOL,
    "true",
    "T3",
    "The span is a child of the client's.",
    support="not yet",
    config_key="opentelemetry-trust-incoming-span",
    example="false",
)
OPENTELEMETRY_OPERATION_NAME = Row(
    "opentelemetry-operation-name",
    PLAIN,
    "",
    "T3",
    "Name of the span.",
    support="not yet",
    config_key="opentelemetry-operation-name",
    on_bad="freeze",
    risk="Medium",
    example="shop",
)
OPENTELEMETRY_CONFIG = Row(
    "opentelemetry-config",
    TEXT,
    "/etc/ingress-controller/telemetry/opentelemetry.toml",
    "T3",
    "Settings file of the module.",
    support="harmless",
    scope="global",
    config_key="opentelemetry-config",
    difference=_NO_TRACING,
)
OTLP_COLLECTOR_HOST = Row(
    "otlp-collector-host",
    TEXT,
    "",
    "T3",
    "Where spans go.",
    support="not yet",
    scope="global",
    config_key="otlp-collector-host",
    example="collector.observability",
)
OTLP_COLLECTOR_PORT = Row(
    "otlp-collector-port",
    NATURAL,
    "4317",
    "T3",
    "Its port.",
    support="not yet",
    scope="global",
    config_key="otlp-collector-port",
)
OTEL_SERVICE_NAME = Row(
    "otel-service-name",
    TEXT,
    "nginx",
    "T3",
    "Service name in spans.",
    support="not yet",
    scope="global",
    config_key="otel-service-name",
    example="ingress",
)
OTEL_SAMPLER = Row(
    "otel-sampler",
    TEXT,
    "AlwaysOn",
    "T3",
    "Which requests are traced.",
    support="not yet",
    scope="global",
    config_key="otel-sampler",
    example="TraceIdRatioBased",
)
OTEL_SAMPLER_RATIO = Row(
    "otel-sampler-ratio",
    FLOAT,
    "0.01",
    "T3",
    "Share of them.",
    support="not yet",
    scope="global",
    config_key="otel-sampler-ratio",
    example="0.1",
)
OTEL_SAMPLER_PARENT_BASED = Row(
    "otel-sampler-parent-based",
    BOOL,
    "true",
    "T3",
    "The client's choice counts first.",
    support="not yet",
    scope="global",
    config_key="otel-sampler-parent-based",
)
OTEL_MAX_QUEUESIZE = Row(
    "otel-max-queuesize",
    NATURAL,
    "2048",
    "T3",
    "Spans waiting to be sent.",
    support="harmless",
    scope="global",
    config_key="otel-max-queuesize",
    difference=_NO_TRACING,
)
OTEL_SCHEDULE_DELAY_MILLIS = Row(
    "otel-schedule-delay-millis",
    NATURAL,
    "5000",
    "T3",
    "How often they are sent.",
    support="harmless",
    scope="global",
    config_key="otel-schedule-delay-millis",
    difference=_NO_TRACING,
)
OTEL_MAX_EXPORT_BATCH_SIZE = Row(
    "otel-max-export-batch-size",
    NATURAL,
    "512",
    "T3",
    "How many at once.",
    support="harmless",
    scope="global",
    config_key="otel-max-export-batch-size",
    difference=_NO_TRACING,
)

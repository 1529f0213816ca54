"""What clients get: error pages, headers, mirrored requests."""

from ingressd.routing.annotations.kinds import (
    BOOL,
    ERROR_STATUSES,
    HEADER_NAMES,
    HOST,
    LIST,
    NATURAL,
    ON_OFF,
    QUALIFIED,
    SERVICE,
)
from ingressd.routing.annotations.row import Row

DEFAULT_BACKEND = Row(
    "default-backend",
    SERVICE,
    "",
    "T2",
    "Service that answers while the Ingress's own has no endpoints.",
    support="same",
    on_bad="freeze",
)
CUSTOM_HTTP_ERRORS = Row(
    "custom-http-errors",
    ERROR_STATUSES,
    "",
    "T2",
    "Upstream answers with these statuses come from the default backend.",
    support="differs",
    difference="Without any default backend errors are passed on; there a built-in 404 replaces them. An Ingress's "
    "default-backend answers for the ConfigMap's statuses too; there the controller's does.",
    config_key="custom-http-errors",
    on_bad="freeze",
)
DISABLE_PROXY_INTERCEPT_ERRORS = Row(
    "disable-proxy-intercept-errors",
    BOOL,
    "false",
    "T2",
    "Turns custom-http-errors off here.",
    support="same",
    config_key="disable-proxy-intercept-errors",
)
CUSTOM_HEADERS = Row(
    "custom-headers",
    QUALIFIED,
    "",
    "T2",
    "ConfigMap whose keys are set as response headers.",
    support="same",
    risk="Medium",
    example="default/response-headers",
)
GLOBAL_ALLOWED_RESPONSE_HEADERS = Row(
    "global-allowed-response-headers",
    HEADER_NAMES,
    "",
    "T2",
    "Headers that custom-headers may set; others answer 503.",
    support="same",
    scope="global",
    config_key="global-allowed-response-headers",
    example="X-Frame-Options,X-Team",
)
ADD_HEADERS = Row(
    "add-headers",
    QUALIFIED,
    "",
    "T2",
    "ConfigMap of headers added to every response.",
    support="differs",
    difference="Variables such as `$req_id` are not filled in.",
    scope="global",
    config_key="add-headers",
    example="ingress/response-headers",
)
HIDE_HEADERS = Row(
    "hide-headers",
    LIST,
    "",
    "T3",
    "Upstream headers that clients do not get.",
    support="same",
    scope="global",
    config_key="hide-headers",
    example="X-Powered-By",
)
SERVER_TOKENS = Row(
    "server-tokens",
    BOOL,
    "false",
    "T3",
    "A Server header that names nginx.",
    support="harmless",
    scope="global",
    config_key="server-tokens",
    difference="We never send a Server header of our own.",
)
ALLOW_BACKEND_SERVER_HEADER = Row(
    "allow-backend-server-header",
    BOOL,
    "false",
    "T3",
    "The upstream's Server header is passed on.",
    support="same",
    scope="global",
    config_key="allow-backend-server-header",
)
HSTS = Row(
    "hsts",
    BOOL,
    "true",
    "T1",
    "Strict-Transport-Security on every HTTPS response.",
    support="same",
    scope="global",
    config_key="hsts",
    example="false",
)
HSTS_MAX_AGE = Row(
    "hsts-max-age",
    NATURAL,
    "31536000",
    "T2",
    "Its max-age, in seconds.",
    support="same",
    scope="global",
    config_key="hsts-max-age",
    example="15724800",
)
HSTS_INCLUDE_SUBDOMAINS = Row(
    "hsts-include-subdomains",
    BOOL,
    "true",
    "T2",
    "It holds for all names below.",
    support="same",
    scope="global",
    config_key="hsts-include-subdomains",
    example="false",
)
HSTS_PRELOAD = Row(
    "hsts-preload",
    BOOL,
    "false",
    "T2",
    "It says preload.",
    support="same",
    scope="global",
    config_key="hsts-preload",
)
MIRROR_TARGET = Row(
    "mirror-target",
    HOST,
    "",
    "T3",
    "A copy of each request goes there; its answer is dropped.",
    support="differs",
    difference="A slow mirror slows nobody: it gets fewer copies then. Requests with more than 64 KiB of body are not "
    "copied, unless mirror-request-body is off.",
    risk="High",
    example="https://test.example.com$request_uri",
)
MIRROR_REQUEST_BODY = Row(
    "mirror-request-body",
    ON_OFF,
    "on",
    "T3",
    "The copy has the body.",
    support="same",
    example="off",
)
MIRROR_HOST = Row(
    "mirror-host",
    HOST,
    "",
    "T3",
    "Host header of the copy; else the target's.",
    support="same",
    risk="High",
    example="test.example.com",
)

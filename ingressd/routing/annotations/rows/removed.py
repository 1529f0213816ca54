"""Annotations that ingress-nginx itself had dropped, and that manifests still carry."""

from ingressd.routing.annotations.kinds import TEXT
from ingressd.routing.annotations.row import Row, Support

_TRACING = "Use enable-opentelemetry."
_PASSIVE = "Passive health checks were removed; proxy-next-upstream tries another endpoint."


def _removed(name: str, about: str, difference: str, support: Support = "harmless", example: str = "true") -> Row[str]:
    return Row(name, TEXT, "", "X", about, support=support, difference=difference, example=example, is_removed=True)


SECURE_BACKENDS = _removed(
    "secure-backends",
    "HTTPS to the pods.",
    "Use `backend-protocol: HTTPS`; the pods are asked over plain HTTP.",
    "lost",
)
GRPC_BACKEND = _removed("grpc-backend", "gRPC to the pods.", "Use `backend-protocol: GRPC`.")
ADD_BASE_URL = _removed("add-base-url", "A base element in HTML.", "Set it in the application.")
BASE_URL_SCHEME = _removed("base-url-scheme", "Scheme of that element.", "Set it in the application.", example="https")
SESSION_COOKIE_HASH = _removed(
    "session-cookie-hash", "Hash of the cookie's value.", "The value is random; remove it.", example="sha1"
)
GLOBAL_RATE_LIMIT = _removed(
    "global-rate-limit",
    "Requests of all replicas together.",
    "Use limit-rps or limit-rpm, for each replica.",
    "lost",
    "100",
)
GLOBAL_RATE_LIMIT_WINDOW = _removed(
    "global-rate-limit-window", "Window of it.", "Use limit-rps or limit-rpm, for each replica.", example="1m"
)
GLOBAL_RATE_LIMIT_KEY = _removed(
    "global-rate-limit-key", "What it counts by.", "Limits count by client address.", example="${remote_addr}"
)
GLOBAL_RATE_LIMIT_IGNORED_CIDRS = _removed(
    "global-rate-limit-ignored-cidrs", "Clients without it.", "Use limit-allowlist.", example="10.0.0.0/8"
)
ENABLE_OPENTRACING = _removed("enable-opentracing", "A span for each request.", _TRACING)
OPENTRACING_TRUST_INCOMING_SPAN = _removed(
    "opentracing-trust-incoming-span", "It is a child of the client's.", _TRACING
)
ENABLE_INFLUXDB = _removed("enable-influxdb", "Figures for InfluxDB.", "Use `/metrics`.")
PROXY_MAX_BODY_SIZE = _removed(
    "proxy-max-body-size", "A misspelling that never worked.", "Use proxy-body-size.", example="8m"
)
ENABLE_LUA_RESTY_WAF = _removed(
    "enable-lua-resty-waf", "An older WAF.", "Put a WAF in front, or ask one by auth-url.", "lost"
)
LUA_RESTY_WAF = _removed(
    "lua-resty-waf", "An older WAF.", "Put a WAF in front, or ask one by auth-url.", "lost", "active"
)
UPSTREAM_FAIL_TIMEOUT = _removed("upstream-fail-timeout", "How long an endpoint is avoided.", _PASSIVE, example="30")
UPSTREAM_MAX_FAILS = _removed("upstream-max-fails", "After how many failures.", _PASSIVE, example="3")

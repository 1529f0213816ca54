"""ConfigMap keys that tune nginx itself. They are read so that nobody has to remove them, and do nothing here."""

from ingressd.routing.annotations.kinds import BOOL, NATURAL, NETWORKS, SECONDS, SIZE, TEXT, TIME
from ingressd.routing.annotations.row import Kind, Row, T_co

_NGINX = "There is no nginx to tune."
_STREAMS = "TCP and UDP services are not proxied."
_TRACER = "This tracer left ingress-nginx before its end."


def _unused(
    name: str, kind: Kind[T_co], default: str, about: str, difference: str = _NGINX, example: str = ""
) -> Row[T_co]:
    return Row(
        name,
        kind,
        default,
        "X",
        about,
        support="harmless",
        difference=difference,
        example=example,
        scope="global",
        config_key=name,
    )


ENABLE_SERIAL_RELOADS = _unused(
    "enable-serial-reloads", BOOL, "false", "One reload at a time.", "Nothing reloads: changes swap in place."
)
GRPC_BUFFER_SIZE_KB = _unused(
    "grpc-buffer-size-kb", NATURAL, "0", "Buffer for gRPC answers.", "Memory is sized by back-pressure.", "16"
)
DEBUG_CONNECTIONS = _unused(
    "debug-connections", NETWORKS, "", "Clients whose requests are logged in detail.", "Use `ingressd explain`."
)
WORKER_CPU_AFFINITY = _unused("worker-cpu-affinity", TEXT, "", "CPUs of each process.", example="auto")
MAX_WORKER_CONNECTIONS = _unused(
    "max-worker-connections", NATURAL, "16384", "Connections of each process.", "The descriptor limit is what counts."
)
MAX_WORKER_OPEN_FILES = _unused(
    "max-worker-open-files", NATURAL, "0", "Descriptors of each process.", "Raised to what the system allows."
)
ENABLE_MULTI_ACCEPT = _unused("enable-multi-accept", BOOL, "true", "Accepts all waiting connections at once.")
REUSE_PORT = _unused("reuse-port", BOOL, "true", "One listening socket for each process.")
ENABLE_AIO_WRITE = _unused("enable-aio-write", BOOL, "true", "Files are written in threads.")
MAP_HASH_BUCKET_SIZE = _unused("map-hash-bucket-size", NATURAL, "64", "A table of nginx.")
SERVER_NAME_HASH_MAX_SIZE = _unused("server-name-hash-max-size", NATURAL, "1024", "A table of nginx.")
SERVER_NAME_HASH_BUCKET_SIZE = _unused("server-name-hash-bucket-size", NATURAL, "64", "A table of nginx.")
PROXY_HEADERS_HASH_MAX_SIZE = _unused("proxy-headers-hash-max-size", NATURAL, "512", "A table of nginx.")
PROXY_HEADERS_HASH_BUCKET_SIZE = _unused("proxy-headers-hash-bucket-size", NATURAL, "64", "A table of nginx.")
VARIABLES_HASH_MAX_SIZE = _unused("variables-hash-max-size", NATURAL, "2048", "A table of nginx.")
VARIABLES_HASH_BUCKET_SIZE = _unused("variables-hash-bucket-size", NATURAL, "256", "A table of nginx.")
HTTP2_MAX_FIELD_SIZE = _unused("http2-max-field-size", SIZE, "", "A limit that nginx itself has dropped.")
HTTP2_MAX_HEADER_SIZE = _unused("http2-max-header-size", SIZE, "", "A limit that nginx itself has dropped.")
HTTP2_MAX_REQUESTS = _unused("http2-max-requests", NATURAL, "0", "A limit that nginx itself has dropped.")
LUA_SHARED_DICTS = _unused(
    "lua-shared-dicts", TEXT, "", "Memory of Lua modules.", "There is no Lua.", "certificate_data: 20"
)
NGINX_STATUS_IPV4_WHITELIST = _unused(
    "nginx-status-ipv4-whitelist", NETWORKS, "127.0.0.1", "Who may read nginx's status page.", "Use `/api/status`."
)
NGINX_STATUS_IPV6_WHITELIST = _unused(
    "nginx-status-ipv6-whitelist", NETWORKS, "::1", "Who may read nginx's status page.", "Use `/api/status`."
)
GEOIP2_AUTORELOAD_IN_MINUTES = _unused(
    "geoip2-autoreload-in-minutes", NATURAL, "0", "How often GeoIP files are read.", "There is no GeoIP."
)
USE_GEOIP = _unused("use-geoip", BOOL, "true", "The older GeoIP module.", "There is no GeoIP.")
LOG_FORMAT_STREAM = _unused(
    "log-format-stream",
    TEXT,
    "[$remote_addr] [$time_local] $protocol $status $bytes_sent $bytes_received $session_time",
    "A log line of TCP services.",
    _STREAMS,
)
STREAM_ACCESS_LOG_PATH = _unused("stream-access-log-path", TEXT, "", "File of that log.", _STREAMS, "/dev/stdout")
DISABLE_STREAM_ACCESS_LOG = _unused("disable-stream-access-log", BOOL, "false", "No log of TCP services.", _STREAMS)
PROXY_STREAM_TIMEOUT = _unused("proxy-stream-timeout", TIME, "600s", "Idle time of TCP services.", _STREAMS)
PROXY_STREAM_NEXT_UPSTREAM = _unused("proxy-stream-next-upstream", BOOL, "true", "TCP services try again.", _STREAMS)
PROXY_STREAM_NEXT_UPSTREAM_TIMEOUT = _unused(
    "proxy-stream-next-upstream-timeout", TIME, "600s", "For how long.", _STREAMS
)
PROXY_STREAM_NEXT_UPSTREAM_TRIES = _unused("proxy-stream-next-upstream-tries", NATURAL, "3", "How often.", _STREAMS)
PROXY_STREAM_RESPONSES = _unused("proxy-stream-responses", NATURAL, "1", "Datagrams expected back.", _STREAMS)
ENABLE_OPENTRACING = _unused("enable-opentracing", BOOL, "false", "OpenTracing.", _TRACER)
JAEGER_COLLECTOR_HOST = _unused("jaeger-collector-host", TEXT, "", "Jaeger.", _TRACER, "jaeger.internal")
JAEGER_COLLECTOR_PORT = _unused("jaeger-collector-port", NATURAL, "6831", "Jaeger.", _TRACER)
JAEGER_ENDPOINT = _unused("jaeger-endpoint", TEXT, "", "Jaeger.", _TRACER, "http://jaeger:14268/api/traces")
JAEGER_SERVICE_NAME = _unused("jaeger-service-name", TEXT, "nginx", "Jaeger.", _TRACER)
JAEGER_SAMPLER_TYPE = _unused("jaeger-sampler-type", TEXT, "const", "Jaeger.", _TRACER)
JAEGER_SAMPLER_PARAM = _unused("jaeger-sampler-param", TEXT, "1", "Jaeger.", _TRACER)
ZIPKIN_COLLECTOR_HOST = _unused("zipkin-collector-host", TEXT, "", "Zipkin.", _TRACER, "zipkin.internal")
DATADOG_COLLECTOR_HOST = _unused("datadog-collector-host", TEXT, "", "Datadog.", _TRACER, "datadog.internal")
ENABLE_INFLUXDB = _unused("enable-influxdb", BOOL, "false", "InfluxDB.", "Use `/metrics`.")
PLUGINS = _unused("plugins", TEXT, "", "Lua plug-ins.", "There is no Lua.", "hello_world")
UPSTREAM_FAIL_TIMEOUT = _unused("upstream-fail-timeout", SECONDS, "0", "Left ingress-nginx long ago.")
UPSTREAM_MAX_FAILS = _unused("upstream-max-fails", NATURAL, "0", "Left ingress-nginx long ago.")

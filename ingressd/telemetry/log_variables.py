"""What nginx's variables are in a line of the access log, for those who keep their log format."""

import re
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final

from msgspec import Struct

Value = str | None
"""Latin-1: one character for one byte. None: there is none, which differs from an empty one."""


class LogFacts(Struct, gc=False, kw_only=True):
    """One exchange that ended: what ``AccessLog.record`` gets, and what only a format of its own asks for.

    Bytes are as received. ``lines`` and ``answer_lines`` are the client's and the answer's end-to-end field lines.
    ``upstream_s`` and the two times before it are seconds, below 0 where there was no upstream. ``extra`` holds any
    other variable by its name; it goes before what is worked out here.
    """

    time: float  # seconds since the epoch, when the answer ended
    client: str
    method: bytes
    target: str
    minor: int
    status: int
    request_id: bytes = b""
    host_field: bytes = b""
    host: str = ""
    lines: bytes = b""
    answer_lines: bytes = b""
    agent: bytes = b""
    referer: bytes = b""
    head_bytes: int = 0  # of the request
    bytes_in: int = 0  # of its body
    head_bytes_out: int = 0
    bytes_out: int = 0  # of the answer's body
    duration_s: float = 0.0
    upstream: str | None = None
    upstream_status: int = 0
    upstream_bytes: int = -1
    upstream_connect_s: float = -1.0
    upstream_header_s: float = -1.0
    upstream_s: float = -1.0
    upstream_name: str = ""
    alternative_name: str = ""
    namespace: str = ""
    ingress: str = ""
    service: str = ""
    service_port: str = ""
    route: str = ""
    scheme: bytes = b"http"  # of the connection
    told_scheme: bytes = b""  # what a trusted proxy in front said, if any
    port: bytes = b""
    tls: str | None = None
    extra: Mapping[str, str] = {}


Getter = Callable[[LogFacts], Value]

_BASIC = re.compile(rb"^authorization: ?basic +([A-Za-z0-9+/=]{1,1024})\r\n", re.IGNORECASE | re.MULTILINE)
HIDDEN: Final = frozenset({"authorization", "proxy-authorization", "cookie", "set-cookie"})
"""Fields that no line ever holds, whatever the format: they are passwords and sessions."""


class _Clock:
    """The current second as text: most lines of a second share it."""

    __slots__ = ("_iso", "_local", "_second")

    def __init__(self) -> None:
        self._second = -1
        self._local = self._iso = ""

    def _tell(self, time: float) -> None:
        second = int(time)
        if second != self._second:
            self._second = second
            at = datetime.fromtimestamp(second, UTC)
            # Not %b: a month's name must not depend on the locale.
            self._local = f"{at.day:02d}/{_MONTHS[at.month - 1]}/{at:%Y:%H:%M:%S} +0000"
            self._iso = f"{at:%Y-%m-%dT%H:%M:%S}+00:00"

    def local(self, facts: LogFacts) -> str:
        self._tell(facts.time)
        return self._local

    def iso(self, facts: LogFacts) -> str:
        self._tell(facts.time)
        return self._iso


_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_clock = _Clock()


def _text(value: bytes) -> Value:
    return value.decode("latin-1") if value else None


def _upstream_seconds(name: str) -> Getter:
    def value(facts: LogFacts) -> str:
        seconds: float = getattr(facts, name)
        return f"{seconds:.3f}" if seconds >= 0.0 and facts.upstream is not None else "-"

    return value


def _remote_user(facts: LogFacts) -> Value:
    """The name in Basic credentials, verified or not, as in nginx; never the password."""
    found = _BASIC.search(facts.lines)
    if found is None:
        return None
    try:
        name, colon, _ = b64decode(found.group(1), validate=True).partition(b":")
    except Base64Error:
        return None
    return _text(name) if colon else None


def _upstream_length(facts: LogFacts) -> str:
    if facts.upstream is None:
        return "-"
    return str(facts.upstream_bytes if facts.upstream_bytes >= 0 else facts.bytes_out)


# Values that hold nothing a client chose freely, and always are there.
SAFE: Final[dict[str, Getter]] = {
    "body_bytes_sent": lambda facts: str(facts.bytes_out),
    "bytes_sent": lambda facts: str(facts.head_bytes_out + facts.bytes_out),
    "msec": lambda facts: f"{facts.time:.3f}",
    "pipe": lambda facts: ".",
    "request_completion": lambda facts: "OK" if facts.status != 499 else "",
    "request_length": lambda facts: str(facts.head_bytes + facts.bytes_in),
    "request_time": lambda facts: f"{facts.duration_s:.3f}",
    "status": lambda facts: str(facts.status),
    "time_iso8601": _clock.iso,
    "time_local": _clock.local,
    "upstream_connect_time": _upstream_seconds("upstream_connect_s"),
    "upstream_header_time": _upstream_seconds("upstream_header_s"),
    "upstream_response_length": _upstream_length,
    "upstream_response_time": _upstream_seconds("upstream_s"),
    "upstream_status": lambda facts: "-" if facts.upstream is None else str(facts.upstream_status or facts.status),
    "upstream_bytes_received": _upstream_length,
    "server_protocol": lambda facts: "HTTP/1.1" if facts.minor else "HTTP/1.0",
    "scheme": lambda facts: facts.scheme.decode("latin-1"),
    "https": lambda facts: "on" if facts.tls else "",
}

_REQUEST = " HTTP/1.0", " HTTP/1.1"


def _query(facts: LogFacts) -> str:
    return facts.target.partition("?")[2]


FREE: Final[dict[str, Getter]] = {
    "args": _query,
    "query_string": _query,
    "is_args": lambda facts: "?" if _query(facts) else "",
    "document_uri": lambda facts: facts.target.partition("?")[0],
    "uri": lambda facts: facts.target.partition("?")[0],
    "request_uri": lambda facts: facts.target,
    "request": lambda facts: facts.method.decode("latin-1") + " " + facts.target + _REQUEST[facts.minor != 0],
    "request_method": lambda facts: facts.method.decode("latin-1"),
    "request_id": lambda facts: _text(facts.request_id),
    "req_id": lambda facts: facts.request_id.decode("latin-1"),  # a map of nginx's: empty, never missing
    "remote_addr": lambda facts: facts.client,
    "the_real_ip": lambda facts: facts.client,
    "realip_remote_addr": lambda facts: facts.client,
    "proxy_add_x_forwarded_for": lambda facts: facts.client,
    "proxy_protocol_addr": lambda facts: None,
    "remote_user": _remote_user,
    "host": lambda facts: facts.host,
    "server_name": lambda facts: facts.host,
    "best_http_host": lambda facts: _text(facts.host_field),
    "http_host": lambda facts: _text(facts.host_field),
    "http_user_agent": lambda facts: _text(facts.agent),
    "http_referer": lambda facts: _text(facts.referer),
    "pass_access_scheme": lambda facts: (facts.told_scheme or facts.scheme).decode("latin-1"),
    "pass_port": lambda facts: _text(facts.port),
    "pass_server_port": lambda facts: _text(facts.port),
    "server_port": lambda facts: _text(facts.port),
    "upstream_addr": lambda facts: facts.upstream,
    "proxy_upstream_name": lambda facts: facts.upstream_name,
    "proxy_host": lambda facts: facts.upstream_name,
    "proxy_alternative_upstream_name": lambda facts: facts.alternative_name,
    "namespace": lambda facts: facts.namespace,
    "ingress_name": lambda facts: facts.ingress,
    "service_name": lambda facts: facts.service,
    "service_port": lambda facts: facts.service_port,
    "location_path": lambda facts: facts.route,
    "ssl_protocol": lambda facts: facts.tls,
}

# What only whoever makes the facts can know, in ``extra``; "-" where it does not.
GIVEN: Final = frozenset(
    {
        "connection",
        "connection_requests",
        "full_x_forwarded_for",
        "hostname",
        "nginx_version",
        "opentelemetry_span_id",
        "opentelemetry_trace_id",
        "pid",
        "proxy_protocol_port",
        "proxy_protocol_server_addr",
        "proxy_protocol_server_port",
        "remote_port",
        "server_addr",
        "ssl_cipher",
        "ssl_client_fingerprint",
        "ssl_client_i_dn",
        "ssl_client_s_dn",
        "ssl_client_serial",
        "ssl_client_verify",
        "ssl_server_name",
        "ssl_session_reused",
        "tcpinfo_rtt",
        "upstream_bytes_sent",
        "upstream_cache_status",
        "geoip2_city",
        "geoip2_country_code",
    }
)


def field_getter(variable: str) -> Getter | None:
    """The getter of a variable that names a field, a cookie or an argument; None: it names none."""
    for prefix, make in _PREFIXES:
        if variable.startswith(prefix) and len(variable) > len(prefix):
            return make(variable[len(prefix) :])
    return None


def _of_lines(attribute: str) -> Callable[[str], Getter]:
    def make(name: str) -> Getter:
        field = name.lower().replace("_", "-")
        if field in HIDDEN:
            return lambda facts: "(hidden)"
        either = re.escape(field.encode()).replace(rb"\-", b"[-_]")
        wanted = re.compile(rb"^%b: ?([^\r\n]*)\r\n" % either, re.IGNORECASE | re.MULTILINE)

        def value(facts: LogFacts) -> Value:
            found: list[bytes] = wanted.findall(getattr(facts, attribute))
            return b", ".join(found).decode("latin-1") if found else None

        return value

    return make


def _cookie(name: str) -> Getter:
    wanted = re.compile(
        rb"^cookie: ?(?:[^\r\n]*;)?[ ]*%b=([^;\r\n]*)" % re.escape(name.encode()), re.IGNORECASE | re.MULTILINE
    )

    def value(facts: LogFacts) -> Value:
        found = wanted.search(facts.lines)
        return found.group(1).decode("latin-1") if found else None

    return value


def _argument(name: str) -> Getter:
    wanted = re.compile(rf"[?&]{re.escape(name)}=([^&]*)", re.IGNORECASE)

    def value(facts: LogFacts) -> Value:
        found = wanted.search(facts.target)
        return found.group(1) if found else None

    return value


_PREFIXES: Final[tuple[tuple[str, Callable[[str], Getter]], ...]] = (
    ("upstream_http_", _of_lines("answer_lines")),
    ("sent_http_", _of_lines("answer_lines")),
    ("http_", _of_lines("lines")),
    ("cookie_", _cookie),
    ("arg_", _argument),
)

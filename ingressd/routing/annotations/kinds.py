"""The types of values, by name: what a row is made with."""

from ingressd.routing.annotations import texts, values
from ingressd.routing.annotations.row import Kind
from ingressd.routing.annotations.texts import Respond, spelled
from ingressd.routing.annotations.values import CacheRule

BOOL: Kind[bool] = Kind("bool", values.boolean, False, "true")
ON_OFF: Kind[bool] = Kind("on or off", values.on_off, False, "on")
INT: Kind[int] = Kind("int", values.integer, 0, "10")
NATURAL: Kind[int] = Kind("int, 0 or more", values.natural, 0, "10")
OPTIONAL_INT: Kind[int | None] = Kind("int", values.integer, None, "3600")
SECONDS: Kind[int] = Kind("seconds", values.natural, 0, "30")
FLOAT: Kind[float] = Kind("number", values.fraction, 0.0, "0.01")
SIZE: Kind[int] = Kind("size", values.size, 0, "8m")
OPTIONAL_SIZE: Kind[int | None] = Kind("size", values.size, None, "16k")
BUFFERS: Kind[tuple[int, int]] = Kind("count and size", values.sizes, (0, 0), "4 16k")
TIME: Kind[float] = Kind("time", values.nginx_time, 0.0, "90s")
GO_DURATION: Kind[float] = Kind("Go duration", values.go_duration, 0.0, "5s")
STATUS: Kind[int] = Kind("status, 400 to 599", values.between(400, 599), 503, "429")
HTTPS_REDIRECT_STATUS: Kind[int] = Kind("301, 302, 307 or 308", values.number_among(301, 302, 307, 308), 308, "301")
PERMANENT_STATUS: Kind[int] = Kind("status, 300 to 308", values.between(300, 308, "default"), 301, "308")
TEMPORAL_STATUS: Kind[int] = Kind("status, 300 to 307", values.between(300, 307, "default"), 302, "307")
ERROR_STATUSES: Kind[tuple[int, ...]] = Kind("statuses", values.error_statuses, (), "404,503", is_list=True)
CACHE_RULES: Kind[tuple[CacheRule, ...]] = Kind("statuses and time", values.cache_rules, (), "200 202 401 5m")

TEXT: Kind[str] = Kind("text", texts.text, "", "value")
SNIPPET: Kind[str] = Kind("nginx configuration", texts.any_text, "", "more_set_headers …;")
PLAIN: Kind[str] = Kind("name", spelled(texts.PLAIN, "letters, digits and -._~/:"), "", "name")
WORDS: Kind[str] = Kind(
    "plain text", spelled(texts.WORDS, "letters, digits, spaces and -._~/:", spaces=False), "", "Members only"
)
PATH: Kind[str] = Kind(
    "path, may hold `$1`…`$9`",
    spelled(texts.PATH_WITH_CAPTURES, "a path such as /new/$1", spaces=False),
    "",
    "/$2",
)
ABSOLUTE_PATH: Kind[str] = Kind("absolute path", texts.app_root, "", "/app")
URL: Kind[str] = Kind(
    "URL", spelled(texts.URL, "a URL of letters, digits and -._~/:,?&="), "", "https://www.example.com"
)
REDIRECT_URL: Kind[str] = Kind(
    "URL",
    spelled(texts.URL, "a URL of letters, digits and -._~/:,?&=", spaces=False),
    "",
    "https://www.example.com",
)
HTTP_URL: Kind[str] = Kind("URL", texts.http_url, "", "https://www.example.com")
SERVICE_URL: Kind[str] = Kind(
    "URL, may hold variables", texts.url(texts.URL_WITH_VARIABLES, "deny"), "", "https://auth.example.com/check"
)
URL_WITH_VARIABLES: Kind[str] = Kind(
    "URL, may hold variables",
    spelled(texts.URL_WITH_VARIABLES, "a URL of letters, digits and -._~/:,?&=$"),
    "",
    "https://auth.example.com/start",
)
VARIABLES: Kind[str] = Kind(
    "text with variables",
    spelled(texts.VARIABLES, "letters, digits and variables such as $request_uri"),
    "",
    "$remote_addr",
)
EXPRESSION: Kind[str] = Kind(
    "expression",
    spelled(texts.EXPRESSION, "a regular expression without quotes and spaces", spaces=False),
    "",
    "^eu-.*$",
)
HOST: Kind[str] = Kind(
    "host", spelled(texts.EXPRESSION, "a host name such as a.example.com", spaces=False), "", "a.example.com"
)
SERVER_NAMES: Kind[tuple[str, ...]] = Kind("names", texts.server_names, (), "www.example.com,*.example.org")
SERVICE: Kind[str] = Kind(
    "Service name", spelled(texts.SERVICE_NAME, "the name of a Service in this namespace", spaces=False), "", "errors"
)
METHOD: Kind[str] = Kind(
    "HTTP method",
    values.one_of("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "OPTIONS", "TRACE"),
    "",
    "POST",
)
REFERENCE: Kind[str] = Kind("name or namespace/name", spelled(texts.PLAIN, "a name, or namespace/name"), "", "users")
QUALIFIED: Kind[str] = Kind("namespace/name", spelled(texts.PLAIN, "namespace/name"), "", "default/ca")
HEADER_NAMES: Kind[tuple[str, ...]] = Kind("header names", texts.header_names, (), "X-User,X-Email", is_list=True)
HEADER_LIST: Kind[str] = Kind(
    "header names", spelled(texts.HEADER_LIST, "a list such as X-One,X-Two"), "", "X-One,X-Two"
)
METHOD_LIST: Kind[str] = Kind(
    "methods", spelled(texts.METHOD_LIST, "a list such as GET, POST", spaces=False), "", "GET, POST"
)
EXPOSED_LIST: Kind[str] = Kind(
    "header names or `*`",
    spelled(texts.EXPOSED_LIST, "a list such as X-One, X-Two, or *", spaces=False),
    "",
    "X-One, X-Two",
)
ORIGINS: Kind[tuple[str, ...]] = Kind("origins", texts.origins, (), "https://*.example.com")
NETWORKS: Kind[tuple[str, ...]] = Kind(
    "addresses and networks", texts.networks, (), "10.0.0.0/8,2001:db8::1", is_list=True
)
LIST: Kind[tuple[str, ...]] = Kind("list", texts.items, (), "one,two", is_list=True)
UPSTREAM_CONDITIONS: Kind[tuple[str, ...]] = Kind("words", texts.upstream_conditions, (), "error timeout http_502")
PAIR: Kind[tuple[str, str] | None] = Kind("off, or from and to", texts.pair, None, "backend.internal www.example.com")
CIPHERS: Kind[str] = Kind("OpenSSL cipher list", spelled(texts.CIPHERS, "an OpenSSL cipher list"), "", "ECDHE+AESGCM")
UPSTREAM_CIPHERS: Kind[str] = Kind(
    "OpenSSL cipher list", spelled(texts.UPSTREAM_CIPHERS, "an OpenSSL cipher list"), "", "ECDHE+AESGCM"
)
TLS_VERSIONS: Kind[tuple[str, ...]] = Kind("TLS versions", texts.protocols, (), "TLSv1.3")
CURVES: Kind[str] = Kind("auto or curves", texts.curves, "", "X25519:prime256v1")
ERROR_PAGE: Kind[str] = Kind(
    "URL", spelled(texts.ERROR_PAGE, "a URL such as https://a.com/no-cert"), "", "https://a.com/no-cert"
)
COMMON_NAME: Kind[str] = Kind("`CN=` and an expression", texts.common_name, "", "CN=^client$")
BLOCKED: Kind[tuple[str, ...]] = Kind(
    "names, or `~` and an expression", texts.listed_expressions, (), "~*badbot", is_list=True
)
EXPRESSIONS: Kind[tuple[str, ...]] = Kind("expressions, one on a line", texts.expressions, (), "(?i)badbot")
HEADER_LINES: Kind[tuple[tuple[str, str], ...]] = Kind(
    "`Name: value`, one on a line", texts.header_lines, (), "X-Frame-Options: DENY"
)
REMOVED_NAMES: Kind[tuple[str, ...]] = Kind("header names", texts.removable_names, (), "X-Powered-By")
RESPOND: Kind[Respond | None] = Kind("status and text or URL", texts.respond, None, "403 closed")


def choice(*words: str, fold: bool = False, default: str = "") -> Kind[str]:
    """One of the words. ``fold``: in any case. ``default`` is the value of a row without one."""
    return Kind(" or ".join(f"`{word}`" for word in words), values.one_of(*words, fold=fold), default, words[-1])

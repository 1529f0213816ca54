"""What is nginx and nothing else: its configuration language, its WAF, FastCGI. Read, and never executed."""

from ingressd.routing.annotations.kinds import BOOL, PLAIN, QUALIFIED, SNIPPET, VARIABLES
from ingressd.routing.annotations.row import Row

_SNIPPET = "Never executed. `ingressd check` names the typed annotations that do the same, where there are some."
_GLOBAL_SNIPPET = "Never executed: see which of its lines have a key of their own."
_WAF = "There is no WAF inside: put one in front, or ask one by auth-url."
_FASTCGI = "FastCGI is not spoken: put an HTTP server in front of it in the pod."

CONFIGURATION_SNIPPET = Row(
    "configuration-snippet",
    SNIPPET,
    "",
    "X",
    "nginx configuration for the location.",
    support="lost",
    risk="Critical",
    difference=_SNIPPET,
    example='more_set_headers "X-Frame-Options: DENY";',
)
SERVER_SNIPPET = Row(
    "server-snippet",
    SNIPPET,
    "",
    "X",
    "nginx configuration for the host.",
    support="lost",
    scope="host",
    risk="Critical",
    difference=_SNIPPET,
    example="add_header X-Team shop;",
)
AUTH_SNIPPET = Row(
    "auth-snippet",
    SNIPPET,
    "",
    "X",
    "nginx configuration for the question to the auth service.",
    support="lost",
    risk="Critical",
    difference=_SNIPPET,
    example="proxy_set_header X-Source ingress;",
)
STREAM_SNIPPET = Row(
    "stream-snippet",
    SNIPPET,
    "",
    "X",
    "nginx configuration for TCP services.",
    support="lost",
    scope="host",
    risk="Critical",
    difference="TCP and UDP services are not proxied.",
    example="server { listen 8000; }",
)
MODSECURITY_SNIPPET = Row(
    "modsecurity-snippet",
    SNIPPET,
    "",
    "X",
    "Rules of the WAF.",
    support="lost",
    config_key="modsecurity-snippet",
    risk="Critical",
    difference=_WAF,
    example="SecRuleEngine On",
)
ENABLE_MODSECURITY = Row(
    "enable-modsecurity",
    BOOL,
    "false",
    "X",
    "The WAF.",
    support="lost",
    config_key="enable-modsecurity",
    difference=_WAF,
)
ENABLE_OWASP_CORE_RULES = Row(
    "enable-owasp-core-rules",
    BOOL,
    "false",
    "X",
    "Its core rules.",
    support="lost",
    config_key="enable-owasp-modsecurity-crs",
    difference=_WAF,
)
MODSECURITY_TRANSACTION_ID = Row(
    "modsecurity-transaction-id",
    VARIABLES,
    "",
    "X",
    "The id in its log.",
    support="harmless",
    risk="High",
    difference=_WAF,
    example="$request_id",
)
FASTCGI_INDEX = Row(
    "fastcgi-index",
    PLAIN,
    "",
    "X",
    "Script for paths that end in a slash.",
    support="lost",
    on_bad="freeze",
    risk="Medium",
    difference=_FASTCGI,
    example="index.php",
)
FASTCGI_PARAMS_CONFIGMAP = Row(
    "fastcgi-params-configmap",
    QUALIFIED,
    "",
    "X",
    "Parameters of the script.",
    support="lost",
    on_bad="freeze",
    risk="Medium",
    difference=_FASTCGI,
    example="default/fastcgi",
)
HTTP2_PUSH_PRELOAD = Row(
    "http2-push-preload",
    BOOL,
    "false",
    "X",
    "HTTP/2 push.",
    support="harmless",
    difference="Browsers have removed it.",
)
MAIN_SNIPPET = Row(
    "main-snippet",
    SNIPPET,
    "",
    "X",
    "nginx configuration at its top.",
    support="lost",
    scope="global",
    config_key="main-snippet",
    difference=_GLOBAL_SNIPPET,
)
HTTP_SNIPPET = Row(
    "http-snippet",
    SNIPPET,
    "",
    "X",
    "nginx configuration for all hosts.",
    support="lost",
    scope="global",
    config_key="http-snippet",
    difference=_GLOBAL_SNIPPET,
)
GLOBAL_SERVER_SNIPPET = Row(
    "server-snippet",
    SNIPPET,
    "",
    "X",
    "nginx configuration for each host.",
    support="lost",
    scope="global",
    config_key="server-snippet",
    difference=_GLOBAL_SNIPPET,
)
LOCATION_SNIPPET = Row(
    "location-snippet",
    SNIPPET,
    "",
    "X",
    "nginx configuration for each location.",
    support="lost",
    scope="global",
    config_key="location-snippet",
    difference=_GLOBAL_SNIPPET,
)
GLOBAL_STREAM_SNIPPET = Row(
    "stream-snippet",
    SNIPPET,
    "",
    "X",
    "nginx configuration for TCP services.",
    support="lost",
    scope="global",
    config_key="stream-snippet",
    difference=_GLOBAL_SNIPPET,
)

"""What a bad value of each annotation does, written down apart from the registry: all others use the default."""

FREEZE = frozenset(
    [
        "x-forwarded-prefix",
        "server-alias",
        "permanent-redirect",
        "permanent-redirect-code",
        "temporal-redirect",
        "temporal-redirect-code",
        "relative-redirects",
        "from-to-www-redirect",
        "client-body-buffer-size",
        "connection-proxy-header",
        "upstream-vhost",
        "load-balance",
        "upstream-hash-by",
        "upstream-hash-by-subset",
        "upstream-hash-by-subset-size",
        "default-backend",
        "custom-http-errors",
        "auth-type",
        "auth-secret-type",
        "auth-realm",
        "auth-url",
        "auth-request-redirect",
        "auth-always-set-cookie",
        "limit-rps",
        "limit-rpm",
        "limit-connections",
        "limit-allowlist",
        "ssl-ciphers",
        "auth-tls-secret",
        "auth-tls-error-page",
        "auth-tls-match-cn",
        "auth-tls-pass-certificate-to-upstream",
        "proxy-ssl-secret",
        "opentelemetry-operation-name",
        "fastcgi-index",
        "fastcgi-params-configmap",
        "regex-scope",
        "response-headers-set",
        "response-headers-remove",
    ]
)

DENY = frozenset(
    [
        "allowlist-source-range",
        "denylist-source-range",
        "auth-secret",
        "auth-method",
        "auth-response-headers",
        "auth-cache-duration",
        "auth-proxy-set-headers",
        "request-headers-set",
        "request-headers-remove",
        "respond",
        "deny-user-agents",
    ]
)

GUARDS = frozenset(
    [
        "whitelist-source-range",
        "denylist-source-range",
        "block-cidrs",
        "block-user-agents",
        "block-referers",
        "global-auth-url",
        "proxy-real-ip-cidr",
    ]
)
"""ConfigMap keys whose built-in default would open what was meant to be closed."""

BAD_TEXT = {
    "bool": "yes",
    "on or off": "true",
    "int": "10s",
    "int, 0 or more": "-1",
    "seconds": "5s",
    "number": "much",
    "size": "8mb",
    "count and size": "8k",
    "time": "soon",
    "Go duration": "5",
    "status, 400 to 599": "200",
    "301, 302, 307 or 308": "303",
    "status, 300 to 308": "three",
    "status, 300 to 307": "three",
    "statuses": "200,x",
    "statuses and time": "200 202 forever",
    "path, may hold `$1`…`$9`": "/new path;",
    "absolute path": "app",
    "text with variables": "$uri;",
    "expression": "a b",
    "host": "a b",
    "names": "a.example.com,b;c",
    "Service name": "Errors",
    "HTTP method": "FETCH",
    "header names": "X-One;X-Two",
    "methods": "GET;POST",
    "header names or `*`": "X-One;",
    "origins": "https://a.com/;",
    "addresses and networks": "10.0.0.0/33",
    "words": "error sometimes",
    "off, or from and to": "one",
    "OpenSSL cipher list": "ALL;",
    "TLS versions": "TLSv1",
    "`CN=` and an expression": "O=me",
    "names, or `~` and an expression": "~(",
    "expressions, one on a line": "(",
    "`Name: value`, one on a line": "Connection: close",
    "status and text or URL": "999",
}
"""A bad value by the name of the type; one of several words has ``no such word``, other texts ``a;b``."""

ANYTHING = frozenset({"nginx configuration", "list", "text"})
"""Types that hardly refuse anything; the texts among them that have a character set say so in their cases."""


def bad_text(kind_name: str) -> str:
    if kind_name in BAD_TEXT:
        return BAD_TEXT[kind_name]
    return "no such word" if kind_name.startswith("`") else "a;b"

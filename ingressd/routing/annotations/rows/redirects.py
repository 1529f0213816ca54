"""Redirects: to HTTPS, to another place, to the www sibling, and those of the upstream."""

from ingressd.routing.annotations.kinds import (
    BOOL,
    HTTP_URL,
    HTTPS_REDIRECT_STATUS,
    LIST,
    PERMANENT_STATUS,
    REDIRECT_URL,
    TEMPORAL_STATUS,
    URL,
)
from ingressd.routing.annotations.row import Row

SSL_REDIRECT = Row(
    "ssl-redirect",
    BOOL,
    "true",
    "T1",
    "Plain HTTP to a host with a certificate answers 308 to HTTPS.",
    support="differs",
    difference="A host has a certificate when a tls entry names it, or names no host at all; there any tls entry of an "
    "Ingress of the host counts.",
    config_key="ssl-redirect",
    example="false",
)
FORCE_SSL_REDIRECT = Row(
    "force-ssl-redirect",
    BOOL,
    "false",
    "T1",
    "The same for a host without one, where TLS ends in front of us.",
    support="same",
    config_key="force-ssl-redirect",
    risk="Medium",
)
PRESERVE_TRAILING_SLASH = Row(
    "preserve-trailing-slash",
    BOOL,
    "false",
    "T3",
    "The redirect to HTTPS keeps the URI's last slash.",
    support="same",
    config_key="preserve-trailing-slash",
    risk="Medium",
)
USE_PORT_IN_REDIRECTS = Row(
    "use-port-in-redirects",
    BOOL,
    "false",
    "T3",
    "The redirect to HTTPS names the port.",
    support="differs",
    difference="Redirects to a path (to its closing slash, or by permanent-redirect) name no port.",
    config_key="use-port-in-redirects",
)
HTTP_REDIRECT_CODE = Row(
    "http-redirect-code",
    HTTPS_REDIRECT_STATUS,
    "308",
    "T2",
    "Status of the redirect to HTTPS.",
    support="same",
    scope="global",
    config_key="http-redirect-code",
)
NO_TLS_REDIRECT_LOCATIONS = Row(
    "no-tls-redirect-locations",
    LIST,
    "/.well-known/acme-challenge",
    "T1",
    "Paths that begin so are never redirected to HTTPS: cert-manager's HTTP-01.",
    support="same",
    scope="global",
    config_key="no-tls-redirect-locations",
    example="/.well-known/acme-challenge,/health",
)
PERMANENT_REDIRECT = Row(
    "permanent-redirect",
    REDIRECT_URL,
    "",
    "T2",
    "Every request of these paths answers 301 to this URL.",
    support="same",
    on_bad="freeze",
    risk="Medium",
)
PERMANENT_REDIRECT_CODE = Row(
    "permanent-redirect-code",
    PERMANENT_STATUS,
    "301",
    "T3",
    "Status of permanent-redirect; outside 300 to 308 it is 301.",
    support="same",
    on_bad="freeze",
)
TEMPORAL_REDIRECT = Row(
    "temporal-redirect",
    HTTP_URL,
    "",
    "T2",
    "The same with 302; wins over permanent-redirect.",
    support="same",
    on_bad="freeze",
    risk="Medium",
)
TEMPORAL_REDIRECT_CODE = Row(
    "temporal-redirect-code",
    TEMPORAL_STATUS,
    "302",
    "T3",
    "Status of temporal-redirect; outside 300 to 307 it is 302.",
    support="same",
    on_bad="freeze",
)
RELATIVE_REDIRECTS = Row(
    "relative-redirects",
    BOOL,
    "false",
    "T3",
    "Our own redirects to a path stay relative.",
    support="same",
    config_key="relative-redirects",
    on_bad="freeze",
)
FROM_TO_WWW_REDIRECT = Row(
    "from-to-www-redirect",
    BOOL,
    "false",
    "T2",
    "The sibling host, with or without www., redirects here with 308.",
    support="same",
    scope="host",
    on_bad="freeze",
)
PROXY_REDIRECT_FROM = Row(
    "proxy-redirect-from",
    URL,
    "off",
    "T3",
    "Beginning of the upstream's Location and Refresh that is replaced.",
    support="differs",
    difference="Expressions (`~`) are not supported: Location is then passed on unchanged.",
    config_key="proxy-redirect-from",
    risk="Medium",
    example="http://backend.internal/",
)
PROXY_REDIRECT_TO = Row(
    "proxy-redirect-to",
    URL,
    "off",
    "T3",
    "What it is replaced by.",
    support="differs",
    difference="Expressions (`~`) are not supported.",
    config_key="proxy-redirect-to",
    risk="Medium",
    example="https://www.example.com/",
)

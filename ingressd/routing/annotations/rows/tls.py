"""TLS on both sides: client certificates, ciphers, pass-through, and certificates of backends."""

from ingressd.routing.annotations.kinds import (
    BOOL,
    CIPHERS,
    COMMON_NAME,
    ERROR_PAGE,
    HOST,
    INT,
    ON_OFF,
    QUALIFIED,
    TLS_VERSIONS,
    UPSTREAM_CIPHERS,
    choice,
)
from ingressd.routing.annotations.row import Row

_CIPHERS = (
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:"
    "DHE-RSA-AES256-GCM-SHA384:DHE-RSA-AES128-GCM-SHA256"
)

SSL_PASSTHROUGH = Row(
    "ssl-passthrough",
    BOOL,
    "false",
    "T2",
    "TLS goes to the Service as it is, by its server name.",
    support="same",
    scope="host",
)
SSL_CIPHERS = Row(
    "ssl-ciphers",
    CIPHERS,
    _CIPHERS,
    "T3",
    "Ciphers of TLS 1.2 for this host.",
    support="same",
    scope="host",
    config_key="ssl-ciphers",
    on_bad="freeze",
)
SSL_PREFER_SERVER_CIPHERS = Row(
    "ssl-prefer-server-ciphers",
    BOOL,
    "true",
    "T3",
    "Our order of ciphers counts, not the client's.",
    support="same",
    scope="host",
)
SSL_PROTOCOLS = Row(
    "ssl-protocols",
    TLS_VERSIONS,
    "TLSv1.2 TLSv1.3",
    "T2",
    "TLS versions offered to clients.",
    support="differs",
    difference="TLS 1.0 and 1.1 are never offered.",
    scope="global",
    config_key="ssl-protocols",
)
SSL_REJECT_HANDSHAKE = Row(
    "ssl-reject-handshake",
    BOOL,
    "false",
    "T3",
    "Clients that name an unknown host are refused in the handshake.",
    support="same",
    scope="global",
    config_key="ssl-reject-handshake",
)

AUTH_TLS_SECRET = Row(
    "auth-tls-secret",
    QUALIFIED,
    "",
    "T2",
    "Clients of the host need a certificate signed by this Secret's `ca.crt`.",
    support="differs",
    difference="Plain HTTP to such a host answers 400 where nothing redirects it; there it is served to everybody.",
    scope="host",
    on_bad="freeze",
    risk="Medium",
)
AUTH_TLS_VERIFY_CLIENT = Row(
    "auth-tls-verify-client",
    choice("on", "off", "optional", "optional_no_ca"),
    "on",
    "T2",
    "Whether a certificate is required, asked for, or passed on unchecked.",
    support="same",
    scope="host",
    risk="Medium",
    example="optional",
)
AUTH_TLS_VERIFY_DEPTH = Row(
    "auth-tls-verify-depth",
    INT,
    "1",
    "T3",
    "Longest chain.",
    support="same",
    scope="host",
    example="2",
)
AUTH_TLS_ERROR_PAGE = Row(
    "auth-tls-error-page",
    ERROR_PAGE,
    "",
    "T3",
    "Where clients without a good certificate are sent, instead of 400.",
    support="differs",
    difference="A named location (`@…`) is not known here: the answer is then 400.",
    scope="host",
    on_bad="freeze",
    risk="High",
)
AUTH_TLS_MATCH_CN = Row(
    "auth-tls-match-cn",
    COMMON_NAME,
    "",
    "T3",
    "Expression that the certificate's subject must match; else 403.",
    support="same",
    scope="host",
    on_bad="freeze",
    risk="High",
)
AUTH_TLS_PASS_CERTIFICATE_TO_UPSTREAM = Row(
    "auth-tls-pass-certificate-to-upstream",
    BOOL,
    "false",
    "T2",
    "The upstream gets the certificate in ssl-client-cert.",
    support="same",
    scope="host",
    on_bad="freeze",
)

PROXY_SSL_SECRET = Row(
    "proxy-ssl-secret",
    QUALIFIED,
    "",
    "T2",
    "Our certificate for HTTPS backends, and the `ca.crt` they are checked by.",
    support="same",
    scope="host",
    on_bad="freeze",
    risk="Medium",
    example="default/backend-tls",
)
PROXY_SSL_VERIFY = Row(
    "proxy-ssl-verify",
    ON_OFF,
    "off",
    "T2",
    "Certificates of backends are verified.",
    support="same",
    scope="host",
)
PROXY_SSL_VERIFY_DEPTH = Row(
    "proxy-ssl-verify-depth",
    INT,
    "1",
    "T3",
    "Longest chain.",
    support="same",
    scope="host",
    example="2",
)
PROXY_SSL_NAME = Row(
    "proxy-ssl-name",
    HOST,
    "",
    "T2",
    "Name that backends are verified by and asked for.",
    support="same",
    scope="host",
    risk="High",
    example="backend.internal",
)
PROXY_SSL_SERVER_NAME = Row(
    "proxy-ssl-server-name",
    ON_OFF,
    "off",
    "T2",
    "The server name is sent to backends.",
    support="same",
    scope="host",
)
PROXY_SSL_PROTOCOLS = Row(
    "proxy-ssl-protocols",
    TLS_VERSIONS,
    "TLSv1.2",
    "T3",
    "TLS versions towards backends.",
    support="same",
    scope="host",
    example="TLSv1.2 TLSv1.3",
)
PROXY_SSL_CIPHERS = Row(
    "proxy-ssl-ciphers",
    UPSTREAM_CIPHERS,
    "DEFAULT",
    "T3",
    "Ciphers towards backends.",
    support="same",
    scope="host",
    risk="Medium",
)
PROXY_SSL_LOCATION_ONLY = Row(
    "proxy-ssl-location-only",
    BOOL,
    "false",
    "T3",
    "proxy-ssl-* hold for an Ingress's paths, not for the host.",
    support="same",
    scope="global",
    config_key="proxy-ssl-location-only",
)

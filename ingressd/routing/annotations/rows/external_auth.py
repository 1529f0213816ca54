"""Another service decides who may come in; for one Ingress or, by the ConfigMap, for all."""

from ingressd.routing.annotations.kinds import (
    BOOL,
    CACHE_RULES,
    HEADER_NAMES,
    INT,
    METHOD,
    REFERENCE,
    SERVICE_URL,
    SNIPPET,
    URL,
    URL_WITH_VARIABLES,
    VARIABLES,
)
from ingressd.routing.annotations.row import Row

AUTH_URL = Row(
    "auth-url",
    SERVICE_URL,
    "",
    "T1",
    "Asked before each request: 2xx lets it through, 401 and 403 are passed on. What is no URL answers 503.",
    support="same",
    on_bad="freeze",
    risk="High",
)
AUTH_METHOD = Row(
    "auth-method",
    METHOD,
    "",
    "T3",
    "Method of that question; else GET.",
    support="same",
    on_bad="deny",
)
AUTH_SIGNIN = Row(
    "auth-signin",
    URL_WITH_VARIABLES,
    "",
    "T1",
    "Where a client is sent to log in, instead of 401.",
    support="same",
    difference="Only what the auth service refuses leads there: what auth-type refuses answers 401 unless satisfy is "
    "any, and a 401 of the application is its own, also where custom-http-errors are set.",
    risk="High",
)
AUTH_SIGNIN_REDIRECT_PARAM = Row(
    "auth-signin-redirect-param",
    URL,
    "rd",
    "T3",
    "Query parameter that says where to come back to.",
    support="same",
    risk="Medium",
    example="next",
)
AUTH_RESPONSE_HEADERS = Row(
    "auth-response-headers",
    HEADER_NAMES,
    "",
    "T1",
    "Headers of its answer that the upstream gets.",
    support="same",
    on_bad="deny",
    risk="Medium",
)
AUTH_REQUEST_REDIRECT = Row(
    "auth-request-redirect",
    URL,
    "",
    "T3",
    "X-Auth-Request-Redirect; else the request's URI.",
    support="same",
    on_bad="freeze",
    risk="Medium",
)
AUTH_ALWAYS_SET_COOKIE = Row(
    "auth-always-set-cookie",
    BOOL,
    "false",
    "T3",
    "Its cookies reach the client whatever the status.",
    support="same",
    on_bad="freeze",
)
AUTH_CACHE_KEY = Row(
    "auth-cache-key",
    VARIABLES,
    "",
    "T3",
    "Answers are kept by this.",
    support="differs",
    difference="Each worker keeps its own: one that has none asks, whatever another one was told.",
    risk="Medium",
    example="$remote_user$http_authorization",
)
AUTH_CACHE_DURATION = Row(
    "auth-cache-duration",
    CACHE_RULES,
    "200 202 401 5m",
    "T3",
    "Which answers are kept, and how long.",
    support="same",
    on_bad="deny",
    risk="Medium",
)
AUTH_KEEPALIVE = Row(
    "auth-keepalive",
    INT,
    "0",
    "T3",
    "Idle connections to the auth service.",
    support="harmless",
    difference="Connections are always reused.",
)
AUTH_KEEPALIVE_REQUESTS = Row(
    "auth-keepalive-requests",
    INT,
    "1000",
    "T3",
    "Requests over one of them.",
    support="harmless",
    difference="Connections are always reused.",
    example="100",
)
AUTH_KEEPALIVE_TIMEOUT = Row(
    "auth-keepalive-timeout",
    INT,
    "60",
    "T3",
    "How long an idle one is kept.",
    support="harmless",
    difference="Connections are always reused.",
    example="30",
)
AUTH_KEEPALIVE_SHARE_VARS = Row(
    "auth-keepalive-share-vars",
    BOOL,
    "false",
    "T3",
    "nginx variables shared with the question.",
    support="harmless",
    difference="There are no nginx variables to share.",
)
AUTH_PROXY_SET_HEADERS = Row(
    "auth-proxy-set-headers",
    REFERENCE,
    "",
    "T3",
    "ConfigMap of headers for the auth service; missing: 503.",
    support="same",
    on_bad="deny",
    risk="Medium",
    example="default/auth-headers",
)
ENABLE_GLOBAL_AUTH = Row(
    "enable-global-auth",
    BOOL,
    "true",
    "T2",
    "`false` leaves these paths out of global-auth-url.",
    support="same",
    example="false",
)

GLOBAL_AUTH_URL = Row(
    "global-auth-url",
    SERVICE_URL,
    "",
    "T2",
    "auth-url for all Ingresses that do not opt out.",
    support="same",
    scope="global",
    config_key="global-auth-url",
    guards=True,
    difference="A bad value denies; there it silently leaves everything open.",
)
GLOBAL_AUTH_METHOD = Row(
    "global-auth-method",
    METHOD,
    "",
    "T3",
    "auth-method of it.",
    support="same",
    scope="global",
    config_key="global-auth-method",
)
GLOBAL_AUTH_SIGNIN = Row(
    "global-auth-signin",
    URL_WITH_VARIABLES,
    "",
    "T2",
    "auth-signin of it.",
    support="same",
    scope="global",
    config_key="global-auth-signin",
)
GLOBAL_AUTH_SIGNIN_REDIRECT_PARAM = Row(
    "global-auth-signin-redirect-param",
    URL,
    "rd",
    "T3",
    "auth-signin-redirect-param of it.",
    support="same",
    scope="global",
    config_key="global-auth-signin-redirect-param",
    example="next",
)
GLOBAL_AUTH_RESPONSE_HEADERS = Row(
    "global-auth-response-headers",
    HEADER_NAMES,
    "",
    "T2",
    "auth-response-headers of it.",
    support="same",
    scope="global",
    config_key="global-auth-response-headers",
)
GLOBAL_AUTH_REQUEST_REDIRECT = Row(
    "global-auth-request-redirect",
    URL,
    "",
    "T3",
    "auth-request-redirect of it.",
    support="same",
    scope="global",
    config_key="global-auth-request-redirect",
)
GLOBAL_AUTH_CACHE_KEY = Row(
    "global-auth-cache-key",
    VARIABLES,
    "",
    "T3",
    "auth-cache-key of it.",
    support="differs",
    difference="Each worker keeps its own answers.",
    scope="global",
    config_key="global-auth-cache-key",
)
GLOBAL_AUTH_CACHE_DURATION = Row(
    "global-auth-cache-duration",
    CACHE_RULES,
    "200 202 401 5m",
    "T3",
    "auth-cache-duration of it.",
    support="same",
    scope="global",
    config_key="global-auth-cache-duration",
)
GLOBAL_AUTH_ALWAYS_SET_COOKIE = Row(
    "global-auth-always-set-cookie",
    BOOL,
    "false",
    "T3",
    "auth-always-set-cookie of it.",
    support="same",
    scope="global",
    config_key="global-auth-always-set-cookie",
)
GLOBAL_AUTH_SNIPPET = Row(
    "global-auth-snippet",
    SNIPPET,
    "",
    "X",
    "nginx configuration for the question.",
    support="lost",
    scope="global",
    config_key="global-auth-snippet",
    difference="Never executed.",
)

"""Annotations that mean nothing, or nothing safe, without another one on the same Ingress."""

from msgspec import Struct

from ingressd.model.finding import Level
from ingressd.routing.annotations.row import Row
from ingressd.routing.annotations.rows import (
    access,
    affinity,
    backend,
    external_auth,
    limits,
    paths,
    redirects,
    responses,
    tls,
)


class Need(Struct, frozen=True):
    """The row that has to be set too, and what happens without it. ``denies``: the paths answer 503."""

    row: Row[object]
    level: Level
    without: str
    denies: bool = False


_NO_EFFECT = "it has no effect"
_NO_LOGIN = Need(access.AUTH_TYPE, "error", "nobody is asked to log in")
_NO_CLIENT_CERTIFICATE = Need(tls.AUTH_TLS_SECRET, "error", "no client certificate is asked for")
_UNVERIFIED = Need(tls.PROXY_SSL_SECRET, "error", "certificates of backends are not verified")

NEEDS: dict[Row[object], Need] = {
    # ingress-nginx answers 503 here: what was to be protected never opens by half a setting.
    access.AUTH_TYPE: Need(access.AUTH_SECRET, "error", "its paths answer 503", denies=True),
    access.AUTH_SECRET: _NO_LOGIN,
    access.AUTH_REALM: _NO_LOGIN,
    external_auth.AUTH_SIGNIN: Need(external_auth.AUTH_URL, "error", _NO_EFFECT),
    external_auth.AUTH_RESPONSE_HEADERS: Need(external_auth.AUTH_URL, "warning", _NO_EFFECT),
    tls.AUTH_TLS_VERIFY_CLIENT: _NO_CLIENT_CERTIFICATE,
    tls.AUTH_TLS_MATCH_CN: _NO_CLIENT_CERTIFICATE,
    tls.PROXY_SSL_VERIFY: _UNVERIFIED,
    affinity.CANARY_WEIGHT: Need(affinity.CANARY, "warning", _NO_EFFECT),
    affinity.CANARY_BY_HEADER: Need(affinity.CANARY, "warning", _NO_EFFECT),
    affinity.CANARY_BY_COOKIE: Need(affinity.CANARY, "warning", _NO_EFFECT),
    affinity.CANARY_BY_HEADER_VALUE: Need(affinity.CANARY_BY_HEADER, "warning", _NO_EFFECT),
    affinity.CANARY_BY_HEADER_PATTERN: Need(affinity.CANARY_BY_HEADER, "warning", _NO_EFFECT),
    affinity.CANARY_WEIGHT_TOTAL: Need(affinity.CANARY_WEIGHT, "warning", _NO_EFFECT),
    affinity.SESSION_COOKIE_NAME: Need(affinity.AFFINITY, "warning", _NO_EFFECT),
    limits.CORS_ALLOW_ORIGIN: Need(limits.ENABLE_CORS, "warning", _NO_EFFECT),
    backend.UPSTREAM_HASH_BY_SUBSET: Need(backend.UPSTREAM_HASH_BY, "warning", _NO_EFFECT),
    paths.X_FORWARDED_PREFIX: Need(paths.REWRITE_TARGET, "warning", _NO_EFFECT),
    redirects.PERMANENT_REDIRECT_CODE: Need(redirects.PERMANENT_REDIRECT, "warning", _NO_EFFECT),
    redirects.TEMPORAL_REDIRECT_CODE: Need(redirects.TEMPORAL_REDIRECT, "warning", _NO_EFFECT),
    responses.MIRROR_HOST: Need(responses.MIRROR_TARGET, "warning", _NO_EFFECT),
}

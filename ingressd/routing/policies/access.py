"""Who may come in: addresses, users, another service, how often; and who is not wanted at all."""

from ingressd.policy.address_list import AddressLists
from ingressd.policy.auth_cache import CacheRule
from ingressd.policy.basic_auth import BasicAuth
from ingressd.policy.blocks import BlockCheck, Blocks
from ingressd.policy.cors import Cors
from ingressd.policy.external_auth import AuthQuestion, ExternalAuth
from ingressd.policy.rate_limit import Bandwidth, RateLimits
from ingressd.routing.annotations.rows import access, extras, limits
from ingressd.routing.annotations.rows import external_auth as rows
from ingressd.routing.policies.wishes import Wishes

_KIB = 1024


def blocks(wishes: Wishes) -> Blocks | None:
    agents = wishes.get(access.BLOCK_USER_AGENTS)
    agents += tuple(f"~{pattern}" for pattern in wishes.get(extras.DENY_USER_AGENTS))
    made = Blocks(agents, wishes.get(access.BLOCK_REFERERS), wishes.get(access.BLOCK_CIDRS))
    if made == Blocks() or not wishes.checked(extras.DENY_USER_AGENTS, lambda: BlockCheck(made)):
        return None
    return made


def addresses(wishes: Wishes) -> AddressLists | None:
    deny, allow = wishes.get(access.DENYLIST_SOURCE_RANGE), wishes.get(access.ALLOWLIST_SOURCE_RANGE)
    return AddressLists(deny, allow) if deny or allow else None


def basic_auth(wishes: Wishes) -> BasicAuth | None:
    """Without a Secret that may be named the paths are denied; what is in it is judged when it is there."""
    kind = wishes.get(access.AUTH_TYPE)
    if not kind:
        return None
    if kind == "digest":
        wishes.deny(access.AUTH_TYPE, "DigestNotSupported", "digest is not done here: use basic over HTTPS")
        return None
    if not wishes.get(access.AUTH_SECRET):
        return None  # reading has denied it
    key = wishes.reference(access.AUTH_SECRET)
    if key is None:
        return None
    form = "user-map" if wishes.get(access.AUTH_SECRET_TYPE) == "auth-map" else "users"
    return BasicAuth(wishes.material(form, access.AUTH_SECRET, key), wishes.get(access.AUTH_REALM))


def external_auth(wishes: Wishes) -> ExternalAuth | None:
    """The Ingress's own service, else the ConfigMap's unless the Ingress opts out. ``scope`` is set for each path."""
    if wishes.get(rows.AUTH_URL):
        made = _own(wishes)
    elif wishes.get(rows.GLOBAL_AUTH_URL) and wishes.get(rows.ENABLE_GLOBAL_AUTH):
        made = _of_all(wishes)
    else:
        return None
    if made is None or not wishes.checked(rows.AUTH_URL, lambda: AuthQuestion(made)):
        return None
    return made


def _own(wishes: Wishes) -> ExternalAuth | None:
    headers = ""
    if wishes.get(rows.AUTH_PROXY_SET_HEADERS):
        key = wishes.reference(rows.AUTH_PROXY_SET_HEADERS)
        if key is None:
            return None
        headers = wishes.material("headers", rows.AUTH_PROXY_SET_HEADERS, key)
    return ExternalAuth(
        url=wishes.get(rows.AUTH_URL),
        method=wishes.get(rows.AUTH_METHOD),
        sign_in=wishes.get(rows.AUTH_SIGNIN),
        sign_in_parameter=wishes.get(rows.AUTH_SIGNIN_REDIRECT_PARAM),
        response_headers=wishes.get(rows.AUTH_RESPONSE_HEADERS),
        request_redirect=wishes.get(rows.AUTH_REQUEST_REDIRECT),
        always_set_cookie=wishes.get(rows.AUTH_ALWAYS_SET_COOKIE),
        cache_key=wishes.get(rows.AUTH_CACHE_KEY),
        cache_rules=tuple(CacheRule(*rule) for rule in wishes.get(rows.AUTH_CACHE_DURATION)),
        headers=headers,
    )


def _of_all(wishes: Wishes) -> ExternalAuth:
    return ExternalAuth(
        url=wishes.get(rows.GLOBAL_AUTH_URL),
        method=wishes.get(rows.GLOBAL_AUTH_METHOD),
        sign_in=wishes.get(rows.GLOBAL_AUTH_SIGNIN),
        sign_in_parameter=wishes.get(rows.GLOBAL_AUTH_SIGNIN_REDIRECT_PARAM),
        response_headers=wishes.get(rows.GLOBAL_AUTH_RESPONSE_HEADERS),
        request_redirect=wishes.get(rows.GLOBAL_AUTH_REQUEST_REDIRECT),
        always_set_cookie=wishes.get(rows.GLOBAL_AUTH_ALWAYS_SET_COOKIE),
        cache_key=wishes.get(rows.GLOBAL_AUTH_CACHE_KEY),
        cache_rules=tuple(CacheRule(*rule) for rule in wishes.get(rows.GLOBAL_AUTH_CACHE_DURATION)),
    )


def rate_limits(wishes: Wishes) -> RateLimits | None:
    """One count for all paths of an Ingress."""
    per_second, per_minute = wishes.get(limits.LIMIT_RPS), wishes.get(limits.LIMIT_RPM)
    connections = wishes.get(limits.LIMIT_CONNECTIONS)
    if per_second <= 0 and per_minute <= 0 and connections <= 0:
        return None
    meta, multiplier = wishes.meta, wishes.get(limits.LIMIT_BURST_MULTIPLIER)
    return RateLimits(
        id=f"{meta.namespace}/{meta.name}",
        per_second=max(per_second, 0),
        per_minute=max(per_minute, 0),
        connections=max(connections, 0),
        burst_multiplier=multiplier if multiplier > 0 else limits.LIMIT_BURST_MULTIPLIER.default,
        exempt=wishes.get(limits.LIMIT_ALLOWLIST),
        rate_status=wishes.get(limits.LIMIT_REQ_STATUS_CODE),
        connections_status=wishes.get(limits.LIMIT_CONN_STATUS_CODE),
    )


def bandwidth(wishes: Wishes) -> Bandwidth | None:
    rate = wishes.get(limits.LIMIT_RATE)
    return Bandwidth(rate * _KIB, max(wishes.get(limits.LIMIT_RATE_AFTER), 0) * _KIB) if rate > 0 else None


def cors(wishes: Wishes) -> Cors | None:
    if not wishes.get(limits.ENABLE_CORS):
        return None
    return Cors(
        origins=wishes.get(limits.CORS_ALLOW_ORIGIN),
        methods=wishes.get(limits.CORS_ALLOW_METHODS),
        headers=wishes.get(limits.CORS_ALLOW_HEADERS),
        expose=wishes.get(limits.CORS_EXPOSE_HEADERS),
        credentials=wishes.get(limits.CORS_ALLOW_CREDENTIALS),
        max_age_s=wishes.get(limits.CORS_MAX_AGE),
    )

"""Who may come in: addresses, users, another service, how often; and who is not wanted at all."""

from ingressd.policy.address_list import AddressLists
from ingressd.policy.auth_cache import CacheRule
from ingressd.policy.basic_auth import BasicAuth
from ingressd.policy.blocks import BlockCheck, Blocks
from ingressd.policy.cors import Cors
from ingressd.policy.external_auth import AuthQuestion, ExternalAuth
from ingressd.policy.rate_limit import Bandwidth, RateLimits
from ingressd.routing.annotations import GlobalValues
from ingressd.routing.annotations.rows import access, extras, limits
from ingressd.routing.annotations.rows import external_auth as rows
from ingressd.routing.annotations.values import MAX_SIZE
from ingressd.routing.policies.wishes import Wishes

_KIB = 1024


def blocks_of(config: GlobalValues, *more_agents: str) -> Blocks | None:
    """Whom nobody wants, for every request of the controller."""
    agents = (*config.get(access.BLOCK_USER_AGENTS), *more_agents)
    made = Blocks(agents, config.get(access.BLOCK_REFERERS), config.get(access.BLOCK_CIDRS))
    return None if made == Blocks() else made


def blocks(wishes: Wishes) -> Blocks | None:
    made = blocks_of(wishes.context.config, *(f"~{pattern}" for pattern in wishes.get(extras.DENY_USER_AGENTS)))
    if made is None or not wishes.checked(extras.DENY_USER_AGENTS, lambda: BlockCheck(made)):
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
        return made if made is not None and wishes.checked(rows.AUTH_URL, lambda: AuthQuestion(made)) else None
    if not wishes.get(rows.GLOBAL_AUTH_URL) or not wishes.get(rows.ENABLE_GLOBAL_AUTH):
        return None
    problem = global_auth_problem(wishes.context.config)
    if problem:
        wishes.denied = wishes.denied or f"{rows.GLOBAL_AUTH_URL.config_key}: {problem}"
        return None
    return _of_all(wishes.context.config)


def global_auth_problem(config: GlobalValues) -> str:
    """Why the ConfigMap's service cannot be asked; "" when it can, or there is none."""
    if not config.get(rows.GLOBAL_AUTH_URL):
        return ""
    try:
        AuthQuestion(_of_all(config))
    except ValueError as error:
        return str(error)
    return ""


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


def _of_all(config: GlobalValues) -> ExternalAuth:
    return ExternalAuth(
        url=config.get(rows.GLOBAL_AUTH_URL),
        method=config.get(rows.GLOBAL_AUTH_METHOD),
        sign_in=config.get(rows.GLOBAL_AUTH_SIGNIN),
        sign_in_parameter=config.get(rows.GLOBAL_AUTH_SIGNIN_REDIRECT_PARAM),
        response_headers=config.get(rows.GLOBAL_AUTH_RESPONSE_HEADERS),
        request_redirect=config.get(rows.GLOBAL_AUTH_REQUEST_REDIRECT),
        always_set_cookie=config.get(rows.GLOBAL_AUTH_ALWAYS_SET_COOKIE),
        cache_key=config.get(rows.GLOBAL_AUTH_CACHE_KEY),
        cache_rules=tuple(CacheRule(*rule) for rule in config.get(rows.GLOBAL_AUTH_CACHE_DURATION)),
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
    if rate <= 0:
        return None
    after = max(wishes.get(limits.LIMIT_RATE_AFTER), 0)
    return Bandwidth(min(rate * _KIB, MAX_SIZE), min(after * _KIB, MAX_SIZE))


def cors(wishes: Wishes) -> Cors | None:
    if not wishes.get(limits.ENABLE_CORS):
        return None
    origins = wishes.get(limits.CORS_ALLOW_ORIGIN)
    if not origins:
        why = "none of the origins has a scheme, as in https://a.example.com: no origin is allowed"
        wishes.say(limits.CORS_ALLOW_ORIGIN, "warning", "NoOriginAllowed", why)
    return Cors(
        origins=origins,
        methods=wishes.get(limits.CORS_ALLOW_METHODS),
        headers=wishes.get(limits.CORS_ALLOW_HEADERS),
        expose=wishes.get(limits.CORS_EXPOSE_HEADERS),
        credentials=wishes.get(limits.CORS_ALLOW_CREDENTIALS),
        max_age_s=wishes.get(limits.CORS_MAX_AGE),
    )

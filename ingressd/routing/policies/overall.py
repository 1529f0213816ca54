"""What the controller's ConfigMap asks for every connection: ``policy/policies.GlobalPolicies``."""

from collections.abc import Iterator

from msgspec.structs import replace

from ingressd.http.fields import PassedNames
from ingressd.model.cluster import ClusterState
from ingressd.model.finding import Finding
from ingressd.policy.forwarded import Forwarding
from ingressd.policy.policies import ClientLimits, GlobalPolicies, ListenerTls, LogFormat, RoutePolicies
from ingressd.policy.request_fields import RequestEdits
from ingressd.routing.annotations import GlobalValues, Row
from ingressd.routing.annotations.rows import backend, clients, external_auth, observing, tls
from ingressd.routing.annotations.values import MAX_SIZE
from ingressd.routing.place import Place, place_of
from ingressd.routing.policies.access import blocks_of, global_auth_problem
from ingressd.routing.policies.context import PolicyContext
from ingressd.routing.policies.headers import response_edits_of_all
from ingressd.routing.snapshot import Route
from ingressd.tls.checks import check_ciphers

_LONGEST_DRAIN_S = 86400.0
_FIRST_BUFFER_BYTES = 1024  # client-header-buffer-size
_NOTHING = RoutePolicies()


def overall(context: PolicyContext) -> GlobalPolicies:
    """Nothing is on that the ConfigMap does not say."""
    config = context.config
    uses_proxy_protocol = config.get(clients.USE_PROXY_PROTOCOL)
    return GlobalPolicies(
        forwarding=_forwarding(config),
        relays=_networks(config) if uses_proxy_protocol else None,
        relay_header_s=config.get(clients.PROXY_PROTOCOL_HEADER_TIMEOUT),
        limits=_limits(config),
        log=_log(config),
        tls=_tls(config),
        makes_request_id=config.get(observing.GENERATE_REQUEST_ID),
        resolves_ipv6=not config.get(clients.DISABLE_IPV6_DNS),
        drain_timeout_s=_drain_timeout(config),
    )


def answering_strangers(route: Route, context: PolicyContext) -> Route | None:
    """What answers for hosts that nobody declares: ``route``, which may be kept out of the access log, with what holds
    for every request of the controller. None: the 404 that workers have without being told.
    """
    row, config = observing.ENABLE_ACCESS_LOG_FOR_DEFAULT_BACKEND, context.config
    request = RequestEdits(fields=context.request_fields)
    policies = RoutePolicies(
        blocks=blocks_of(config),
        request=None if request == RequestEdits() else request,
        response=response_edits_of_all(context),
        access_log=config.get(row) or not config.is_set(row),
    )
    if policies != _NOTHING:
        return replace(route, policies=policies)
    return route if route.backend else None


def config_findings(context: PolicyContext, cluster: ClusterState) -> Iterator[Finding]:
    """What is wrong with the ConfigMap and with what it names."""
    yield from context.findings
    if context.config_map is not None:
        for config_key, problem in _problems(context.config):
            place = place_of(context.config_map.meta, f"data.{config_key}", "ConfigMap")
            yield place.finding("error", "BadConfigMapValue", problem)
    key = context.defaults.config_map
    if key is not None and key not in cluster.config_maps:
        values = "what it said last still holds" if context.config_map is not None else "the built-in values hold"
        message = f"the controller's ConfigMap does not exist; {values}"
        yield Place("ConfigMap", *key, "--configmap").finding("error", "ConfigMapNotFound", message)


def _problems(config: GlobalValues) -> Iterator[tuple[str, str]]:
    """Values that are well formed, and of no use: their keys, and why."""
    ciphers = check_ciphers(config.get(tls.SSL_CIPHERS))[1] if config.is_set(tls.SSL_CIPHERS) else ""
    if ciphers:
        yield tls.SSL_CIPHERS.config_key, ciphers
    auth = global_auth_problem(config)
    if auth:
        yield external_auth.GLOBAL_AUTH_URL.config_key, f"{auth}; paths that do not opt out answer 503"


def _networks(config: GlobalValues) -> tuple[str, ...]:
    return config.get(clients.PROXY_REAL_IP_CIDR)


def _forwarding(config: GlobalValues) -> Forwarding | None:
    use, real_ip = config.get(clients.USE_FORWARDED_HEADERS), config.get(clients.ENABLE_REAL_IP)
    if not use and not real_ip:
        return None
    return Forwarding(
        # Behind the PROXY protocol too: its address may be that of an HTTP proxy which is trusted to name the client.
        client_from_header=use or not config.get(clients.USE_PROXY_PROTOCOL),
        target_from_headers=use,
        full_list=use and config.get(clients.COMPUTE_FULL_FORWARDED_FOR),
        header=config.get(clients.FORWARDED_FOR_HEADER),
        host_header=config.get(clients.FORWARDED_HOST_HEADER),
        trusted=_networks(config),
        originals=True,
    )


def _limits(config: GlobalValues) -> ClientLimits:
    buffers = (
        config.get(clients.LARGE_CLIENT_HEADER_BUFFERS) if config.is_set(clients.LARGE_CLIENT_HEADER_BUFFERS) else None
    )
    return ClientLimits(
        keep_alive_s=_seconds(config, clients.KEEP_ALIVE),
        requests_per_connection=_said(config, clients.KEEP_ALIVE_REQUESTS),
        header_s=_seconds(config, clients.CLIENT_HEADER_TIMEOUT),
        body_gap_s=_seconds(config, clients.CLIENT_BODY_TIMEOUT),
        # What fits into nginx's first buffer needs no large one.
        header_bytes=max(min(buffers[0] * buffers[1], MAX_SIZE), _FIRST_BUFFER_BYTES) if buffers else None,
        request_line_bytes=max(buffers[1], _FIRST_BUFFER_BYTES) if buffers else None,
        names=_names(config),
        upstream_idle_per_endpoint=_said(config, backend.UPSTREAM_KEEPALIVE_CONNECTIONS),
        upstream_idle_s=_seconds(config, backend.UPSTREAM_KEEPALIVE_TIMEOUT),
        upstream_requests_per_connection=_said(config, backend.UPSTREAM_KEEPALIVE_REQUESTS),
        upstream_age_s=_seconds(config, backend.UPSTREAM_KEEPALIVE_TIME),
    )


def _drain_timeout(config: GlobalValues) -> float | None:
    """As in nginx, 0 is no bound; the pod's own still ends it."""
    seconds = _seconds(config, clients.WORKER_SHUTDOWN_TIMEOUT)
    return _LONGEST_DRAIN_S if seconds == 0.0 else seconds if seconds is None else min(seconds, _LONGEST_DRAIN_S)


def _names(config: GlobalValues) -> PassedNames | None:
    """nginx passes names with ``_`` too when it does not ignore invalid ones."""
    if not config.get(clients.IGNORE_INVALID_HEADERS):
        return PassedNames.TOKENS
    return PassedNames.UNDERSCORES if config.get(clients.ENABLE_UNDERSCORES_IN_HEADERS) else None


def _said(config: GlobalValues, row: Row[int]) -> int | None:
    return config.get(row) if config.is_set(row) else None


def _seconds(config: GlobalValues, row: Row[int] | Row[float]) -> float | None:
    return float(config.get(row)) if config.is_set(row) else None


def _log(config: GlobalValues) -> LogFormat:
    """Our own JSON unless the ConfigMap has a format."""
    row = observing.LOG_FORMAT_UPSTREAM
    is_json = config.get(observing.LOG_FORMAT_ESCAPE_JSON)
    return LogFormat(
        template=config.get(row) if config.is_set(row) else "",
        escape="json" if is_json else "none" if config.get(observing.LOG_FORMAT_ESCAPE_NONE) else "default",
        skip_targets=config.get(observing.SKIP_ACCESS_LOG_URLS),
        is_off=config.get(observing.DISABLE_ACCESS_LOG) or config.get(observing.DISABLE_HTTP_ACCESS_LOG),
    )


def _tls(config: GlobalValues) -> ListenerTls:
    return ListenerTls(
        ciphers=check_ciphers(config.get(tls.SSL_CIPHERS))[0] if config.is_set(tls.SSL_CIPHERS) else "",
        protocols=config.get(tls.SSL_PROTOCOLS) if config.is_set(tls.SSL_PROTOCOLS) else (),
        rejects_unknown_names=config.get(tls.SSL_REJECT_HANDSHAKE),
        groups=config.get(clients.SSL_ECDH_CURVE),
        sends_tickets=config.get(clients.SSL_SESSION_TICKETS) or not config.is_set(clients.SSL_SESSION_TICKETS),
    )

"""Metrics and access log of what was answered; called exactly once for each request."""

from __future__ import annotations

from time import time
from typing import TYPE_CHECKING

from ingressd.http.head import RequestHead
from ingressd.proxy.respond import own_body_bytes
from ingressd.telemetry.log_variables import LogFacts

if TYPE_CHECKING:
    from ingressd.proxy.downstream import Downstream
    from ingressd.proxy.forward import Forwarding
    from ingressd.proxy.observed import Observed
    from ingressd.proxy.serving import LiveRoute
    from ingressd.telemetry.metrics import RouteStats


def record_own(
    down: Downstream,
    route: LiveRoute,
    request: RequestHead,
    status: int,
    *,
    request_id: bytes = b"",
    body: bytes | None = None,
    duration_s: float = 0.0,
) -> None:
    """An answer that no endpoint was asked for. ``body`` None: our usual words."""
    bytes_out = own_body_bytes(status, request.fields.accept, head_only=request.method == b"HEAD", body=body)
    record_unforwarded(down, route, request, status, request_id, bytes_out, duration_s)


def record_unforwarded(
    down: Downstream,
    route: LiveRoute,
    request: RequestHead,
    status: int,
    request_id: bytes,
    bytes_out: int,
    duration_s: float,
) -> None:
    """``record_own`` where ``bytes_out`` body bytes went out."""
    stats = route.stats.of_answer(request.method, status)
    stats.observe(request.method, status, duration_s, -1.0, 0, bytes_out)
    log, gate = down.gateway.log, route.gate
    if log.is_on and (gate is None or gate.access_log):
        request_id = request_id or request.fields.request_id or down.gateway.new_request_id()
        if log.format is None:
            _log(down, route, request, request_id, status, 0, bytes_out, duration_s, None, None, 0)
        else:
            facts = _facts(down, route, request, request_id, status, 0, bytes_out, duration_s)
            log.record_facts(facts)


def record_exchange(
    exchange: Forwarding, duration_s: float, upstream_s: float, stats: RouteStats | None = None
) -> None:
    """An exchange that a backend was named for. ``upstream_s`` below 0: it had no endpoint. ``stats``: the route's if
    None.
    """
    down, route, request = exchange.down, exchange.route, exchange.request
    bytes_in = exchange.bytes_in
    (stats or route.stats).observe(
        request.method, exchange.status, duration_s, upstream_s, bytes_in, exchange.bytes_out
    )
    if down.gateway.log.is_on:
        endpoint = exchange.endpoint
        _log(
            down,
            route,
            request,
            exchange.request_id,
            exchange.status,
            bytes_in,
            exchange.bytes_out,
            duration_s,
            None if endpoint is None else endpoint.label,
            None if endpoint is None else upstream_s,
            exchange.attempts,
        )


def record_observed(exchange: Observed, duration_s: float, upstream_s: float) -> None:
    """``record_exchange`` for exchanges that noted what a log format may ask for, on routes that may have no log."""
    down, route, gate = exchange.down, exchange.route, exchange.route.gate
    log = down.gateway.log
    is_logged = gate is None or gate.access_log
    stats = route.stats
    if down.gateway.stats.has_details:
        stats = route.stats_of(exchange.alternative_name).of_answer(exchange.request.method, exchange.status)
        stats.observe_phases(exchange.connect_s, exchange.header_s)
    if log.is_on and is_logged and log.format is not None:
        log.record_facts(_facts_of(exchange, duration_s, upstream_s))
    elif log.is_on and is_logged:
        record_exchange(exchange, duration_s, upstream_s, stats)
        return
    stats.observe(
        exchange.request.method, exchange.status, duration_s, upstream_s, exchange.bytes_in, exchange.bytes_out
    )


def _facts_of(exchange: Observed, duration_s: float, upstream_s: float) -> LogFacts:
    facts = _facts(
        exchange.down,
        exchange.route,
        exchange.request,
        exchange.request_id,
        exchange.status,
        exchange.bytes_in,
        exchange.bytes_out,
        duration_s,
    )
    answered = exchange.answered
    if answered is not None:
        facts.answer_lines = answered.fields.onward
        facts.upstream_status = answered.status
    facts.head_bytes_out = exchange.head_bytes_out
    facts.alternative_name = exchange.alternative_name
    if exchange.endpoint is not None:
        facts.upstream = exchange.endpoint.label
        facts.upstream_s = upstream_s
        facts.upstream_bytes = exchange.upstream_bytes
        facts.upstream_connect_s = exchange.connect_s
        facts.upstream_header_s = exchange.header_s
    return facts


def _facts(
    down: Downstream,
    live: LiveRoute,
    request: RequestHead,
    request_id: bytes,
    status: int,
    bytes_in: int,
    bytes_out: int,
    duration_s: float,
) -> LogFacts:
    fields, line, route, backend = request.fields, request.line, live.route, live.backend
    # What the client's head took, but for fields that were dropped and how it was spelled.
    head_bytes = len(line.onward) + len(fields.lead) + len(fields.claimed) + len(fields.tail)
    return LogFacts(
        time=time(),
        client=down.seen_client,
        method=line.method,
        target=line.target,
        minor=line.minor,
        status=status,
        request_id=request_id,
        host_field=fields.host_field or b"",
        host=fields.host,
        lines=fields.onward,
        agent=fields.agent,
        referer=fields.referer,
        head_bytes=head_bytes,
        bytes_in=bytes_in,
        bytes_out=bytes_out,
        duration_s=duration_s,
        upstream_name="" if backend is None else backend.upstream_name,
        namespace=route.namespace,
        ingress=route.ingress,
        service=route.service,
        service_port="" if backend is None else backend.port,
        route=route.path,
        scheme=down.scheme,
        told_scheme=down.seen_scheme,
        port=down.seen_port,
        tls=down.tls_version,
    )


def _log(
    down: Downstream,
    live: LiveRoute,
    request: RequestHead,
    request_id: bytes,
    status: int,
    bytes_in: int,
    bytes_out: int,
    duration_s: float,
    upstream: str | None,
    upstream_s: float | None,
    attempts: int,
) -> None:
    fields, route = request.fields, live.route
    down.gateway.log.record(
        down.seen_client,
        request_id.decode("ascii"),
        request.method,
        fields.host_field or b"",
        request.path + request.query,
        "HTTP/1.1" if request.minor else "HTTP/1.0",
        status,
        bytes_in,
        bytes_out,
        duration_s,
        upstream,
        upstream_s,
        attempts,
        route.namespace,
        route.ingress,
        route.service,
        route.path,
        down.tls_version,
        fields.agent,
        fields.referer,
    )

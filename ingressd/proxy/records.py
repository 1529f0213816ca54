"""Metrics and access log of what was answered; called exactly once for each request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ingressd.http.head import RequestHead
from ingressd.proxy.respond import own_body_bytes

if TYPE_CHECKING:
    from ingressd.proxy.downstream import Downstream
    from ingressd.proxy.forward import Forwarding
    from ingressd.proxy.serving import LiveRoute


def record_own(down: Downstream, route: LiveRoute, request: RequestHead, status: int) -> None:
    """An answer that no endpoint was asked for."""
    bytes_out = own_body_bytes(status, request.fields.accept, head_only=request.method == b"HEAD")
    route.stats.observe(request.method, status, 0.0, -1.0, 0, bytes_out)
    if down.gateway.log.is_on:
        request_id = request.fields.request_id or down.gateway.new_request_id()
        _log(down, route, request, request_id, status, 0, bytes_out, 0.0, None, None, 0)


def record_exchange(exchange: Forwarding, duration_s: float, upstream_s: float) -> None:
    """An exchange that a backend was named for. ``upstream_s`` below 0: it had no endpoint."""
    down, route, request = exchange.down, exchange.route, exchange.request
    bytes_in = exchange.bytes_in
    route.stats.observe(request.method, exchange.status, duration_s, upstream_s, bytes_in, exchange.bytes_out)
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
        down.client,
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

"""The onward head of a request that policies have changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ingressd.http.target import rewritten_target
from ingressd.policy.ask import Ask, Plan, without_fields

if TYPE_CHECKING:
    from ingressd.http.head import RequestHead

_CONNECTION = b"\r\nConnection: "
_EXPECT = b"Expect: 100-continue\r\n"


def planned_head(
    request: RequestHead, ask: Ask, plan: Plan, ours: bytes, replaces: frozenset[bytes], *, expects: bool
) -> bytes:
    """``ours`` are the lines that say where the request came from; those that the route sets itself (``replaces``) are
    left out. ``expects``: an offer to wait for 100 (Continue) is passed on.
    """
    line, fields = request.line, request.fields
    if ask.request_id:
        ours = b"X-Request-ID: %b\r\n%b" % (ask.request_id, ours)
    if plan.path is not None:
        ours += b"X-Original-URI: %b\r\n" % line.target.encode("latin-1")
        line = line.with_target(rewritten_target(plan.path, line.query))
    if replaces:
        ours = without_fields(ours, replaces)
    host = plan.host_field or fields.host_field or ask.authority
    onward = without_fields(fields.onward, plan.without)
    tail = fields.tail
    if not line.minor or _CONNECTION in b"\r\n" + plan.added:
        tail = _tail(request)
    elif fields.expects_continue and not expects:
        tail = tail.replace(_EXPECT, b"")
    return b"%bHost: %b\r\n%b%b%b%b" % (line.onward, host, onward, ours, plan.added, tail)


def _tail(request: RequestHead) -> bytes:
    """Framing alone: an HTTP/1.0 client can neither wait nor switch, and a Connection that is set rules the others out
    (RFC 9110 §7.6.1, §7.8, §10.1.1).
    """
    fields = request.fields
    if fields.chunked:
        return b"Transfer-Encoding: chunked\r\n\r\n"
    return b"Content-Length: %d\r\n\r\n" % fields.content_length if fields.content_length >= 0 else b"\r\n"


def sets_connection(plan: Plan) -> bool:
    """Whether the route has a Connection field of its own for the endpoint."""
    return _CONNECTION in b"\r\n" + plan.added

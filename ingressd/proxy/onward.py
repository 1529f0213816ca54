"""The onward head of a request that policies have changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ingressd.http.hops import request_head
from ingressd.http.target import rewritten_target
from ingressd.policy.ask import without_fields, without_named

if TYPE_CHECKING:
    from ingressd.http.head import RequestHead
    from ingressd.proxy.passage import Passage

_EXPECT = b"Expect: 100-continue\r\n"
_REQUEST_ID = b"x-request-id"
_ORIGINAL = b"x-original-uri"

_MAX_LINES_TO_REMEMBER = 2048
_MAX_REMEMBERED = 512  # together: 2 MiB for each worker at the very most
_remembered: dict[tuple[bytes, frozenset[bytes]], bytes] = {}


def onward_head(passage: Passage, *, expects: bool = True) -> bytes:
    """What is planned for the request, as bytes. Lines of ours that the route sets itself are left out.

    ``expects``: an offer to wait for 100 (Continue) is passed on.
    """
    request, gate, request_id = passage.request, passage.gate, passage.ask.request_id
    line, fields, replaces = request.line, request.fields, gate.replaces
    ours = without_fields(passage.forwarded, replaces) if replaces else passage.forwarded
    if request_id and _REQUEST_ID not in replaces:
        ours = b"X-Request-ID: %b\r\n%b" % (request_id, ours)
    if passage.path is None and expects and not (passage.without or passage.added or passage.host_field):
        return request_head(line, fields, ours, authority=passage.ask.authority)
    start = line.onward
    if passage.path is not None:
        start = b"%b %b HTTP/1.1\r\n" % (line.method, rewritten_target(passage.path, line.query))
        if _ORIGINAL not in replaces:
            ours = b"%bX-Original-URI: %b\r\n" % (ours, line.target.encode("latin-1"))
    onward, tail = fields.onward, fields.tail
    if passage.without:
        onward = _less(onward, passage.without)
    if not line.minor or gate.connection:
        tail = _tail(request)
    elif fields.expects_continue and not expects:
        tail = tail.replace(_EXPECT, b"")
    host = passage.host_field or fields.host_field or passage.ask.authority
    return b"%bHost: %b\r\n%b%b%b%b" % (start, host, onward, ours, passage.added, tail)


def _less(lines: bytes, names: frozenset[bytes]) -> bytes:
    """``without_named``, remembered: field sections repeat, and so do the names that one route takes away."""
    key = (lines, names)
    left = _remembered.get(key)
    if left is None:
        left = without_named(lines, names)
        if len(lines) <= _MAX_LINES_TO_REMEMBER:
            if len(_remembered) >= _MAX_REMEMBERED:
                _remembered.clear()
            _remembered[key] = left
    return left


def _tail(request: RequestHead) -> bytes:
    """Framing alone: an HTTP/1.0 client can neither wait nor switch, and a Connection that is set rules the others out
    (RFC 9110 §7.6.1, §7.8, §10.1.1).
    """
    fields = request.fields
    if fields.chunked:
        return b"Transfer-Encoding: chunked\r\n\r\n"
    return b"Content-Length: %d\r\n\r\n" % fields.content_length if fields.content_length >= 0 else b"\r\n"

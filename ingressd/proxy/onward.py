"""The onward head of a request that policies have changed."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from ingressd.http.hops import identified_head, request_head
from ingressd.http.target import rewritten_target
from ingressd.policy.ask import without_fields, without_named

if TYPE_CHECKING:
    from ingressd.http.head import RequestHead
    from ingressd.http.request_line import RequestLine
    from ingressd.policy.ask import Plan
    from ingressd.proxy.passage import Passage

_EXPECT = b"Expect: 100-continue\r\n"
_REQUEST_ID = b"x-request-id"
_ORIGINAL = b"x-original-uri"

_MAX_TARGET_TO_REMEMBER = 512
_MAX_LINES_TO_REMEMBER = 2048
_MAX_REMEMBERED = 512  # together: 3 MiB for each worker at the very most
_remembered: dict[tuple[bytes, frozenset[bytes]], bytes] = {}


class OnwardHeads:
    """What of a head for the endpoint is the route's doing. ``replaces`` are lines of ours that the route sets itself;
    ``sets_connection``: there is a Connection field of its own.
    """

    __slots__ = ("_has_original", "_has_request_id", "_replaces", "_sets_connection")

    def __init__(self, replaces: frozenset[bytes], *, sets_connection: bool) -> None:
        self._replaces = replaces
        self._has_request_id = _REQUEST_ID not in replaces
        self._has_original = _ORIGINAL not in replaces
        self._sets_connection = sets_connection

    def of(self, passage: Passage, *, expects: bool = True) -> bytes:
        """What is planned for the request. ``expects``: an offer to wait for 100 (Continue) is passed on."""
        request, ask = passage.request, passage.ask
        line, request_id = request.line, ask.request_id
        if passage.path is None and expects and not (passage.without or passage.added or passage.host_field):
            if request_id and line.minor and ask.authority == request.fields.host_field:
                return identified_head(line, request.fields, request_id, passage.forwarded)
            ours = self.ours(request_id, passage.forwarded)
            return request_head(line, request.fields, ours, authority=ask.authority)
        ours = self.ours(request_id, passage.forwarded)
        return self.head(request, ours, passage, passage.path, passage.added, ask.authority, expects=expects)

    def ours(self, request_id: bytes, forwarded: bytes) -> bytes:
        """Our own lines; ``forwarded`` say where the request came from."""
        if self._replaces:
            forwarded = without_fields(forwarded, self._replaces)
        if not request_id or not self._has_request_id:
            return forwarded
        return b"".join((b"X-Request-ID: ", request_id, b"\r\n", forwarded))

    def head(
        self,
        request: RequestHead,
        ours: bytes,
        plan: Plan,
        path: str | None,
        added: bytes,
        authority: bytes,
        *,
        expects: bool = True,
    ) -> bytes:
        """``plan`` says what is left out and which Host is named; ``path`` and ``added`` are as it would say them."""
        line, fields = request.line, request.fields
        start, original = line.onward, b""
        if path is not None:
            is_long = len(line.target) + len(path) > _MAX_TARGET_TO_REMEMBER
            start, original = _rewritten(line, path) if is_long else _rewritten_before(line, path)
            if not self._has_original:
                original = b""
        onward, tail = fields.onward, fields.tail
        if plan.without:
            onward = _less(onward, plan.without)
        if not line.minor or self._sets_connection:
            tail = _tail(request)
        elif fields.expects_continue and not expects:
            tail = tail.replace(_EXPECT, b"")
        host = plan.host_field or authority
        return b"".join((start, b"Host: ", host, b"\r\n", onward, ours, original, added, tail))


def _rewritten(line: RequestLine, path: str) -> tuple[bytes, bytes]:
    """Request line, and the field line that tells what it was."""
    start = b"%b %b HTTP/1.1\r\n" % (line.method, rewritten_target(path, line.query))
    return start, b"X-Original-URI: %b\r\n" % line.target.encode("latin-1")


_rewritten_before = lru_cache(maxsize=_MAX_REMEMBERED)(_rewritten)


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

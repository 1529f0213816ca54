"""Response heads: bytes up to the empty line → checked values, or the endpoint has failed us.

As strict as for requests (see ``http/head``): what could be read as another message ends the connection. Heads repeat
within a second or for ever, so they are remembered, boundedly, by their exact bytes.
"""

import re
from typing import Protocol

import httptools

from ingressd.errors import UpstreamError
from ingressd.http.field_parser import FieldParser
from ingressd.http.field_values import content_length, list_items, without_named
from ingressd.http.fields import FieldKind, response_kind, response_kinds
from ingressd.http.head import has_bare_line_end

# RFC 9112 §4: the space before an absent reason phrase is required of senders, but its lack is harmless and common.
_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9][0-9])(?: ([\t\x20-\x7e\x80-\xff]*))?")
_BEGINNING = b"HTTP/1."
_MAX_HEAD_TO_REMEMBER = 2048
_MAX_REMEMBERED_HEADS = 512


class ResponseFields:
    """What a response's field section says. ``onward`` holds the end-to-end field lines, each ending in CRLF, but
    those of Server, which are in ``server``.

    Shared by all responses with the same section: nobody may change one.
    """

    __slots__ = (
        "chunked",
        "close",
        "content_length",
        "has_date",
        "keep_alive",
        "onward",
        "server",
        "trailer",
        "upgrade",
    )

    def __init__(self) -> None:
        self.onward = b""
        self.content_length = -1  # bytes; -1: not said
        self.chunked = False
        self.close = False
        self.keep_alive = False
        self.has_date = False
        self.server = b""
        self.trailer = b""
        self.upgrade = b""

    def with_onward(self, onward: bytes) -> "ResponseFields":
        """The same section with other end-to-end lines. (``copy`` takes ten times as long.)"""
        fields = ResponseFields.__new__(ResponseFields)
        fields.onward = onward
        fields.content_length = self.content_length
        fields.chunked = self.chunked
        fields.close = self.close
        fields.keep_alive = self.keep_alive
        fields.has_date = self.has_date
        fields.server = self.server
        fields.trailer = self.trailer
        fields.upgrade = self.upgrade
        return fields


NO_BODY, LENGTH, CHUNKED, UNTIL_CLOSE = range(4)
"""How a response's body is framed (RFC 9112 §6.3)."""


class Edit(Protocol):
    """Changes the field lines of answers, for some routes."""

    shows_server: bool

    def apply(self, onward: bytes) -> bytes: ...


class ResponseHead:
    """A checked response head. ``framing`` is that of the answer to any method but HEAD, which has no body.

    ``keeps_open``: the endpoint does not announce the end of its connection. ``onward`` is the head for an HTTP/1.1
    client whose connection goes on; empty when it has to be worded anew for each client. Shared by all responses with
    the same head: nobody may change one.
    """

    __slots__ = (
        "_closing",
        "_edit",
        "_edited",
        "fields",
        "framing",
        "keeps_open",
        "minor",
        "onward",
        "reason",
        "status",
    )

    def __init__(self, minor: int, status: int, reason: bytes, fields: ResponseFields) -> None:
        self.minor = minor
        self.status = status
        self.reason = reason
        self.fields = fields
        self.framing = _framing(minor, status, fields)
        self.keeps_open = not fields.close and (minor == 1 or fields.keep_alive)
        self.onward = self._closing = b""
        self._edit: Edit | None = None
        self._edited: ResponseHead | None = None
        if status >= 200 and fields.has_date and not fields.trailer and self.framing != UNTIL_CLOSE:
            self.onward = self.worded(self.framing_line(self.framing), b"")

    def edited(self, edit: Edit) -> "ResponseHead":
        """The same answer with the end-to-end fields that ``edit`` makes of those received; remembered for one."""
        if self._edit is not edit:
            fields = self.fields
            onward = edit.apply(fields.server + fields.onward if edit.shows_server else fields.onward)
            self._edit = edit
            self._edited = ResponseHead(self.minor, self.status, self.reason, fields.with_onward(onward))
        assert self._edited is not None  # noqa: S101 - made with its edit
        return self._edited

    def with_server(self) -> "ResponseHead":
        """The same answer, Server passed on."""
        if not self.fields.server:
            return self
        fields = self.fields
        onward = fields.server + fields.onward
        return ResponseHead(self.minor, self.status, self.reason, fields.with_onward(onward))

    def closing(self) -> bytes:
        """``onward`` for a client whose connection ends with the answer."""
        if not self._closing:
            self._closing = self.onward[:-2] + b"Connection: close\r\n\r\n"
        return self._closing

    def framing_line(self, framing: int) -> bytes:
        """The field line that tells a client of HTTP/1.1 how the body is framed."""
        fields = self.fields
        if framing == LENGTH or (framing == NO_BODY and fields.content_length >= 0 and self.status != 204):
            return b"Content-Length: %d\r\n" % fields.content_length
        return b"" if framing == NO_BODY else b"Transfer-Encoding: chunked\r\n"

    def worded(self, framing: bytes, connection: bytes, date: bytes = b"") -> bytes:
        """The onward head. ``framing`` and ``connection`` are whole field lines or empty.

        ``date`` is used when the origin sent none (RFC 9110 §6.6.1: a recipient with a clock must add it).
        """
        fields = self.fields
        if not fields.has_date:
            framing = b"Date: %b\r\n%b" % (date, framing)
        return b"HTTP/1.1 %d %b\r\n%b%b%b\r\n" % (self.status, self.reason, fields.onward, framing, connection)


def _framing(minor: int, status: int, fields: ResponseFields) -> int:
    """RFC 9112 §6.3, steps 1 (but HEAD), 4-8; 3 was refused with the fields."""
    if status < 200 or status in (204, 304):
        return NO_BODY
    if fields.chunked:
        if minor == 0:
            raise UpstreamError("ambiguous_response_framing", "Transfer-Encoding in an HTTP/1.0 response")
        return CHUNKED
    return LENGTH if fields.content_length >= 0 else UNTIL_CLOSE


_DROPPED = FieldKind.DROPPED
# A status without a body: llhttp then reads the fields just as strictly and waits for nothing.
_parser = FieldParser(httptools.HttpResponseParser, b"HTTP/1.1 304 Not Modified\r\n")
_remembered: dict[bytes, ResponseHead] = {}


def check_unfinished(data: bytes) -> None:
    """Look at the beginning of a response whose head is not complete.

    Raises:
        UpstreamError: it cannot become one, so waiting for the rest is in vain.
    """
    if data[:7] != _BEGINNING[: len(data)]:
        raise UpstreamError("bad_status_line", "the endpoint does not answer in HTTP/1")
    if has_bare_line_end(data):
        raise UpstreamError("bad_response_fields", "a CR or LF alone (RFC 9112 §2.2)")


def read_status_line(line: bytes) -> tuple[int, int, bytes]:
    """Minor version, status and reason phrase of ``line`` (without CRLF).

    Raises:
        UpstreamError: ``bad_status_line`` when it is not ``HTTP/1.x SP status [SP reason]`` (RFC 9112 §4).
    """
    match = _STATUS_LINE.fullmatch(line)
    if match is None:
        raise UpstreamError("bad_status_line", "the endpoint did not answer in HTTP/1")
    minor, status, reason = match.groups()
    return (1 if minor == b"1" else 0), int(status), reason or b""


def read_response_head(head: bytes, max_fields: int) -> ResponseHead:
    """Judge a response's head, given with its empty line.

    Raises:
        UpstreamError: ``bad_status_line``, ``bad_response_fields`` or ``ambiguous_response_framing``; the connection is
            of no further use.
    """
    known = _remembered.get(head)
    if known is not None:
        return known
    line_end = head.find(b"\r\n")
    minor, status, reason = read_status_line(head[:line_end])
    read = ResponseHead(minor, status, reason, read_response_fields(head[line_end + 2 :], max_fields))
    if len(head) <= _MAX_HEAD_TO_REMEMBER:
        if len(_remembered) >= _MAX_REMEMBERED_HEADS:
            _remembered.clear()
        _remembered[head] = read
    return read


def read_response_fields(block: bytes, max_fields: int) -> ResponseFields:
    """Judge a response's field section.

    Raises:
        UpstreamError: ``bad_response_fields`` or ``ambiguous_response_framing``
    """
    try:
        raw = _parser.parse(block)
    except ValueError as error:
        raise UpstreamError("bad_response_fields", str(error)) from None
    if len(raw) > max_fields:
        raise UpstreamError("bad_response_fields", f"more than {max_fields} header fields")
    return _judge(raw)


def _judge(raw: list[tuple[bytes, bytes]]) -> ResponseFields:
    fields = ResponseFields()
    onward: list[bytes] = []
    options: list[bytes] = []
    for name, value in raw:
        kind = response_kinds.get(name)
        if kind is None:
            kind = response_kind(name)
        if not kind:  # END_TO_END
            onward += (name, b": ", value.strip(), b"\r\n")
        elif kind is not _DROPPED:
            _judge_field(fields, kind, name, value.strip(), onward, options)
    if fields.chunked and fields.content_length >= 0:
        raise UpstreamError("ambiguous_response_framing", "both Content-Length and Transfer-Encoding")
    if options:
        fields.close = b"close" in options
        fields.keep_alive = b"keep-alive" in options
        onward = without_named(onward, options)
        if b"server" in options:
            fields.server = b""
    fields.onward = b"".join(onward)
    return fields


def _judge_field(
    fields: ResponseFields, kind: FieldKind, name: bytes, value: bytes, onward: list[bytes], options: list[bytes]
) -> None:
    if kind is FieldKind.CONNECTION:
        options += list_items(value)
    elif kind is FieldKind.CONTENT_LENGTH:
        length = content_length(value)
        if length < 0 or fields.content_length >= 0:
            raise UpstreamError("ambiguous_response_framing", "Content-Length is repeated or not a plain number")
        fields.content_length = length
    elif kind is FieldKind.TRANSFER_ENCODING:
        if fields.chunked or value.lower() != b"chunked":
            raise UpstreamError("ambiguous_response_framing", "a Transfer-Encoding other than chunked")
        fields.chunked = True
    elif kind is FieldKind.UPGRADE:
        fields.upgrade = b", ".join(filter(None, (fields.upgrade, value)))
    elif kind is FieldKind.TRAILER:
        fields.trailer = b", ".join(filter(None, (fields.trailer, value)))
    elif kind is FieldKind.SERVER:
        fields.server += b"%b: %b\r\n" % (name, value)
    else:
        fields.has_date = fields.has_date or kind is FieldKind.DATE
        onward += (name, b": ", value, b"\r\n")

"""Message heads: bytes up to the empty line → checked values, or a refusal.

llhttp (through httptools) reads the field section, strictly; what it leaves to its user is decided here. A head is
read in one go once its last byte is there, so one parser serves a whole worker and an idle connection owns none.

Field sections repeat: API clients send the same block with every request, and backends answer with the same one.
Whole blocks are therefore remembered, boundedly, by their exact bytes; a hit is the same judgement, not a laxer one.
"""

import re
from typing import Any

import httptools

from ingressd.errors import BadRequest, UpstreamError
from ingressd.http.fields import FieldKind, request_kind, response_kind
from ingressd.http.target import normalise_host

_REQUEST_LINE = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]{1,32}) ([\x21-\x7e\x80-\xff]+) HTTP/1\.([01])")
# RFC 9112 §4: the space before an absent reason phrase is required of senders, but its lack is harmless and common.
_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9][0-9])(?: ([\t\x20-\x7e\x80-\xff]*))?")
_BARE_LINE_END = re.compile(rb"(?<!\r)\n|\r(?!\n)")
_PROBE_REQUEST = b"GET / HTTP/1.1\r\n"
_PROBE_RESPONSE = b"HTTP/1.1 200 OK\r\n"
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,128}")
_MAX_CONTENT_LENGTH_DIGITS = 18  # below 2**63, so that no implementation wraps

_MAX_BLOCK_TO_REMEMBER = 2048
_MAX_REMEMBERED_BLOCKS = 512


class RequestHead:
    """A checked request: what was asked, of whom, and how its body is framed. ``query`` is empty or begins with ``?``."""

    __slots__ = ("fields", "method", "minor", "path", "query")

    def __init__(self, method: bytes, path: str, query: str, minor: int, fields: "RequestFields") -> None:
        self.method = method
        self.path = path
        self.query = query
        self.minor = minor
        self.fields = fields


class RequestFields:
    """What a request's field section says. ``onward`` holds the end-to-end field lines, each ending in CRLF."""

    __slots__ = (
        "accepts_html",
        "agent",
        "chunked",
        "close",
        "content_length",
        "expects_continue",
        "host",
        "host_field",
        "keep_alive",
        "onward",
        "referer",
        "request_id",
        "te_trailers",
        "trailer",
        "upgrade",
    )

    def __init__(self) -> None:
        self.host = ""
        self.host_field: bytes | None = None
        self.onward = b""
        self.content_length = -1  # bytes; -1: not said
        self.chunked = False
        self.close = False
        self.keep_alive = False
        self.expects_continue = False
        self.upgrade = b""
        self.request_id = b""
        self.te_trailers = False
        self.trailer = b""
        self.accepts_html = False
        self.agent = b""
        self.referer = b""


class ResponseFields:
    """What a response's field section says. ``onward`` holds the end-to-end field lines, each ending in CRLF."""

    __slots__ = ("chunked", "close", "content_length", "has_date", "keep_alive", "onward", "trailer", "upgrade")

    def __init__(self) -> None:
        self.onward = b""
        self.content_length = -1  # bytes; -1: not said
        self.chunked = False
        self.close = False
        self.keep_alive = False
        self.has_date = False
        self.trailer = b""
        self.upgrade = b""


class _FieldSink:
    """Receives llhttp's callbacks for one field section."""

    __slots__ = ("complete", "fields")

    def __init__(self) -> None:
        self.fields: list[tuple[bytes, bytes]] = []
        self.complete = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append((name, value))

    def on_headers_complete(self) -> None:
        self.complete = True


class FieldParser:
    """llhttp, kept ready for the next field section. ``probe`` is a start line that makes it expect fields."""

    __slots__ = ("_make", "_parser", "_probe", "_sink")

    def __init__(self, make: Any, probe: bytes) -> None:
        self._make = make
        self._probe = probe
        self._sink = _FieldSink()
        self._parser = make(self._sink)

    def parse(self, block: bytes, *, leaves_body: bool) -> list[tuple[bytes, bytes]]:
        """Fields of ``block``, which ends with the empty line.

        ``leaves_body``: llhttp may now expect a body, so this parser is spent. Raises ValueError when malformed.
        """
        sink = self._sink
        sink.fields = []
        sink.complete = False
        try:
            self._parser.feed_data(self._probe + block)
        except httptools.HttpParserUpgrade:
            leaves_body = True
        except httptools.HttpParserError as error:
            self._parser = self._make(sink)
            raise ValueError(str(error)) from None
        fields = sink.fields
        if leaves_body:
            self._parser = self._make(sink)
        if not sink.complete:
            self._parser = self._make(sink)
            raise ValueError("the field section does not end where its empty line is")
        return fields


_DROPPED = FieldKind.DROPPED
_request_parser = FieldParser(httptools.HttpRequestParser, _PROBE_REQUEST)
_response_parser = FieldParser(httptools.HttpResponseParser, _PROBE_RESPONSE)
_request_blocks: dict[bytes, RequestFields] = {}
_response_blocks: dict[bytes, ResponseFields] = {}


def has_bare_line_end(data: bytes | bytearray) -> bool:
    """Whether an unfinished head already holds a CR or LF alone (a CR at the very end may still get its LF)."""
    match = _BARE_LINE_END.search(data)
    return match is not None and not (match.group() == b"\r" and match.end() == len(data))


def read_request_line(line: bytes) -> tuple[bytes, bytes, int]:
    """Method, raw target and minor version of ``line`` (without CRLF).

    Raises:
        BadRequest: ``bad_request_line`` when it is not ``method SP target SP HTTP/1.0|1.1`` (RFC 9112 §3).
    """
    match = _REQUEST_LINE.fullmatch(line)
    if match is None:
        raise BadRequest("bad_request_line", "not 'method target HTTP/1.1' (RFC 9112 §3)")
    method, target, minor = match.groups()
    return method, target, 1 if minor == b"1" else 0


def read_request_fields(block: bytes, max_fields: int) -> RequestFields:
    """Judge a request's field section, which ends with the empty line (and is just that when there are no fields).

    Raises:
        BadRequest: with the reason; the connection cannot be used afterwards.
    """
    known = _request_blocks.get(block)
    if known is not None:
        return known
    try:
        raw = _request_parser.parse(block, leaves_body=_may_announce_body(block))
    except ValueError as error:
        raise BadRequest("bad_fields", str(error)) from None
    if len(raw) > max_fields:
        raise BadRequest("too_many_fields", f"more than {max_fields} header fields")
    fields = _judge_request(raw)
    if len(block) <= _MAX_BLOCK_TO_REMEMBER:
        if len(_request_blocks) >= _MAX_REMEMBERED_BLOCKS:
            _request_blocks.clear()
        _request_blocks[block] = fields
    return fields


def _may_announce_body(block: bytes) -> bool:
    lower = block.lower()
    return b"content-length" in lower or b"transfer-encoding" in lower


def _judge_request(raw: list[tuple[bytes, bytes]]) -> RequestFields:
    fields = RequestFields()
    onward: list[bytes] = []
    options: list[bytes] = []
    for name, value in raw:
        kind = request_kind(name)
        if not kind:  # END_TO_END
            onward.append(name + b": " + value.strip() + b"\r\n")
        elif kind is not _DROPPED:
            _judge_request_field(fields, kind, name, value.strip(), onward, options)
    if fields.chunked and fields.content_length >= 0:
        raise BadRequest("ambiguous_framing", "both Content-Length and Transfer-Encoding (RFC 9112 §6.3)")
    _apply_connection(fields, options)
    if fields.upgrade and (b"upgrade" not in options or _is_own_protocol(fields.upgrade) or _has_body(fields)):
        fields.upgrade = b""
    fields.te_trailers = fields.te_trailers and b"te" in options
    fields.onward = b"".join(_without_named(onward, options))
    return fields


def _judge_request_field(
    fields: RequestFields, kind: FieldKind, name: bytes, value: bytes, onward: list[bytes], options: list[bytes]
) -> None:
    if kind is FieldKind.HOST:
        if fields.host_field is not None:
            raise BadRequest("bad_host", "more than one Host field (RFC 9112 §3.2)")
        fields.host_field = value
        fields.host = normalise_host(value.decode("latin-1"))
    elif kind is FieldKind.CONNECTION:
        options += _list_items(value)
    elif kind is FieldKind.CONTENT_LENGTH:
        fields.content_length = _content_length(value, fields.content_length)
    elif kind is FieldKind.TRANSFER_ENCODING:
        if fields.chunked or value.lower() != b"chunked":
            raise BadRequest("bad_transfer_encoding", "a Transfer-Encoding other than chunked (RFC 9112 §6.1)")
        fields.chunked = True
    elif kind is FieldKind.EXPECT:
        fields.expects_continue = value.lower() == b"100-continue"
    elif kind is FieldKind.UPGRADE:
        fields.upgrade = b"h2c" if fields.upgrade else value  # two Upgrade fields: not ours to choose from
    elif kind is FieldKind.TE:
        fields.te_trailers = b"trailers" in _list_items(value)
    elif kind is FieldKind.TRAILER:
        fields.trailer = value
    elif kind is FieldKind.REQUEST_ID:
        if _REQUEST_ID.fullmatch(value):
            fields.request_id = value
    else:
        _note_request_field(fields, kind, value)
        onward.append(name + b": " + value + b"\r\n")


def _note_request_field(fields: RequestFields, kind: FieldKind, value: bytes) -> None:
    """Fields that are passed on as they are and looked at as well."""
    if kind is FieldKind.ACCEPT:
        fields.accepts_html = b"text/html" in value
    elif kind is FieldKind.LOGGED_AGENT:
        fields.agent = value
    elif kind is FieldKind.LOGGED_REFERER:
        fields.referer = value


def _has_body(fields: RequestFields) -> bool:
    return fields.chunked or fields.content_length > 0


def _is_own_protocol(upgrade: bytes) -> bool:
    """Protocols that would change what *we* speak are never passed on: h2c tunnels requests past every policy."""
    return any(item in (b"h2c", b"h2", b"http/2.0", b"tls/1.0", b"http/1.1") for item in _list_items(upgrade))


def _list_items(value: bytes) -> list[bytes]:
    return [item for item in (part.strip() for part in value.lower().split(b",")) if item]


def _content_length(value: bytes, earlier: int) -> int:
    if earlier >= 0 or not value.isdigit() or len(value) > _MAX_CONTENT_LENGTH_DIGITS:
        raise BadRequest("bad_content_length", "Content-Length is repeated or not a plain number (RFC 9110 §8.6)")
    return int(value)


def _apply_connection(fields: RequestFields | ResponseFields, options: list[bytes]) -> None:
    fields.close = b"close" in options
    fields.keep_alive = b"keep-alive" in options


_COMMON_OPTIONS = frozenset((b"close", b"keep-alive", b"upgrade", b"te"))


def _without_named(onward: list[bytes], options: list[bytes]) -> list[bytes]:
    """RFC 9110 §7.6.1: fields named in Connection end here. Ours are added later, so a client cannot name them away."""
    named = [option for option in options if option not in _COMMON_OPTIONS]
    if not named:
        return onward
    return [line for line in onward if line.partition(b":")[0].lower() not in named]


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


def read_response_fields(block: bytes, max_fields: int) -> ResponseFields:
    """Judge a response's field section.

    Raises:
        UpstreamError: ``bad_response_fields`` or ``ambiguous_response_framing``; the connection is of no further use.
    """
    known = _response_blocks.get(block)
    if known is not None:
        return known
    try:
        raw = _response_parser.parse(block, leaves_body=True)
    except ValueError as error:
        raise UpstreamError("bad_response_fields", str(error)) from None
    if len(raw) > max_fields:
        raise UpstreamError("bad_response_fields", f"more than {max_fields} header fields")
    try:
        fields = _judge_response(raw)
    except BadRequest as error:
        raise UpstreamError("ambiguous_response_framing", error.detail) from None
    if len(block) <= _MAX_BLOCK_TO_REMEMBER:
        if len(_response_blocks) >= _MAX_REMEMBERED_BLOCKS:
            _response_blocks.clear()
        _response_blocks[block] = fields
    return fields


def _judge_response(raw: list[tuple[bytes, bytes]]) -> ResponseFields:
    fields = ResponseFields()
    onward: list[bytes] = []
    options: list[bytes] = []
    for name, value in raw:
        kind = response_kind(name)
        if not kind:  # END_TO_END
            onward.append(name + b": " + value.strip() + b"\r\n")
        elif kind is not _DROPPED:
            _judge_response_field(fields, kind, name, value.strip(), onward, options)
    if fields.chunked and fields.content_length >= 0:
        raise BadRequest("ambiguous_framing", "both Content-Length and Transfer-Encoding")
    _apply_connection(fields, options)
    fields.onward = b"".join(_without_named(onward, options))
    return fields


def _judge_response_field(
    fields: ResponseFields, kind: FieldKind, name: bytes, value: bytes, onward: list[bytes], options: list[bytes]
) -> None:
    if kind is FieldKind.CONNECTION:
        options += _list_items(value)
    elif kind is FieldKind.CONTENT_LENGTH:
        fields.content_length = _content_length(value, fields.content_length)
    elif kind is FieldKind.TRANSFER_ENCODING:
        if fields.chunked or value.lower() != b"chunked":
            raise BadRequest("bad_transfer_encoding", "a Transfer-Encoding other than chunked")
        fields.chunked = True
    elif kind is FieldKind.UPGRADE:
        fields.upgrade = value
    elif kind is FieldKind.TRAILER:
        fields.trailer = value
    else:
        fields.has_date = fields.has_date or kind is FieldKind.DATE
        onward.append(name + b": " + value + b"\r\n")

"""Request heads: line, fields and target together, as ``Downstream`` reads them, with limits that are easily met."""

import re

import h11

from ingressd.errors import BadRequest
from ingressd.http import head as head_module
from ingressd.http import hops
from ingressd.http.fields import PassedNames, folded
from ingressd.http.head import RequestFields, RequestHead, read_request_fields
from ingressd.http.request_line import RequestLine, remembered_lines
from ingressd.http.target import Target
from ingressd.proxy.limits import Limits
from ingressd.proxy.request_head import check_unfinished, read_in_part, read_request
from tests.fuzz.cuts import random_cut
from tests.fuzz.targets.path import check_target
from tests.wire.corpus.reading import check_head

LIMITS = Limits(request_line_bytes=1024, header_bytes=2048, header_fields=20)
_REASONS = re.compile(
    "ambiguous_framing|bad_(?:content_length|fields|host|line_end|request_line|target|transfer_encoding)"
    "|header_too_large|method_not_allowed|request_line_too_long|too_many_fields"
)
_NEVER_ONWARD = re.compile(
    rb"(?im)^(?:host|connection|content-length|transfer-encoding|te|trailer|upgrade|expect|keep-alive|proxy"
    rb"|proxy-connection|proxy-authorization|http2-settings|x-request-id|forwarded|x-forwarded-.*|x-real-ip"
    rb"|x-original-.*|x-rewrite-url|x-scheme|[^:]*[^a-z0-9:-][^:]*):"
)
_PLAIN = b"Host: plain.example\r\nX-Plain: %d\r\nContent-Length: 3\r\n\r\n"
_count = 0


def check(data: bytes) -> None:
    end = data.find(b"\r\n\r\n")
    if end < 0:
        _check_unfinished(data)
        return
    warm = _read(data, end)
    head_module._remembered.clear()
    remembered_lines.clear()
    cold = _read(data, end)
    assert _described(warm) == _described(cold), "what is remembered is judged otherwise"
    if cold is not None:
        for piece in _prefixes(data[: end + 3]):
            assert b"\r\n\r\n" not in piece
            check_unfinished(piece, LIMITS)  # or it is refused only when it comes in pieces
        _check_accepted(cold)
        _check_names(cold, data[data.find(b"\r\n") + 2 : end + 4])
    _check_next_section()


def _check_unfinished(data: bytes) -> None:
    try:
        check_unfinished(data, LIMITS)
    except BadRequest as error:
        _check_reason(error)


def _check_reason(error: BadRequest) -> None:
    assert _REASONS.fullmatch(error.reason), error.reason


def _prefixes(data: bytes) -> list[bytes]:
    if len(data) <= 128:
        return [data[:size] for size in range(1, len(data) + 1)]
    size, prefixes = 0, [data]
    for piece in random_cut(data):
        size += len(piece)
        prefixes.append(data[:size])
    return prefixes


def _read(data: bytes, end: int) -> RequestHead | None:
    try:
        return read_request(data, end, LIMITS)
    except BadRequest as error:
        _check_reason(error)
        read_in_part(data, end, LIMITS)
        return None


def _described(request: RequestHead | None) -> list[object] | None:
    if request is None:
        return None
    fields = [getattr(request.fields, name) for name in RequestFields.__slots__]
    line = [getattr(request.line, name) for name in RequestLine.__slots__]
    return [*line, *fields]


def _check_accepted(request: RequestHead) -> None:
    fields = request.fields
    check_target(Target(request.path, request.query, request.line.other_reading))
    assert not _NEVER_ONWARD.search(fields.onward), fields.onward
    assert fields.onward.count(b"\r\n") <= LIMITS.header_fields
    assert not (fields.chunked and fields.content_length >= 0)
    target = (request.path + request.query).encode()
    host = fields.host_field or b"none"
    written = hops.request_head(request.line, fields, b"", authority=host)
    assert written.index(b"\r\n\r\n") == len(written) - 4
    check_head(written)
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(written)
    event = connection.next_event()
    assert isinstance(event, h11.Request)
    assert (event.method, event.target) == (request.method, target)
    values = dict(event.headers)
    assert values[b"host"] == host
    assert values.get(b"transfer-encoding") == (b"chunked" if fields.chunked else None)
    length = b"%d" % fields.content_length if fields.content_length >= 0 else None
    assert values.get(b"content-length") == length
    _check_fields_pass(event, fields)


def _check_fields_pass(event: h11.Request, fields: RequestFields) -> None:
    lines = [line.partition(b": ") for line in fields.onward.split(b"\r\n")[:-1]]
    passed = [(name.lower(), value) for name, _, value in lines]
    added = {b"host", b"content-length", b"transfer-encoding", b"connection", b"te", b"upgrade", b"expect"}
    assert [(name, value) for name, value in event.headers if name not in added] == passed


def _check_names(request: RequestHead, block: bytes) -> None:
    """However many names pass, none can be taken for another one; all else is read as ever."""
    plain = request.fields
    fields = read_request_fields(block, LIMITS.header_fields, PassedNames.TOKENS)
    assert fields.onward.startswith(plain.onward)
    assert (fields.tail, fields.claimed, fields.close) == (plain.tail, plain.claimed, plain.close)
    names = {line.partition(b":")[0].lower() for line in fields.onward.split(b"\r\n")[:-1]}
    assert len({folded(name) for name in names}) == len(names)
    assert not any(_NEVER_ONWARD.match(folded(name) + b":") for name in names), names


def _check_next_section() -> None:
    """What one client sent leaves nothing behind for the next."""
    global _count
    _count += 1
    fields = read_request_fields(_PLAIN % _count, 3)
    assert (fields.host, fields.content_length, fields.close, fields.chunked) == ("plain.example", 3, False, False)
    assert fields.onward == b"X-Plain: %d\r\n" % _count

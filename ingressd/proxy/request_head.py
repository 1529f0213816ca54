"""What a client sent so far, read as one request head within the limits. Nothing here outlives the call."""

import re
from contextlib import suppress

from ingressd.errors import BadRequest
from ingressd.http.head import RequestHead, has_bare_line_end, read_request_fields
from ingressd.http.request_line import RequestLine, read_request_line, remembered_lines, split_request_line
from ingressd.http.target import Target
from ingressd.proxy.limits import Limits

# RFC 9112 §3, RFC 9110 §5.6.2: a request begins with a token; the one empty line before it that is forgiven, with CR.
_NO_BEGINNING = re.compile(rb"[^!#$%&'*+\-.^_`|~0-9A-Za-z\r]")


def read_request(data: bytes, end: int, limits: Limits) -> RequestHead:
    """The request whose head ends with the empty line at ``end``.

    Raises:
        BadRequest: with the reason; ``read_in_part`` tells what was understood all the same.
    """
    line_end = data.find(b"\r\n", 0, end + 2)
    if line_end > limits.request_line_bytes:
        raise BadRequest("request_line_too_long", f"more than {limits.request_line_bytes} bytes")
    if end - line_end > limits.header_bytes:
        raise BadRequest("header_too_large", f"more than {limits.header_bytes} bytes")
    raw_line = data[:line_end]
    line = remembered_lines.get(raw_line)
    if line is None:
        # What is malformed is refused as that however it came in pieces, and only then for what it asks.
        parts = split_request_line(raw_line)
        fields = read_request_fields(data[line_end + 2 : end + 4], limits.header_fields, limits.names)
        line = read_request_line(raw_line, *parts)
    else:
        fields = read_request_fields(data[line_end + 2 : end + 4], limits.header_fields, limits.names)
    if fields.host_field is None and line.minor:
        raise BadRequest("bad_host", "no Host field (RFC 9112 §3.2)")
    if fields.chunked and not line.minor:
        raise BadRequest("bad_transfer_encoding", "Transfer-Encoding in an HTTP/1.0 request (RFC 9112 §6.1)")
    if line.absolute and not line.absolute.names_host((fields.host_field or b"").decode("latin-1")):
        raise BadRequest("bad_host", "Host is not the authority of the target (RFC 9112 §3.2.2)")
    return RequestHead(line, fields)


def read_in_part(data: bytes, end: int, limits: Limits) -> RequestHead:
    """As much as can be understood of a head that was refused: for the form of the answer, and for the log."""
    line_end = data.find(b"\r\n", 0, end + 2)
    request = RequestHead()
    with suppress(BadRequest):
        if line_end <= limits.request_line_bytes:
            method, target, minor = split_request_line(data[:line_end])
            request.line = RequestLine(method, minor, Target(target.decode("latin-1"), ""))
            if end - line_end <= limits.header_bytes:
                block = data[line_end + 2 : end + 4]
                request.fields = read_request_fields(block, limits.header_fields, limits.names)
    return request


def check_unfinished(data: bytes, limits: Limits, seen: int = 0) -> None:
    """Look at the beginning of a head whose end has not come yet; ``seen`` bytes of it passed before.

    Raises:
        BadRequest: it cannot become a request any more, so waiting for the rest is in vain.
    """
    if not seen and _NO_BEGINNING.match(data):
        raise BadRequest("bad_request_line", "the first byte begins no method: not HTTP/1 (TLS on the plain port?)")
    newline = data.find(b"\r\n")
    # What may be the beginning of an end does not count: a head is as long in pieces as it is in one.
    line_bytes = newline if newline >= 0 else len(data) - data.endswith(b"\r")
    if line_bytes > limits.request_line_bytes:
        raise BadRequest("request_line_too_long", "no end of the request line in sight")
    if newline >= 0 and len(data) - newline > limits.header_bytes + len(b"\r\n\r"):
        raise BadRequest("header_too_large", "no end of the header in sight")
    # A CR at the end of what was seen may have got its LF now.
    if has_bare_line_end(data[seen - data.endswith(b"\r", 0, seen) :]):
        raise BadRequest("bad_line_end", "a CR or LF alone (RFC 9112 §2.2)")

"""What a client sent so far, read as one request head within the limits. Nothing here outlives the call."""

import re

from ingressd.errors import BadRequest
from ingressd.http.head import RequestHead, has_bare_line_end, read_request_fields, read_request_line
from ingressd.http.target import parse_target
from ingressd.proxy.limits import Limits

# RFC 9112 §3, RFC 9110 §5.6.2: a request begins with a token; the one empty line before it that is forgiven, with CR.
_NO_BEGINNING = re.compile(rb"[^!#$%&'*+\-.^_`|~0-9A-Za-z\r]")


def read_request(data: bytes, end: int, limits: Limits, request: RequestHead) -> str:
    """Fill ``request`` from the head that ends with the empty line at ``end``, step by step.

    Returns the other reading of its path (see ``http/target``) or "".

    Raises:
        BadRequest: ``request`` then holds as much as was understood, for the answer and the log.
    """
    line_end = data.find(b"\r\n", 0, end + 2)
    if line_end > limits.request_line_bytes:
        raise BadRequest("request_line_too_long", f"more than {limits.request_line_bytes} bytes")
    method, raw_target, minor = read_request_line(data[:line_end])
    request.method = method
    request.minor = minor
    request.path = raw_target.decode("latin-1")
    if end - line_end > limits.header_bytes:
        raise BadRequest("header_too_large", f"more than {limits.header_bytes} bytes")
    fields = request.fields = read_request_fields(data[line_end + 2 : end + 4], limits.header_fields)
    if method == b"CONNECT" or method == b"TRACE":
        raise BadRequest("method_not_allowed", "neither a tunnel nor a mirror (RFC 9110 §9.3.6, §9.3.8)")
    target = parse_target(request.path)
    request.path = target.path
    request.query = target.query
    if fields.host_field is None and minor:
        raise BadRequest("bad_host", "no Host field (RFC 9112 §3.2)")
    if fields.chunked and not minor:
        raise BadRequest("bad_transfer_encoding", "Transfer-Encoding in an HTTP/1.0 request (RFC 9112 §6.1)")
    if target.authority and not target.names_host((fields.host_field or b"").decode("latin-1")):
        raise BadRequest("bad_host", "Host is not the authority of the target (RFC 9112 §3.2.2)")
    return target.other_reading


def check_unfinished(data: bytes, limits: Limits, seen: int = 0) -> None:
    """Look at the beginning of a head whose end has not come yet; ``seen`` bytes of it passed before.

    Raises:
        BadRequest: it cannot become a request any more, so waiting for the rest is in vain.
    """
    if not seen and _NO_BEGINNING.match(data):
        raise BadRequest("bad_request_line", "the first byte begins no method: not HTTP/1 (TLS on the plain port?)")
    newline = data.find(b"\r\n")
    if len(data) > limits.request_line_bytes and (newline < 0 or newline > limits.request_line_bytes):
        raise BadRequest("request_line_too_long", "no end of the request line in sight")
    if newline >= 0 and len(data) - newline > limits.header_bytes:
        raise BadRequest("header_too_large", "no end of the header in sight")
    # A CR at the end of what was seen may have got its LF now.
    if has_bare_line_end(data[seen - data.endswith(b"\r", 0, seen) :]):
        raise BadRequest("bad_line_end", "a CR or LF alone (RFC 9112 §2.2)")

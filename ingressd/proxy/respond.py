"""The only place that chooses an error status and words an answer of our own."""

from http import HTTPStatus

from ingressd.errors import BadRequest, ProxyError, UpstreamError
from ingressd.http.accept import prefers_html

# RFC 9110 §15. Only reasons that do not answer 400 (client) or 502 (endpoint).
_STATUS_OF_BAD_REQUEST = {
    "request_line_too_long": 414,
    "header_too_large": 431,
    "too_many_fields": 431,
    "body_too_large": 413,
    "header_timeout": 408,
    "body_timeout": 408,
    "method_not_allowed": 405,
    "too_many_connections_of_client": 429,
}
_STATUS_OF_UPSTREAM_ERROR = {
    "no_endpoints": 503,
    "connect_timeout": 504,
    "read_timeout": 504,
    "send_timeout": 504,
    "tls_handshake_timeout": 504,
}

_PHRASES = {status.value: status.phrase.encode() for status in HTTPStatus} | {
    308: b"Permanent Redirect",
    413: b"Content Too Large",
    414: b"URI Too Long",
    421: b"Misdirected Request",
}


def status_of(error: ProxyError) -> int:
    """The status that tells the client about ``error``."""
    if isinstance(error, BadRequest):
        return _STATUS_OF_BAD_REQUEST.get(error.reason, 400)
    if isinstance(error, UpstreamError):
        return _STATUS_OF_UPSTREAM_ERROR.get(error.reason, 502)
    return 500


# RFC 9110 §15.5.6 requires it. What an endpoint allows we do not know; these are what we pass on.
_ALLOW = b"Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n"


_HTML = b"<!doctype html><title>%(status)d %(phrase)b</title><h1>%(status)d %(phrase)b</h1>\n"
_TEXT = b"%(status)d %(phrase)b\n"


_NO_BODY = frozenset((204, 304))


def own_response(
    status: int,
    *,
    date: bytes,
    accept: bytes,
    head_only: bool,
    close: bool,
    keep_alive: bool = False,
    fields: bytes = b"",
    body: bytes | None = None,
) -> bytes:
    """A whole response of ours. ``accept`` is the client's Accept; ``head_only`` is for HEAD (RFC 9110 §9.3.2).

    ``close`` announces the end of the connection, ``keep_alive`` confirms its going on to an HTTP/1.0 client.
    ``fields`` are whole lines; a Content-Type among them is the body's. ``body`` None: one that names the status, and
    nothing about us.
    """
    phrase = _PHRASES.get(status, b"Error")
    kind = b""
    if not fields or b"\r\ncontent-type:" not in b"\r\n" + fields.lower():
        media_type = b"text/html" if body is None and prefers_html(accept) else b"text/plain"
        kind = b"Content-Type: %b; charset=utf-8\r\n" % media_type
    if body is None:
        body = _usual_body(status, accept)
    length = b"Content-Length: %d\r\n" % len(body)
    if status in _NO_BODY:
        body = length = b""  # RFC 9110 §8.6: none with 204; with 304 it would be the length of what was not sent
        kind = b""
    extra = _ALLOW if status == 405 else b""
    connection = b"Connection: close\r\n" if close else b"Connection: keep-alive\r\n" if keep_alive else b""
    head = b"HTTP/1.1 %d %b\r\nDate: %b\r\n%b%bX-Content-Type-Options: nosniff\r\n%b%b%b\r\n" % (
        status,
        phrase,
        date,
        kind,
        length,
        extra,
        fields,
        connection,
    )
    return head if head_only else head + body


def _usual_body(status: int, accept: bytes) -> bytes:
    words = {b"status": status, b"phrase": _PHRASES.get(status, b"Error")}
    return (_HTML if prefers_html(accept) else _TEXT) % words


def own_body_bytes(status: int, accept: bytes, *, head_only: bool, body: bytes | None = None) -> int:
    """Length of the body that ``own_response`` sends, for the log."""
    if head_only or status in _NO_BODY:
        return 0
    return len(_usual_body(status, accept) if body is None else body)

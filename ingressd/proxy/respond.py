"""The only place that chooses an error status and words an answer of our own."""

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
}

_PHRASES = {
    200: b"OK",
    301: b"Moved Permanently",
    302: b"Found",
    308: b"Permanent Redirect",
    400: b"Bad Request",
    401: b"Unauthorized",
    403: b"Forbidden",
    404: b"Not Found",
    405: b"Method Not Allowed",
    408: b"Request Timeout",
    413: b"Content Too Large",
    414: b"URI Too Long",
    421: b"Misdirected Request",
    429: b"Too Many Requests",
    431: b"Request Header Fields Too Large",
    500: b"Internal Server Error",
    502: b"Bad Gateway",
    503: b"Service Unavailable",
    504: b"Gateway Timeout",
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


def own_response(
    status: int, *, date: bytes, accept: bytes, head_only: bool, close: bool, keep_alive: bool = False
) -> bytes:
    """A whole response of ours. ``accept`` is the client's Accept; ``head_only`` is for HEAD (RFC 9110 §9.3.2).

    ``close`` announces the end of the connection, ``keep_alive`` confirms its going on to an HTTP/1.0 client. The body
    names the status and nothing about us.
    """
    phrase = _PHRASES.get(status, b"Error")
    html = prefers_html(accept)
    body = (_HTML if html else _TEXT) % {b"status": status, b"phrase": phrase}
    kind = b"text/html" if html else b"text/plain"
    extra = _ALLOW if status == 405 else b""
    connection = b"Connection: close\r\n" if close else b"Connection: keep-alive\r\n" if keep_alive else b""
    head = (
        b"HTTP/1.1 %d %b\r\nDate: %b\r\nContent-Type: %b; charset=utf-8\r\nContent-Length: %d\r\n"
        b"X-Content-Type-Options: nosniff\r\n%b%b\r\n" % (status, phrase, date, kind, len(body), extra, connection)
    )
    return head if head_only else head + body


def own_body_bytes(status: int, accept: bytes, *, head_only: bool) -> int:
    """Length of the body that ``own_response`` sends, for the log."""
    if head_only:
        return 0
    words = {b"status": status, b"phrase": _PHRASES.get(status, b"Error")}
    return len((_HTML if prefers_html(accept) else _TEXT) % words)

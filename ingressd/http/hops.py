"""The head for the next hop, written anew from what was understood of the one received."""

from ingressd.http.head import RequestFields
from ingressd.http.request_line import RequestLine


def forwarded_fields(*, client: bytes, host_field: bytes, port: bytes, scheme: bytes) -> bytes:
    """Field lines that tell the upstream where a request came from. ``client`` is the peer's address, no port."""
    return (
        b"X-Real-IP: %b\r\nX-Forwarded-For: %b\r\nX-Forwarded-Host: %b\r\nX-Forwarded-Port: %b\r\n"
        b"X-Forwarded-Proto: %b\r\nX-Forwarded-Scheme: %b\r\nX-Scheme: %b\r\n"
    ) % (client, client, host_field, port, scheme, scheme, scheme)


def identified_head(line: RequestLine, fields: RequestFields, request_id: bytes, added: bytes) -> bytes:
    """``request_head`` of an HTTP/1.1 request with our X-Request-ID before ``added``: one copy instead of three.

    Only where the Host that the upstream is told is the request's own.
    """
    return b"".join((line.onward, fields.lead, b"X-Request-ID: ", request_id, b"\r\n", added, fields.tail))


def request_head(line: RequestLine, fields: RequestFields, added: bytes, *, authority: bytes = b"") -> bytes:
    """The onward request head. ``added`` is our own field lines: they come last, after Connection had its say.

    ``authority`` is the Host that the upstream is told, b"" for the request's own: what a trusted proxy in front named,
    or where the client connected to if it named nothing. An HTTP/1.0 client can neither expect an interim response nor
    switch protocols (RFC 9110 §10.1.1, §7.8).
    """
    host = authority or fields.host_field or b""
    if line.minor:
        if host == fields.host_field:
            return b"".join((line.onward, fields.lead, added, fields.tail))
        return b"%bHost: %b\r\n%b%b%b" % (line.onward, host, fields.onward, added, fields.tail)
    length = b"Content-Length: %d\r\n" % fields.content_length if fields.content_length >= 0 else b""
    return b"%bHost: %b\r\n%b%b%b\r\n" % (line.onward, host, fields.onward, added, length)

"""The head for the next hop, written anew from what was understood of the one received."""

from ingressd.http.head import RequestFields
from ingressd.http.response import ResponseFields


def forwarded_fields(*, client: bytes, host_field: bytes, port: bytes, scheme: bytes) -> bytes:
    """Field lines that tell the upstream where a request came from. ``client`` is the peer's address, no port."""
    return (
        b"X-Real-IP: %b\r\nX-Forwarded-For: %b\r\nX-Forwarded-Host: %b\r\nX-Forwarded-Port: %b\r\n"
        b"X-Forwarded-Proto: %b\r\nX-Forwarded-Scheme: %b\r\nX-Scheme: %b\r\n"
    ) % (client, client, host_field, port, scheme, scheme, scheme)


def request_head(
    *, method: bytes, target: bytes, host_field: bytes, fields: RequestFields, minor: int, added: bytes
) -> bytes:
    """The onward request head. Framing and connection fields come from ``fields``' meaning, never from its bytes.

    ``added`` is our own field lines (forwarded fields, request id). They come last, after Connection had its say. An
    HTTP/1.0 client (``minor`` 0) can neither expect an interim response nor switch (RFC 9110 §10.1.1, §7.8).
    """
    head = b"%b %b HTTP/1.1\r\nHost: %b\r\n%b%b" % (method, target, host_field, fields.onward, added)
    if fields.chunked:
        head += b"Transfer-Encoding: chunked\r\n"
    elif fields.content_length >= 0:
        head += b"Content-Length: %d\r\n" % fields.content_length
    if minor:
        if fields.expects_continue and fields.has_body:
            head += b"Expect: 100-continue\r\n"
        if fields.upgrade:
            return head + b"Connection: upgrade\r\nUpgrade: " + fields.upgrade + b"\r\n\r\n"
        if fields.te_trailers:
            return head + b"Connection: TE\r\nTE: trailers\r\n\r\n"
    return head + b"\r\n"


def response_head(
    *, status: int, reason: bytes, fields: ResponseFields, framing: bytes, connection: bytes, date: bytes
) -> bytes:
    """The onward response head. ``framing`` and ``connection`` are whole field lines or empty.

    ``date`` is used when the origin sent none (RFC 9110 §6.6.1: a recipient with a clock must add it).
    """
    if not fields.has_date:
        framing = b"Date: " + date + b"\r\n" + framing
    return b"HTTP/1.1 %d %b\r\n%b%b%b\r\n" % (status, reason, fields.onward, framing, connection)

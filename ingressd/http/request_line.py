"""Request lines: method, target and version, checked and normalised.

Lines repeat (health checks, popular pages, polling clients), so they are remembered, boundedly, by their exact bytes.
"""

import re

from ingressd.errors import BadRequest
from ingressd.http.target import Target, parse_target

_REQUEST_LINE = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]{1,32}) ([\x21-\x7e\x80-\xff]+) HTTP/1\.([01])")
# RFC 9110 §9.2.2: sending it twice means the same as sending it once.
IDEMPOTENT = frozenset((b"GET", b"HEAD", b"OPTIONS", b"PUT", b"DELETE", b"TRACE"))

_MAX_LINE_TO_REMEMBER = 512
_MAX_REMEMBERED_LINES = 1024


class RequestLine:
    """What a request asks for. ``path`` is normalised; ``query`` is empty or begins with ``?``; ``other_reading`` is
    explained in ``http/target``. ``onward`` is the line for the next hop, with its CRLF.

    ``absolute`` is the target when it came in absolute form. Shared by all requests with the same line: nobody may
    change one.
    """

    __slots__ = ("absolute", "idempotent", "method", "minor", "onward", "other_reading", "path", "query", "target")

    def __init__(self, method: bytes, minor: int, target: Target) -> None:
        self.method = method
        self.minor = minor
        self.idempotent = method in IDEMPOTENT
        self.path, self.query, self.other_reading, _, authority = target
        self.absolute = target if authority else None
        self.target = self.path + self.query
        self.onward = b"%b %b HTTP/1.1\r\n" % (method, self.target.encode("latin-1"))


NO_LINE = RequestLine(b"", 1, Target("", ""))
"""Stands for one that could not be read."""

remembered_lines: dict[bytes, RequestLine] = {}
"""Look here first; ``read_request_line`` puts in what it has read."""


def split_request_line(line: bytes) -> tuple[bytes, bytes, int]:
    """Method, raw target and minor version of ``line`` (without CRLF).

    Raises:
        BadRequest: ``bad_request_line`` when it is not ``method SP target SP HTTP/1.0|1.1`` (RFC 9112 §3).
    """
    match = _REQUEST_LINE.fullmatch(line)
    if match is None:
        raise BadRequest("bad_request_line", "not 'method target HTTP/1.1' (RFC 9112 §3)")
    method, target, minor = match.groups()
    return method, target, 1 if minor == b"1" else 0


def read_request_line(line: bytes, method: bytes, raw_target: bytes, minor: int) -> RequestLine:
    """Judge ``line``, which ``split_request_line`` has taken apart.

    Raises:
        BadRequest: ``method_not_allowed`` or ``bad_target``
    """
    if method == b"CONNECT" or method == b"TRACE":
        raise BadRequest("method_not_allowed", "neither a tunnel nor a mirror (RFC 9110 §9.3.6, §9.3.8)")
    read = RequestLine(method, minor, parse_target(raw_target.decode("latin-1")))
    if len(line) <= _MAX_LINE_TO_REMEMBER:
        if len(remembered_lines) >= _MAX_REMEMBERED_LINES:
            remembered_lines.clear()  # or lines that one client made up would stay for ever
        remembered_lines[line] = read
    return read

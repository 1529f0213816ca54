"""Field names: what kind each one is to a proxy. The table is the list of every field we treat specially."""

import re
from enum import IntEnum


class FieldKind(IntEnum):
    """What a proxy does with a field. END_TO_END is passed on as it came; everything else is looked at or dropped."""

    END_TO_END = 0
    DROPPED = 1  # hop-by-hop, replaced by us, or not spelled in a way that every server reads alike
    HOST = 2
    CONNECTION = 3
    CONTENT_LENGTH = 4
    TRANSFER_ENCODING = 5
    EXPECT = 6
    UPGRADE = 7
    TE = 8
    REQUEST_ID = 9
    ACCEPT = 10  # passed on, and looked at to choose the form of our own answers
    LOGGED_AGENT = 11  # passed on, and kept for the access log
    LOGGED_REFERER = 12
    DATE = 13  # passed on, and its absence matters in a response
    TRAILER = 14
    CLAIMED = 15  # what a client says about where a request came from: kept for whoever trusts it, never passed on
    SERVER = 16  # of a response: what runs behind us is nobody's business, unless a route says otherwise
    UNDERSCORED = 17  # of a request: some servers cannot tell its name from the one with "-"; see ``PassedNames``
    UNUSUAL = 18  # the same, with other characters than letters, digits, "-" and "_"


class PassedNames(IntEnum):
    """Which field names of requests are passed on. Whatever is chosen, none that a server could take for another one
    that means something: see ``head.read_request_fields``.
    """

    PLAIN = 0  # letters, digits and "-"
    UNDERSCORES = 1  # and "_" (enable-underscores-in-headers)
    TOKENS = 2  # and whatever a name may hold, RFC 9110 §5.6.2 (ignore-invalid-headers: false)


_SPECIAL: dict[bytes, FieldKind] = {
    b"host": FieldKind.HOST,
    b"connection": FieldKind.CONNECTION,
    b"content-length": FieldKind.CONTENT_LENGTH,
    b"transfer-encoding": FieldKind.TRANSFER_ENCODING,
    b"expect": FieldKind.EXPECT,
    b"upgrade": FieldKind.UPGRADE,
    b"te": FieldKind.TE,
    b"trailer": FieldKind.TRAILER,
    b"x-request-id": FieldKind.REQUEST_ID,
    b"accept": FieldKind.ACCEPT,
    b"user-agent": FieldKind.LOGGED_AGENT,
    b"referer": FieldKind.LOGGED_REFERER,
    b"date": FieldKind.DATE,
    # RFC 9110 §7.6.1: for this hop only
    b"keep-alive": FieldKind.DROPPED,
    b"proxy-connection": FieldKind.DROPPED,
    b"proxy-authenticate": FieldKind.DROPPED,
    b"proxy-authorization": FieldKind.DROPPED,
    b"http2-settings": FieldKind.DROPPED,
    # CGI programs would read it as HTTP_PROXY (CVE-2016-5385)
    b"proxy": FieldKind.DROPPED,
}

# What a client says about where a request came from is not passed on; we write these ourselves (or nobody does), from
# what it said only when somebody trusts it: policy/forwarded.
# X-Rewrite-URL and X-Original-URL replace the path for some upstreams, past every route (CVE-2018-14773).
_CLAIMED_BY_CLIENT = re.compile(rb"forwarded|x-forwarded(?:-.*)?|x-original-.*|x-real-ip|x-rewrite-url|x-scheme")
# nginx drops names outside this set too: with "_" and "." a CGI-style upstream cannot tell X-Real-IP from X_Real_IP.
_UNMISTAKABLE_NAME = re.compile(rb"[A-Za-z0-9-]+")
_UNDERSCORED_NAME = re.compile(rb"[A-Za-z0-9_-]+")
# What a CGI-style upstream makes of a name, but for the spelling: letters of one case, all else one character.
_FOLDED = bytes(
    ord(chr(byte).lower()) if chr(byte).isascii() and chr(byte).isalnum() else ord("-") for byte in range(256)
)

_MAX_REMEMBERED_NAMES = 4096
_MAX_NAME_TO_REMEMBER = 64  # longer than any that is in use: one may have as many bytes as a whole header
request_kinds: dict[bytes, FieldKind] = {}
response_kinds: dict[bytes, FieldKind] = {}
"""What the two functions below remember, for those who ask often: look here first."""


def request_kind(name: bytes) -> FieldKind:
    """Kind of a request field by its name as spelled; remembers names, boundedly, because they repeat."""
    kind = request_kinds.get(name)
    return _remember(request_kinds, name, _classify_request(name)) if kind is None else kind


def response_kind(name: bytes) -> FieldKind:
    """Kind of a response field by its name as spelled."""
    kind = response_kinds.get(name)
    return _remember(response_kinds, name, _classify_response(name)) if kind is None else kind


def folded(name: bytes) -> bytes:
    """The name that some server could take ``name`` for: equal results cannot be told apart everywhere."""
    return name.translate(_FOLDED)


def _classify_response(name: bytes) -> FieldKind:
    lower = name.lower()
    return FieldKind.SERVER if lower == b"server" else _SPECIAL.get(lower, FieldKind.END_TO_END)


def _classify_request(name: bytes) -> FieldKind:
    lower = name.lower()
    if not _UNMISTAKABLE_NAME.fullmatch(lower):
        if _classify_request(folded(lower)):  # it stands for what means something to us
            return FieldKind.DROPPED
        return FieldKind.UNDERSCORED if _UNDERSCORED_NAME.fullmatch(lower) else FieldKind.UNUSUAL
    if _CLAIMED_BY_CLIENT.fullmatch(lower):
        return FieldKind.CLAIMED
    if lower == b"trailer":  # announces what does not pass: see proxy/request_body
        return FieldKind.DROPPED
    return _SPECIAL.get(lower, FieldKind.END_TO_END)


def _remember(kinds: dict[bytes, FieldKind], name: bytes, kind: FieldKind) -> FieldKind:
    if len(name) > _MAX_NAME_TO_REMEMBER:
        return kind
    if len(kinds) >= _MAX_REMEMBERED_NAMES:
        kinds.clear()  # or names that one client made up would stay for ever
    kinds[name] = kind
    return kind


# RFC 9110 §6.5.1: what controls framing, routing, authentication, caching or the payload's form is not a trailer.
_NEVER_A_TRAILER = re.compile(
    rb"transfer-encoding|content-.*|host|connection|te|trailer|upgrade|keep-alive|proxy.*|forwarded|x-forwarded.*"
    rb"|x-original-.*|x-real-ip|x-request-id|x-scheme|authorization|www-authenticate|cookie|set-cookie|cache-control"
    rb"|expect|max-forwards|pragma|range|age|expires|date|location|retry-after|vary|warning|http2-settings"
)


def may_be_trailer(name: bytes) -> bool:
    """Whether a field may be passed on in a trailer section."""
    lower = name.lower()
    return bool(_UNMISTAKABLE_NAME.fullmatch(lower)) and not _NEVER_A_TRAILER.fullmatch(lower)

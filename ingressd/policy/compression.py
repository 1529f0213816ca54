"""Whether an answer is sent compressed, how, and what its head says then.

Which answers are is nginx's rule: status 200, 403 or 404, a media type that is listed, not too short, HTTP/1.1, not
encoded already. Never one that its sender forbids to change (``no-transform``), or whose bytes it has digested.

Compressing what mixes a secret with what an attacker may choose leaks the secret through the length (BREACH): both
codings are off by default. Leave them off for pages that show a token beside parts of the request.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final, Literal, NamedTuple

from msgspec import Struct

from ingressd.http.field_values import first_preferences
from ingressd.http.response import ResponseFields
from ingressd.policy.ask import field_value, without_fields
from ingressd.policy.memory import SharedBound
from ingressd.policy.pattern import Pattern, compile_pattern

Coding = Literal["gzip", "br"]

_STATUSES: Final = frozenset({200, 403, 404})
_ALWAYS: Final = "text/html"  # nginx compresses it whatever is listed
_VARY: Final = b"Vary: Accept-Encoding\r\n"
_MAX_REMEMBERED: Final = 256
_MAX_LINES_TO_REMEMBER: Final = 2048
_all_remembered: Final = SharedBound(8 * _MAX_REMEMBERED)  # of all routes: 16 MiB for each worker at the very most
_WEIGHT = re.compile(rb"[01](?:\.[0-9]{0,3})?")
_NO_TRANSFORM = re.compile(rb"(?:^|,)\s*no-transform\s*(?:,|$)")
_STRONG_TAG = re.compile(rb'^(etag: ?)(?=")', re.IGNORECASE | re.MULTILINE)
# Digests are of the bytes before we change them (RFC 9530); SSE and the like have to be listed to be compressed.
_FORBIDDING: Final = (
    b"\r\ncontent-encoding:",
    b"\r\ncontent-range:",
    b"\r\ncontent-digest:",
    b"\r\nrepr-digest:",
    b"\r\ndigest:",
    b"\r\ncontent-md5:",
)
_MSIE6: Final = "msie6"


class CodingSettings(Struct, frozen=True, gc=False, array_like=True):
    """One coding. ``types`` are media types without parameters, or ``*``; ``min_bytes`` is for announced lengths."""

    level: int
    min_bytes: int
    types: tuple[str, ...]


class Compression(Struct, frozen=True, gc=False, array_like=True):
    """``use-gzip`` and ``enable-brotli`` with their companions; None: that coding is off.

    ``gzip_disable``: a pattern of user agents that get no gzip, or ``msie6``.
    """

    gzip: CodingSettings | None = None
    brotli: CodingSettings | None = None
    gzip_disable: str = ""


class Chosen(NamedTuple):
    """``coding`` None: the body stays as it is. ``onward`` are the lines to send; with a coding there is no length.

    ``plain`` are the lines for a body that stays as it is after all, because too many are being compressed.
    """

    coding: Coding | None
    level: int
    onward: bytes
    plain: bytes


class _Prepared(NamedTuple):
    """What can be done with answers of one header section: the lines for each coding, and without."""

    plain: bytes
    gzip: bytes | None
    brotli: bytes | None


class CompressionRules:
    """``Compression`` made ready for one worker. Raises PatternError."""

    __slots__ = ("_brotli", "_brotli_types", "_gzip", "_gzip_types", "_is_disabled", "_remembered")

    def __init__(self, settings: Compression, *, has_brotli: bool) -> None:
        """``has_brotli``: the library is there; without it brotli counts as off."""
        self._gzip = settings.gzip
        self._brotli = settings.brotli if has_brotli else None
        self._gzip_types = _types(self._gzip)
        self._brotli_types = _types(self._brotli)
        self._is_disabled = _disabling(settings.gzip_disable)
        self._remembered: dict[tuple[bytes, int], _Prepared | None] = {}

    def leaves(self, status: int, fields: ResponseFields) -> bool:
        """Whether ``choose`` says None to every client."""
        return status not in _STATUSES or fields.content_length == 0 or self._prepare(fields) is None

    def choose(
        self,
        accept_encoding: bytes | None,
        agent: bytes,
        *,
        method: bytes,
        minor: int,
        status: int,
        fields: ResponseFields,
    ) -> Chosen | None:
        """What to do with an answer; None: pass it on untouched, also its length.

        ``accept_encoding`` is the client's field (repeated ones joined), ``minor`` its HTTP/1 version.
        """
        if status not in _STATUSES or method == b"HEAD" or fields.content_length == 0:
            return None
        prepared = self._prepare(fields)
        if prepared is None:
            return None
        coding = self._coding(prepared, accept_encoding, agent) if accept_encoding and minor else None
        if coding == "br" and self._brotli is not None and prepared.brotli is not None:
            return Chosen("br", self._brotli.level, prepared.brotli, prepared.plain)
        if coding == "gzip" and self._gzip is not None and prepared.gzip is not None:
            return Chosen("gzip", self._gzip.level, prepared.gzip, prepared.plain)
        return Chosen(None, 0, prepared.plain, prepared.plain)

    def _coding(self, prepared: _Prepared, accept_encoding: bytes, agent: bytes) -> Coding | None:
        """The one wanted more, brotli when both are wanted alike."""
        gzip, brotli = weights(first_preferences(accept_encoding))
        if prepared.gzip is None or (gzip and self._is_disabled(agent)):
            gzip = 0.0
        if prepared.brotli is not None and brotli and brotli >= gzip:
            return "br"
        return "gzip" if gzip else None

    def _prepare(self, fields: ResponseFields) -> _Prepared | None:
        key = (fields.onward, fields.content_length)
        try:
            return self._remembered[key]
        except KeyError:
            prepared = self._judge(fields)
        if len(fields.onward) <= _MAX_LINES_TO_REMEMBER:
            _all_remembered.remember(self._remembered, key, prepared, _MAX_REMEMBERED)
        return prepared

    def _judge(self, fields: ResponseFields) -> _Prepared | None:
        onward = fields.onward
        lower = b"\r\n" + onward.lower()
        if any(mark in lower for mark in _FORBIDDING):
            return None
        control = field_value(onward, b"cache-control")
        if control is not None and _NO_TRANSFORM.search(control.lower()):
            return None
        media_type = (field_value(onward, b"content-type") or b"").partition(b";")[0].strip().lower().decode("latin-1")
        length = fields.content_length
        gzip = _is_eligible(self._gzip, self._gzip_types, media_type, length)
        brotli = _is_eligible(self._brotli, self._brotli_types, media_type, length)
        if not gzip and not brotli:
            return None
        plain = onward if _varies(onward) else onward + _VARY
        encoded = _STRONG_TAG.sub(rb"\1W/", without_fields(plain, _ACCEPT_RANGES))
        return _Prepared(
            plain,
            encoded + b"Content-Encoding: gzip\r\n" if gzip else None,
            encoded + b"Content-Encoding: br\r\n" if brotli else None,
        )


_ACCEPT_RANGES: Final = frozenset({b"accept-ranges"})  # ranges are of bytes that this client does not get


def _disabling(text: str) -> Callable[[bytes], bool]:
    """Whether a user agent gets no gzip. Raises PatternError."""
    if text == _MSIE6:
        return _is_old_explorer
    if not text:
        return lambda _: False
    pattern: Pattern = compile_pattern(text, ignore_case=True)
    return lambda agent: pattern.search(agent.decode("latin-1")) is not None


def _is_old_explorer(agent: bytes) -> bool:
    """What nginx means by the word msie6: version 4 to 6, but not 6 with SV1, which has learnt to read gzip."""
    _, found, rest = agent.partition(b"MSIE ")
    return bool(found) and (rest[:2] in (b"4.", b"5.") or (rest[:2] == b"6." and b"SV1" not in rest))


def _types(coding: CodingSettings | None) -> frozenset[str]:
    return frozenset((_ALWAYS, *map(str.lower, coding.types))) if coding is not None else frozenset()


def _is_eligible(coding: CodingSettings | None, types: frozenset[str], media_type: str, length: int) -> bool:
    if coding is None or 0 <= length < coding.min_bytes:
        return False
    return media_type in types or ("*" in types and bool(media_type))


def _varies(onward: bytes) -> bool:
    names = {name.strip() for name in (field_value(onward, b"vary") or b"").lower().split(b",")}
    return not names.isdisjoint((b"accept-encoding", b"*"))


@lru_cache(maxsize=256)
def weights(accept_encoding: bytes) -> tuple[float, float]:
    """How much gzip and brotli are wanted (RFC 9110 §12.5.3); 0: not at all, or less than no coding.

    A member that cannot be read is not there.
    """
    said: dict[bytes, float] = {}
    for member in accept_encoding.lower().split(b","):
        coding, *parameters = (part.strip() for part in member.split(b";"))
        weight = _weight(parameters)
        if weight is not None:
            said.setdefault(b"gzip" if coding == b"x-gzip" else coding, weight)
    others = said.get(b"*", 0.0)
    identity = said.get(b"identity", 0.0)
    found = (said.get(b"gzip", others), said.get(b"br", others))
    return (found[0] if found[0] >= identity else 0.0, found[1] if found[1] >= identity else 0.0)


def _weight(parameters: list[bytes]) -> float | None:
    if not parameters:
        return 1.0
    name, equals, value = parameters[0].partition(b"=")
    if len(parameters) > 1 or name.strip() != b"q" or not equals or not _WEIGHT.fullmatch(value.strip()):
        return None
    return min(float(value), 1.0)

"""Request targets and hosts: one documented normalisation, done before anything is matched or forwarded.

What policy sees is what the upstream gets. The path is normalised so:

1. ``%XX`` of an unreserved character is decoded, other ``%XX`` keep their meaning and get upper-case digits
   (RFC 3986 §6.2.2.1-2); a ``%`` without two hex digits is refused.
2. Bytes outside ASCII are percent-encoded (in the query too); a backslash is encoded as ``%5C``.
3. Doubled slashes are merged and dot segments removed (RFC 3986 §5.2.4); a path that climbs above ``/`` is refused.
4. Refused: ``%00``, over-long UTF-8, dot segments with path parameters (``/..;/``) and those next to an encoded slash
   or backslash (``/a%2F..``), which some servers resolve.

Some paths are read in two ways: an encoded slash or backslash is a slash to some servers, a path parameter (``;`` or
``%3B``) is cut off by some, a path that is encoded twice is decoded twice by some. Such a path carries
``other_reading``, what a server makes of it that does all of that; the caller must refuse it unless both readings meet
the same route. For routes that hold none of these characters no reading in between leads anywhere else, because an
encoded slash within parameters is refused.
"""

import re
from functools import lru_cache
from ipaddress import AddressValueError, IPv6Address
from typing import NamedTuple

from ingressd.errors import BadRequest

_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_HEX = "0123456789ABCDEFabcdef"
# What the two digits behind a percent sign become. Tables, because a client may send 2,700 of them, or as many
# backslashes as a line has room for: a call for each made one such path cost as much as 300 ordinary requests.
_SPELLINGS = {
    high + low: character if (character := chr(int(high + low, 16))) in _UNRESERVED else f"%{high}{low}".upper()
    for high in _HEX
    for low in _HEX
    if high + low != "00"
}
_ENCODED_QUERY = {code: f"%{code:02X}" for code in (*range(0x21), *range(0x7F, 0x100))}
_ENCODED = {**_ENCODED_QUERY, 0x5C: "%5C"}
_SLASHES = re.compile(r"/{2,}")
_NOT_PLAIN = re.compile(r"[^\x21-\x7e]|\\")
_DOT_SEGMENT = re.compile(r"/\.\.?(?:[/;]|$)")
_DOT_WITH_PARAMETERS = re.compile(r"/\.\.?;")
# Lead bytes C0 and C1, and others followed by too small a byte, spell an ASCII or shorter character the long way.
_OVERLONG = re.compile(r"%C[01]|%E0%[89]|%F0%8|%F8%8[0-7]|%FC%8[0-3]", re.IGNORECASE)
_TWO_READINGS = re.compile(r"%2F|%5C|;|%3B|%25[0-9A-Fa-f]{2}", re.IGNORECASE)
_ENCODED_AGAIN = re.compile(r"%(?:25)+([0-9A-Fa-f]{2})")
_ENCODED_SLASH = re.compile(r"%2F|%5C", re.IGNORECASE)
_PARAMETERS = re.compile(r"(?:;|%3B)([^/]*)")

_HOST = re.compile(r"(?:([A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?)\.?|(\[[0-9A-Fa-f:.]+\]))(?::([0-9]{0,5}))?")
MAX_HOST_BYTES = 255 + 6  # a DNS name (RFC 1035 §2.3.4) and a port


class Target(NamedTuple):
    """A checked target. ``path`` is normalised and begins with ``/``; ``query`` is ``""`` or begins with ``?``.

    ``scheme`` and ``authority`` are set for the absolute form only; see ``names_host``.
    """

    path: str
    query: str
    other_reading: str = ""
    scheme: str = ""
    authority: str = ""

    def names_host(self, host_field: str) -> bool:
        """Whether a target in absolute form names the same host and port as Host does, as it must (RFC 9112 §3.2.2).

        Raises:
            BadRequest: ``bad_host`` when either is malformed.
        """
        default = "443" if self.scheme == "https" else "80"
        host, port = split_host(self.authority)
        other_host, other_port = split_host(host_field)
        return host == other_host and (port or default) == (other_port or default)


def parse_target(raw: str) -> Target:
    """A request target in origin or absolute form.

    Raises:
        BadRequest: ``bad_target`` for anything else, a fragment, or a path that cannot be read in one way.
    """
    if raw[0] != "/":
        return _parse_absolute(raw)
    path, mark, query = raw.partition("?")
    if "%" in path or "//" in path or "/." in path or ";" in path or "\\" in path or not path.isascii() or "#" in raw:
        return _parse_unusual(path, mark + query)
    return Target(path, _ascii_query(mark + query))


def _parse_unusual(path: str, query: str) -> Target:
    if "#" in path or "#" in query:
        raise BadRequest("bad_target", "a fragment does not belong in a request target (RFC 9112 §3.2)")
    normal = normalise_path(path)
    other = _other_reading(normal) if _TWO_READINGS.search(normal) else ""
    return Target(normal, _ascii_query(query), other)


def _other_reading(normal: str) -> str:
    """What a server makes of a normalised path that decodes all it can, slashes too, and cuts parameters off."""
    path = _normal_escapes(_ENCODED_AGAIN.sub(r"%\1", normal))
    if any(_ENCODED_SLASH.search(parameters) for parameters in _PARAMETERS.findall(path)):
        raise BadRequest("bad_target", "an encoded slash within path parameters has more than two readings")
    path = _PARAMETERS.sub("", _ENCODED_SLASH.sub("/", path))
    if _DOT_SEGMENT.search(path):
        raise BadRequest("bad_target", "a dot segment beside an encoded slash has more than two readings")
    return normalise_path(path)


def _parse_absolute(raw: str) -> Target:
    scheme, mark, rest = raw.partition("://")
    if not mark or scheme.lower() not in ("http", "https"):
        raise BadRequest("bad_target", "neither origin form nor an http or https URL (RFC 9112 §3.2)")
    end = min((at for at in (rest.find("/"), rest.find("?"), rest.find("#")) if at >= 0), default=len(rest))
    authority, tail = rest[:end], rest[end:]
    if not authority or "@" in authority:
        raise BadRequest("bad_target", "absolute form with no or with unsafe authority (RFC 9110 §4.2)")
    if not tail.startswith("/"):
        tail = "/" + tail
    path, mark, query = tail.partition("?")
    target = _parse_unusual(path, mark + query)
    return target._replace(scheme=scheme.lower(), authority=authority)


def normalise_path(path: str) -> str:
    """The one spelling of ``path`` that is matched and sent upstream; see the module's text.

    Raises:
        BadRequest: ``bad_target`` when the path has no single safe reading.
    """
    path = _normal_escapes(_encode_odd(path))
    if _OVERLONG.search(path):
        raise BadRequest("bad_target", "over-long UTF-8 in the path")
    path = _SLASHES.sub("/", path)
    if "/." in path:
        if _DOT_WITH_PARAMETERS.search(path):
            raise BadRequest("bad_target", "a dot segment with path parameters has no single reading")
        path = _remove_dot_segments(path)
    return path


def _ascii_query(query: str) -> str:
    return query if query.isascii() else query.translate(_ENCODED_QUERY)


def _encode_odd(text: str) -> str:
    """Percent-encode what may not stand in a URI but is harmless (obs-text as latin-1, space is refused before)."""
    return text.translate(_ENCODED) if _NOT_PLAIN.search(text) else text


def _normal_escapes(path: str) -> str:
    beginning, *rest = path.split("%")
    if not rest:
        return path
    try:
        return beginning + "".join([_SPELLINGS[part[:2]] + part[2:] for part in rest])
    except KeyError as error:
        if error.args[0] == "00":
            raise BadRequest("bad_target", "an encoded NUL") from None
        raise BadRequest("bad_target", "a percent sign without two hexadecimal digits (RFC 3986 §2.1)") from None


def _remove_dot_segments(path: str) -> str:
    kept: list[str] = []
    segments = path.split("/")[1:]
    for segment in segments:
        if segment == "..":
            if not kept:
                raise BadRequest("bad_target", "the path climbs above the root")
            kept.pop()
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in (".", ".."):
        kept.append("")
    return "/" + "/".join(kept)


@lru_cache(maxsize=1024)
def normalise_host(raw: str) -> str:
    """The host of a Host field or authority: lower case, without port and one trailing dot; IPv6 keeps its brackets.

    Raises:
        BadRequest: ``bad_host`` when it is not ``uri-host [":" port]`` (RFC 9110 §7.2) as DNS or an IP literal allows.
    """
    return split_host(raw)[0]


def split_host(raw: str) -> tuple[str, str]:
    """Host, as ``normalise_host`` has it, and port: digits without leading zeros, or "".

    Raises:
        BadRequest: ``bad_host``
    """
    match = _HOST.fullmatch(raw) if len(raw) <= MAX_HOST_BYTES else None
    if match is None or ".." in raw:
        raise BadRequest("bad_host", "Host is not a name or address with an optional port (RFC 9110 §7.2)")
    name, address, port = match.groups()
    if address and not _is_ipv6(address[1:-1]):
        raise BadRequest("bad_host", "what Host has in brackets is no IPv6 address (RFC 3986 §3.2.2)")
    if not port:
        return str(name or address).lower(), ""
    if not 0 < int(port) <= 65535:
        raise BadRequest("bad_host", "the port in Host is out of range")
    return str(name or address).lower(), str(int(port))


def _is_ipv6(address: str) -> bool:
    try:
        IPv6Address(address)
    except AddressValueError:
        return False
    return True


_UNSAFE = re.compile(r"[^\x21-\x7e]|[#\\]")
# However often it is encoded, whatever some server takes for a slash or the end of a segment.
_HIDDEN_DOT_SEGMENT = re.compile(
    r"(?:[/\\]|%(?:25)*(?:2F|5C))(?:\.|%(?:25)*2E){1,2}(?:[/\\;?]|%(?:25)*(?:2F|5C|3B)|$)", re.IGNORECASE
)


def may_climb(path: str) -> bool:
    """Whether some server finds a dot segment in a path made here: of ``/x(.*)`` as ``/y/$1``, ``/x../z`` makes one."""
    return ("." in path or "%" in path) and _HIDDEN_DOT_SEGMENT.search(path) is not None


def rewritten_target(path: str, query: str) -> bytes:
    """Origin form of a path made here, not received (it may bring a query of its own), and the request's query."""
    path = path if path.startswith("/") else "/" + path
    path = _UNSAFE.sub(lambda odd: "".join(f"%{byte:02X}" for byte in odd.group().encode()), path)
    if query and "?" in path:
        query = "&" + query[1:]
    return (path + query).encode("latin-1")

"""Values of the fields that decide about a connection or a body; the same for requests and responses."""

from collections.abc import Iterable

_MAX_CONTENT_LENGTH_DIGITS = 18  # below 2**63, so that no implementation wraps


def list_items(value: bytes) -> list[bytes]:
    """Members of a comma-separated list, lower case, empty ones left out (RFC 9110 §5.6.1)."""
    if b"," not in value:
        value = value.strip().lower()
        return [value] if value else []
    return [item for item in (part.strip() for part in value.lower().split(b",")) if item]


def content_length(value: bytes) -> int:
    """Bytes; -1 when ``value`` is anything but a plain number (RFC 9110 §8.6)."""
    return int(value) if value.isdigit() and len(value) <= _MAX_CONTENT_LENGTH_DIGITS else -1


# Each of these is read by us, and none of them names a field that would otherwise be passed on.
_KNOWN_OPTIONS = frozenset((b"close", b"keep-alive", b"upgrade", b"te"))


def without_named(onward: list[bytes], options: Iterable[bytes]) -> list[bytes]:
    """``onward`` less the fields that Connection names: they end here (RFC 9110 §7.6.1).

    It holds four pieces for each field: name, colon, value, line end. Fields of ours are added later, so nobody can
    name them away.
    """
    named = [option for option in options if option not in _KNOWN_OPTIONS]
    if not named:
        return onward
    kept: list[bytes] = []
    for at in range(0, len(onward), 4):
        if onward[at].lower() not in named:
            kept += onward[at : at + 4]
    return kept

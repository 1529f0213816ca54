"""Values of the fields that decide about a connection or a body; the same for requests and responses."""

from collections.abc import Iterable

_MAX_PREFERENCES_BYTES = 1024  # browsers send 200 at the most
_MAX_CONTENT_LENGTH_DIGITS = 18  # below 2**63, so that no implementation wraps


def list_items(value: bytes) -> list[bytes]:
    """Members of a comma-separated list, lower case, empty ones left out (RFC 9110 §5.6.1)."""
    if b"," not in value:
        value = value.strip().lower()
        return [value] if value else []
    return [item for item in (part.strip() for part in value.lower().split(b",")) if item]


def first_preferences(value: bytes) -> bytes:
    """The list of what a client would rather have, less what comes after its first 1,024 bytes: nobody sends so many,
    and 16,000 of them would take longer to weigh than all the rest of a request.
    """
    if len(value) <= _MAX_PREFERENCES_BYTES:
        return value
    return value[: value.rfind(b",", 0, _MAX_PREFERENCES_BYTES) + 1]


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
    named = frozenset(options) - _KNOWN_OPTIONS
    if not named:
        return onward
    kept: list[bytes] = []
    for at in range(0, len(onward), 4):
        if onward[at].lower() not in named:
            kept += onward[at : at + 4]
    return kept

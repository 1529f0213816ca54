"""How common servers resolve a path: every combination of what they are known to do to it."""

import re
from itertools import product

GUARDED = "/admin"
_ESCAPE = re.compile("%([0-9A-Fa-f]{2})")
_NOT_A_SLASH = re.compile("%(?!2[Ff]|5[Cc])([0-9A-Fa-f]{2})")


def readings(target: str) -> set[str]:
    """Resolved paths: decoded not at all, but for slashes, once or twice; backslashes as slashes or not; parameters
    cut off before, after or not at all.
    """
    path = target.partition("?")[0]
    found = set()
    for first, cut_first, cut_then, slashes in product(
        (_as_it_is, _decode_but_slashes, _decode, _decode_twice),
        (_as_it_is, _cut),
        (_as_it_is, _cut),
        (_as_it_is, _turn),
    ):
        found.add(_resolve(slashes(cut_then(first(cut_first(path))))))
    return found


def is_guarded(path: str) -> bool:
    return path == GUARDED or path.startswith(GUARDED + "/")


def _as_it_is(path: str) -> str:
    return path


def _decode(path: str) -> str:
    return _ESCAPE.sub(lambda escape: chr(int(escape.group(1), 16)), path)


def _decode_but_slashes(path: str) -> str:
    return _NOT_A_SLASH.sub(lambda escape: chr(int(escape.group(1), 16)), path)


def _decode_twice(path: str) -> str:
    return _decode(_decode(path))


def _cut(path: str) -> str:
    """Servlet containers take path parameters off each segment."""
    return "/".join(segment.partition(";")[0] for segment in path.split("/"))


def _turn(path: str) -> str:
    return path.replace("\\", "/")


def _resolve(path: str) -> str:
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            kept = kept[:-1]
        elif segment not in ("", "."):
            kept.append(segment)
    return "/" + "/".join(kept)

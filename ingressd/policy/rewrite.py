"""Give the upstream another path than the client asked for."""

import re
from functools import lru_cache

from msgspec import Struct


class Rewrite(Struct, frozen=True, gc=False, array_like=True):
    """Replace the whole path by ``target`` when ``pattern`` is found in it; ``$1`` … ``$9`` are its groups.

    The query string is kept. ``pattern`` is a Python regular expression over the normalised path, case-insensitive.
    """

    pattern: str
    target: str


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


_GROUP = re.compile(r"\$([1-9])")


def rewrite_path(rewrite: Rewrite, path: str) -> str:
    """The path to send upstream. A group that did not take part is empty; no match leaves the path alone."""
    match = _compiled(rewrite.pattern).search(path)
    if match is None:
        return path
    groups = match.groups(default="")

    def value(reference: re.Match[str]) -> str:
        index = int(reference.group(1)) - 1
        return groups[index] if index < len(groups) else ""

    return _GROUP.sub(value, rewrite.target)

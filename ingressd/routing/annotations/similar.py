"""The name that somebody may have meant."""

from collections.abc import Iterable
from difflib import get_close_matches

_LONGEST = 64  # longer than any name there is: not worth the comparison


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The nearest of the known names, or "". About a millisecond: callers bound how often they ask."""
    if len(name) > _LONGEST:
        return ""
    return next(iter(get_close_matches(name.lower(), known, n=1, cutoff=0.75)), "")

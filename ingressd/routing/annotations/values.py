"""Numbers, switches, sizes, times: from the text of an annotation to a value, with ingress-nginx's (Go's) idea of each.

Every function takes text without outer white space and raises BadValue with a sentence for the owner of the object.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

from ingressd.routing.annotations.row import BadValue, Outcome

_SHOWN_CHARACTERS = 60
_CREDENTIALS = re.compile(r"//[^/@\s]*@")

# Go's strconv.ParseBool: no other spelling, so `yes` and `on` are bad.
_BOOLEANS = {
    **dict.fromkeys(("1", "t", "T", "TRUE", "true", "True"), True),
    **dict.fromkeys(("0", "f", "F", "FALSE", "false", "False"), False),
}
_INTEGER = re.compile(r"[+-]?[0-9]{1,19}")
_MAX_INTEGER = (1 << 63) - 1
_SIZE = re.compile(r"([0-9]{1,18})([bkmg]?)", re.IGNORECASE)
MAX_SIZE = 1 << 62
"""Bytes. A size beyond is as good as this one, which a snapshot can carry: 64 bits are what its encoding has."""
_SIZE_UNITS = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_TIME_UNITS = {
    "ms": 0.001,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
    "d": 86400.0,
    "w": 7 * 86400.0,
    "M": 30 * 86400.0,
    "y": 365 * 86400.0,
    "": 1.0,
}
_TIME_PART = re.compile(r"([0-9]{1,12})(ms|[smhdwMy]|(?=\s|$))\s*")
_GO_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_GO_PART = re.compile(r"([0-9]{1,12}(?:\.[0-9]{0,9})?)(ns|us|µs|ms|s|m|h)")
_FLOAT = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9})?")


class CacheRule(NamedTuple):
    """Answers with these statuses are kept so long; no statuses: any."""

    statuses: tuple[int, ...]
    seconds: float


def shown(text: str) -> str:
    """The value as a finding may show it: short, and without a URL's credentials."""
    safe = _CREDENTIALS.sub("//…@", text)
    return repr(safe if len(safe) <= _SHOWN_CHARACTERS else safe[:_SHOWN_CHARACTERS] + "…")


def boolean(text: str) -> bool:
    value = _BOOLEANS.get(text)
    if value is None:
        raise BadValue(f'{shown(text)} is not a bool: write "true" or "false"')
    return value


def on_off(text: str) -> bool:
    if text not in ("on", "off"):
        raise BadValue(f'{shown(text)} is neither "on" nor "off"')
    return text == "on"


def integer(text: str) -> int:
    """Go's strconv.Atoi: a plain decimal number that fits in 64 bits."""
    if _INTEGER.fullmatch(text) is None or abs(value := int(text)) > _MAX_INTEGER:
        raise BadValue(f"{shown(text)} is not a whole number: write digits only, without a unit")
    return value


def natural(text: str) -> int:
    value = integer(text)
    if value < 0:
        raise BadValue(f"{shown(text)} is negative: write 0 or more")
    return value


def between(low: int, high: int, outcome: Outcome | None = None) -> Callable[[str], int]:
    """A whole number from ``low`` to ``high``; one outside has ``outcome``, what is no number has the row's."""

    def parse(text: str) -> int:
        value = integer(text)
        if not low <= value <= high:
            raise BadValue(f"{shown(text)} is not from {low} to {high}", outcome)
        return value

    return parse


def number_among(*allowed: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        value = integer(text)
        if value not in allowed:
            raise BadValue(f"{shown(text)} is not one of {', '.join(map(str, allowed))}")
        return value

    return parse


def fraction(text: str) -> float:
    if _FLOAT.fullmatch(text) is None:
        raise BadValue(f"{shown(text)} is not a number such as 0.01")
    return float(text)


def one_of(*allowed: str, fold: bool = False) -> Callable[[str], str]:
    """One of the words; ``fold`` ignores case and gives the word as ``allowed`` spells it."""
    spelled = {word.lower() if fold else word: word for word in allowed}

    def parse(text: str) -> str:
        word = spelled.get(text.lower() if fold else text)
        if word is None:
            raise BadValue(f"{shown(text)} is not one of {', '.join(allowed)}")
        return word

    return parse


def size(text: str) -> int:
    """Bytes: digits and one of b, k, m, g (1024s, any case) or nothing."""
    match = _SIZE.fullmatch(text.replace(" ", ""))
    if match is None:
        raise BadValue(f"{shown(text)} is not a size: write a number with k, m or g, such as 8m, or 0")
    return min(int(match[1]) * _SIZE_UNITS[match[2].lower()], MAX_SIZE)


def sizes(text: str) -> tuple[int, int]:
    """How many buffers, and the bytes of each: ``4 8k``."""
    count, _, each = text.partition(" ")
    return between(1, 1 << 20)(count), size(each)


def nginx_time(text: str) -> float:
    """Seconds: ``90``, ``90s``, ``1h 30m``; also ms, d, w, M (30 days), y."""
    total, position = 0.0, 0
    while match := _TIME_PART.match(text, position):
        total += int(match[1]) * _TIME_UNITS[match[2]]
        position = match.end()
    if position != len(text):
        raise BadValue(f"{shown(text)} is not a time: write a number with ms, s, m, h or d, such as 90s or 1h 30m")
    return total


def go_duration(text: str) -> float:
    """Seconds: Go's ``5s``, ``1m30s``, ``250ms``; a bare number is 0 only."""
    total, position = 0.0, 0
    while match := _GO_PART.match(text, position):
        total += float(match[1]) * _GO_UNITS[match[2]]
        position = match.end()
    if text != "0" and (position != len(text)):
        raise BadValue(f"{shown(text)} is not a duration: write a number with ms, s, m or h, such as 5s")
    return total


def error_statuses(text: str) -> tuple[int, ...]:
    """``404,503``: 400 to 599."""
    items = [item for item in text.replace(" ", "").split(",") if item]
    bad = [item for item in items if re.fullmatch(r"[45][0-9]{2}", item) is None]
    if bad:
        raise BadValue(f"{shown(bad[0])} is not a status from 400 to 599: write a list such as 404,503")
    return tuple(dict.fromkeys(map(int, items)))


def cache_rules(text: str) -> tuple[CacheRule, ...]:
    """``200 202 401 5m, 404 10s``; a time alone stands for 200, 301 and 302, as in nginx's ``proxy_cache_valid``."""
    return tuple(_cache_rule(item) for item in text.split(",") if item.strip())


def _cache_rule(item: str) -> CacheRule:
    *statuses, last = item.split()
    if any(re.fullmatch(r"[1-9][0-9]{2}", status) is None for status in statuses if status != "any"):
        raise BadValue(f"{shown(item)} is not a list of statuses and a time, such as 200 202 401 5m")
    if "any" in statuses:
        return CacheRule((), _cache_time(last))
    return CacheRule(tuple(map(int, statuses)) or (200, 301, 302), _cache_time(last))


def _cache_time(text: str) -> float:
    if re.fullmatch(r"[0-9]{1,12}(?:ms|[smhdwMy])", text) is None:
        raise BadValue(f"{shown(text)} is not a time with its unit, such as 5m, at the end of the statuses")
    return nginx_time(text)

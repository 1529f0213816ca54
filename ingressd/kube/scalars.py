"""What an unquoted YAML scalar is: YAML 1.1 as kubectl reads it, except that a time stays text, as in JSON."""

import re
from typing import Final

_NULLS: Final = frozenset(("", "~", "null", "Null", "NULL"))
# `host: on` is not text for kubectl either; the wrong type is then reported.
_BOOLS: Final = {
    spelled: value
    for word, value in (("true", True), ("yes", True), ("on", True), ("false", False), ("no", False), ("off", False))
    for spelled in (word, word.capitalize(), word.upper())
}
_DECIMAL: Final = re.compile(r"[-+]?(?:0|[1-9][0-9_]*)")
_OTHER_BASE: Final = re.compile(r"([-+]?)0(?:(x)([0-9a-fA-F_]+)|(b)([01_]+)|o?([0-7_]+))")
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_UNBOUNDED: Final = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_MAY_BEGIN_NUMBER: Final = frozenset("+-.0123456789")
_MAX_DIGITS: Final = 400  # no number of Kubernetes has more; int() itself refuses beyond 4,300

Scalar = str | int | float | bool | None


def plain_scalar(text: str) -> Scalar:
    if text in _NULLS:
        return None
    if text[0] in _MAY_BEGIN_NUMBER:
        return _number(text) if len(text) <= _MAX_DIGITS else text
    return _BOOLS.get(text, text)


def _number(text: str) -> str | int | float:
    if _DECIMAL.fullmatch(text):
        return int(text.replace("_", ""))
    if _FLOAT.fullmatch(text) and not _OTHER_BASE.fullmatch(text):
        return float(text)
    if _UNBOUNDED.fullmatch(text):
        return float(text.replace(".", ""))
    other = _OTHER_BASE.fullmatch(text)
    if other is None:
        return text
    sign, _, hexadecimal, _, binary, octal = other.groups()
    digits, base = (hexadecimal, 16) if hexadecimal else (binary, 2) if binary else (octal, 8)
    digits = digits.replace("_", "")
    return int(sign + digits, base) if digits else text

"""A bad value for every annotation and ConfigMap key that can have one, found by asking the row's own parser."""

from ingressd.routing.annotations.row import BadValue, Row
from ingressd.routing.annotations.table import ANNOTATIONS, CONFIG_KEYS
from tests.routing.annotations.outcomes import DENY, FREEZE

_TRIED = ("no {such} value;", "maybe", "-1", "10.0.0.0/99", "\\")


def bad_text(row: Row[object]) -> str:
    """What the row does not take; "" where it takes anything."""
    for text in _TRIED:
        try:
            row.kind.parse(text)
        except BadValue:
            return text
    return ""


def outcome(name: str) -> str:
    """As written down apart from the registry."""
    return "freeze" if name in FREEZE else "deny" if name in DENY else "default"


def is_read(row: Row[object]) -> bool:
    """Something is done with it."""
    return row.support in ("same", "differs")


BAD: dict[str, str] = {name: text for name, row in ANNOTATIONS.items() if is_read(row) and (text := bad_text(row))}
"""By annotation."""

BAD_KEYS: dict[str, str] = {key: text for key, row in CONFIG_KEYS.items() if is_read(row) and (text := bad_text(row))}
"""By ConfigMap key."""

"""What a client would rather read, from its Accept field (RFC 9110 §12.5.1): only as much as our own answers need."""

import re

from ingressd.http.field_values import first_preferences

_WEIGHT = re.compile(rb"[01](?:\.[0-9]{0,3})?")


def prefers_html(accept: bytes) -> bool:
    """Whether ``text/html`` is wanted more than ``text/plain``. An absent or unreadable field prefers nothing."""
    weights: dict[bytes, float] = {}
    for item in first_preferences(accept).lower().split(b","):
        media_range, *parameters = (part.strip() for part in item.split(b";"))
        weights.setdefault(media_range, _weight(parameters))
    return _weight_of(b"text/html", weights) > _weight_of(b"text/plain", weights)


def _weight(parameters: list[bytes]) -> float:
    for parameter in parameters:
        if parameter.startswith(b"q="):
            return float(parameter[2:]) if _WEIGHT.fullmatch(parameter[2:]) else 0.0
    return 1.0


def _weight_of(media_type: bytes, weights: dict[bytes, float]) -> float:
    """The most specific range decides."""
    for media_range in (media_type, b"text/*", b"*/*"):
        if media_range in weights:
            return weights[media_range]
    return 0.0

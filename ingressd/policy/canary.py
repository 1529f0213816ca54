"""Whether a request goes to a canary release: whom it already belongs to, then header, then cookie, then chance."""

from msgspec import Struct

from ingressd.policy.ask import Ask
from ingressd.policy.pattern import Pattern, PatternError, compile_pattern

ALWAYS, NEVER = b"always", b"never"
LEAST_TOTAL = 100
"""A ``weight_total`` below it counts for nothing, as in ingress-nginx."""


class Canary(Struct, frozen=True, gc=False, array_like=True):
    """Whom the canary gets. ``backend`` is its key; ``secure_backend``, unless "", for clients that came over TLS.

    A request with the field ``header`` goes to the canary when its value is ``header_value``; without that, when
    ``header_pattern`` is found in it; without either, when it is ``always``, while ``never`` keeps it away. Likewise
    ``always`` and ``never`` in ``cookie``. Of the rest, ``weight`` in ``weight_total`` requests do.
    """

    backend: str
    header: str = ""
    header_value: str = ""
    header_pattern: str = ""
    cookie: str = ""
    weight: int = 0
    weight_total: int = 100
    secure_backend: str = ""


class CanaryRule:
    """Settings made ready for requests."""

    __slots__ = (
        "_cookie",
        "_header",
        "_pattern",
        "_pattern_is_bad",
        "_value",
        "_weight",
        "backend",
        "secure_backend",
        "total",
    )

    def __init__(self, settings: Canary) -> None:
        self.backend = settings.backend
        self.secure_backend = settings.secure_backend or settings.backend
        self._header = settings.header.lower().encode("latin-1", "replace")
        self._value = settings.header_value.encode()
        self._pattern: Pattern | None = None
        self._pattern_is_bad = False
        self._cookie = settings.cookie.encode("latin-1", "replace")
        self._weight = settings.weight
        self.total = max(settings.weight_total, LEAST_TOTAL)
        if settings.header_pattern and not self._value:
            try:
                self._pattern = compile_pattern(settings.header_pattern)
            except PatternError:  # its owner has a finding
                self._pattern_is_bad = True

    def takes(self, ask: Ask, roll: int, *, belongs_to: bytes = b"", primary: bytes = b"", canary: bytes = b"") -> bool:
        """Whether the canary gets the request. ``roll`` is a random non-negative number, evenly spread.

        ``belongs_to`` is the backend id in the client's affinity cookie ("" without one), ``primary`` and ``canary``
        the ids of the two ("" for a backend whose clients are not kept: that is the canary's ``legacy`` behaviour).
        """
        if belongs_to:
            if belongs_to == primary:
                return False
            if belongs_to == canary:
                return True
        said = self._said_by_header(ask) if self._header else None
        if said is None and self._cookie:
            said = _always_or_never(ask.cookie(self._cookie))
        return roll % self.total < self._weight if said is None else said

    def _said_by_header(self, ask: Ask) -> bool | None:
        value = ask.field(self._header)
        if value is None:
            return None
        if self._value:
            return True if value == self._value else None
        if self._pattern_is_bad:
            return False  # neither cookie nor weight is consulted then, as in ingress-nginx
        if self._pattern is not None:
            return True if self._pattern.search(value.decode("latin-1")) is not None else None
        return _always_or_never(value)


def _always_or_never(value: bytes | None) -> bool | None:
    if value == ALWAYS:
        return True
    return False if value == NEVER else None

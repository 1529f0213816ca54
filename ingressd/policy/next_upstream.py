"""When a failed attempt, or an answer nobody wants, may be followed by an attempt at the next endpoint.

It only ever narrows or widens what the data path thinks harmless. What holds in any case: an answer of which the
client has a byte is not taken back, and a body that is no longer at hand is not sent again.
"""

from msgspec import Struct

MAX_TRIES = 10
"""In all, where ``tries`` says there is no limit: a request that no tenth endpoint could serve is not served by more,
and unbounded attempts multiply an outage."""

STATUSES = (403, 404, 429, 500, 502, 503, 504)
CONDITIONS = ("error", "timeout", "invalid_header", *(f"http_{status}" for status in STATUSES))

_REASONS = {
    "error": (
        "closed_before_response",
        "closed_in_head",
        "closed_in_response",
        "connect_failed",
        "no_descriptors",
        "tls_handshake_failed",
    ),
    "timeout": ("connect_timeout", "read_timeout", "send_timeout", "tls_handshake_timeout"),
    "invalid_header": (
        "ambiguous_response_framing",
        "bad_response_fields",
        "bad_status_line",
        "excess_response_body",
        "response_header_too_large",
        "too_many_interim_responses",
        "unexpected_upgrade",
    ),
}
_STALE = "stale_connection"  # an idle connection had ended: nobody's failure, and no condition is about it


class NextUpstream(Struct, frozen=True, gc=False, array_like=True):
    """``conditions`` are words of ``CONDITIONS``. ``tries`` counts the first attempt too; 0: ``MAX_TRIES``.

    ``timeout_s`` after the first attempt began no further one is begun; 0: no such limit. ``non_idempotent``: also what
    does harm when it is done twice.
    """

    conditions: tuple[str, ...] = ("error", "timeout")
    tries: int = 3
    timeout_s: float = 0.0
    non_idempotent: bool = False


def read_conditions(text: str) -> tuple[tuple[str, ...], bool]:
    """Conditions, and whether non-idempotent requests are meant too, of nginx's ``proxy_next_upstream``.

    ``off`` anywhere is off. Raises ValueError, naming the word that is none of them.
    """
    words = text.split()
    for word in words:
        if word not in CONDITIONS and word not in ("off", "non_idempotent"):
            raise ValueError(f"{word!r} is none of {', '.join(CONDITIONS)}, non_idempotent, off")
    if "off" in words:
        return (), False
    return tuple(one for one in CONDITIONS if one in words), "non_idempotent" in words


class NextUpstreamRule:
    """Settings made ready for requests."""

    __slots__ = ("_reasons", "non_idempotent", "statuses", "timeout_s", "tries")

    def __init__(self, settings: NextUpstream) -> None:
        reasons = [reason for condition in settings.conditions for reason in _REASONS.get(condition, (condition,))]
        self._reasons = frozenset(reasons)
        self.statuses = frozenset(status for status in STATUSES if f"http_{status}" in self._reasons)
        self.non_idempotent = settings.non_idempotent
        self.tries = min(settings.tries, MAX_TRIES) if settings.tries > 0 else MAX_TRIES
        self.timeout_s = settings.timeout_s

    def allows(
        self, reason: str, *, attempts: int, elapsed_s: float, unheard: bool, idempotent: bool, replayable: bool
    ) -> bool:
        """Whether another attempt may follow one that failed for ``reason``: of an UpstreamError, or ``http_503``.

        ``attempts`` were begun, the first ``elapsed_s`` ago. ``unheard``: the endpoint has certainly not got a byte.
        ``replayable``: all that was sent is at hand. A retry budget is still to be asked.
        """
        if not replayable or attempts >= self.tries or (self.timeout_s and elapsed_s >= self.timeout_s):
            return False
        if reason == _STALE:
            return unheard or idempotent
        return reason in self._reasons and (unheard or idempotent or self.non_idempotent)

"""Cross-origin requests: fields for every answer of a route, and the whole answer to a preflight.

The Fetch standard says what the fields mean; what is sent when is ingress-nginx's. Answers to origins that nobody
allowed get no fields, which is how a browser learns of it, and their preflights go to the upstream.
"""

import re
from functools import lru_cache

from msgspec import Struct

from ingressd.policy.ask import Answer, Ask, Plan, field_value

MAX_AGE_S = 1_728_000
METHODS = "GET, PUT, POST, DELETE, PATCH, OPTIONS"
HEADERS = "DNT,Keep-Alive,User-Agent,X-Requested-With,If-Modified-Since,Cache-Control,Content-Type,Range,Authorization"


class Cors(Struct, frozen=True, gc=False, array_like=True):
    """``origins``: ``*``, or origins of which a host may begin with ``*.`` for one label. Others are field values."""

    origins: tuple[str, ...] = ("*",)
    methods: str = METHODS
    headers: str = HEADERS
    expose: str = ""
    credentials: bool = True
    max_age_s: int = MAX_AGE_S


_ALLOW_ORIGIN = b"Access-Control-Allow-Origin: "
_MAX_REMEMBERED = 512
_MAX_LINES_TO_REMEMBER = 2048  # together: 2 MiB for each worker at the very most
_LABEL = "[A-Za-z0-9-]+"
_ORIGIN = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://(?:\*\.)?[A-Za-z0-9_.-]+(?::[0-9]{1,5})?|\*")
_UNSAFE = re.compile(r"[^\x20-\x7e]")


def valid_origins(listed: str) -> tuple[str, ...]:
    """The origins of a comma list; empty and bad entries are skipped. ``*`` anywhere, or nothing at all: ``*``."""
    entries = [entry.strip() for entry in listed.split(",")]
    if "*" in entries or not any(entries):
        return ("*",)
    return tuple(entry for entry in entries if _ORIGIN.fullmatch(entry))


class CorsRules:
    """``Cors``, compiled: lines are made once, but for the origin that is echoed."""

    __slots__ = ("_any", "_common", "_matches", "for_any", "names")

    def __init__(self, settings: Cors) -> None:
        self._any = "*" in settings.origins
        self._matches = re.compile("|".join(map(_origin_expression, settings.origins)) or r"(?!)", re.IGNORECASE)
        fields = [("Access-Control-Allow-Credentials", "true")] if settings.credentials else []
        fields += [
            ("Access-Control-Allow-Methods", settings.methods),
            ("Access-Control-Allow-Headers", settings.headers),
        ]
        if settings.expose:
            fields.append(("Access-Control-Expose-Headers", settings.expose))
        fields.append(("Access-Control-Max-Age", str(settings.max_age_s)))
        self._common = "".join(f"{name}: {_UNSAFE.sub('', value)}\r\n" for name, value in fields).encode("ascii")
        self.for_any = _ALLOW_ORIGIN + b"*\r\n" + self._common if self._any else b""
        """``fields`` of every request, where every origin is allowed."""
        self.names = frozenset({b"access-control-allow-origin", *(name.lower().encode() for name, _ in fields)})
        """Names of the fields that are set, in lower case: an upstream's own are replaced."""

    def fields(self, ask: Ask) -> bytes:
        """Whole field lines for any answer to this request; empty: its origin is not allowed."""
        return self.fields_for(ask.fields.onward)

    def fields_for(self, lines: bytes) -> bytes:
        """``fields`` of a request with these end-to-end field lines."""
        if self._any:
            return self.for_any
        return self.look(lines) if len(lines) > _MAX_LINES_TO_REMEMBER else _remembered(self, lines)

    def look(self, lines: bytes) -> bytes:
        """``fields_for`` where not everybody is allowed, worked out."""
        origin = field_value(lines, b"origin")
        if origin is None or self._matches.fullmatch(origin.decode("latin-1")) is None:
            return b""
        return _ALLOW_ORIGIN + origin + b"\r\n" + self._common

    def apply(self, ask: Ask, plan: Plan) -> Answer | None:
        """Answer a preflight, or put the fields into the plan, for the upstream's answer and for ours.

        The status is 204 with an empty body; any OPTIONS of an allowed origin counts, as it does there.
        """
        fields = self.fields(ask)
        if not fields:
            return None
        plan.answer_fields += fields
        plan.answer_without |= self.names
        if ask.method != b"OPTIONS":
            return None
        return Answer(204, "cors_preflight", b"Content-Type: text/plain charset=UTF-8\r\n", b"")


@lru_cache(maxsize=_MAX_REMEMBERED)
def _remembered(rules: CorsRules, lines: bytes) -> bytes:
    """Field sections repeat; one memo for all routes of a worker."""
    return rules.look(lines)


def _origin_expression(origin: str) -> str:
    return "(?:" + re.escape(origin).replace(r"\*", _LABEL, 1) + ")"

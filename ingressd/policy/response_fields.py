"""The field lines of an answer, edited: some taken away, some set.

Everything that does not depend on the request is worked out once for each route. Header sections of answers repeat, so
whole ones are remembered with what became of them, boundedly; and so are the edits that plans ask for beside the
route's own, for one origin (CORS) they are the same each time.
"""

import re
from collections.abc import Callable, Iterable
from typing import Final

from msgspec import Struct

from ingressd.policy.ask import Plan, marks_of, without_fields, without_marked
from ingressd.policy.memory import SharedBound

_MAX_REMEMBERED: Final = 64  # a head lasts for a second, then its Date is another one
_MAX_LINES_TO_REMEMBER: Final = 2048  # together: 256 KiB for each edit at the very most, and a few KiB as a rule
_all_remembered: Final = SharedBound(64 * _MAX_REMEMBERED)  # of all routes: 16 MiB for each worker at the very most
_MAX_EDITS: Final = 8
"""Of plans, remembered for each route: nearly always there is one. More origins than these begin anew."""

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_MAX_VALUE_CHARACTERS: Final = 8192
# How a message is framed and where its connection goes is said by whoever writes it, never by a setting.
_FRAMING: Final = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "host",
        "http2-settings",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)

Fields = tuple[tuple[str, str], ...]


class Hsts(Struct, frozen=True, gc=False, array_like=True):
    """``hsts`` and its companions."""

    max_age_s: int = 31_536_000
    include_subdomains: bool = True
    preload: bool = False

    def value(self) -> str:
        """The value of Strict-Transport-Security (RFC 6797 §6.1), its directives in ingress-nginx's order."""
        subdomains = "; includeSubDomains" if self.include_subdomains else ""
        return f"max-age={self.max_age_s}{subdomains}{'; preload' if self.preload else ''}"


class ResponseEdits(Struct, frozen=True, gc=False, array_like=True):
    """``fields`` are set in the given order, later ones of a name win: ``add-headers``, then ``custom-headers``, then
    ``response-headers-set``. ``hide`` and ``remove`` (lower or any case) are names that do not pass; what is set stays.

    ``server``: the upstream's Server passes (``allow-backend-server-header``). ``hsts`` is for answers over TLS.
    """

    fields: Fields = ()
    hide: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    server: bool = False
    hsts: Hsts | None = None


def field_problem(name: str, value: str) -> str | None:
    """Why this field cannot be set, as a sentence; None: it can."""
    if not _NAME.fullmatch(name):
        return f"{name[:60]!r} is no header name"
    if name.lower() in _FRAMING:
        return f"{name} says how a message is framed or where it goes, and cannot be set"
    if _CONTROL.search(value):
        return f"the value of {name} holds a control character"
    if len(value) > _MAX_VALUE_CHARACTERS:
        return f"the value of {name} is longer than {_MAX_VALUE_CHARACTERS} characters"
    return None


class FieldError(ValueError):
    """A field that cannot be set; ``str()`` is a sentence for its owner."""


class ResponseEditor:
    """``ResponseEdits`` made ready for one route of one worker."""

    __slots__ = ("_planned", "over_http", "over_tls", "shows_server")

    def __init__(self, edits: ResponseEdits, before: Callable[[bytes], bytes] | None = None) -> None:
        """``before`` is done first to an upstream's lines, such as putting its cookies right. Raises FieldError."""
        hidden = {name.lower() for name in (*edits.hide, *edits.remove)}
        if not edits.server:
            hidden.add("server")
        self.shows_server = "server" not in hidden
        """Else the data path keeps the upstream's Server to itself."""
        removed = {name.lower() for name in edits.remove}
        fields = {name.lower(): (name, value) for name, value in edits.fields}
        for name, value in fields.values():
            problem = field_problem(name, value)
            if problem:
                raise FieldError(problem)
        kept = {lower: field for lower, field in fields.items() if lower not in removed}
        self.over_http = FixedEdit(_names(hidden | set(fields)), _lines(kept.values()), before)
        self.over_tls = self.over_http
        if edits.hsts is not None and "strict-transport-security" not in removed:
            kept["strict-transport-security"] = ("Strict-Transport-Security", edits.hsts.value())
            self.over_tls = FixedEdit(_names(hidden | set(kept) | set(fields)), _lines(kept.values()), before)
        self._planned: dict[tuple[bool, bytes, frozenset[bytes]], FixedEdit] = {}

    def edited(self, onward: bytes, plan: Plan | None, *, is_tls: bool) -> bytes:
        """The lines for the client, made of an upstream's end-to-end lines."""
        return self.edit(plan, is_tls=is_tls).apply(onward)

    def own(self, plan: Plan | None, *, is_tls: bool) -> bytes:
        """The lines to add to an answer of ours."""
        return self.edit(plan, is_tls=is_tls).lines

    def edit(self, plan: Plan | None, *, is_tls: bool) -> "FixedEdit":
        """What is done to every answer to requests with a plan like this one."""
        if plan is None or (not plan.answer_fields and not plan.answer_without):
            return self.over_tls if is_tls else self.over_http
        return self.edit_with(plan.answer_fields, plan.answer_without, is_tls=is_tls)

    def edit_with(self, lines: bytes, names: frozenset[bytes], *, is_tls: bool) -> "FixedEdit":
        """``edit`` for a plan with these ``answer_fields`` and ``answer_without``."""
        key = (is_tls, lines, names)
        edit = self._planned.get(key)
        if edit is None:
            if len(self._planned) >= _MAX_EDITS:
                self._planned.clear()
            edit = self._planned[key] = (self.over_tls if is_tls else self.over_http).with_more(lines, names)
        return edit


def _names(names: Iterable[str]) -> frozenset[bytes]:
    return frozenset(name.encode("ascii", "replace") for name in names)


def _lines(fields: Iterable[tuple[str, str]]) -> bytes:
    return b"".join(f"{name}: {value.strip()}\r\n".encode() for name, value in fields if value.strip())


class FixedEdit:
    """What is done to every answer of a kind: fields of ``names`` (lower case) are taken away, ``lines`` are added."""

    __slots__ = ("_before", "_marks", "_names", "_remembered", "lines", "shows_server")

    def __init__(self, names: frozenset[bytes], lines: bytes, before: Callable[[bytes], bytes] | None = None) -> None:
        self.shows_server = b"server" not in names
        self._names = names
        self._marks = marks_of(names)
        self._before = before
        self.lines = lines
        self._remembered: dict[bytes, bytes] = {}

    def with_more(self, lines: bytes, names: frozenset[bytes]) -> "FixedEdit":
        """The same, with ``lines`` in place of its own and the upstream's fields of ``names``."""
        return FixedEdit(self._names | names, without_fields(self.lines, names) + lines, self._before)

    @property
    def is_needed(self) -> bool:
        """Whether it does anything that the data path does not do by itself, which is to keep Server back."""
        return bool(self.lines) or self.shows_server or len(self._marks) > 1 or self._before is not None

    def apply(self, onward: bytes) -> bytes:
        """The lines for the client, made of an upstream's end-to-end lines."""
        edited = self._remembered.get(onward)
        if edited is not None:
            return edited
        edited = without_marked(onward if self._before is None else self._before(onward), self._marks) + self.lines
        if len(onward) <= _MAX_LINES_TO_REMEMBER:
            _all_remembered.remember(self._remembered, onward, edited, _MAX_REMEMBERED)
        return edited

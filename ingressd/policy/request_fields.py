"""What the upstream is told beside what the client said: header sets, another Host, a fixed Connection field."""

import re
from collections.abc import Callable
from typing import Final

from msgspec import Struct

from ingressd.errors import BadRequest
from ingressd.http.fields import folded
from ingressd.http.target import normalise_host
from ingressd.policy.ask import Ask, Plan
from ingressd.policy.response_fields import FieldError, Fields, field_problem
from ingressd.policy.variables import OF_MOMENT, Extra, Template, compile_template

_NO_EXTRA: Final[Extra] = {}
_LINE_BREAK = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_CONNECTION_OPTIONS: Final = frozenset({"", "keep-alive", "close"})
OURS: Final = frozenset(
    b"x-real-ip x-forwarded-for x-forwarded-host x-forwarded-port x-forwarded-proto x-forwarded-scheme x-scheme "
    b"x-request-id x-original-uri x-original-forwarded-for x-original-forwarded-host".split()
)
"""Names of lines that the data path writes itself: ``RequestEditor.replaces`` says which of them are set here."""


class RequestEdits(Struct, frozen=True, gc=False, array_like=True):
    """``fields`` are set in the given order, later ones of a name win: ``proxy-set-headers``, then
    ``request-headers-set``. Values may hold variables; an empty one takes the field away. ``remove`` are names.

    ``host`` (``upstream-vhost``) replaces Host; it may hold variables. ``connection``: ``connection-proxy-header``.
    """

    fields: Fields = ()
    remove: tuple[str, ...] = ()
    host: str = ""
    connection: str = ""


def _no_moment() -> Extra:
    return {}


class RequestEditor:
    """``RequestEdits`` made ready for one route of one worker."""

    __slots__ = ("_connection", "_fixed", "_host", "_moment", "_templates", "names", "replaces")

    def __init__(self, edits: RequestEdits, moment: Callable[[], Extra] = _no_moment) -> None:
        """``moment`` knows the values of ``OF_MOMENT``. Raises FieldError or TemplateError, which are ValueErrors."""
        removed = {name.lower() for name in edits.remove}
        fields = {name.lower(): (name, value) for name, value in edits.fields}
        for name, value in fields.values():
            problem = field_problem(name, value)
            if problem:
                raise FieldError(problem)
        if edits.connection.lower() not in _CONNECTION_OPTIONS:
            raise FieldError(f"Connection can be keep-alive or close, not {edits.connection[:40]!r}")
        templates = [(name, compile_template(value)) for lower, (name, value) in fields.items() if lower not in removed]
        names = frozenset(name.encode("ascii", "replace") for name in {*fields, *removed})
        self.names = frozenset(map(folded, names))
        """Those that do not go upstream as the client sent them (``Plan.without``)."""
        self._fixed = b"".join(_line(name, value.text.encode()) for name, value in templates if not value.variables)
        self._templates: tuple[tuple[str, Template], ...] = tuple(one for one in templates if one[1].variables)
        self._moment = moment if any(value.variables & OF_MOMENT for _, value in templates) else None
        self._connection = f"Connection: {edits.connection.lower()}\r\n".encode() if edits.connection else b""
        self._host = compile_template(edits.host) if edits.host else None
        self.replaces = names & OURS
        """Lines of ours that must not be sent: they are set or removed here."""

    def apply(self, ask: Ask, plan: Plan, extra: Extra = _NO_EXTRA) -> None:
        """Put the edits into the plan. ``extra`` holds the route's variables (``$service_name`` and so on)."""
        plan.without |= self.names
        plan.added += self.lines(ask, extra)
        if self._host is not None:
            plan.host_field = _checked_host(self._host.expand(ask, extra)) or plan.host_field

    def lines(self, ask: Ask, extra: Extra = _NO_EXTRA) -> bytes:
        """The whole field lines that go upstream."""
        added = self._fixed
        if self._moment is not None:
            extra = {**extra, **self._moment()}
        for name, template in self._templates:
            added += _line(name, template.expand(ask, extra))
        return added + self._connection

    def is_fixed(self, extra: Extra) -> bool:
        """Whether ``lines`` are the same for all requests of a route."""
        return all(template.variables <= extra.keys() for _, template in self._templates)

    def has_fixed_host(self, extra: Extra) -> bool:
        """Whether the Host that is named, if one is, is the same for all requests of a route."""
        return self._host is None or self._host.variables <= extra.keys()


def _line(name: str, value: bytes) -> bytes:
    value = _LINE_BREAK.sub(b"", value).strip()
    return b"%b: %b\r\n" % (name.encode("ascii"), value) if value else b""


def _checked_host(value: bytes) -> bytes:
    """The value when it can stand in Host; else nothing, and Host stays what it was."""
    try:
        return value if normalise_host(value.decode("latin-1")) else b""
    except BadRequest:
        return b""

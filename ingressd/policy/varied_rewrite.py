"""Rewrites whose target holds variables of nginx beside groups: ``https://new.example$request_uri``, ``/$host/$1``."""

import re
from typing import Final

from ingressd.http.target import may_climb
from ingressd.policy.ask import Answer, Ask, Plan
from ingressd.policy.location import location_line
from ingressd.policy.pattern import compile_pattern, path_expression
from ingressd.policy.rewrite import Rewrite
from ingressd.policy.variables import Extra, Template, compile_template

_GROUP = re.compile(r"\$([1-9])")
_VARIABLE = re.compile(r"\$[A-Za-z_{]")
# What a client sent is put into a path as one piece of it: no part of it begins a query. What is encoded stays so.
_ODD_IN_PATH = re.compile(rb"[^\x21-\x7e]|[?#\\]")
_ODD_IN_URL = re.compile(rb"[^\x21-\x7e]")
_NO_EXTRA: Final[Extra] = {}


def is_varied(rewrite: Rewrite) -> bool:
    """Whether more than the path decides what comes of it."""
    return _VARIABLE.search(rewrite.target + rewrite.forwarded_prefix) is not None


class _Text:
    """A text with references to groups and with variables, cut apart once."""

    __slots__ = ("_parts",)

    def __init__(self, text: str, group_count: int) -> None:
        """Raises TemplateError."""
        parts: list[str | int | Template] = []
        for at, piece in enumerate(_GROUP.split(text)):
            if at % 2 == 0:
                parts.append(compile_template(piece) if "$" in piece else piece)
            elif int(piece) <= group_count:
                parts.append(int(piece) - 1)
        self._parts = tuple(parts)

    def filled(self, groups: tuple[str, ...], ask: Ask, extra: Extra, odd: re.Pattern[bytes]) -> str:
        """The text; a group that took no part is empty, bytes of variables that are ``odd`` are percent-encoded."""
        texts = []
        for part in self._parts:
            if isinstance(part, Template):
                texts.append(odd.sub(_percent_encoded, part.expand(ask, extra)).decode("ascii"))
            else:
                texts.append(part if isinstance(part, str) else groups[part])
        return "".join(texts)


class VariedRewriter:
    """A Rewrite that ``is_varied``, compiled. Raises PatternError and TemplateError, both of them ValueErrors.

    ``extra`` holds the route's variables.
    """

    __slots__ = ("_extra", "_is_redirect", "_pattern", "_prefix", "_target")

    def __init__(self, rewrite: Rewrite, extra: Extra = _NO_EXTRA) -> None:
        self._pattern = compile_pattern(path_expression(rewrite.pattern), ignore_case=True)
        count = self._pattern.group_count
        self._target = _Text(rewrite.target, count)
        self._prefix = _Text(rewrite.forwarded_prefix, count) if rewrite.forwarded_prefix else None
        self._is_redirect = rewrite.target.startswith(("http://", "https://"))
        self._extra = extra

    def apply(self, ask: Ask, plan: Plan) -> Answer | None:
        """As ``Rewriter.apply``."""
        groups = self._pattern.search(ask.path)
        if groups is None:
            return None
        if self._is_redirect:
            location = self._target.filled(groups, ask, self._extra, _ODD_IN_URL)
            query = "&" + ask.query[1:] if ask.query and "?" in location else ask.query
            return Answer(302, "rewrite_redirect", location_line(location + query))
        target = self._target.filled(groups, ask, self._extra, _ODD_IN_PATH)
        if may_climb(target.partition("?")[0]):
            return Answer(400, "ambiguous_path")
        plan.path = target
        if self._prefix is not None:
            prefix = self._prefix.filled(groups, ask, self._extra, _ODD_IN_URL)
            plan.added += b"X-Forwarded-Prefix: " + prefix.encode("ascii", "ignore") + b"\r\n"
        return None


def _percent_encoded(odd: re.Match[bytes]) -> bytes:
    return b"%%%02X" % odd.group()[0]

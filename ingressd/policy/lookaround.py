"""Takes lookarounds out of a pattern where their place in the text is known, so that RE2 can run what is left.

RE2 has none, because in general they cannot be matched in linear time. But nearly all that people write stand after a
part of fixed length, ``/(?!api|static)(.*)``, or before the end, ``.*(?<!\\.js)$``. There the question is a condition
on one known position: it is asked apart, as a pattern of its own, and the answer is exactly Perl's.
"""

import re
from dataclasses import dataclass, field
from typing import NamedTuple

AT_END = -1

_LOOK = re.compile(r"\(\?(<?)([=!])")
_OPEN = re.compile(r"\((?:\?(?::|P?<[A-Za-z_][A-Za-z_0-9]*>))?(?!\?)")
_FLAGS = re.compile(r"\(\?[imsU]+\)")
_QUANTIFIER = re.compile(r"(?:[*+?]|\{([0-9]+)(,[0-9]*)?\})[?+]?")
_CLASS = re.compile(r"\[\^?\]?(?:\\.|\[:\^?[a-z]+:\]|[^\]\\])*\]", re.DOTALL)
_ESCAPED_ONE = re.compile(r"\\[^A-Za-z0-9]|\\[dDsSwW]", re.DOTALL)
_END = re.compile(r"(?:\$|\\z)\)*")
_TOKEN = re.compile(r"\\.|" + _CLASS.pattern + r"|\((?:\?(?:P?<(?![=!])|<?[=!])?)?|\)", re.DOTALL)

_PLACES = "a lookaround is understood after a part of fixed length, as in /(?!api)(.*), or before a final $"

_FLAGS_FIRST = "beside a lookaround, flags such as (?i) are understood at the pattern's beginning only"


class LookaroundError(ValueError):
    """A lookaround that would need backtracking; ``str()`` is a sentence."""


class Condition(NamedTuple):
    """``expression`` must be found (``wanted``) or not ``offset`` bytes after the match's start, or ``AT_END``."""

    expression: str
    wanted: bool
    offset: int


class Split(NamedTuple):
    """``expression`` has no lookarounds and as many groups as the pattern had."""

    expression: str
    conditions: tuple[Condition, ...]


@dataclass(slots=True)
class _Group:
    branched: bool = False  # it holds a | of its own
    looks: bool = False  # it holds a lookaround, at any depth


def split_lookarounds(pattern: str) -> Split:
    """What RE2 can run, and the conditions that were taken out. Raises LookaroundError."""
    if _LOOK.search(pattern) is None:
        return Split(pattern, ())
    return _Splitter(pattern).split()


@dataclass(slots=True)
class _Splitter:
    """One walk over the pattern. ``width`` is how many bytes everything so far matches; None: it varies."""

    pattern: str
    at: int = 0
    width: int | None = 0
    last_width: int = 0  # of the item before, for {n}
    flags: str = ""
    groups: list[_Group] = field(default_factory=lambda: [_Group()])
    kept: list[str] = field(default_factory=list)
    conditions: list[Condition] = field(default_factory=list)

    def split(self) -> Split:
        while self.at < len(self.pattern):
            if look := _LOOK.match(self.pattern, self.at):
                self._take_lookaround(behind=bool(look.group(1)), wanted=look.group(2) == "=", inside=look.end())
            else:
                self._keep_item()
        return Split("".join(self.kept), tuple(self.conditions))

    def _take_lookaround(self, *, behind: bool, wanted: bool, inside: int) -> None:
        end, groups = _end_of_group(self.pattern, inside)
        inner, place = self.pattern[inside : end - 1], end
        if _QUANTIFIER.match(self.pattern, place) or any(group.branched for group in self.groups):
            raise LookaroundError(f"{_PLACES}; this one is repeated or stands beside a |")
        if behind:
            if not _END.fullmatch(self.pattern, place):
                raise LookaroundError(f"{_PLACES}; this lookbehind stands elsewhere")
            self.conditions.append(Condition(f"{self.flags}(?:{inner})$", wanted, AT_END))
        elif self.width is None:
            raise LookaroundError(f"{_PLACES}; what stands before this one varies in length")
        else:
            self.conditions.append(Condition(f"{self.flags}(?:{inner})", wanted, self.width))
        if groups and wanted:
            raise LookaroundError("a group within a lookahead cannot be captured: write (?:…) for (…)")
        self.kept.append("(x){0}" * groups)  # groups keep their numbers and stay empty
        for group in self.groups:
            group.looks = True
        self.at, self.last_width = end, 0

    def _keep_item(self) -> None:
        text, at = self.pattern, self.at
        character = text[at]
        if flags := _FLAGS.match(text, at):
            if len(self.groups) > 1:
                raise LookaroundError(_FLAGS_FIRST)
            self.flags += flags.group()
            self._keep(flags.end(), 0)
        elif character == "(":
            opened = _OPEN.match(text, at)
            if opened is None:
                raise LookaroundError(_FLAGS_FIRST)
            self.groups.append(_Group())
            self._keep(opened.end(), 0)
        elif character == ")":
            self._close()
        elif character == "|":
            if self.groups[-1].looks:
                raise LookaroundError(f"{_PLACES}; this one stands beside a |")
            self.groups[-1].branched = True
            self._keep(at + 1, None)
        elif quantifier := _QUANTIFIER.match(text, at):
            exactly = quantifier.group(1) if quantifier.group(2) is None else None
            more = None if exactly is None or self.last_width == 0 else (int(exactly) - 1) * self.last_width
            self._keep(quantifier.end(), more)
        else:
            self._keep(*_atom(text, at))

    def _close(self) -> None:
        group = self.groups.pop() if len(self.groups) > 1 else self.groups[-1]
        if group.looks and _QUANTIFIER.match(self.pattern, self.at + 1):
            raise LookaroundError(f"{_PLACES}; this one is repeated with its group")
        self._keep(self.at + 1, 0)

    def _keep(self, end: int, width: int | None) -> None:
        self.kept.append(self.pattern[self.at : end])
        self.width = None if self.width is None or width is None else self.width + width
        self.last_width = width or 0
        self.at = end


def _atom(text: str, at: int) -> tuple[int, int | None]:
    """Where the single item at ``at`` ends, and how many bytes it matches (None: not known here)."""
    character = text[at]
    if character == "\\":
        one = _ESCAPED_ONE.match(text, at)
        return (one.end(), len(one.group()[1:].encode())) if one else (at + 2, None)
    if character == "[":
        found = _CLASS.match(text, at)
        return (found.end(), 1 if found.group().isascii() else None) if found else (at + 1, None)
    if character in "^$":
        return at + 1, 0
    return at + 1, len(character.encode())


def _end_of_group(text: str, inside: int) -> tuple[int, int]:
    """Where the group ends whose inside begins at ``inside``, and how many capturing groups it holds."""
    depth, captures = 1, 0
    for token in _TOKEN.finditer(text, inside):
        what = token.group()
        if what == ")":
            depth -= 1
            if depth == 0:
                return token.end(), captures
        elif what[0] == "(":
            depth += 1
            captures += what in ("(", "(?<", "(?P<")
            if _LOOK.fullmatch(what):
                raise LookaroundError("a lookaround within a lookaround is not understood")
    raise LookaroundError("a parenthesis is not closed")

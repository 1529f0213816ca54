"""Give the upstream another path than the client asked for, or send the client to another URL."""

import re
from functools import lru_cache

from msgspec import Struct

from ingressd.http.target import may_climb
from ingressd.policy.ask import Answer, Ask, Plan
from ingressd.policy.location import location_line
from ingressd.policy.pattern import compile_pattern, path_expression


class Rewrite(Struct, frozen=True, gc=False, array_like=True):
    """Replace the whole path by ``target`` when ``pattern`` is found in it; ``$1`` … ``$9`` are its groups, any other
    ``$`` begins a variable of nginx.

    The query string is kept. ``pattern`` is that of the route, over the normalised path; it ignores case and may be
    found anywhere. A target that begins with ``http://`` or ``https://`` is a redirect there. ``forwarded_prefix``,
    unless "", is sent upstream as ``X-Forwarded-Prefix``, with the same groups.
    """

    pattern: str
    target: str
    forwarded_prefix: str = ""


_AMBIGUOUS = Answer(400, "ambiguous_path")
_MAX_REMEMBERED = 1024
_MAX_PATH_TO_REMEMBER = 512  # together: 3 MiB for each worker at the very most
_GROUP = re.compile(r"\$([1-9])")
_UNSAFE = re.compile(r"[^\x20-\x7e]")


class _Text:
    """A text with references to groups, cut apart once."""

    __slots__ = ("_beginning", "_rest")

    def __init__(self, text: str, group_count: int) -> None:
        self._beginning, *parts = _GROUP.split(text)
        rest: list[tuple[int, str]] = []
        for digit, literal in zip(parts[::2], parts[1::2], strict=True):
            if int(digit) <= group_count:
                rest.append((int(digit) - 1, literal))
            elif rest:
                rest[-1] = (rest[-1][0], rest[-1][1] + literal)
            else:
                self._beginning += literal
        self._rest = tuple(rest)

    def filled(self, groups: tuple[str, ...]) -> str:
        """The text with its groups; one that took no part is empty, and so is one that the pattern has not."""
        whole = self._beginning
        for number, literal in self._rest:
            whole += groups[number] + literal
        return whole


class Rewriter:
    """A Rewrite, compiled. Raises PatternError."""

    __slots__ = ("_pattern", "_prefix", "_target", "is_redirect")

    def __init__(self, rewrite: Rewrite) -> None:
        self._pattern = compile_pattern(path_expression(rewrite.pattern), ignore_case=True)
        count = self._pattern.group_count
        self._target = _Text(rewrite.target, count)
        self._prefix = _Text(rewrite.forwarded_prefix, count) if rewrite.forwarded_prefix else None
        self.is_redirect = rewrite.target.startswith(("http://", "https://"))

    def path(self, path: str) -> str | None:
        """What the target says for ``path``, the groups as they were found: encoded. None: the pattern is not found."""
        groups = self._pattern.search(path)
        return None if groups is None else self._target.filled(groups)

    def apply(self, ask: Ask, plan: Plan) -> Answer | None:
        """Set ``plan.path``, or answer 302. A pattern that is not found leaves the request alone.

        400 when the new path has a dot segment, which no request's own has: an upstream that resolves it would serve
        what other routes may guard.
        """
        path = ask.path
        if self.is_redirect:
            target = self.path(path)
            if target is None:
                return None
            query = "&" + ask.query[1:] if ask.query and "?" in target else ask.query
            return Answer(302, "rewrite_redirect", location_line(target + query))
        answer, target, added = self.rewritten(path)
        if target is not None:
            plan.path = target
            plan.added += added
        return answer

    def rewritten(self, path: str) -> tuple[Answer | None, str | None, bytes]:
        """For a target that is a path: the answer, or the path for the upstream and lines for it, or none of them."""
        return self.rewrite(path) if len(path) > _MAX_PATH_TO_REMEMBER else _remembered(self, path)

    def rewrite(self, path: str) -> tuple[Answer | None, str | None, bytes]:
        """``rewritten``, worked out."""
        groups = self._pattern.search(path)
        if groups is None:
            return None, None, b""
        target = self._target.filled(groups)
        if may_climb(target.partition("?")[0]):
            return _AMBIGUOUS, None, b""
        if self._prefix is None:
            return None, target, b""
        # What was captured is ASCII; what was declared may hold anything, and must not become a line of its own.
        value = _UNSAFE.sub("", self._prefix.filled(groups))
        return None, target, b"X-Forwarded-Prefix: " + value.encode("ascii") + b"\r\n"


@lru_cache(maxsize=_MAX_REMEMBERED)
def _remembered(rewriter: Rewriter, path: str) -> tuple[Answer | None, str | None, bytes]:
    """Paths repeat; the expression costs ten times as much as looking here. One memo for all routes of a worker."""
    return rewriter.rewrite(path)

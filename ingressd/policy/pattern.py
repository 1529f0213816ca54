"""Regular expressions over request paths and field values, in time linear in what a client sends.

RE2 runs them: no backtracking, the match Perl's rules choose. What it lacks is refused with a sentence, but for
lookarounds whose place in the text is known (``lookaround.py``). The library is loaded with the first pattern, so that
a worker without patterns is spared its 2 ms and 2.6 MB.

Matched is bytes: a character beyond ASCII in a pattern is its UTF-8 bytes, as PCRE has it without its UTF mode.
"""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from ingressd.policy.lookaround import AT_END, LookaroundError, split_lookarounds

MAX_PATTERN_CHARACTERS = 1024
MAX_STEPS = 512
"""Of a program, beyond the plain text it begins with. A step costs 4 to 15 ns for each byte of a hostile text, so 8 KiB
of path cost 60 ms at the very worst, with a pattern made for it; 50 µs is usual."""
MAX_GROUPS = 20
"""Nine can be referred to. What a step costs grows with their number."""
MAX_ATTEMPTS = 32
"""At how many places a search tries again when a lookaround said no there: or a path of many slashes would make the
time quadratic. Patterns of routes begin at the path's start and need one."""
_PATTERN_MEMORY_BYTES = 256 << 10  # program and automaton; what a text makes it grow beyond that is forgotten again
_SET_MEMORY_BYTES, _SET_MEMORY_EACH_BYTES = 1 << 20, 16 << 10

Spans = list[tuple[int, int]]
Run = Callable[[Any, bytes, int, int], Spans]


class PatternError(ValueError):
    """A pattern that is malformed, or not run here; ``str()`` is a sentence for its owner."""


class _Condition(NamedTuple):
    run: Run
    wanted: bool
    offset: int


class Pattern:
    """A compiled pattern. Text to match is latin-1: one character for one byte."""

    __slots__ = ("_anchored", "_anywhere", "_conditions", "_run", "expression", "group_count", "ignore_case", "text")

    def __init__(self, text: str, *, ignore_case: bool) -> None:
        """Use ``compile_pattern``. Raises PatternError."""
        self.text = text
        self.ignore_case = ignore_case
        try:
            self.expression, conditions = split_lookarounds(text)
        except LookaroundError as error:
            raise PatternError(f"{_shown(text)}: {error}") from None
        anchor = _library()._Anchor
        self._anchored, self._anywhere = anchor.ANCHOR_START, anchor.UNANCHORED
        self._run, self.group_count = _program(self.expression, text, ignore_case=ignore_case)
        self._conditions = tuple(
            _Condition(_program(one.expression, text, ignore_case=ignore_case)[0], one.wanted, one.offset)
            for one in conditions
        )

    def __repr__(self) -> str:
        return f"Pattern({self.text!r})"

    @property
    def is_conditional(self) -> bool:
        """Whether ``expression`` alone is not the whole question."""
        return bool(self._conditions)

    def match(self, text: str) -> tuple[str, ...] | None:
        """The groups of a match that begins where ``text`` does ("" for one that took no part); None: no match."""
        raw = text.encode("latin-1")
        spans = self._run(self._anchored, raw, 0, len(raw))
        if spans[0][0] < 0 or (self._conditions and not self._holds(raw, 0)):
            return None
        return tuple([text[start:end] for start, end in spans[1:]])

    def search(self, text: str) -> tuple[str, ...] | None:
        """The groups of the first match anywhere; None: no match. Beware: no groups is an empty tuple."""
        raw = text.encode("latin-1")
        spans = self._run(self._anywhere, raw, 0, len(raw))
        if self._conditions:
            attempts = 1
            while spans[0][0] >= 0 and not self._holds(raw, spans[0][0]):
                if attempts >= MAX_ATTEMPTS:
                    return None
                attempts += 1
                spans = self._run(self._anywhere, raw, spans[0][0] + 1, len(raw))
        if spans[0][0] < 0:
            return None
        return tuple([text[start:end] for start, end in spans[1:]])

    def _holds(self, raw: bytes, start: int) -> bool:
        for run, wanted, offset in self._conditions:
            if offset == AT_END:
                found = run(self._anywhere, raw, 0, len(raw))
            else:
                found = run(self._anchored, raw, start + offset, len(raw))
            if (found[0][0] >= 0) is not wanted:
                return False
        return True


class PatternSet:
    """Several patterns, asked at once: what that costs does not grow with their number."""

    __slots__ = ("_conditional", "_match", "_none", "_patterns")

    def __init__(self, patterns: Sequence[Pattern]) -> None:
        self._patterns = tuple(patterns)
        self._none = len(self._patterns)
        self._conditional = frozenset(at for at, one in enumerate(self._patterns) if one.is_conditional)
        self._match = self._compiled()

    def first(self, text: str) -> int:
        """Index of the first pattern in order that is found in ``text``; -1: none."""
        if self._match is not None:
            found = self._match(text.encode("latin-1"))
            if found:
                if not self._conditional:
                    first = min(found)
                    return -1 if first == self._none else first
                return self._first_that_holds(sorted(found), text)
        return self._first_that_holds(range(self._none), text)

    def _first_that_holds(self, candidates: Sequence[int], text: str) -> int:
        for at in candidates:
            if at != self._none and self._patterns[at].search(text) is not None:
                return at
        return -1

    def _compiled(self) -> Callable[[bytes], list[int] | None] | None:
        """RE2's set of them all; None when they are too many for its memory, and are asked one by one."""
        if not self._patterns:
            return None
        library = _library()
        ignore_case = self._patterns[0].ignore_case
        memory = _SET_MEMORY_BYTES + _SET_MEMORY_EACH_BYTES * len(self._patterns)
        together = library.Set.SearchSet(_options(ignore_case=ignore_case, memory_bytes=memory))
        try:
            for pattern in self._patterns:
                together.Add(pattern.expression.encode())
            together.Add(b"")  # always found: without it, nothing found would look like out of memory
            together.Compile()
        except library.error:
            return None
        match: Callable[[bytes], list[int] | None] = together._set.Match
        return match


@lru_cache(maxsize=4096)
def compile_pattern(text: str, *, ignore_case: bool = False) -> Pattern:
    """The compiled form of ``text``; the last 4,096 are remembered. Raises PatternError."""
    return Pattern(text, ignore_case=ignore_case)


def check_pattern(text: str) -> str | None:
    """What is wrong with a pattern, as a sentence for its owner; None: nothing."""
    try:
        compile_pattern(text, ignore_case=True)
    except PatternError as error:
        return str(error)
    return None


def location_pattern(declared: str) -> Pattern:
    """The pattern of a declared path, to be searched for in a normalised one: it begins at the start, and ignores case.

    As in nginx it is ``^`` and the text: in ``/a|/b`` only the first is bound to the start. Raises PatternError.
    """
    return compile_pattern("^" + path_expression(declared), ignore_case=True)


# An escaped character, a class, or what a normalised path holds percent-encoded only.
_UNUSUAL = re.compile(r"\\ |\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|[^\x21-\x7e]", re.DOTALL)


def path_expression(declared: str) -> str:
    """``declared`` with spaces and what is not ASCII spelled as in a normalised path: ``%20``, ``%C3%A9``."""
    return _UNUSUAL.sub(_percent_encoded, declared)


def _percent_encoded(found: re.Match[str]) -> str:
    text = found.group()
    if text == "\\ ":
        text = " "
    if len(text) > 1:
        return text
    return "(?:" + "".join(f"%{byte:02X}" for byte in text.encode(errors="surrogatepass")) + ")"


_PLAIN = re.compile(r"\^?[A-Za-z0-9/_~%-]*")


def _program(expression: str, text: str, *, ignore_case: bool) -> tuple[Run, int]:
    """What runs an expression, and how many groups it has."""
    if len(text) > MAX_PATTERN_CHARACTERS:
        raise PatternError(f"{_shown(text)}: longer than {MAX_PATTERN_CHARACTERS} characters")
    library = _library()
    try:
        compiled = library.compile(
            expression.encode(), _options(ignore_case=ignore_case, memory_bytes=_PATTERN_MEMORY_BYTES)
        )
    except (library.error, UnicodeEncodeError) as error:
        raise PatternError(f"{_shown(text)}: {_explained(error)}") from None
    plain = _PLAIN.match(text)
    if compiled.programsize > MAX_STEPS + (plain.end() if plain else 0):
        raise PatternError(f"{_shown(text)}: too much is repeated or offered; use smaller numbers, or + and *")
    if compiled.groups > MAX_GROUPS:
        raise PatternError(
            f"{_shown(text)}: more than {MAX_GROUPS} groups; write (?:…) for those that nothing refers to"
        )
    run: Run = compiled._regexp.Match  # the binding's own matches cost twice the time, for offsets nobody asks for
    return run, compiled.groups


def _options(*, ignore_case: bool, memory_bytes: int) -> Any:
    options = _library().Options()
    options.case_sensitive = not ignore_case
    options.encoding = options.Encoding.LATIN1
    options.log_errors = False
    options.max_mem = memory_bytes
    return options


@lru_cache(maxsize=1)
def _library() -> Any:
    """google-re2. Raises PatternError where it is missing: routes with patterns are refused, all others go on."""
    try:
        import re2
    except ImportError as error:
        raise PatternError(f"no pattern can be used, for google-re2 cannot be loaded ({error})") from None
    return re2


_MEANT = (
    ("\\Q", "quoting is not understood"),
    ("(?>", "atomic groups are not understood: leave ?> away, no pattern backtracks here"),
    ("(?", "only (?:…), (?i), named groups and lookarounds in a known place are understood"),
    ("**", "a repetition is repeated"),
    ("++", "possessive repetition is not understood: leave the second + away, no pattern backtracks here"),
)


def _explained(error: Exception) -> str:
    """RE2's words, and ours for what people write who know PCRE."""
    if isinstance(error, UnicodeEncodeError):
        return "it holds half of a surrogate pair"
    said = error.args[0] if error.args else str(error)
    said = said.decode("latin-1") if isinstance(said, bytes) else str(said)
    if said.startswith("invalid escape sequence: \\") and said[-1:].isdigit():
        return f"{said}; a back-reference cannot be matched in bounded time"
    for sign, meant in _MEANT:
        if sign in said:
            return f"{said}; {meant}"
    return said


def _shown(text: str) -> str:
    """The pattern as people may see it: quoted, escaped, cut."""
    return ascii(text if len(text) <= 100 else text[:99] + "…")

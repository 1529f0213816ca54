"""nginx's configuration language as far as people put it into snippets: text → directives. Nothing is interpreted."""

import re

from msgspec import Struct

MAX_CHARACTERS = 64 * 1024  # snippets are read by people: one above this is not read, and said so
MAX_DEPTH = 8

_TOKEN = re.compile(
    r"""\s+|\#[^\n]*|(?P<mark>[;{}])|"(?P<double>(?:[^"\\]|\\.)*+)"|'(?P<single>(?:[^'\\]|\\.)*+)'"""
    r"""|(?P<bare>(?:\$\{\w{1,64}+\}|\\.|[^\s;{}"'\\])++)|(?P<odd>.)""",
    re.DOTALL,
)
_ESCAPED_QUOTE = re.compile(r"\\([\"'])")


class Directive(Struct, frozen=True):
    """``block`` is empty for a simple directive and for an empty block."""

    name: str
    arguments: tuple[str, ...] = ()
    block: tuple["Directive", ...] = ()


class Unreadable(ValueError):
    """Braces or quotes that do not match, or too much text."""


def read_directives(text: str) -> tuple[Directive, ...]:
    """The directives of a snippet. Raises Unreadable."""
    if len(text) > MAX_CHARACTERS:
        raise Unreadable("too long to be read")
    levels: list[list[Directive]] = [[]]
    heads: list[list[str]] = []
    words: list[str] = []
    for mark, word in _tokens(text):
        if mark == "":
            words.append(word)
        elif mark == ";":
            _end(levels[-1], words)
        elif mark == "{":
            if len(levels) > MAX_DEPTH:
                raise Unreadable("blocks nested too deep")
            levels.append([])
            heads.append(words)
            words = []
        elif not heads:
            raise Unreadable("a closing brace too many")
        else:
            _end(levels[-1], words)
            block = tuple(levels.pop())
            _end(levels[-1], heads.pop(), block)
    if heads:
        raise Unreadable("a closing brace is missing")
    _end(levels[0], words)
    return tuple(levels[0])


def _end(level: list[Directive], words: list[str], block: tuple[Directive, ...] = ()) -> None:
    if words or block:
        name, *arguments = words or ("{",)
        level.append(Directive(name, tuple(arguments), block))
        words.clear()


def _tokens(text: str) -> list[tuple[str, str]]:
    """(mark, "") for ; { } and ("", word) for the rest; white space and comments are left out. Raises Unreadable."""
    tokens = []
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup
        if kind == "mark":
            tokens.append((match["mark"], ""))
        elif kind in ("double", "single"):
            tokens.append(("", _ESCAPED_QUOTE.sub(r"\1", match[kind])))
        elif kind == "odd" and match["odd"] in "\"'":
            raise Unreadable("a quote without its other half")
        elif kind is not None:
            tokens.append(("", match[kind]))
    return tokens

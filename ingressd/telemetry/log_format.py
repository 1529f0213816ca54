"""ingress-nginx's access log: a format with variables, compiled once, and which requests are in the log.

Whatever a client sends, a line is one line and no longer than what a pipe takes whole. With ``json`` escaping a format
that is JSON gives valid JSON: bytes that are no UTF-8 become the characters of the same number.
"""

import re
from collections.abc import Callable, Iterable
from typing import Final, Literal

from ingressd.telemetry.log_variables import FREE, GIVEN, SAFE, Getter, LogFacts, Value, field_getter
from ingressd.telemetry.pipe_writer import PIPE_BUF

DEFAULT_FORMAT: Final = (
    '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" '
    "$request_length $request_time [$proxy_upstream_name] [$proxy_alternative_upstream_name] $upstream_addr "
    "$upstream_response_length $upstream_response_time $upstream_status $req_id"
)
MAX_FORMAT_CHARACTERS: Final = 8192
MAX_LINE_BYTES: Final = PIPE_BUF
"""With its line end. The values of a longer line are cut, all to the same length."""
MAX_VALUE_CHARACTERS: Final = 2048

Escape = Literal["default", "json", "none"]

_VARIABLE = re.compile(r"\$(?:([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)\})|\$")
_NOT_IN_LINE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]+")
_UNSAFE: Final = {
    "default": re.compile(r'["\\]|[^\x20-\x7e]'),
    "json": re.compile(r'["\\]|[^\x20-\x7e]'),
    "none": _NOT_IN_LINE,
}
_SHORT: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f", '"': '\\"', "\\": "\\\\"}


class FormatError(ValueError):
    """A format that cannot be used; ``str()`` is a sentence for its owner."""


class LogFormat:
    """A compiled format. Raises FormatError."""

    __slots__ = ("_escape", "_free", "_getters", "_missing", "_template", "_unsafe")

    def __init__(self, text: str = DEFAULT_FORMAT, escape: Escape = "default") -> None:
        if len(text) > MAX_FORMAT_CHARACTERS:
            raise FormatError(f"the log format is longer than {MAX_FORMAT_CHARACTERS} characters")
        template: list[str] = []
        getters: list[Getter] = []
        free: list[int] = []
        at = 0
        for found in _VARIABLE.finditer(text):
            name = (found.group(1) or found.group(2) or "").lower()  # case means nothing, as in nginx
            if not name:
                raise FormatError("the log format has a $ that no variable's name follows")
            template += (_literal(text[at : found.start()]), "%s")
            getter, is_free = _getter(name)
            if is_free:
                free.append(len(getters))
            getters.append(getter)
            at = found.end()
        template.append(_literal(text[at:]))
        self._template = "".join(template).strip() + "\n"
        self._getters = tuple(getters)
        self._free = tuple(free)
        self._missing = "-" if escape == "default" else ""
        self._escape = _ESCAPES[escape]
        self._unsafe = _UNSAFE[escape]

    def line(self, facts: LogFacts) -> bytes:
        """The line of one exchange, with its line end."""
        values = [get(facts) for get in self._getters]
        if len(facts.target) <= MAX_VALUE_CHARACTERS:
            line = self._render(values)
            if line and len(line) <= MAX_LINE_BYTES:
                return line
        return self._shortened(values)

    def _render(self, values: list[Value]) -> bytes:
        """The line, whatever its length; empty when it is clear before escaping, which takes time, that it is long."""
        free = [values[index] or "" for index in self._free]
        text = "".join(free)
        if self._unsafe.search(text):
            if len(text) > MAX_LINE_BYTES:
                return b""
            values = values.copy()
            for index, value in zip(self._free, free, strict=True):
                if value:
                    values[index] = self._escape(value)
        text = self._template % tuple([self._missing if value is None else value for value in values])
        return text.encode("latin-1", "replace")

    def _shortened(self, values: list[Value]) -> bytes:
        """Only hostile or very strange requests come here."""
        limit = MAX_VALUE_CHARACTERS
        while limit:
            line = self._render([value if value is None else value[:limit] for value in values])
            if line and len(line) <= MAX_LINE_BYTES:
                return line
            limit //= 2
        return self._render([""] * len(values))[: MAX_LINE_BYTES - 1].rstrip(b"\n") + b"\n"


def _literal(text: str) -> str:
    """Text between variables; line ends in it (a block of YAML) are spaces, for a line is one line."""
    return _NOT_IN_LINE.sub(" ", text).encode(errors="surrogatepass").decode("latin-1").replace("%", "%%")


def _getter(name: str) -> tuple[Getter, bool]:
    """What a variable is, and whether its value may hold anything."""
    safe = SAFE.get(name)
    if safe is not None:
        return safe, False
    own = FREE.get(name) or field_getter(name)
    if own is None:
        if name not in GIVEN:
            raise FormatError(f"the log format names ${name[:60]}, which is not known here")
        return lambda facts: facts.extra.get(name), True
    known = own
    return lambda facts: facts.extra.get(name) or known(facts), True


# Tables, because a client may send a whole header of such characters: a call for each took 40 ms of a worker.
_CONTROL: Final = (*range(0x20), 0x7F)
_BEYOND: Final = range(0x80, 0x100)
_DEFAULT: Final = {code: f"\\x{code:02X}" for code in (*_CONTROL, *_BEYOND, *b'"\\')}
_JSON: Final = {code: _SHORT.get(chr(code)) or f"\\u{code:04X}" for code in (*_CONTROL, *b'"\\')}
_JSON_BYTES: Final = {**_JSON, **{code: f"\\u{code:04X}" for code in _BEYOND}}


def _escape_default(value: str) -> str:
    return value.translate(_DEFAULT)


def _escape_json(value: str) -> str:
    try:
        value.encode("latin-1").decode("utf-8")
    except UnicodeDecodeError:
        return value.translate(_JSON_BYTES)
    return value.translate(_JSON)


_ESCAPES: Final[dict[Escape, Callable[[str], str]]] = {
    "default": _escape_default,
    "json": _escape_json,
    "none": lambda value: _NOT_IN_LINE.sub(" ", value),
}


class LogChoice:
    """``skip-access-log-urls``: which request URIs are not logged.

    Entries are as in nginx's ``map``: the whole URI with its query, in any case. Those that begin with ``~`` are
    patterns: the caller compiles them and gives what says whether one is found.
    """

    __slots__ = ("_exact", "_found")

    def __init__(self, entries: Iterable[str], found: Iterable[Callable[[str], object | None]] = ()) -> None:
        self._exact = frozenset(entry.lower() for entry in entries if not entry.startswith("~"))
        self._found = tuple(found)

    def is_logged(self, target: str) -> bool:
        """``target`` is path and query."""
        if target.lower() in self._exact:
            return False
        return not any(find(target) is not None for find in self._found)

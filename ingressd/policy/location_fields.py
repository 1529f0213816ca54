"""Redirects of an upstream that believes to live elsewhere: the beginning of Location and Refresh, as nginx does it."""

import re

from msgspec import Struct

from ingressd.policy.ask import Ask
from ingressd.policy.variables import Template, compile_template

_FIELDS = re.compile(rb"^(location:[ \t]*|refresh:[^\r\n]*?url=)([^\r\n]*)", re.IGNORECASE | re.MULTILINE)


class LocationRewrite(Struct, frozen=True, gc=False, array_like=True):
    """What begins with ``start`` begins with ``new_start`` instead; both may hold nginx variables.

    ``relative`` False: a Location that has become a path gets this host's scheme and name in front.
    """

    start: str
    new_start: str
    relative: bool = False


def problem_of(start: str, new_start: str) -> str:
    """What is wrong with the two, as a sentence for their owner; "" when they are fine. Raises TemplateError."""
    if start.startswith("~"):
        return f"{start!r}: expressions (~) are not supported here; write the text itself"
    if not (start + new_start).isascii() or not (start + new_start).isprintable() or " " in start + new_start:
        return f"{start!r} or {new_start!r} holds what cannot be in a URL"
    for text in (start, new_start):
        compile_template(text)
    return ""


class LocationRule:
    """Settings made ready for answers. Raises TemplateError when ``problem_of`` does."""

    __slots__ = ("_new_start", "_relative", "_start")

    def __init__(self, settings: LocationRewrite) -> None:
        self._start = _ready(settings.start)
        self._new_start = _ready(settings.new_start)
        self._relative = settings.relative

    def apply(self, lines: bytes, ask: Ask) -> bytes:
        """Whole field lines of the answer to ``ask``, with its redirects put right."""
        if b"ocation:" not in lines and b"efresh:" not in lines and _FIELDS.search(lines) is None:
            return lines
        start = self._start if isinstance(self._start, bytes) else self._start.expand(ask)

        def line(found: re.Match[bytes]) -> bytes:
            name, value = found.groups()
            if not value.startswith(start):
                return found.group()
            new = self._new_start if isinstance(self._new_start, bytes) else self._new_start.expand(ask)
            new += value[len(start) :]
            if new.startswith(b"/") and not self._relative and name[:1] in b"lL":
                new = (b"https://" if ask.is_tls else b"http://") + ask.host.encode("latin-1") + new
            return name + new

        return _FIELDS.sub(line, lines)


def _ready(text: str) -> bytes | Template:
    return compile_template(text) if "$" in text else text.encode()

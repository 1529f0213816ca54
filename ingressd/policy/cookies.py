"""Cookies of an upstream that believes to live elsewhere: their Domain and Path put right, as nginx does it."""

import re

from msgspec import Struct

_SET_COOKIE = re.compile(rb"^(set-cookie:)[ \t]*([^\r\n]*)", re.IGNORECASE | re.MULTILINE)


class CookieRewrite(Struct, frozen=True, gc=False, array_like=True):
    """A Domain that is ``domain`` (a dot at its beginning and case do not count) becomes ``new_domain``; of a Path that
    begins with ``path``, that becomes ``new_path``. None: left alone.
    """

    domain: str | None = None
    new_domain: str = ""
    path: str | None = None
    new_path: str = ""


def read_pair(text: str) -> tuple[str, str] | None:
    """``from to`` of proxy-cookie-domain and -path; None: ``off``. Raises ValueError."""
    words = text.split()
    if words == ["off"]:
        return None
    if len(words) != 2:
        raise ValueError(f"{text!r} is neither 'off' nor two words: what to replace, and by what")
    if words[0].startswith("~"):
        raise ValueError(f"{text!r}: expressions (~) are not supported here; write the text itself")
    if not all(word.isascii() and word.isprintable() and ";" not in word for word in words):
        raise ValueError(f"{text!r} holds what cannot be in a cookie's attribute")
    return words[0], words[1]


class CookieRule:
    """Settings made ready for answers."""

    __slots__ = ("_domain", "_new_domain", "_new_path", "_path")

    def __init__(self, settings: CookieRewrite) -> None:
        self._domain = None if settings.domain is None else settings.domain.lower().removeprefix(".").encode()
        self._new_domain = settings.new_domain.removeprefix(".").encode()
        self._path = None if settings.path is None else settings.path.encode()
        self._new_path = settings.new_path.encode()

    def apply(self, lines: bytes) -> bytes:
        """Whole field lines of an answer, with its cookies put right."""
        return _SET_COOKIE.sub(self._line, lines)

    def _line(self, found: re.Match[bytes]) -> bytes:
        pair, *attributes = found.group(2).split(b";")
        changed = [self._attribute(attribute) for attribute in attributes]
        if changed == attributes:
            return found.group()
        return b"; ".join([found.group(1) + b" " + pair.strip(), *(attribute.strip() for attribute in changed)])

    def _attribute(self, attribute: bytes) -> bytes:
        name, equals, value = attribute.partition(b"=")
        if not equals:
            return attribute
        kind, new = name.strip().lower(), None
        if kind == b"domain" and self._domain is not None:
            new = self._domain_of(value.strip(), self._domain)
        elif kind == b"path" and self._path is not None and value.strip().startswith(self._path):
            new = self._new_path + value.strip()[len(self._path) :]
        return attribute if new is None else name.strip() + b"=" + new

    def _domain_of(self, value: bytes, domain: bytes) -> bytes | None:
        bare = value.removeprefix(b".")
        return value[: len(value) - len(bare)] + self._new_domain if bare.lower() == domain else None

"""Field sections: bytes up to the empty line → (name, value) pairs, read by llhttp at its strictest.

A section is read in one go once its last byte is there, so one parser serves a whole worker.
"""

from collections.abc import Callable
from typing import Any

import httptools


class _Section:
    """Receives llhttp's callbacks."""

    __slots__ = ("fields", "has_ended", "is_whole", "keeps_alive", "parser")

    def __init__(self) -> None:
        self.parser: Any = None
        self.fields: list[tuple[bytes, bytes]] = []
        self.is_whole = False
        self.keeps_alive = False
        self.has_ended = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append((name, value))

    def on_headers_complete(self) -> None:
        self.is_whole = True
        self.keeps_alive = self.parser.should_keep_alive()  # llhttp tells only now

    def on_message_complete(self) -> None:
        """Called right away when llhttp waits for no body."""
        self.has_ended = True


class FieldParser:
    """llhttp, kept ready for the next field section.

    ``start_line`` makes it expect fields. What a section makes it remember (a body to come, a connection that must not
    be used again, an upgrade) must not reach the next section, so a parser that remembers anything is replaced.
    """

    __slots__ = ("_make", "_parser", "_section", "_start_line")

    def __init__(self, make: Callable[[Any], Any], start_line: bytes) -> None:
        self._make = make
        self._start_line = start_line
        self._renew()

    def _renew(self) -> None:
        self._section = _Section()
        self._parser = self._section.parser = self._make(self._section)

    def parse(self, block: bytes) -> list[tuple[bytes, bytes]]:
        """Fields of ``block``, which ends with the empty line (and is just that when there are no fields).

        Raises:
            ValueError: the section is malformed.
        """
        section = self._section
        try:
            self._parser.feed_data(self._start_line + block)
        except httptools.HttpParserUpgrade:
            section.has_ended = False
        except httptools.HttpParserError as error:
            self._renew()
            raise ValueError(str(error)) from None
        fields = section.fields
        if section.has_ended and section.keeps_alive:
            section.fields = []
            section.is_whole = section.keeps_alive = section.has_ended = False
            return fields
        self._renew()
        if not section.is_whole:
            raise ValueError("the field section does not end where its empty line is")
        return fields

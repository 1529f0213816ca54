"""Field sections: bytes up to the empty line → (name, value) pairs, read by llhttp at its strictest.

A section is read in one go once its last byte is there, so one parser serves a whole worker.
"""

from collections.abc import Callable
from typing import Any

import httptools


class _FieldSink:
    """Receives llhttp's callbacks for one field section."""

    __slots__ = ("complete", "fields")

    def __init__(self) -> None:
        self.fields: list[tuple[bytes, bytes]] = []
        self.complete = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append((name, value))

    def on_headers_complete(self) -> None:
        self.complete = True


class FieldParser:
    """llhttp, kept ready for the next field section.

    ``start_line`` makes it expect fields. What a section makes it remember (a body to come, a connection that must not
    be used again, an upgrade) must not reach the next section, so a parser that remembers anything is replaced.
    """

    __slots__ = ("_make", "_parser", "_sink", "_start_line")

    def __init__(self, make: Callable[[Any], Any], start_line: bytes) -> None:
        self._make = make
        self._start_line = start_line
        self._renew()

    def _renew(self) -> None:
        self._sink = _FieldSink()
        self._parser = self._make(self._sink)

    def parse(self, block: bytes, *, spends_parser: bool) -> list[tuple[bytes, bytes]]:
        """Fields of ``block``, which ends with the empty line (and is just that when there are no fields).

        ``spends_parser``: the section may announce a body or the connection's end. Raises ValueError when malformed.
        """
        sink = self._sink
        try:
            self._parser.feed_data(self._start_line + block)
        except httptools.HttpParserUpgrade:
            spends_parser = True
        except httptools.HttpParserError as error:
            self._renew()
            raise ValueError(str(error)) from None
        fields = sink.fields
        complete = sink.complete
        if spends_parser or not complete:
            self._renew()
            if not complete:
                raise ValueError("the field section does not end where its empty line is")
        else:
            sink.fields = []
            sink.complete = False
        return fields

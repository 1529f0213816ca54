"""What a text of several documents parses to, whichever notation it is in."""

from typing import Any

from msgspec import Struct


class Fault(Struct, frozen=True):
    """What is wrong at one place of a text. ``line`` and ``column`` count from 1; 0 when the place is not known."""

    reason: str
    message: str
    line: int = 0
    column: int = 0
    field: str = ""

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}: {self.message}" if self.line else self.message


class ParsedDocument(Struct, frozen=True):
    """One document, numbered from 1 in its file. With a fault its value is only good for telling what it is about."""

    number: int
    value: Any
    fault: Fault | None = None


class ParseError(ValueError):
    """The text cannot be read from here on; no document of it can be trusted."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(str(fault))
        self.fault = fault


def shortened(text: str, limit: int = 60) -> str:
    """Text of a stranger as it may stand in a message."""
    shown = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text[:limit])
    return shown + "…" if len(text) > limit else shown

"""JSON → plain documents, one or several in a row, duplicate keys seen."""

import json
from collections.abc import Iterator
from typing import Any, Final, NoReturn

from ingressd.kube.parsed import Fault, ParsedDocument, ParseError, shortened

_SPACE: Final = " \t\r\n"


def parse_json(data: bytes) -> Iterator[ParsedDocument]:
    """The documents of a JSON text, in order. Raises ParseError at the place where the text stops being JSON."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ParseError(_fault("NotText", "not UTF-8", data[: error.start].decode(errors="replace"))) from None
    number, at = 0, _skip_space(text, 0)
    while at < len(text):
        reader = _Reader()
        try:
            value, end = json.JSONDecoder(object_pairs_hook=reader.pairs, parse_constant=_refuse).raw_decode(text, at)
        except json.JSONDecodeError as error:
            raise ParseError(Fault("BadJson", error.msg, error.lineno, error.colno)) from None
        except ValueError as error:
            raise ParseError(_fault("BadJson", shortened(str(error)), text[:at])) from None
        except RecursionError:
            raise ParseError(_fault("TooDeep", "nested too deeply", text[:at])) from None
        number += 1
        yield ParsedDocument(number, value, reader.fault)
        at = _skip_space(text, end)


class _Reader:
    """Objects of one document; remembers the first key that was given twice."""

    def __init__(self) -> None:
        self.fault: Fault | None = None

    def pairs(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs) and self.fault is None:
            seen: set[str] = set()
            twice = shortened(next(key for key, _ in pairs if key in seen or seen.add(key)))  # type: ignore[func-returns-value]
            self.fault = Fault("DuplicateKey", f'the key "{twice}" is given twice', field=twice)
        return found


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _skip_space(text: str, at: int) -> int:
    while at < len(text) and text[at] in _SPACE:
        at += 1
    return at


def _fault(reason: str, message: str, before: str) -> Fault:
    return Fault(reason, message, before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1)

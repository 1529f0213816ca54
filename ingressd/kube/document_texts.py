"""The text of a manifest file → decoded documents, doing again only what changed.

A file with ten thousand objects takes seconds to parse; one edited line in it should not. So a large YAML text is cut
at its `---` lines, and what a piece with the same text and number was decoded to is used again.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from ingressd.kube.documents import DecodedDocument, from_document, reference_of
from ingressd.kube.json_documents import parse_json
from ingressd.kube.parsed import Fault, ParsedDocument, ParseError
from ingressd.kube.yaml_documents import parse_yaml
from ingressd.model.finding import Finding

MAX_DOCUMENTS: Final = 100_000
MIN_BYTES_TO_REMEMBER: Final = 64 << 10
"""Below, parsing takes less than 30 ms."""

PieceKey = tuple[int, bytes]
"""(number of the document in its file, digest of its text). The number is part of what objects say of their source."""

# A line `---` begins a document wherever it stands (YAML 1.1, section 9.2): no content, not even quoted or literal
# text, may hold one in its first column. Directives and `...` make it less simple; such texts are parsed whole.
_MARKER: Final = re.compile(rb"^---(?=[ \t\r\n]|\Z)", re.MULTILINE)
_NOT_SIMPLE: Final = re.compile(rb"^(?:%|\.\.\.)", re.MULTILINE)
_NOTHING_BEFORE: Final = re.compile(rb"(?:[ \t]*(?:#[^\n]*)?\r?\n)*[ \t]*(?:#[^\n]*)?")
_WIDE_TEXT: Final = (b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf")


class _Piece(Struct, frozen=True):
    """One document's text: ``data[start:end]``."""

    key: PieceKey
    start: int
    end: int


def decode_text(
    data: bytes, path: str, known: Mapping[PieceKey, DecodedDocument]
) -> Iterator[tuple[PieceKey | None, DecodedDocument]]:
    """Each document with the key to know it by next time, if there is one. Raises ParseError.

    A document with a fault has none: what is said of it names a line, and lines move.
    """
    pieces = _pieces(data) if len(data) >= MIN_BYTES_TO_REMEMBER else []
    unknown = sum(piece.key not in known for piece in pieces)
    # A parser of its own for each piece costs more than one for all; so that is only for few of many.
    if pieces and unknown <= len(pieces) // 4:
        yield from _decode_pieces(data, path, known, pieces)
        return
    for document in documents(data):
        if document.number > MAX_DOCUMENTS:
            raise ParseError(Fault("TooManyDocuments", f"more than {MAX_DOCUMENTS} documents in one file"))
        is_known_piece = document.number <= len(pieces) and document.fault is None
        yield pieces[document.number - 1].key if is_known_piece else None, _decode(document, path)


def documents(data: bytes) -> Iterator[ParsedDocument]:
    """JSON when it begins like JSON and is (it reads many times faster), YAML otherwise. Raises ParseError."""
    if data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] != b"{":
        yield from parse_yaml(data)
        return
    try:
        found = list(parse_json(data))
    except ParseError as not_json:
        # `{a: b}` is YAML all the same; but what is neither was most likely meant to be JSON.
        try:
            found = list(parse_yaml(data))
        except ParseError:
            raise not_json from None
    yield from found


def _pieces(data: bytes) -> list[_Piece]:
    """The text cut into its documents; nothing when that cannot be told from the lines alone."""
    if data.startswith(_WIDE_TEXT) or _NOT_SIMPLE.search(data):
        return []
    starts = [match.start() for match in _MARKER.finditer(data)]
    if not starts or len(starts) > MAX_DOCUMENTS:
        return []
    if _NOTHING_BEFORE.fullmatch(data, 0, starts[0]) is None:
        starts.insert(0, 0)
    ends = [*starts[1:], len(data)]
    return [
        _Piece((number, hashlib.blake2b(data[start:end], digest_size=16).digest()), start, end)
        for number, (start, end) in enumerate(zip(starts, ends, strict=True), 1)
    ]


def _decode_pieces(
    data: bytes, path: str, known: Mapping[PieceKey, DecodedDocument], pieces: list[_Piece]
) -> Iterator[tuple[PieceKey | None, DecodedDocument]]:
    for piece in pieces:
        found = known.get(piece.key)
        if found is not None:
            yield piece.key, found
            continue
        document = _parse_piece(data, piece)
        yield piece.key if document.fault is None else None, _decode(document, path)


def _parse_piece(data: bytes, piece: _Piece) -> ParsedDocument:
    """The one document of a piece, with lines counted in the whole text."""
    lines_before = data.count(b"\n", 0, piece.start)
    try:
        [document] = parse_yaml(data[piece.start : piece.end])
    except ParseError as error:
        raise ParseError(_moved(error.fault, lines_before)) from None
    fault = None if document.fault is None else _moved(document.fault, lines_before)
    return replace(document, number=piece.key[0], fault=fault)


def _moved(fault: Fault, lines: int) -> Fault:
    return replace(fault, line=fault.line + lines) if fault.line else fault


def _decode(document: ParsedDocument, path: str) -> DecodedDocument:
    source = f"{path}#{document.number}"
    if document.fault is None:
        return from_document(document.value, source)
    return _unbelievable(document, document.fault, source)


def _unbelievable(document: ParsedDocument, fault: Fault, source: str) -> DecodedDocument:
    """A document that parsed, but to nothing that can be trusted: a key twice, a foreign tag."""
    about = reference_of(document.value)
    kind, (namespace, name) = about[0] if len(about) == 1 else ("", ("", ""))
    finding = Finding(
        kind=kind,
        namespace=namespace,
        name=name,
        level="error",
        reason=fault.reason,
        field=fault.field,
        message=str(fault),
        source=source,
    )
    return DecodedDocument(findings=(finding,), undecodable=about)

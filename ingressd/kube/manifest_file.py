"""One manifest file → objects and findings, given what the file held before."""

import os
import stat
from collections.abc import Callable, Mapping
from typing import Final

from msgspec import Struct

from ingressd.kube.document_texts import PieceKey, decode_text
from ingressd.kube.documents import DecodedDocument, Reference
from ingressd.kube.parsed import Fault, ParseError
from ingressd.kube.store import key_of
from ingressd.model.finding import Finding, Level
from ingressd.model.objects import ClusterObject

MAX_FILE_BYTES: Final = 64 << 20


class Contents(Struct, frozen=True):
    """What a file says, objects in its order. ``pieces`` is what the documents of a large text were decoded to."""

    objects: Mapping[Reference, ClusterObject] = {}
    findings: tuple[Finding, ...] = ()
    pieces: Mapping[PieceKey, DecodedDocument] = {}


class StoppedError(Exception):
    """Nobody waits for the answer any more."""


def read_bytes(path: str) -> bytes:
    """The whole file. Raises OSError, also for one that is too large or not a regular file (a pipe would block)."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError("is not a regular file")
        data = file.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise OSError(f"is larger than {MAX_FILE_BYTES >> 20} MiB")
    return data


def parse_manifest(
    data: bytes, path: str, before: Contents | None = None, is_stopped: Callable[[], bool] = lambda: False
) -> Contents:
    """Objects and findings of a manifest with this text.

    A text that does not parse leaves everything as it was ``before``. An object that cannot be read keeps its version
    of before and disturbs no other document. Raises StoppedError when ``is_stopped`` says so on the way.
    """
    before = before or Contents()
    reading = _Reading(before)
    pieces: dict[PieceKey, DecodedDocument] = {}
    try:
        for key, decoded in decode_text(data, path, before.pieces):
            if is_stopped():
                raise StoppedError
            reading.take(decoded)
            if key is not None:
                pieces[key] = decoded
    except ParseError as error:
        return Contents(before.objects, (unparsable(path, error.fault),), before.pieces)
    if not reading.objects and not reading.findings:
        reading.findings.append(_file_finding(path, "Empty", "holds no objects", level="info"))
    return Contents(reading.objects, tuple(reading.findings), pieces)


class _Reading:
    """The objects and findings of one file as its documents come in."""

    def __init__(self, before: Contents) -> None:
        self.objects: dict[Reference, ClusterObject] = {}
        self.findings: list[Finding] = []
        self._before = before
        # Last good versions of documents that cannot be read; a sound one later in the file takes their place.
        self._standing_in: set[Reference] = set()

    def take(self, decoded: DecodedDocument) -> None:
        for reference in decoded.undecodable:
            if reference in self._before.objects and reference not in self.objects:
                self.objects[reference] = self._before.objects[reference]
                self._standing_in.add(reference)
        for obj in decoded.objects:
            self._put(obj)
        self.findings.extend(decoded.findings)

    def _put(self, obj: ClusterObject) -> None:
        reference = reference_to(obj)
        old = self._before.objects.get(reference)
        first = self.objects.get(reference)
        if first is None:
            # An unchanged object stays the same one: what comes after compares by identity first.
            self.objects[reference] = old if old == obj else obj
        elif reference in self._standing_in:
            self._standing_in.discard(reference)
            self.objects[reference] = obj
        else:
            self.findings.append(duplicate(obj, first))


def reference_to(obj: ClusterObject) -> Reference:
    return type(obj).__name__, key_of(obj)


def duplicate(obj: ClusterObject, first: ClusterObject) -> Finding:
    """``obj`` is defined a second time; ``first`` is what counts."""
    message = f"already defined in {first.meta.source}, which is the one that counts"
    return Finding(
        kind=type(obj).__name__,
        namespace=obj.meta.namespace,
        name=obj.meta.name,
        level="error",
        reason="DuplicateObject",
        field="metadata.name",
        message=message,
        source=obj.meta.source,
    )


def unparsable(path: str, fault: Fault) -> Finding:
    return _file_finding(path, fault.reason, str(fault))


def unreadable(path: str, error: OSError) -> Finding:
    return _file_finding(path, "Unreadable", error.strerror or str(error))


def stumbled(path: str) -> Finding:
    return _file_finding(path, "InternalError", "reading it failed, which is a fault of ingressd's (the log has it)")


def _file_finding(path: str, reason: str, message: str, *, level: Level = "error") -> Finding:
    return Finding(level=level, reason=reason, message=message, source=path)

"""What an API server says → model objects: list pages and watch lines, straight from bytes.

A body or line that is not what it should be is a broken answer (DecodeError). One unusable object in a sound answer is
a Finding about that object and nothing else: its last good version can stay, and its neighbours are not concerned.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from ingressd.kube import faults, wire
from ingressd.kube.faults import Faulty
from ingressd.kube.kinds import KINDS, Kind
from ingressd.kube.translate import UnusableError, meta, translate
from ingressd.model.cluster import Key
from ingressd.model.finding import Finding
from ingressd.model.objects import ClusterObject

__all__ = ["KINDS", "DecodeError", "Event", "Kind", "Page", "decode_event", "decode_list"]

INITIAL_EVENTS_END = "k8s.io/initial-events-end"

T = TypeVar("T")


class DecodeError(ValueError):
    """The answer as a whole is not what the API promises: not JSON, not a list, not an event, cut short."""


class Page(Struct, frozen=True, kw_only=True):
    """One page of a list. ``undecodable`` are the objects that are there but could not be read."""

    objects: tuple[ClusterObject, ...]
    resource_version: str
    continue_token: str
    findings: tuple[Finding, ...] = ()
    undecodable: tuple[Key, ...] = ()


class Event(Struct, frozen=True, kw_only=True):
    """One line of a watch.

    ``type`` is as sent: ADDED, MODIFIED, DELETED, BOOKMARK, ERROR or something newer. ``object`` is None for the last
    three and for an object that could not be read; then ``finding`` says why and ``key`` which. ``status_code`` and
    ``message`` belong to ERROR (0 when its Status names no code).
    """

    type: str
    object: ClusterObject | None = None
    resource_version: str = ""
    key: Key | None = None
    status_code: int = 0
    finding: Finding | None = None
    initial_events_end: bool = False
    message: str = ""


class _ListMeta(Struct, gc=False):
    resource_version: str | None = msgspec.field(default=None, name="resourceVersion")
    continue_token: str | None = msgspec.field(default=None, name="continue")


class _List(Struct, Generic[T], gc=False):
    metadata: _ListMeta | None = None
    items: tuple[T, ...] | UnsetType | None = UNSET


class _Line(Struct, gc=False):
    type: str
    object: Raw = Raw(b"null")


class _Status(Struct, gc=False):
    code: int | None = None
    reason: str | None = None
    message: str | None = None


class _Bookmark(Struct, gc=False):
    metadata: wire.Meta | None = None


_TYPED_LISTS: Mapping[str, msgspec.json.Decoder[_List[Any]]] = MappingProxyType(
    {name: msgspec.json.Decoder(_List[kind.wire]) for name, kind in KINDS.items()}  # type: ignore[name-defined]
)
_RAW_LIST = msgspec.json.Decoder(_List[Raw])
_ITEMS: Mapping[str, msgspec.json.Decoder[Any]] = MappingProxyType(
    {name: msgspec.json.Decoder(kind.wire) for name, kind in KINDS.items()}
)
_LINE = msgspec.json.Decoder(_Line)
_STATUS = msgspec.json.Decoder(_Status)
_BOOKMARK = msgspec.json.Decoder(_Bookmark)

# What decoding may raise for input of any kind. UnicodeDecodeError is a ValueError, as is every error of msgspec;
# RecursionError is what deep nesting ends in.
_BROKEN = (ValueError, RecursionError)


def decode_list(kind: Kind, body: bytes) -> Page:
    """One page of a list of ``kind``.

    The whole page is one typed decode (500 EndpointSlices: 3 ms); only when that fails is it read item by item, so
    that one wrong object costs itself alone. Raises DecodeError for a body that is not a list.
    """
    try:
        return _page(kind, _TYPED_LISTS[kind.name].decode(body))
    except _BROKEN:
        pass
    try:
        raw = _RAW_LIST.decode(body)
    except _BROKEN as error:
        raise DecodeError(f"not a list of {kind.name}: {_in_short(error)}") from None
    return _page(kind, raw)


def decode_event(kind: Kind, line: bytes) -> Event:
    """One line of a watch of ``kind``. Raises DecodeError for a line that is not an event."""
    try:
        parsed = _LINE.decode(line)
        match parsed.type:
            case "ERROR":
                status = _STATUS.decode(parsed.object)
                message = status.message or status.reason or ""
                return Event(type="ERROR", status_code=status.code or 0, message=message)
            case "BOOKMARK":
                return _bookmark(_BOOKMARK.decode(parsed.object))
    except _BROKEN as error:
        raise DecodeError(f"not a watch event: {_in_short(error)}") from None
    return _object_event(kind, parsed)


def _page(kind: Kind, listed: _List[Any]) -> Page:
    if listed.items is UNSET:
        # Nothing but a list has items; Go writes null for an empty one, never leaves it out.
        raise DecodeError(f"not a list of {kind.name}: the answer has no items")
    objects: list[ClusterObject] = []
    findings: list[Finding] = []
    undecodable: list[Key] = []
    for item in listed.items or ():
        read = _read(kind, item)
        if read.object is not None:
            objects.append(read.object)
        elif read.key is not None:
            undecodable.append(read.key)
        findings.extend(read.findings)
    about = listed.metadata or _ListMeta()
    return Page(
        objects=tuple(objects),
        resource_version=about.resource_version or "",
        continue_token=about.continue_token or "",
        findings=tuple(findings),
        undecodable=tuple(undecodable),
    )


class _Read(Struct, gc=False):
    object: ClusterObject | None = None
    key: Key | None = None
    resource_version: str = ""
    findings: tuple[Finding, ...] = ()


def _read(kind: Kind, item: Any) -> _Read:
    """One object, already decoded or still raw."""
    try:
        wired = _ITEMS[kind.name].decode(item) if isinstance(item, Raw) else item
        identity = meta(wired.metadata)
        obj = translate(wired, identity)
    except _BROKEN as error:
        return _unreadable(kind, item, error)
    key = (identity.namespace, identity.name)
    if identity.created == 0.0:
        return _Read(obj, key, identity.resource_version, faults.of_timestamp(kind, wired.metadata, identity))
    return _Read(obj, key, identity.resource_version)


def _unreadable(kind: Kind, item: Any, error: Exception) -> _Read:
    who = faults.identify(item)
    if isinstance(error, UnusableError):
        fault = Faulty(error.reason, error.field, str(error))
    else:
        fault = faults.describe(error, item)
    finding = faults.finding(kind.name, who, fault)
    return _Read(None, (who.namespace, who.name) if who.name else None, who.resource_version, (finding,))


def _object_event(kind: Kind, line: _Line) -> Event:
    if line.type not in ("ADDED", "MODIFIED", "DELETED"):
        return Event(type=line.type)
    if bytes(line.object) == b"null":
        raise DecodeError(f"not a watch event: {line.type} without an object")
    read = _read(kind, line.object)
    return Event(
        type=line.type,
        object=read.object,
        resource_version=read.resource_version,
        key=read.key,
        finding=read.findings[0] if read.findings else None,
    )


def _bookmark(parsed: _Bookmark) -> Event:
    about = parsed.metadata or wire.Meta()
    return Event(
        type="BOOKMARK",
        resource_version=about.resource_version or "",
        initial_events_end=(about.annotations or {}).get(INITIAL_EVENTS_END) == "true",
    )


def _in_short(error: Exception) -> str:
    return "nested too deeply" if isinstance(error, RecursionError) else str(error).splitlines()[0][:200]

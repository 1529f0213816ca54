"""How an object that cannot be read is described: who it is, which field, what is wrong. Never a value of it."""

from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from ingressd.kube import wire
from ingressd.kube.kinds import Kind
from ingressd.kube.parsed import shortened
from ingressd.kube.translate import epoch_seconds
from ingressd.model.finding import Finding, Level
from ingressd.model.objects import Meta

MAX_NAME: Final = 300
MAX_FIELD: Final = 400
MAX_MESSAGE: Final = 600


class Identity(Struct, frozen=True):
    """As much of an unreadable object's metadata as can be told."""

    namespace: str = ""
    name: str = ""
    resource_version: str = ""


class Faulty(Struct, frozen=True):
    reason: str
    field: str
    message: str


class _NamedMeta(Struct, gc=False, rename="camel"):
    namespace: Any = None
    name: Any = None
    resource_version: Any = None


class _Named(Struct, gc=False):
    metadata: _NamedMeta | None = None


_NAMED = msgspec.json.Decoder(_Named)


def finding(kind: str, who: Identity, fault: Faulty, *, level: Level = "error", source: str = "") -> Finding:
    """A finding of bounded size: in an object that is wrong, a name or a key may be a megabyte."""
    return Finding(
        kind=shortened(kind),
        namespace=shortened(who.namespace, MAX_NAME),
        name=shortened(who.name, MAX_NAME),
        level=level,
        reason=fault.reason,
        field=shortened(fault.field, MAX_FIELD),
        message=shortened(fault.message, MAX_MESSAGE),
        source=source,
    )


def identify(item: Any) -> Identity:
    """Namespace and name of an object some other field of which is wrong (raw JSON, a plain document or a struct)."""
    try:
        # Read with only these fields typed, so that what is wrong elsewhere is skipped unread.
        named = _NAMED.decode(item) if isinstance(item, Raw) else msgspec.convert(item, _Named, from_attributes=True)
    except (ValueError, RecursionError):
        return Identity()
    who = named.metadata or _NamedMeta()
    texts = (who.namespace, who.name, who.resource_version)
    return Identity(*(text if isinstance(text, str) else "" for text in texts))


def describe(error: Exception, item: Any) -> Faulty:
    """What a decoder complained about, with ``spec.rules[0].host`` for its ``$.spec.rules[0].host``."""
    if isinstance(error, RecursionError):
        return Faulty("TooDeep", "", "nested too deeply to be read")
    if not isinstance(error, msgspec.ValidationError):
        return Faulty("Undecodable", "", "holds text that is not UTF-8 or not JSON")
    message, _, path = str(error).partition(" - at ")
    field = path.strip("`").removeprefix("$").removeprefix(".")
    if field.startswith("key` in `$."):
        field = field.removeprefix("key` in `$.")
        message = f"a key: {message}"
    return Faulty("WrongType", _with_key(field, item), message.replace("`", "").replace(" | null", ""))


def of_timestamp(kind: Kind, wired: wire.Meta | None, identity: Meta) -> tuple[Finding, ...]:
    """A creationTimestamp that cannot be read is said, but costs nothing more: the object then counts as oldest."""
    if wired is None or epoch_seconds(wired.creation_timestamp) is not None:
        return ()
    fault = Faulty("BadTimestamp", "metadata.creationTimestamp", "not an RFC 3339 time; the object counts as oldest")
    who = Identity(identity.namespace, identity.name)
    return (finding(kind.name, who, fault, level="warning", source=identity.source),)


def _with_key(field: str, item: Any) -> str:
    """``metadata.labels[...]`` with the key that is meant: the first whose value is not text."""
    if not field.endswith("[...]"):
        return field
    at: Any = _plain(item)
    for step in field.removesuffix("[...]").split("."):
        at = at.get(step) if isinstance(at, dict) else None
    entries = at.items() if isinstance(at, dict) else ()
    wrong = [key for key, value in entries if value is not None and not isinstance(value, str)]
    return field.replace("[...]", f"[{wrong[0]}]") if wrong else field


def _plain(item: Any) -> dict[Any, Any]:
    """An item in whatever state it is, as a dict; an empty one when it is nothing like an object."""
    try:
        if isinstance(item, Raw):
            item = msgspec.json.decode(item)
        elif isinstance(item, Struct):
            item = msgspec.to_builtins(item)
    except (ValueError, RecursionError):
        return {}
    return item if isinstance(item, dict) else {}

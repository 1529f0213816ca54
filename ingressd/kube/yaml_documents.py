"""YAML → plain documents, from libyaml's events, with bounds on everything a document could use to grow.

Built from events and not by PyYAML's constructors: that is faster, sees duplicate keys, and counts what aliases expand
to before anybody walks over it.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final

import yaml
from msgspec import Struct, field

from ingressd.kube.parsed import Fault, ParsedDocument, ParseError, shortened
from ingressd.kube.scalars import plain_scalar

MAX_DEPTH: Final = 100
"""An Ingress is 9 levels deep. Depth costs stack wherever a document is walked."""

MAX_EXPANDED: Final = 4 << 20
"""Characters and nodes that aliases may add to one document; ten lines of aliases to aliases would make 10^9."""

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAG: Final = "tag:yaml.org,2002:"
_TAGGED_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "int": (int,),
    "float": (int, float),
    "bool": (bool,),
    "null": (type(None),),
}


def parse_yaml(data: bytes) -> Iterator[ParsedDocument]:
    """The documents of a YAML stream, in order. Raises ParseError at the place where the text stops being YAML."""
    number = 0
    builder = _Builder()
    try:
        for event in yaml.parse(data, Loader=_LOADER):
            take = builder.takes.get(type(event))
            if take is not None:
                take(event)
            elif isinstance(event, yaml.DocumentStartEvent):
                builder = _Builder()
            elif isinstance(event, yaml.DocumentEndEvent):
                number += 1
                yield ParsedDocument(number, builder.root, builder.fault)
    except yaml.MarkedYAMLError as error:
        raise ParseError(_syntax_fault(error)) from None
    except yaml.reader.ReaderError as error:
        raise ParseError(_reader_fault(data, error)) from None


class _Frame(Struct, gc=False):
    """A collection being filled. In a mapping ``key`` is the key whose value comes next, None while a key comes next.

    ``inherited`` is what `<<` brought: it yields to the mapping's own keys, wherever they stand.
    """

    value: Any
    path: str
    anchor: str | None
    cost_before: int
    key: str | None = None
    is_merge: bool = False
    inherited: dict[str, Any] = field(default_factory=dict)

    @property
    def wants_key(self) -> bool:
        return self.key is None and type(self.value) is dict


class _Builder:
    """One document out of its events, with an explicit stack: depth costs no recursion.

    ``takes`` has what to call for each event; it raises ParseError for what makes the rest of the file unreadable.
    """

    def __init__(self) -> None:
        self.root: Any = None
        self.fault: Fault | None = None
        self._stack: list[_Frame] = []
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._cost = 0
        self._expanded = 0
        self.takes: dict[type, Callable[[Any], None]] = {
            yaml.ScalarEvent: self._scalar,
            yaml.MappingStartEvent: lambda event: self._open(event, {}, "map"),
            yaml.SequenceStartEvent: lambda event: self._open(event, [], "seq"),
            yaml.MappingEndEvent: self._close,
            yaml.SequenceEndEvent: self._close,
            yaml.AliasEvent: self._alias,
        }

    def _scalar(self, event: Any) -> None:
        cost = 1 + len(event.value)
        self._cost += cost
        if self._stack and self._stack[-1].wants_key:
            self._key(self._stack[-1], event)
            return
        value = self._resolved(event)
        if event.anchor:
            self._anchors[event.anchor] = (value, cost)
        self._place(value, event)

    def _key(self, frame: _Frame, event: Any) -> None:
        """Keys stay as written, also `80:` and `on:`: in JSON, and so in Kubernetes, a key is text."""
        frame.key = key = event.value
        frame.is_merge = key == "<<" and event.implicit[0]
        if key in frame.value:
            self._say("DuplicateKey", f'the key "{shortened(key)}" is given twice', event, _below(frame))

    def _open(self, event: Any, value: Any, kind: str) -> None:
        path = ""
        if self._stack:
            path = _below(self._stack[-1])
            if self._stack[-1].wants_key:
                raise ParseError(_fault("BadKey", "a key cannot be a mapping or a sequence", event.start_mark))
        if len(self._stack) >= MAX_DEPTH:
            raise ParseError(_fault("TooDeep", f"nested more than {MAX_DEPTH} levels deep", event.start_mark))
        if event.tag not in (None, _TAG + kind):
            self._say("BadTag", f"the tag {shortened(event.tag)} is not supported here", event, path)
        self._cost += 1
        self._stack.append(_Frame(value, path, event.anchor, self._cost))

    def _close(self, event: Any) -> None:
        frame = self._stack.pop()
        for key, value in frame.inherited.items():
            frame.value.setdefault(key, value)
        if frame.anchor:
            self._anchors[frame.anchor] = (frame.value, 1 + self._cost - frame.cost_before)
        self._place(frame.value, event)

    def _alias(self, event: Any) -> None:
        # An anchor is known once its node is complete, so no node can contain itself.
        if event.anchor not in self._anchors:
            message = f"*{shortened(event.anchor)} stands for nothing that is complete above it"
            raise ParseError(_fault("BadAlias", message, event.start_mark))
        if self._stack and self._stack[-1].wants_key:
            raise ParseError(_fault("BadKey", "a key cannot be an alias", event.start_mark))
        value, cost = self._anchors[event.anchor]
        self._cost += cost
        self._expanded += cost
        if self._expanded > MAX_EXPANDED:
            raise ParseError(_fault("TooManyAliases", "its aliases expand to more than 4 MiB", event.start_mark))
        self._place(value, event)

    def _place(self, value: Any, event: Any) -> None:
        """A finished node goes where its parent expects it."""
        if not self._stack:
            self.root = value
            return
        frame = self._stack[-1]
        if frame.key is None:
            frame.value.append(value)
            return
        if frame.is_merge:
            self._merge(frame, value, event)
        else:
            frame.value[frame.key] = value
        frame.key = None

    def _merge(self, frame: _Frame, value: Any, event: Any) -> None:
        sources = value if isinstance(value, list) else [value]
        if not all(isinstance(source, dict) for source in sources):
            self._say("BadMerge", "<< takes a mapping or a list of mappings", event, frame.path)
            return
        for source in sources:
            for key, inner in source.items():
                frame.inherited.setdefault(key, inner)

    def _resolved(self, event: Any) -> Any:
        if event.implicit[0]:
            return plain_scalar(event.value)
        if event.tag is None or event.tag == _TAG + "str":
            return event.value
        value = plain_scalar(event.value)
        if not isinstance(value, _TAGGED_TYPES.get(event.tag.removeprefix(_TAG), ())):
            at = _below(self._stack[-1]) if self._stack else ""
            self._say("BadTag", f"the tag {shortened(event.tag)} is not supported here", event, at)
        return value

    def _say(self, reason: str, message: str, event: Any, at: str) -> None:
        if self.fault is None:
            self.fault = _fault(reason, message, event.start_mark, at)


def _below(frame: _Frame) -> str:
    """The path of the node that comes next in a collection, as in findings: ``spec.rules[0].host``."""
    if frame.key is None:
        return f"{frame.path}[{len(frame.value)}]"
    key = shortened(frame.key)
    return f"{frame.path}.{key}" if frame.path else key


def _fault(reason: str, message: str, mark: Any, at: str = "") -> Fault:
    return Fault(reason, message, mark.line + 1, mark.column + 1, at)


def _syntax_fault(error: yaml.MarkedYAMLError) -> Fault:
    mark = error.problem_mark or error.context_mark
    message = ", ".join(part for part in (error.problem, error.context) if part) or "not YAML"
    return Fault("BadYaml", message) if mark is None else _fault("BadYaml", message, mark)


def _reader_fault(data: bytes, error: yaml.reader.ReaderError) -> Fault:
    """Bytes that are no text for YAML: wrong encoding, NUL, control characters."""
    before = data[: error.position]
    column = len(before) - (before.rfind(b"\n") + 1) + 1
    return Fault("NotText", f"not text: {error.reason}", before.count(b"\n") + 1, column)

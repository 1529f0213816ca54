"""The annotations of one Ingress while its policies are built: values, findings, and what has to be there for them."""

from collections.abc import Callable
from typing import TypeVar

from ingressd.model.cluster import Key
from ingressd.model.finding import Finding, Level
from ingressd.model.objects import ConfigMap, Meta
from ingressd.routing.annotations import AnnotationValues, BadValue, Row, reference
from ingressd.routing.place import Place, place_of
from ingressd.routing.policies.context import PolicyContext

T = TypeVar("T")

_PATHS_CLOSED = "its paths answer 503"


class Wishes:
    """``materials`` are keys of what comes out of Secrets and ConfigMaps, each with who asked for it.

    ``sources`` are ConfigMaps that were looked into: another version of one means that the Ingress is read again.
    ``denied`` grows while policies are built: why all paths of the Ingress answer 503.
    """

    __slots__ = ("context", "denied", "findings", "materials", "meta", "sources", "values")

    def __init__(self, meta: Meta, values: AnnotationValues, context: PolicyContext, denied: str = "") -> None:
        self.meta = meta
        self.values = values
        self.context = context
        self.denied = denied or values.denied
        self.findings: list[Finding] = []
        self.materials: dict[str, Place] = {}
        self.sources: dict[Key, ConfigMap | None] = {}

    def get(self, row: Row[T]) -> T:
        return self.values.get(row)

    def is_said(self, row: Row[T]) -> bool:
        """The Ingress or the ConfigMap says it: what holds is not just the built-in default."""
        return self.values.is_set(row) or self.context.config.is_set(row)

    def place(self, row: Row[T]) -> Place:
        return place_of(self.meta, f"metadata.annotations[{self._name(row)}]")

    def say(self, row: Row[T], level: Level, reason: str, message: str) -> None:
        self.findings.append(self.place(row).finding(level, reason, message))

    def deny(self, row: Row[T], reason: str, why: str, what: str = _PATHS_CLOSED) -> None:
        """All paths of this Ingress answer 503: what was asked for cannot be done, and may have kept somebody out.

        ``what`` says it in another way, where the whole host is closed.
        """
        self.say(row, "error", reason, f"{why}; {what}")
        self.denied = self.denied or f"{row.name}: {why}"

    def checked(self, row: Row[T], made: Callable[[], object], what: str = _PATHS_CLOSED) -> bool:
        """Whether ``made`` raises no ValueError, as its maker in a worker will not; else the paths are denied."""
        try:
            made()
        except ValueError as error:
            self.deny(row, "BadAnnotation", str(error), what)
            return False
        return True

    def reference(
        self,
        row: Row[str],
        *,
        needs_namespace: bool = False,
        any_namespace: bool = False,
        what: str = _PATHS_CLOSED,
    ) -> Key | None:
        """The object that an annotation names; None: it may not, and the paths are denied."""
        try:
            return reference(
                self.meta,
                self.get(row),
                self.context.config,
                needs_namespace=needs_namespace,
                any_namespace=any_namespace,
            )
        except BadValue as error:
            self.deny(row, "BadReference", str(error), what)
            return None

    def material(self, kind: str, row: Row[str], key: Key) -> str:
        """The key of what comes out of an object, from now on wanted."""
        name = f"{kind}:{key[0]}/{key[1]}"
        self.materials.setdefault(name, self.place(row))
        return name

    def config_map(self, key: Key) -> ConfigMap | None:
        found = self.context.config_maps.get(key)
        self.sources[key] = found
        return found

    def _name(self, row: Row[T]) -> str:
        """The annotation as it was written, as far as its name tells."""
        annotations = self.meta.annotations
        ours = f"ingressd.io/{row.name}"
        if row.is_ours or ours in annotations:
            return ours
        prefix = self.context.defaults.annotations_prefix
        names = (f"{prefix}/{name}" for name in (row.name, *row.aliases))
        return next((name for name in names if name in annotations), f"{prefix}/{row.name}")

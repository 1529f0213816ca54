"""Where a finding is put."""

from msgspec import Struct

from ingressd.model.finding import Finding, Level
from ingressd.model.objects import Meta


class Place(Struct, frozen=True, gc=False):
    """A field of an object: where a finding is put."""

    kind: str
    namespace: str
    name: str
    field: str
    source: str = ""

    def finding(self, level: Level, reason: str, message: str) -> Finding:
        return Finding(
            kind=self.kind,
            namespace=self.namespace,
            name=self.name,
            level=level,
            reason=reason,
            field=self.field,
            message=message,
            source=self.source,
        )


def place_of(meta: Meta, field: str, kind: str = "Ingress") -> Place:
    """A field of the object of this kind and identity."""
    return Place(kind, meta.namespace, meta.name, field, meta.source)

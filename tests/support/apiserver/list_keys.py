"""Which lists of the built-in types are maps or sets in disguise, and by which fields.

Strategic merge goes by one field, server-side apply by all; a real Service therefore keeps two ports with the same
number and different protocols under apply, and loses one under strategic merge.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

# Stands for a list that is a set of plain values.
SET = "="


@dataclass(frozen=True, slots=True)
class ListKeys:
    strategic: str
    apply: tuple[str, ...] = ()


# Paths leave out list elements. Lists not named here are replaced whole (Ingress rules and tls, endpoints of slices).
_BY_KIND: dict[tuple[str, str], ListKeys] = {
    ("Service", "spec.ports"): ListKeys("port", ("port", "protocol")),
    ("Service", "status.conditions"): ListKeys("type", ("type",)),
    ("Namespace", "status.conditions"): ListKeys("type", ("type",)),
    ("Node", "status.conditions"): ListKeys("type", ("type",)),
    ("Node", "status.addresses"): ListKeys("type", ("type",)),
    ("Node", "spec.taints"): ListKeys("key"),
    ("Pod", "status.conditions"): ListKeys("type", ("type",)),
    ("Pod", "spec.volumes"): ListKeys("name", ("name",)),
    ("Pod", "spec.imagePullSecrets"): ListKeys("name", ("name",)),
}
_CONTAINER: dict[str, ListKeys] = {
    "": ListKeys("name", ("name",)),
    ".ports": ListKeys("containerPort", ("containerPort", "protocol")),
    ".env": ListKeys("name", ("name",)),
    ".volumeMounts": ListKeys("mountPath", ("mountPath",)),
}
for _suffix, _keys in _CONTAINER.items():
    _BY_KIND["Pod", f"spec.containers{_suffix}"] = _keys
    _BY_KIND["Pod", f"spec.initContainers{_suffix}"] = _keys
_ANY_KIND = {
    "metadata.ownerReferences": ListKeys("uid", ("uid",)),
    "metadata.finalizers": ListKeys(SET, (SET,)),
}
_KEY_DEFAULTS = {"protocol": "TCP"}


def list_keys(kind: str, path: str) -> ListKeys | None:
    return _BY_KIND.get((kind, path)) or _ANY_KIND.get(path)


def element_key(element: Any, fields: tuple[str, ...]) -> dict[str, Any] | Any:
    """What names one element: its key fields, or the value itself in a set."""
    if fields == (SET,):
        return element
    return {field: element.get(field, _KEY_DEFAULTS.get(field)) for field in fields}

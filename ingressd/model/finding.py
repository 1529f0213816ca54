"""Something wrong with one object, said so that its owner can mend it."""

from typing import Literal

from msgspec import Struct

Level = Literal["error", "warning", "info"]


class Finding(Struct, frozen=True, gc=False, kw_only=True, order=True):
    """One thing wrong with one object.

    ``reason`` is CamelCase as in a Kubernetes Event; ``field`` a path such as ``spec.rules[0].http.paths[1].backend``;
    ``message`` says what is wrong and what to do; ``source`` is the file (``a.yaml#2``) when there is one.
    Level error: the object, or the named part of it, is not served as written.
    """

    kind: str = ""
    namespace: str = ""
    name: str = ""
    level: Level = "warning"
    reason: str = ""
    field: str = ""
    message: str = ""
    source: str = ""

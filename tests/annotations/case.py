"""One case of the suite as data: what somebody writes on an Ingress, what is asked, what has to come of it.

In every text ``{host}`` stands for the case's host, ``{http}`` and ``{https}`` for the daemon's ports, ``{echo}``,
``{auth}`` and so on for address and port of an origin.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Annotations = Mapping[str, str]
"""By name without prefix, or whole (``ingressd.io/respond``)."""

Json = dict[str, Any]

Wanted = str | None | re.Pattern[str]
"""Of a header: its very value, that it is not there, or a pattern that is found in it."""


@dataclass(frozen=True, kw_only=True)
class Ask:
    """A request. ``answer`` is what the origin shall do about it (see ``origins``); ``client`` a kind of certificate.

    ``host`` "" is the case's own. ``again``: so many of them, one after the other, all with the same outcome.
    """

    path: str = "/"
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    chunked: bool = False
    tls: bool = False
    host: str = ""
    answer: Json = field(default_factory=dict)
    auth: Json = field(default_factory=dict)  # the same for the service that ``auth-url`` names
    client: str = ""
    again: int = 1
    proxy_header: bytes = b""  # what comes before the first byte of HTTP


@dataclass(frozen=True, kw_only=True)
class Want:
    """What the client gets, and what the origin saw of it (``seen``: its service; ``None``: nothing reached one).

    ``target``, ``sent`` and ``method`` are the origin's view; ``headers`` the client's. ``endpoints``: so many that the
    requests of one step met.
    """

    status: int = 200
    headers: Mapping[str, Wanted] = field(default_factory=dict)
    body: str | None = None
    seen: str | None = ""  # "": any origin, or none
    endpoints: int = 0
    target: str = ""
    method: str = ""
    sent: Mapping[str, Wanted] = field(default_factory=dict)
    saw: Mapping[str, Mapping[str, Wanted]] = field(default_factory=dict)
    """What another service saw, with ``:target``, ``:method`` and ``:body``."""


@dataclass(frozen=True, kw_only=True)
class Path:
    path: str = "/"
    kind: str = "Prefix"
    service: str = "echo"


@dataclass(frozen=True, kw_only=True)
class Other:
    """Another Ingress beside the case's. ``host`` "" is the case's own; ``younger`` by so many seconds."""

    annotations: Annotations = field(default_factory=dict)
    paths: tuple[Path, ...] = (Path(),)
    host: str = ""
    younger: int = 1
    namespace: str = "default"


@dataclass(frozen=True, kw_only=True)
class Case:
    """``config`` are keys of the controller's ConfigMap. ``shows`` names rows beside the annotations and keys it has.

    ``tls`` gives the host a certificate. ``default`` is the Ingress's ``spec.defaultBackend``.
    ``is_served`` false: no route of it is to be waited for.
    """

    title: str
    steps: tuple[tuple[Ask, Want], ...]
    annotations: Annotations = field(default_factory=dict)
    paths: tuple[Path, ...] = (Path(),)
    config: Mapping[str, str] = field(default_factory=dict)
    others: tuple[Other, ...] = ()
    tls: bool = False
    host: str = ""
    default: str = ""
    rules: bool = True
    shows: tuple[str, ...] = ()
    is_served: bool = True

    def __str__(self) -> str:
        return self.title

    @property
    def rows(self) -> frozenset[str]:
        """Names of annotations, without prefix, and of ConfigMap keys that it is a case of."""
        written = [self.annotations, self.config, *(other.annotations for other in self.others)]
        names = {name.rpartition("/")[2] for one in written for name in one}
        return frozenset(names | set(self.shows))


def case(title: str, annotations: Annotations, *steps: tuple[Ask, Want], path: Path | None = None, **more: Any) -> Case:
    """The usual shape: one Ingress with one path."""
    if path is not None:
        more["paths"] = (path,)
    return Case(title=title, annotations=annotations, steps=steps, **more)

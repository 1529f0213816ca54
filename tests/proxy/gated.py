"""Routes with policies, without sockets."""

import asyncio
from collections.abc import Mapping
from functools import cache
from typing import Any

from ingressd.policy.policies import RoutePolicies
from ingressd.proxy.limits import Limits
from ingressd.proxy.shared_limits import SharedLimits
from ingressd.routing.snapshot import Backend, Endpoint, Material, Route, Snapshot, VirtualHost
from tests.support.memory import MemoryPath

APP = "default/app:80"


def snapshot_of(
    policies: RoutePolicies | None,
    *,
    max_body_bytes: int = 1 << 20,
    backends: Mapping[str, tuple[int, ...]] | None = None,
    materials: Mapping[str, Material] | None = None,
    backend: str = APP,
    status: int = 404,
) -> Snapshot:
    """One host, one route. ``backends`` are ports of endpoints by key, besides the route's own on port 1."""
    ports = {APP: (1,), **(backends or {})}
    route = Route(
        "prefix", "/", backend, "default", "web", "app", status, max_body_bytes=max_body_bytes, policies=policies
    )
    return Snapshot(
        hosts={"a.example": VirtualHost("a.example", (route,))},
        backends={key: _backend(key, of) for key, of in ports.items()},
        materials=materials or {},
    )


def _backend(key: str, ports: tuple[int, ...]) -> Backend:
    namespace, _, rest = key.partition("/")
    service, _, port = rest.rpartition(":")
    return Backend(key, namespace, service, port, tuple(Endpoint("127.0.0.1", one) for one in ports))


def gated(
    policies: RoutePolicies,
    *,
    scheme: bytes = b"http",
    loop: asyncio.AbstractEventLoop | None = None,
    limits: Limits | None = None,
    shared_limits: SharedLimits | None = None,
    **settings: Any,
) -> MemoryPath:
    """A path whose only route has ``policies``; every endpoint has an idle connection."""
    path = MemoryPath(
        snapshot_of(policies, **settings), scheme=scheme, loop=loop, limits=limits, shared_limits=shared_limits
    )
    for key in list(path.gateway.backends.keys()):
        for endpoint in path.gateway.backends.cell(key).endpoints:
            if endpoint is not path.endpoint:
                path.seed(endpoint)
    return path


def get(*fields: str, target: str = "/", method: str = "GET", body: bytes = b"") -> bytes:
    """A request; ``fields`` are lines. A body is announced."""
    lines = [*fields, f"Content-Length: {len(body)}"] if body else fields
    head = f"{method} {target} HTTP/1.1\r\nHost: a.example\r\n" + "".join(f"{line}\r\n" for line in lines) + "\r\n"
    return head.encode("latin-1") + body


@cache
def alone() -> SharedLimits:
    """Counters of one worker, one for all tests: its descriptor is kept for good."""
    return SharedLimits(SharedLimits.create(1), workers=1, index=0)


def fields_of(received: bytes) -> dict[str, str]:
    """Fields of the first response, names in lower case; "" is its status line."""
    start, *lines = received.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
    fields = {"": start}
    for line in lines:
        name, _, value = line.partition(": ")
        fields[name.lower()] = f"{fields[name.lower()]}, {value}" if name.lower() in fields else value
    return fields

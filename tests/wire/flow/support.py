"""What most of these tests begin with."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ingressd.policy.timeouts import Timeouts
from ingressd.proxy.limits import Limits
from tests.support.client import Client, connected
from tests.support.gateway import LocalGateway, local_gateway, one_host
from tests.support.origin import Script, origin

GET = b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 3\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@asynccontextmanager
async def gateway_and_client(
    *scripts: Script, limits: Limits | None = None, timeouts: Timeouts | None = None, max_body_bytes: int = 1 << 20
) -> AsyncIterator[tuple[LocalGateway, Client]]:
    """One endpoint running each script, the gateway before them, and a client connected to it."""
    async with origins(*scripts) as ports:
        snapshot = one_host(ports, timeouts=timeouts or Timeouts(), max_body_bytes=max_body_bytes)
        async with local_gateway(snapshot, limits=limits) as gateway, connected(gateway.http_port) as client:
            yield gateway, client


@asynccontextmanager
async def origins(*scripts: Script) -> AsyncIterator[list[int]]:
    """Ports of endpoints running ``scripts``."""
    if not scripts:
        yield []
        return
    async with origin(scripts[0]) as first, origins(*scripts[1:]) as others:
        yield [first.port, *others]

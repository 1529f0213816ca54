"""What TLS to backends costs a worker: our client side against uvloop's, in turns on the same machine.

    python -m benchmarks.upstream_tls [--rounds 5]

Claims: a request over a kept connection costs the same CPU with either, a full handshake too; a resumed session, which
uvloop cannot have, makes it cheaper. CPU is this process's own; the backend is another one. TLS 1.3, ECDSA P-256,
nothing verified, as is the default.
"""

import argparse
import asyncio
import os
import ssl
import statistics
import time
from typing import cast

import uvloop

from benchmarks.handshake import Server
from ingressd.proxy.upstream_tls import ClientTls, EndpointTls, connect_tls
from ingressd.tls.client import UpstreamTls, client_context

HANDSHAKES = 300
REQUESTS, CONNECTIONS = 20_000, 16
REQUEST = b"E" * 300  # comes back as it is


class Client(asyncio.Protocol):
    """Sends a request as soon as its answer is there, ``left`` times."""

    def __init__(self) -> None:
        self.left = self.missing = 0
        self.done = asyncio.Event()
        self.lost = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def begin(self, left: int) -> None:
        self.left, self.missing = left - 1, len(REQUEST)
        self.done.clear()
        self.transport.write(REQUEST)

    def data_received(self, data: bytes) -> None:
        self.missing -= len(data)
        if self.missing:
            return
        if not self.left:
            self.done.set()
            return
        self.left -= 1
        self.missing = len(REQUEST)
        self.transport.write(REQUEST)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set()


class NeverResumed(EndpointTls):
    def session(self, now: float) -> None:
        return None

    def closed(self, transport: ClientTls, connection: ssl.SSLObject) -> None: ...


class Own:
    name = "own"

    def __init__(self, address: tuple[str, int], *, resumes: bool = False) -> None:
        self.address = address
        self.tls = EndpointTls(UpstreamTls()) if resumes else NeverResumed(UpstreamTls())

    async def connect(self) -> Client:
        client = Client()
        await connect_tls(asyncio.get_running_loop(), client, self.address[0], self.address[1], self.tls, 30.0)
        return client


class Uvloop:
    name = "uvloop"

    def __init__(self, address: tuple[str, int]) -> None:
        self.address = address
        self.context = client_context(UpstreamTls())

    async def connect(self) -> Client:
        loop = asyncio.get_running_loop()
        return (
            await loop.create_connection(Client, self.address[0], self.address[1], ssl=self.context, server_hostname="")
        )[1]


async def handshakes(how: Own | Uvloop) -> float:
    before = time.process_time()
    for _ in range(HANDSHAKES):
        client = await how.connect()
        client.begin(1)
        await client.done.wait()
        client.transport.abort()
        await client.lost.wait()
    return (time.process_time() - before) / HANDSHAKES * 1e6


async def requests(how: Own | Uvloop) -> float:
    clients = [await how.connect() for _ in range(CONNECTIONS)]
    before = time.process_time()
    for client in clients:
        client.begin(REQUESTS // CONNECTIONS)
    for client in clients:
        await client.done.wait()
    spent = (time.process_time() - before) / REQUESTS * 1e6
    for client in clients:
        client.transport.abort()
        await client.lost.wait()
    return spent


async def measure(address: tuple[str, int], rounds: int) -> None:
    figures: dict[str, list[float]] = {}
    resumed = Own(address, resumes=True)
    await requests(resumed)
    for _ in range(rounds):
        for how in (Own(address), Uvloop(address)):
            figures.setdefault(f"request, {how.name}", []).append(await requests(how))
            figures.setdefault(f"full handshake and request, {how.name}", []).append(await handshakes(how))
        figures.setdefault("resumed handshake and request, own", []).append(await handshakes(resumed))
    for name, values in sorted(figures.items()):
        print(f"{name:42} {statistics.median(values):8.1f} µs ({min(values):.1f}-{max(values):.1f})")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    server = Server("own")
    os.sched_setaffinity(0, {1})
    time.sleep(1.0)  # it is starting
    try:
        uvloop.run(measure(server.address[:2], rounds))
    finally:
        server.stop()


if __name__ == "__main__":
    main()

"""Which answers the kernel passes on, of how many at once, and who waits for that."""

import asyncio
import ssl
from hashlib import sha256
from pathlib import Path

import pytest
from msgspec.structs import replace

from ingressd.policy.policies import RoutePolicies
from ingressd.policy.rate_limit import Bandwidth
from ingressd.policy.response_fields import ResponseEdits
from ingressd.policy.upstream_tls import BackendTls
from ingressd.proxy import splicing
from ingressd.proxy.proxy_protocol import Relays
from ingressd.routing.snapshot import Route
from tests.support.client import connected
from tests.support.gateway import https_host, local_gateway, one_host
from tests.support.origin import Seen, origin
from tests.tls.authority import leaf
from tests.tls.peers import client_context
from tests.wire.flow.long_answers import (
    BODY,
    DIGEST,
    Kernel,
    download,
    generous,
    head_of,
    running,
    serving,
)
from tests.wire.flow.support import GET


async def test_no_more_at_once_than_there_may_be(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(splicing, "_MAX_RUNNING", 2)
    most = 0

    async def one(port: int) -> None:
        nonlocal most
        async with connected(port) as client:
            for _ in range(2):
                await download(client)
                most = max(most, running(gateway))

    async with serving() as (gateway, _, _):
        await asyncio.gather(*(one(gateway.http_port) for _ in range(6)))
        assert most <= 2
        assert running(gateway) == 0
        assert await gateway.answered(12) == [200] * 12


async def test_everybody_else_has_a_turn_after_each(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    since_last = most = 0
    turn = splicing.Splice.turn

    def counted(splice: splicing.Splice) -> None:
        nonlocal since_last
        since_last += 1
        turn(splice)

    async def watch() -> None:
        nonlocal since_last, most
        while True:
            most, since_last = max(most, since_last), 0
            await asyncio.sleep(0)

    async def one(port: int) -> None:
        async with connected(port) as client:
            await download(client)

    monkeypatch.setattr(splicing.Splice, "turn", counted)
    async with serving() as (gateway, _, _):
        async with asyncio.TaskGroup() as tasks:
            watching = tasks.create_task(watch())
            await asyncio.gather(*(one(gateway.http_port) for _ in range(8)))
            watching.cancel()
        assert most == 1


async def test_tls_clients_get_it_the_ordinary_way(kernel: Kernel) -> None:
    async with origin(generous) as endpoint, local_gateway(https_host([endpoint.port])) as gateway:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", gateway.https_port, ssl=client_context(), server_hostname="shop.example"
        )
        writer.write(GET)
        await reader.readuntil(b"\r\n\r\n")
        assert sha256(await reader.readexactly(len(BODY))).digest() == DIGEST
        assert kernel.calls == 0
        writer.close()


async def test_answers_of_tls_endpoints_come_the_ordinary_way(kernel: Kernel, tmp_path: Path) -> None:
    (tmp_path / "pem").write_bytes(leaf().pem + leaf().key_pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "pem")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await generous(Seen(reader, writer, bytearray()))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    snapshot = one_host([server.sockets[0].getsockname()[1]])
    [backend] = snapshot.backends.values()
    snapshot = replace(snapshot, backends={backend.key: replace(backend, tls=BackendTls())})
    async with server, local_gateway(snapshot) as gateway, connected(gateway.http_port) as client:
        await download(client)
        assert kernel.calls == 0


async def test_clients_behind_a_load_balancer(kernel: Kernel) -> None:
    async with serving() as (gateway, _, _):
        gateway.gateway.relays = Relays()
        async with connected(gateway.http_port) as client:
            await download(client, b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 80\r\n" + GET)
            await download(client)
        assert kernel.moved > len(BODY)


@pytest.mark.parametrize(
    ("lines", "sent"),
    [
        (b"Transfer-Encoding: chunked\r\n", b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)),
        (b"Connection: close\r\n", BODY),
    ],
    ids=["chunked", "until close"],
)
async def test_bodies_without_a_length(kernel: Kernel, lines: bytes, sent: bytes) -> None:
    async def says(seen: Seen) -> None:
        await seen.head()
        await seen.say(b"HTTP/1.1 200 OK\r\n" + lines + b"\r\n" + sent)

    async with serving(says) as (_, client, _):
        assert (await client.ask(GET)).body == BODY
        assert kernel.calls == 0


async def test_head_requests(kernel: Kernel) -> None:
    async def says(seen: Seen) -> None:
        while await seen.head():
            await seen.say(head_of(len(BODY)))

    async with serving(says) as (_, client, _):
        for _ in range(2):
            answer = await client.ask(GET.replace(b"GET", b"HEAD"), method="HEAD")
            assert (answer.status, answer.get("content-length")) == (200, str(len(BODY)))
        assert kernel.calls == 0


@pytest.mark.parametrize(
    ("policies", "passed_on"),
    [
        (RoutePolicies(response=ResponseEdits(fields=(("X-A", "1"),), hide=("x-b",))), True),
        (RoutePolicies(bandwidth=Bandwidth(1 << 30)), False),
    ],
    ids=["edited head", "paced"],
)
async def test_routes_with_policies(kernel: Kernel, policies: RoutePolicies, passed_on: bool) -> None:
    route = Route("prefix", "/", "default/app:80", "default", "web", "app", policies=policies)
    async with origin(generous) as endpoint, local_gateway(one_host([endpoint.port], route=route)) as gateway:
        async with connected(gateway.http_port) as client:
            for _ in range(2):
                await download(client)
        assert (kernel.moved > len(BODY)) is passed_on
        assert (kernel.calls > 0) is passed_on

"""Through PROXY protocol to an endpoint, on real sockets and both loops: from a test's client, and from HAProxy."""

import asyncio
import re
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvloop

from ingressd.proxy.proxy_protocol import Relays
from tests.proxy.test_proxy_protocol import ends, v2
from tests.support.client import Client
from tests.support.gateway import LocalGateway, https_host, local_gateway
from tests.support.origin import Origin
from tests.support.origin import origin as running_origin
from tests.support.tools import find_tool
from tests.tls.peers import client_context

Run = Callable[[Coroutine[Any, Any, None]], None]
on_both_loops = pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])

GET = b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"
V1 = b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 %d\r\n"


@asynccontextmanager
async def relayed_gateway(relays: Relays) -> AsyncIterator[tuple[LocalGateway, Origin]]:
    async with running_origin() as origin, local_gateway(https_host([origin.port])) as gateway:
        gateway.gateway.relays = relays
        yield gateway, origin


async def visit(port: int, first: bytes, tls: ssl.SSLContext | None = None) -> int:
    """Status of the answer to a request behind ``first``; 0 when the connection was closed instead."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(first)
        if tls is not None:
            await writer.start_tls(tls, server_hostname="shop.example")
        return (await Client(reader, writer).ask(GET)).status
    except (EOFError, ConnectionError):
        return 0
    finally:
        writer.close()


def told(origin: Origin, name: str) -> list[str]:
    return re.findall(rf"^{name}: (.*)\r$", origin.received.decode("latin-1"), re.MULTILINE)


@on_both_loops
def test_the_endpoint_is_told_the_client_and_the_port_it_dialled(run: Run) -> None:
    async def scenario() -> None:
        async with relayed_gateway(Relays()) as (gateway, origin):
            port = gateway.http_port
            assert await visit(port, V1 % 80) == 200
            assert await visit(port, V1 % 443) == 200  # TLS ended at the load balancer
            assert await visit(port, v2(ends("2001:db8::7", "2001:db8::1", 1, 8080), family=0x21)) == 200
            assert await visit(port, v2(command=0x20, family=0)) == 200  # a load balancer's own check
            assert told(origin, "X-Real-IP") == ["192.0.2.7", "192.0.2.7", "2001:db8::7", "127.0.0.1"]
            assert told(origin, "X-Forwarded-Port") == ["80", "443", "8080", str(port)]
            assert told(origin, "X-Forwarded-Proto") == ["http", "https", "http", "http"]

    run(scenario())


@on_both_loops
def test_tls_behind_a_header(run: Run) -> None:
    async def scenario() -> None:
        async with relayed_gateway(Relays()) as (gateway, origin):
            assert await visit(gateway.https_port, V1 % 8443, client_context()) == 200
            assert await visit(gateway.https_port, v2(command=0x20, family=0), client_context()) == 200
            assert told(origin, "X-Real-IP") == ["192.0.2.7", "127.0.0.1"]
            assert told(origin, "X-Forwarded-Port") == ["8443", "443"]
            assert told(origin, "X-Forwarded-Proto") == ["https", "https"]

    run(scenario())


@on_both_loops
def test_without_a_header_nobody_is_served(run: Run) -> None:
    async def scenario() -> None:
        async with relayed_gateway(Relays()) as (gateway, origin):
            assert await visit(gateway.http_port, b"") == 0
            assert await visit(gateway.http_port, b"PROXY TCP4 192.0.2.7\r\n") == 0
            assert await visit(gateway.https_port, b"") == 0
            assert origin.heads == 0
            assert gateway.rejected() == {"proxy_protocol": 3}
            assert gateway.gateway.stats.connections["handshake"] == 0
            assert gateway.gateway.handshakes == set()

    run(scenario())


@on_both_loops
def test_who_says_nothing_is_closed_in_time(run: Run) -> None:
    async def scenario() -> None:
        async with relayed_gateway(Relays(header_s=0.0)) as (gateway, _):
            reader, writer = await asyncio.open_connection("127.0.0.1", gateway.http_port)
            assert await reader.read() == b""
            writer.close()
            assert gateway.gateway.handshakes == set()

    run(scenario())


HAPROXY = """
global
    maxconn 16
defaults
    mode tcp
    timeout connect 5s
    timeout client 30s
    timeout server 30s
frontend front
    bind fd@{descriptor}
    {id_format}
    default_backend back
backend back
    server gateway 127.0.0.1:{port} {option}
"""


@pytest.mark.parametrize("option", ["send-proxy", "send-proxy-v2", "send-proxy-v2 proxy-v2-options crc32c,unique-id"])
async def test_haproxy_as_the_sender(option: str, tmp_path: Path) -> None:
    haproxy = find_tool("haproxy")
    async with AsyncExitStack() as stack:
        listening = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        gateway, origin = await stack.enter_async_context(relayed_gateway(Relays()))
        config = tmp_path / "haproxy.cfg"
        id_format = "unique-id-format %ci" if "unique" in option else ""
        config.write_text(
            HAPROXY.format(descriptor=listening.fileno(), port=gateway.http_port, option=option, id_format=id_format)
        )
        process = await asyncio.create_subprocess_exec(
            haproxy, "-db", "-f", str(config), pass_fds=[listening.fileno()], stderr=asyncio.subprocess.DEVNULL
        )
        try:
            assert await visit(listening.getsockname()[1], b"") == 200
        finally:
            process.terminate()
            await process.wait()
        assert told(origin, "X-Forwarded-For") == ["127.0.0.1"]
        assert told(origin, "X-Forwarded-Port") == [str(listening.getsockname()[1])]

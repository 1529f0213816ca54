"""Upgraded connections: bytes both ways until both have said all."""

import asyncio
import logging

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

from ingressd.policy.timeouts import Timeouts
from tests.support.clock import Clock
from tests.support.gateway import local_gateway, one_host
from tests.support.origin import Seen
from tests.wire.flow.support import GET, gateway_and_client

UPGRADE = b"GET /chat HTTP/1.1\r\nHost: a.example\r\nConnection: keep-alive, Upgrade\r\nUpgrade: chat/1\r\n\r\n"
SWITCHING = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: chat/1\r\nX-Room: 7\r\n\r\n"


async def switch(seen: Seen) -> bytes:
    head = await seen.head()
    await seen.say(SWITCHING)
    return head


async def test_a_real_websocket() -> None:
    async def echo(connection: ServerConnection) -> None:
        assert connection.request is not None
        await connection.send(connection.request.headers["X-Forwarded-For"])
        async for message in connection:
            await connection.send(message)

    quiet = logging.getLogger("tests.websockets")
    async with serve(echo, "127.0.0.1", 0, logger=quiet) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        async with local_gateway(one_host([port])) as gateway:
            url = f"ws://a.example:{gateway.http_port}/chat"
            async with connect(url, host="127.0.0.1", port=gateway.http_port, proxy=None, logger=quiet) as client:
                assert await client.recv() == "127.0.0.1"
                for message in ("text", b"\x00\xff" * 1000, "x" * 500_000):
                    await client.send(message)
                    assert await client.recv() == message
                await client.ping()
            assert await gateway.answered(1) == [101]


async def test_the_heads_of_a_tunnel() -> None:
    async def checks(seen: Seen) -> None:
        head = await switch(seen)
        assert b"\r\nConnection: upgrade\r\nUpgrade: chat/1\r\n\r\n" in head
        await seen.say(b"hello")

    async with gateway_and_client(checks) as (_, client):
        answer = await client.ask(UPGRADE)
        assert (answer.status, sorted(answer.fields)) == (
            101,
            [("Connection", "upgrade"), ("Upgrade", "chat/1"), ("X-Room", "7")],
        )
        assert await client.reader.readexactly(5) == b"hello"


async def test_bytes_said_ahead_belong_to_the_tunnel() -> None:
    async def early(seen: Seen) -> None:
        await seen.head()
        assert await seen.reader.readexactly(0) == b""
        await seen.say(SWITCHING + b"first")
        assert await seen.reader.readexactly(len(GET)) == GET
        await seen.say(b"second")

    async with gateway_and_client(early) as (gateway, client):
        await client.send(UPGRADE + GET)
        assert (await client.answer()).status == 101
        assert await client.reader.readexactly(11) == b"firstsecond"
        assert await client.ended()
        client.half_close()
        assert await gateway.answered(1) == [101]


async def test_the_client_ends_first() -> None:
    async def after_the_end(seen: Seen) -> None:
        await switch(seen)
        said = await seen.reader.read()
        await seen.say(b"you said " + said)

    async with gateway_and_client(after_the_end) as (gateway, client):
        await client.ask(UPGRADE)
        await client.send(b"bye")
        client.half_close()
        assert await client.reader.read() == b"you said bye"
        assert await gateway.answered(1) == [101]


async def test_the_endpoint_ends_first_and_hears_all_the_rest() -> None:
    heard = asyncio.Event()
    size = 3_000_000

    async def ends(seen: Seen) -> None:
        await switch(seen)
        seen.writer.write_eof()
        assert await seen.reader.read() == b"x" * size
        heard.set()

    async with gateway_and_client(ends) as (gateway, client):
        await client.ask(UPGRADE)
        assert await client.reader.read() == b""
        await client.send(b"x" * size)
        client.half_close()
        await heard.wait()
        assert await gateway.answered(1) == [101]


async def test_a_client_that_ended_before_the_switch() -> None:
    async def listens(seen: Seen) -> None:
        await switch(seen)
        assert await seen.reader.read() == b"all I say"
        await seen.say(b"thanks")

    async with gateway_and_client(listens) as (_, client):
        await client.send(UPGRADE + b"all I say")
        client.half_close()
        assert (await client.answer()).status == 101
        assert await client.reader.read() == b"thanks"


@pytest.mark.parametrize("who", ["client", "endpoint"])
async def test_one_side_vanishes(who: str) -> None:
    gone = asyncio.Event()

    async def waits(seen: Seen) -> None:
        await switch(seen)
        if who == "endpoint":
            seen.reset()
        else:
            assert await seen.reader.read() == b""
            gone.set()

    async with gateway_and_client(waits) as (gateway, client):
        await client.ask(UPGRADE)
        if who == "client":
            client.reset()
            await gone.wait()
        else:
            assert await client.ended()
        assert await gateway.answered(1) == [101]


async def test_an_idle_tunnel_ends(clock: Clock) -> None:
    talking = asyncio.Event()

    async def talks(seen: Seen) -> None:
        await switch(seen)
        assert await seen.reader.readexactly(2) == b"hi"
        await seen.say(b"ho")
        talking.set()
        await seen.reader.read()

    async with gateway_and_client(talks, timeouts=Timeouts(read_s=50)) as (gateway, client):
        await client.ask(UPGRADE)
        gateway.pass_time(clock, 49)
        await client.send(b"hi")
        assert await client.reader.readexactly(2) == b"ho"
        gateway.pass_time(clock, 49)
        assert gateway.gateway.active == 1
        gateway.pass_time(clock, 2)
        assert await client.ended()
        assert await gateway.answered(1) == [101]


async def test_a_tunnel_that_was_full_once_still_ends_when_idle(clock: Clock) -> None:
    read_all = asyncio.Event()
    size = 20_000_000

    async def reads(seen: Seen) -> None:
        await switch(seen)
        await seen.reader.readexactly(size)
        read_all.set()
        await seen.reader.read()

    async with gateway_and_client(reads, timeouts=Timeouts(read_s=50)) as (gateway, client):
        await client.ask(UPGRADE)
        await client.send(b"x" * size)
        await read_all.wait()
        gateway.pass_time(clock, 51)
        assert await client.ended()


async def test_a_refused_upgrade_ends_the_connection() -> None:
    async def refuses(seen: Seen) -> None:
        while await seen.head():
            await seen.say(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")

    async with gateway_and_client(refuses) as (gateway, client):
        await client.send(UPGRADE + GET)
        answer = await client.answer()
        assert (answer.status, answer.get("connection")) == (403, "close")
        assert await client.ended()
        assert await gateway.answered(1) == [403]


@pytest.mark.parametrize(
    "said",
    [
        SWITCHING.replace(b"chat/1", b"h2c"),
        SWITCHING.replace(b"Upgrade: chat/1\r\n", b""),
        SWITCHING.replace(b"chat/1", b"chat/1, other"),
    ],
)
async def test_a_switch_to_what_nobody_offered(said: bytes) -> None:
    async def switches(seen: Seen) -> None:
        await seen.head()
        await seen.say(said)
        await seen.reader.read()

    async with gateway_and_client(switches) as (_, client):
        assert (await client.ask(UPGRADE)).status == 502


async def test_h2c_is_not_passed_on() -> None:
    async def checks(seen: Seen) -> None:
        head = (await seen.head()).lower()
        assert b"upgrade" not in head
        assert b"http2-settings" not in head
        assert b"connection:" not in head
        await seen.say(b"HTTP/1.1 204 No Content\r\n\r\n")

    async with gateway_and_client(checks) as (_, client):
        request = GET.replace(
            b"\r\n\r\n", b"\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n"
        )
        assert (await client.ask(request)).status == 204

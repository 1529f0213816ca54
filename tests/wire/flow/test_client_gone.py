"""Clients that leave, in every state of an exchange: the endpoint is told, the books are right."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest

from ingressd.policy.timeouts import Timeouts
from ingressd.proxy.downstream import Downstream
from tests.support.client import Client
from tests.support.gateway import one_host
from tests.support.origin import Seen
from tests.wire.flow.support import GET, POST, gateway_and_client

LEAVING = ["close", "reset"]


class LoopThat:
    """A loop with another ``create_connection``."""

    def __init__(self, loop: asyncio.AbstractEventLoop, create_connection: Callable[..., Awaitable[None]]) -> None:
        self._loop = loop
        self.create_connection = create_connection

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)


def leave(client: Client, how: str) -> None:
    if how == "reset":
        client.reset()
    else:
        client.writer.close()


@pytest.mark.parametrize("how", LEAVING)
async def test_before_a_request(how: str) -> None:
    async with gateway_and_client() as (gateway, client):
        await client.send(b"GET / HT")
        while not gateway.gateway.connections:
            await asyncio.sleep(0)
        leave(client, how)
        while gateway.gateway.connections:
            await asyncio.sleep(0)
        assert gateway.counted() == 0


@pytest.mark.parametrize("how", LEAVING)
async def test_while_the_endpoint_thinks(how: str) -> None:
    asked, gone = asyncio.Event(), asyncio.Event()

    async def thinks(seen: Seen) -> None:
        await seen.head()
        asked.set()
        with suppress(ConnectionError):
            assert await seen.reader.read() == b""
        gone.set()

    async with gateway_and_client(thinks) as (gateway, client):
        await client.send(GET)
        await asked.wait()
        leave(client, how)
        if how == "close":
            # To a server a close looks like a half-close: it takes an answer that cannot be delivered to tell.
            assert gateway.gateway.active == 1
            gateway.gateway.abort_all()
        await gone.wait()
        assert await gateway.answered(1) == [499]
        assert gateway.gateway.pool.idle == 0


@pytest.mark.parametrize("how", LEAVING)
async def test_in_the_request_body(how: str) -> None:
    asked, gone = asyncio.Event(), asyncio.Event()

    async def wants_more(seen: Seen) -> None:
        await seen.head()
        asked.set()
        try:
            await seen.reader.readexactly(3)
        except (asyncio.IncompleteReadError, ConnectionError):
            gone.set()

    async with gateway_and_client(wants_more) as (gateway, client):
        await client.send(POST + b"ab")
        await asked.wait()
        leave(client, how)
        await gone.wait()  # never a whole request
        assert await gateway.answered(1) == [499]


@pytest.mark.parametrize("how", LEAVING)
async def test_in_the_response(how: str) -> None:
    gone = asyncio.Event()

    async def goes_on(seen: Seen) -> None:
        await seen.head()
        await seen.say(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        try:
            while True:
                await seen.say(b"x" * 100_000)
        except ConnectionError:
            gone.set()

    async with gateway_and_client(goes_on) as (gateway, client):
        await client.send(GET)
        await client.reader.readuntil(b"\r\n\r\n")
        leave(client, how)
        await gone.wait()
        assert await gateway.answered(1) == [200]


async def test_while_connecting() -> None:
    async with gateway_and_client() as (gateway, client):  # no endpoint: make one that cannot be reached in time
        connecting = asyncio.Event()
        never = asyncio.Event()

        async def create_connection(*_: object) -> None:
            connecting.set()
            await never.wait()
            raise OSError("at last")

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(gateway.gateway, "loop", LoopThat(gateway.gateway.loop, create_connection))
            gateway.show(one_host([9]))
            await client.send(GET)
            await connecting.wait()
            client.reset()
            while gateway.gateway.active:
                await asyncio.sleep(0)
            never.set()
            while gateway.gateway.pool.active:
                await asyncio.sleep(0)
        assert await gateway.answered(1) == [499]


async def test_a_body_waits_in_the_kernel_while_we_connect() -> None:
    async with gateway_and_client() as (gateway, client):
        connecting, never = asyncio.Event(), asyncio.Event()

        async def create_connection(*_: object) -> None:
            connecting.set()
            await never.wait()

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(gateway.gateway, "loop", LoopThat(gateway.gateway.loop, create_connection))
            gateway.show(one_host([9], timeouts=Timeouts(connect_s=0.05)))
            await client.send(POST.replace(b"3", b"900000"))
            await connecting.wait()
            [connection] = gateway.gateway.connections
            assert isinstance(connection, Downstream)
            assert not connection.transport.is_reading()
            assert (await client.answer()).status == 504
            assert connection.transport.is_reading()


async def test_in_a_pipeline_only_what_was_begun_counts() -> None:
    asked = asyncio.Event()

    async def thinks(seen: Seen) -> None:
        await seen.head()
        asked.set()
        await seen.reader.read()

    async with gateway_and_client(thinks) as (gateway, client):
        await client.send(GET * 5)
        await asked.wait()
        client.reset()
        assert await gateway.answered(1) == [499]
        while gateway.gateway.connections:
            await asyncio.sleep(0)
        assert gateway.counted() == 1

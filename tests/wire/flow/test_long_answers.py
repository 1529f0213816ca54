"""Long answers that the kernel passes on: byte for byte what the ordinary path would have said, and for whom it may."""

import asyncio
from hashlib import sha256

import pytest

from tests.support.origin import Seen
from tests.wire.flow.long_answers import (
    BODY,
    DIGEST,
    LONG,
    SMALL,
    Kernel,
    Said,
    download,
    head_of,
    narrow,
    only_client,
    running,
    serving,
    until_blocked,
)
from tests.wire.flow.support import GET, OK


async def test_the_same_connections_go_on(kernel: Kernel) -> None:
    async with serving() as (gateway, client, endpoint):
        for count in range(1, 4):
            before = kernel.moved
            await download(client)
            assert kernel.moved - before > len(BODY) // 2
            [*_, record] = await gateway.log.wait_for(count)  # type: ignore[attr-defined]
            assert record.bytes_out == len(BODY)
            assert gateway.gateway.pool.idle == 1
            assert only_client(gateway).transport.get_write_buffer_limits() == (16_384, 65_536)  # asyncio's own
        assert gateway.sent_bytes() == 3 * len(BODY)
        assert len(endpoint.connections) == 1
        assert only_client(gateway).requests == 3
        assert running(gateway) == 0


@pytest.mark.parametrize("size", [LONG - 1, LONG, LONG + 1, 262_144, 999_983])
async def test_every_length_when_the_head_comes_first(kernel: Kernel, size: int) -> None:
    """The head does not wait for its body, and the kernel gets all of that from ``LONG`` bytes on."""
    heard = asyncio.Event()

    async def slow(seen: Seen) -> None:
        while await seen.head():
            await seen.say(head_of(size))
            await heard.wait()
            await seen.say(BODY[:size])

    async with serving(slow) as (_, client, _):
        await client.send(GET)
        await client.reader.readuntil(b"\r\n\r\n")
        heard.set()
        assert await client.reader.readexactly(size) == BODY[:size]
        assert kernel.moved == (0 if size < LONG else size)
        assert (await client.ask(GET)).body == BODY[:size]


async def test_a_body_that_comes_in_drops(kernel: Kernel) -> None:
    async def drips(seen: Seen) -> None:
        await seen.head()
        await seen.say(head_of(2 * LONG))
        for at in range(0, 2 * LONG, 1000):
            await seen.say(BODY[at : at + 1000])
            await asyncio.sleep(0)
        await seen.head()
        await seen.say(OK)

    async with serving(drips) as (_, client, _):
        assert (await client.ask(GET)).body == BODY[: 2 * LONG]
        assert kernel.moved >= LONG
        assert (await client.ask(GET)).body == b"ok"


async def test_bytes_keep_their_order_when_the_client_is_behind(kernel: Kernel) -> None:
    """What was read with the head still waits when the rest could be passed on."""
    said = Said()
    async with serving(said.script, buffer=SMALL) as (gateway, client, _):
        await narrow(gateway)
        await client.send(GET)
        await said.asked.wait()
        said.write(head_of(len(BODY)) + BODY)
        while not running(gateway) or not only_client(gateway).write_paused:
            await asyncio.sleep(0)
        assert kernel.calls == 0
        assert only_client(gateway).transport.get_write_buffer_size() > 0
        answer = await client.answer()
        assert sha256(answer.body).digest() == DIGEST
        assert kernel.moved > len(BODY) // 2


async def test_a_slow_client_slows_the_endpoint_down(kernel: Kernel) -> None:
    said = Said()
    async with serving(said.script, buffer=SMALL) as (gateway, client, _):
        await narrow(gateway)
        await client.send(GET)
        await said.say(head_of(len(BODY)))
        await client.reader.readuntil(b"\r\n\r\n")
        said.write(BODY)
        await until_blocked(gateway)
        digest, received = sha256(), 0
        while received < len(BODY):
            if not received % 7:
                await asyncio.sleep(0)
            piece = await client.reader.read(10_000)
            received += len(piece)
            digest.update(piece)
            waiting = only_client(gateway).beside_bytes if gateway.gateway.connections else 0
            assert waiting <= 1 << 20
        assert digest.digest() == DIGEST
        assert kernel.moved == len(BODY)
        assert not only_client(gateway).write_paused


async def test_requests_read_ahead_are_answered_after_it(kernel: Kernel) -> None:
    async def by_turns(seen: Seen) -> None:
        while head := await seen.head():
            await seen.say(head_of(len(BODY)) + BODY if head.startswith(b"GET /long") else OK)

    long = GET.replace(b"/ ", b"/long ", 1)
    async with serving(by_turns) as (gateway, client, _):
        await client.send(long + GET + long + GET)
        for wanted in (BODY, b"ok", BODY, b"ok"):
            assert (await client.answer()).body == wanted
        assert kernel.moved > len(BODY)
        assert await gateway.answered(4) == [200] * 4


@pytest.mark.parametrize(
    ("sent", "goes_on"),
    [
        (GET.replace(b"1.1", b"1.0"), False),
        (GET.replace(b"1.1\r\n", b"1.0\r\nConnection: keep-alive\r\n"), True),
        (GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"), False),
    ],
    ids=["HTTP/1.0", "HTTP/1.0 keep-alive", "close"],
)
async def test_other_clients(kernel: Kernel, sent: bytes, goes_on: bool) -> None:
    async with serving() as (_, client, _):
        await download(client, sent)
        assert kernel.moved > len(BODY) // 2
        if goes_on:
            await download(client)
        else:
            assert await client.ended()


async def test_a_client_that_half_closes_gets_all_of_it(kernel: Kernel) -> None:
    async with serving() as (_, client, _):
        await client.send(GET)
        client.half_close()
        assert sha256((await client.answer()).body).digest() == DIGEST
        assert await client.ended()
        assert kernel.moved > len(BODY) // 2


async def test_an_endpoint_that_closes_after_it(kernel: Kernel) -> None:
    async def once(seen: Seen) -> None:
        await seen.head()
        await seen.say(head_of(len(BODY), "Connection: close") + BODY)

    async with serving(once) as (gateway, client, endpoint):
        for _ in range(2):
            await download(client)
            assert gateway.gateway.pool.idle == 0
        assert len(endpoint.connections) == 2
        assert kernel.moved > len(BODY)


@pytest.mark.parametrize("apart", [False, True], ids=["at once", "later"])
async def test_not_a_byte_beyond_its_end(kernel: Kernel, apart: bool) -> None:
    """What an endpoint says behind its answer is nobody's, and the connection is not used again."""
    ended = asyncio.Event()

    async def says_more(seen: Seen) -> None:
        await seen.head()
        evil = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
        await seen.say(head_of(len(BODY)))
        await seen.say(BODY if apart else BODY + evil)
        if apart:
            await ended.wait()
            await seen.say(evil)
        assert await seen.head() == b""

    async with serving(says_more) as (gateway, client, endpoint):
        for count in range(1, 3):
            ended.clear()
            await download(client)
            ended.set()
            while gateway.gateway.pool.idle:
                await asyncio.sleep(0)
            assert len(endpoint.connections) == count
        assert kernel.moved > len(BODY)


async def test_what_is_beyond_its_end_answers_no_request_that_waits(kernel: Kernel) -> None:
    """The next request is there already, and so is what might be taken for its answer."""

    async def says_more(seen: Seen) -> None:
        await seen.head()
        await seen.say(head_of(len(BODY)) + BODY + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
        assert await seen.head() == b""

    async with serving(says_more) as (_, client, endpoint):
        await client.send(GET * 3)
        for _ in range(3):
            assert (await client.answer()).body == BODY
        assert len(endpoint.connections) == 3
        assert kernel.moved > len(BODY)


async def test_draining_waits_for_it(kernel: Kernel) -> None:
    said = Said(buffer=1 << 20)
    async with serving(said.script) as (gateway, client, _):
        await client.send(GET)
        await said.say(head_of(len(BODY)) + BODY[:LONG])
        await client.reader.readuntil(b"\r\n\r\n")
        assert running(gateway) == 1
        gateway.gateway.drain()
        gateway.gateway._close_idle()  # as if DRAIN_IDLE_S were over
        await said.say(BODY[LONG:])
        assert sha256(await client.reader.readexactly(len(BODY))).digest() == DIGEST
        assert await client.ended()

"""Bodies in flight: expectation, interim responses, answers before the end of the request, slow ends."""

import asyncio

import pytest

from tests.support.origin import Seen, polite
from tests.wire.flow.support import GET, OK, POST, gateway_and_client

EXPECTING = POST.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n")
CHUNKED = b"POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n"


async def test_100_is_the_endpoints_to_say() -> None:
    async def willing(seen: Seen) -> None:
        while head := await seen.head():
            assert b"\r\nExpect: 100-continue\r\n" in head
            await seen.say(b"HTTP/1.1 100 Continue\r\n\r\n")
            assert await seen.body(head) == b"abc"
            await seen.say(OK)

    async with gateway_and_client(willing) as (_, client):
        for _ in range(2):
            assert (await client.ask(EXPECTING)).status == 100
            answer = await client.ask(b"abc")
            assert (answer.status, answer.body, answer.get("connection")) == (200, b"ok", None)


async def test_a_final_status_instead_of_100() -> None:
    async def unwilling(seen: Seen) -> None:
        await seen.head()
        await seen.say(b"HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n")
        assert await seen.reader.read() == b""  # no body, and no other request either

    async with gateway_and_client(unwilling) as (gateway, client):
        answer = await client.ask(EXPECTING)
        assert (answer.status, answer.get("connection")) == (417, "close")
        assert gateway.gateway.pool.idle == 0


async def test_an_endpoint_that_ignores_the_expectation() -> None:
    async with gateway_and_client(polite) as (_, client):
        answer = await client.ask(EXPECTING + b"abc")
        assert (answer.status, answer.body) == (200, b"ok")


async def test_an_http_1_0_client_expects_nothing() -> None:
    async def checks(seen: Seen) -> None:
        head = await seen.head()
        assert b"Expect" not in head
        assert await seen.body(head) == b"abc"
        await seen.say(OK)

    async with gateway_and_client(checks) as (_, client):
        assert (await client.ask(EXPECTING.replace(b"1.1", b"1.0") + b"abc")).status == 200


async def test_interim_responses_arrive_when_they_are_said() -> None:
    heard = asyncio.Event()

    async def hints(seen: Seen) -> None:
        await seen.head()
        await seen.say(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nConnection: x\r\n\r\n")
        await heard.wait()
        await seen.say(OK)

    async with gateway_and_client(hints) as (_, client):
        answer = await client.ask(GET)
        assert (answer.status, answer.fields) == (103, [("Link", "</a>")])
        heard.set()
        assert (await client.answer()).body == b"ok"


async def test_a_head_does_not_wait_for_its_body() -> None:
    heard = asyncio.Event()

    async def slow(seen: Seen) -> None:
        await seen.head()
        await seen.say(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
        await heard.wait()
        await seen.say(b"ok")

    async with gateway_and_client(slow) as (_, client):
        await client.send(GET)
        await client.reader.readuntil(b"\r\n\r\n")
        heard.set()
        assert await client.reader.readexactly(2) == b"ok"


@pytest.mark.parametrize("request_head", [POST, CHUNKED], ids=["length", "chunked"])
async def test_an_early_answer_of_an_endpoint_that_goes_on_reading(request_head: bytes) -> None:
    read = asyncio.Event()

    async def hasty(seen: Seen) -> None:
        await seen.head()
        await seen.say(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nno")
        await seen.reader.readuntil(b"abc")
        read.set()
        await seen.say(b"pe")
        await seen.reader.read()

    async with gateway_and_client(hasty) as (gateway, client):
        await client.send(request_head)
        head = await client.reader.readuntil(b"\r\n\r\n")
        assert b"Connection: close\r\n" in head
        await client.send(b"abc" if request_head is POST else b"3\r\nabc\r\n0\r\n\r\n")
        await read.wait()  # what the client still sends goes to whom it is for
        assert await client.reader.readexactly(4) == b"nope"
        assert await client.ended()
        assert await gateway.answered(1) == [200]


async def test_an_early_answer_to_a_client_that_sends_all_before_it_reads() -> None:
    async def unwilling(seen: Seen) -> None:
        await seen.head()
        await seen.say(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n")
        await seen.reader.read()

    size = 8 << 20
    async with gateway_and_client(unwilling, max_body_bytes=0) as (_, client):
        await client.send(POST.replace(b"3", b"%d" % size))
        for _ in range(size >> 16):
            await client.send(b"x" * (1 << 16))
        answer = await client.answer()
        assert (answer.status, answer.get("connection")) == (413, "close")


async def test_our_own_refusal_reaches_a_client_that_sends_all_before_it_reads() -> None:
    size = 8 << 20
    async with gateway_and_client(polite, max_body_bytes=1000) as (gateway, client):
        await client.send(POST.replace(b"3", b"%d" % size))
        for _ in range(size >> 16):
            await client.send(b"x" * (1 << 16))
        assert (await client.answer()).status == 413
        assert await client.ended()
        assert gateway.rejected() == {"body_too_large": 1}


async def test_a_chunked_body_that_grows_too_large() -> None:
    begun, gone = asyncio.Event(), asyncio.Event()

    async def reads(seen: Seen) -> None:
        await seen.head()
        begun.set()
        try:
            await seen.reader.readuntil(b"0\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            gone.set()

    async with gateway_and_client(reads, max_body_bytes=1000) as (_, client):
        await client.send(CHUNKED + b"3e8\r\n" + b"x" * 1000)
        await begun.wait()
        answer = await client.ask(b"\r\n1\r\nx\r\n0\r\n\r\n")
        assert answer.status == 413
        await gone.wait()  # never a whole request


async def test_a_body_is_sent_again_to_another_endpoint_while_it_is_at_hand() -> None:
    bodies = []

    async def fails_once(seen: Seen) -> None:
        head = await seen.head()
        bodies.append(await seen.body(head))
        if len(bodies) > 1:
            await seen.say(OK)

    async with gateway_and_client(fails_once) as (gateway, client):
        answer = await client.ask(CHUNKED.replace(b"POST", b"PUT") + b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n")
        assert answer.status == 200
        assert bodies == [b"3\r\nabc\r\n0\r\n\r\n"] * 2
        assert gateway.retried() == {"closed_before_response": 1}


async def test_a_body_that_is_no_longer_at_hand_is_not_sent_again() -> None:
    async def fails(seen: Seen) -> None:
        await seen.body(await seen.head())

    size = 200_000
    async with gateway_and_client(fails) as (gateway, client):
        put = b"PUT / HTTP/1.1\r\nHost: a.example\r\nContent-Length: %d\r\n\r\n" % size
        assert (await client.ask(put + b"x" * size)).status == 502
        assert gateway.retried() == {}

"""Endpoints that fail, in every state of an exchange: who is asked next, and what the client is told."""

import asyncio
import socket

import pytest

from ingressd.policy.timeouts import Timeouts
from ingressd.proxy.limits import Limits
from tests.support.client import connected
from tests.support.gateway import local_gateway, one_host
from tests.support.origin import Seen, origin, polite
from tests.wire.flow.support import GET, OK, POST, gateway_and_client, origins


def refusing_port() -> int:
    """A port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as bound:
        return int(bound.getsockname()[1])


async def closes_before_response(seen: Seen) -> None:
    await seen.body(await seen.head())


async def resets_before_response(seen: Seen) -> None:
    await seen.body(await seen.head())
    seen.reset()


async def stays_silent(seen: Seen) -> None:
    await seen.head()
    await seen.reader.read()


@pytest.mark.parametrize("request_bytes", [GET, POST + b"abc"], ids=["GET", "POST"])
async def test_refused_connections_go_to_the_next_endpoint(request_bytes: bytes) -> None:
    async with origin() as alive:
        async with (
            local_gateway(one_host([refusing_port(), refusing_port(), alive.port])) as gateway,
            connected(gateway.http_port) as client,
        ):
            for _ in range(3):
                assert (await client.ask(request_bytes)).status == 200
            assert set(gateway.retried()) == {"connect_failed"}
        assert alive.heads == 3


async def test_all_endpoints_refuse() -> None:
    async with local_gateway(one_host([refusing_port(), refusing_port()])) as gateway:
        async with connected(gateway.http_port) as client:
            answer = await client.ask(GET)
            assert (answer.status, answer.get("connection")) == (502, None)
            assert (await client.ask(POST + b"abc")).status == 502
        records = await gateway.log.wait_for(2)  # type: ignore[attr-defined]
        assert [record.attempts for record in records] == [3, 3]


async def test_no_endpoints() -> None:
    async with local_gateway(one_host([])) as gateway, connected(gateway.http_port) as client:
        assert (await client.ask(GET)).status == 503
        answer = await client.ask(POST)  # its body is still to come
        assert (answer.status, answer.get("connection")) == (503, "close")


async def test_an_endpoint_that_does_not_accept_in_time() -> None:
    timeouts = Timeouts(connect_s=0.05)
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:  # fill the queue: what connects after these hears nothing
            each.setblocking(False)
            each.connect_ex(("127.0.0.1", port))
        async with (
            local_gateway(one_host([port], timeouts=timeouts)) as gateway,
            connected(gateway.http_port) as client,
        ):
            assert (await client.ask(GET)).status == 504
            assert gateway.retried()["connect_timeout"] == 2
        for each in waiting:
            each.close()


@pytest.mark.parametrize("script", [closes_before_response, resets_before_response])
async def test_gone_before_the_response_on_a_new_connection(script: object) -> None:
    async with origins(script, script) as [one, two], origin() as alive:  # type: ignore[arg-type]
        for request, status in ((GET, 200), (POST + b"abc", 502)):
            # Round robin begins anywhere: with two that fail among three, a GET finds the third in its three attempts.
            async with local_gateway(one_host([one, two, alive.port])) as gateway:
                statuses = set()
                for _ in range(3):
                    async with connected(gateway.http_port) as client:
                        statuses.add((await client.ask(request)).status)
                assert status in statuses
                if request is GET:
                    assert statuses == {200}
        assert alive.received.count(b"POST") == 1  # never twice


async def test_a_pooled_connection_that_closes_as_it_is_used() -> None:
    """It dies with the request on it; the request may go elsewhere only if doing it twice does no harm.

    So a request of which that is not known comes on a connection of its own, unless somebody wants it otherwise.
    """
    served = 0

    async def one_answer_then_close_on_the_next(seen: Seen) -> None:
        nonlocal served
        await seen.head()
        served += 1
        await seen.say(OK)
        if served == 1:
            await seen.head()
            seen.reset()
        else:
            await polite(seen)

    for request, reuse, status in ((GET, False, 200), (POST + b"abc", True, 502), (POST + b"abc", False, 200)):
        served = 0
        limits = Limits(reuse_for_all=reuse)
        async with gateway_and_client(one_answer_then_close_on_the_next, limits=limits) as (gateway, client):
            assert (await client.ask(GET)).status == 200
            assert (await client.ask(request)).status == status
            assert gateway.retried()["stale_connection"] == (1 if request is GET else 0)


async def test_the_connection_of_a_post_is_kept_only_when_no_other_one_idles() -> None:
    async with gateway_and_client(polite) as (gateway, client):
        for sent, idle in ((POST + b"abc", 1), (POST + b"abc", 1), (GET, 1)):
            assert (await client.ask(sent)).status == 200
            assert gateway.gateway.pool.idle == idle


@pytest.mark.parametrize("request_bytes", [GET, POST + b"abc"], ids=["GET", "POST"])
async def test_a_pooled_connection_that_had_closed_before_it_was_used(request_bytes: bytes) -> None:
    """Nothing of the request can have arrived: even what must not be done twice goes to a new connection."""
    closing, closed = asyncio.Event(), asyncio.Event()

    async def one_answer(seen: Seen) -> None:
        await seen.head()
        await seen.say(OK)
        if closed.is_set():
            await polite(seen)
        await closing.wait()
        seen.writer.close()
        await seen.writer.wait_closed()
        closed.set()

    async with gateway_and_client(one_answer, limits=Limits(reuse_for_all=True)) as (gateway, client):
        assert (await client.ask(GET)).status == 200
        backend = gateway.gateway.state.find("a.example", "/").backend
        assert backend is not None
        [idle] = backend.endpoints[0].idle
        idle.hold_reading(True)  # the loop must not see the end before the request
        closing.set()
        await closed.wait()
        await client.send(request_bytes)
        while gateway.gateway.pool.idle:
            await asyncio.sleep(0)
        idle.hold_reading(False)
        assert (await client.answer()).status == 200
        assert gateway.retried() == {"stale_connection": 1}


async def test_idle_connections_that_close_are_not_used() -> None:
    closed = asyncio.Event()

    async def one_answer(seen: Seen) -> None:
        await seen.head()
        await seen.say(OK)
        if not closed.is_set():
            closed.set()
            return
        await polite(seen)

    async with gateway_and_client(one_answer) as (gateway, client):
        assert (await client.ask(GET)).status == 200
        while gateway.gateway.pool.idle:
            await asyncio.sleep(0)
        assert (await client.ask(POST + b"abc")).status == 200
        assert gateway.retried() == {}


async def test_unsolicited_data_on_an_idle_connection() -> None:
    idle = asyncio.Event()

    async def talkative(seen: Seen) -> None:
        await seen.head()
        await seen.say(OK)
        await idle.wait()
        await seen.say(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
        assert await seen.head() == b""

    async with gateway_and_client(talkative) as (gateway, client):
        for _ in range(3):
            idle.clear()
            assert (await client.ask(GET)).body == b"ok"
            idle.set()
            while gateway.gateway.pool.idle:
                await asyncio.sleep(0)


async def test_an_endpoint_that_speaks_first() -> None:
    async def banner(seen: Seen) -> None:
        await seen.say(b"220 mail.example ESMTP\r\n")
        await seen.reader.read()

    async with gateway_and_client(banner) as (_, client):
        assert (await client.ask(GET)).status == 502


@pytest.mark.parametrize(
    ("said", "version", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok", b"1.1", b"ok"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", b"1.1", b"ok"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", b"1.0", b"ok"),
        (b"HTTP/1.1 200 OK\r\n\r\nok", b"1.1", b"ok"),
        (b"HTTP/1.1 200 OK\r\n\r\nok", b"1.0", b"ok"),
    ],
)
async def test_reset_in_the_body(said: bytes, version: bytes, body: bytes) -> None:
    """The client must not take what it got for all there is."""
    relayed = asyncio.Event()

    async def breaks(seen: Seen) -> None:
        await seen.head()
        await seen.say(said)
        await relayed.wait()
        seen.reset()

    async with gateway_and_client(breaks) as (gateway, client):
        await client.send(b"GET / HTTP/%b\r\nHost: a.example\r\n\r\n" % version)
        await client.reader.readuntil(b"\r\n\r\n")
        if version == b"1.1" and b"Content-Length" not in said:
            assert await client.reader.readexactly(7) == b"2\r\nok\r\n"
        else:
            assert await client.reader.readexactly(2) == body
        relayed.set()
        if version == b"1.1":
            assert not (await client.reader.read()).endswith(b"0\r\n\r\n")
        else:
            with pytest.raises(ConnectionError):
                await client.reader.read()  # only a reset can tell
        assert await gateway.answered(1) == [200]


async def test_an_endpoint_that_answers_and_resets_a_body_it_does_not_want() -> None:
    async def refuses(seen: Seen) -> None:
        await seen.head()
        await seen.say(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    async with gateway_and_client(refuses) as (_, client):
        answer = await client.ask(POST)
        assert (answer.status, answer.get("connection")) == (413, "close")


async def test_timeouts_of_an_endpoint_are_those_of_its_route() -> None:
    async with gateway_and_client(stays_silent, timeouts=Timeouts(read_s=0.05)) as (gateway, client):
        assert (await client.ask(GET)).status == 504
        assert gateway.rejected()["read_timeout"] == 1
        assert gateway.retried() == {}

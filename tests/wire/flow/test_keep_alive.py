"""Connections that serve several requests: answers in order, whoever gives them, and ends where they are due."""

import asyncio

from ingressd.proxy.limits import Limits
from ingressd.routing.snapshot import Snapshot
from tests.proxy.request_cases import CASES, LIMITS, MAX_BODY_BYTES
from tests.support.client import connected
from tests.support.gateway import local_gateway, one_host
from tests.support.origin import Seen, origin, polite
from tests.wire.flow.support import gateway_and_client

GET = b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"


async def test_every_request_case_through_sockets() -> None:
    """The table itself is held to every cut in tests/proxy; here it meets a kernel."""
    async with origin() as endpoint:
        snapshot = one_host([endpoint.port], max_body_bytes=MAX_BODY_BYTES)
        async with local_gateway(snapshot, limits=LIMITS) as gateway:
            for name, case in CASES.items():
                async with connected(gateway.http_port) as client:
                    await client.send(case.sent)
                    answers = [await client.answer() for _ in case.statuses]
                    assert tuple(answer.status for answer in answers) == case.statuses, name
                    if case.closes:
                        assert await client.ended(), name


async def echo(seen: Seen) -> None:
    """Answer with the path and the body."""
    while head := await seen.head():
        body = await seen.body(head)
        said = head.split(b" ")[1] + b" " + body
        await seen.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(said), said))


async def test_a_pipeline_is_answered_in_order() -> None:
    sent, wanted = b"", []
    for number in range(90):
        if number % 3 == 0:
            sent += b"GET /%d HTTP/1.1\r\nHost: unknown\r\n\r\n" % number
            wanted.append((404, b"404 Not Found\n"))
        elif number % 3 == 1:
            sent += b"PUT /%d HTTP/1.1\r\nHost: a.example\r\nContent-Length: 3\r\n\r\nabc" % number
            wanted.append((200, b"/%d abc" % number))
        else:
            sent += b"GET /%d HTTP/1.1\r\nHost: a.example\r\n\r\n" % number
            wanted.append((200, b"/%d " % number))
    async with origin(echo) as endpoint, local_gateway(one_host([endpoint.port])) as gateway:
        async with connected(gateway.http_port) as client:
            await client.send(sent)
            answers = [await client.answer() for _ in wanted]
        assert [(answer.status, answer.body) for answer in answers] == wanted
        assert len(endpoint.connections) == 1


async def test_connections_to_endpoints_are_used_again_and_shared() -> None:
    async with origin() as endpoint, local_gateway(one_host([endpoint.port])) as gateway:
        for _ in range(3):
            async with connected(gateway.http_port) as client:
                for _ in range(5):
                    assert (await client.ask(GET)).status == 200
        assert len(endpoint.connections) == 1
        assert endpoint.heads == 15


async def test_requests_are_spread_evenly() -> None:
    async with origin() as one, origin() as two, origin() as three:
        ports = [one.port, two.port, three.port]
        async with local_gateway(one_host(ports)) as gateway, connected(gateway.http_port) as client:
            for _ in range(30):
                await client.ask(GET)
        assert [each.heads for each in (one, two, three)] == [10, 10, 10]


async def test_requests_before_a_half_close_are_all_answered() -> None:
    async with origin() as endpoint, local_gateway(one_host([endpoint.port])) as gateway:
        async with connected(gateway.http_port) as client:
            await client.send(GET * 3)
            client.half_close()
            answers = [await client.answer() for _ in range(3)]
            assert [answer.get("connection") for answer in answers] == [None, None, "close"]
            assert await client.ended()
        assert endpoint.heads == 3


async def test_a_half_close_after_one_request() -> None:
    async with origin() as endpoint, local_gateway(one_host([endpoint.port])) as gateway:
        for request, status in ((GET, 200), (GET.replace(b"a.example", b"b"), 404)):
            async with connected(gateway.http_port) as client:
                await client.send(request)
                client.half_close()
                assert (await client.answer()).status == status
                assert await client.ended()


async def test_draining_ends_connections_after_the_answer_under_way() -> None:
    asked, may_answer = asyncio.Event(), asyncio.Event()

    async def slow(seen: Seen) -> None:
        await seen.head()
        asked.set()
        await may_answer.wait()
        await seen.say(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await polite(seen)

    async with (
        origin(slow) as endpoint,
        local_gateway(one_host([endpoint.port])) as gateway,
        connected(gateway.http_port) as idle,
        connected(gateway.http_port) as busy,
    ):
        await idle.ask(GET.replace(b"a.example", b"b"))
        await busy.send(GET)
        await asked.wait()
        gateway.gateway.drain()
        assert await idle.ended()
        may_answer.set()
        assert (await busy.answer()).get("connection") == "close"
        assert await busy.ended()


async def test_a_drain_that_begins_in_the_middle_of_a_response() -> None:
    said, go_on = asyncio.Event(), asyncio.Event()

    async def two_parts(seen: Seen) -> None:
        await seen.head()
        await seen.say(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na")
        said.set()
        await go_on.wait()
        await seen.say(b"b")

    async with gateway_and_client(two_parts) as (gateway, client):
        await client.send(GET)
        await client.reader.readuntil(b"\r\n\r\n")
        await said.wait()
        gateway.gateway.drain()
        go_on.set()
        assert await client.reader.readexactly(2) == b"ab"
        assert await client.ended()  # though nothing had said so


async def test_an_endpoint_that_is_no_longer_named() -> None:
    async with origin() as new, gateway_and_client(polite) as (gateway, client):
        await client.ask(GET)
        assert gateway.gateway.pool.idle == 1
        gateway.show(one_host([new.port]))
        assert (await client.ask(GET)).status == 200
        assert new.heads == 1
        gateway.show(Snapshot())
        assert (await client.ask(GET)).status == 404
        while gateway.gateway.pool.idle:
            await asyncio.sleep(0)  # what a swap leaves behind is let go a little at a time


async def test_an_endpoint_removed_under_an_exchange_finishes_it() -> None:
    asked, may_answer = asyncio.Event(), asyncio.Event()

    async def slow(seen: Seen) -> None:
        await seen.head()
        asked.set()
        await may_answer.wait()
        await seen.say(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        assert await seen.head() == b""  # closed, not pooled

    async with origin() as new, gateway_and_client(slow) as (gateway, client):
        await client.send(GET)
        await asked.wait()
        gateway.show(one_host([new.port]))
        may_answer.set()
        assert (await client.answer()).status == 200
        assert gateway.gateway.pool.idle == 0


async def test_limits_on_a_connection_to_an_endpoint() -> None:
    limits = Limits(upstream_requests_per_connection=2, upstream_idle_per_endpoint=1)
    async with origin() as endpoint, local_gateway(one_host([endpoint.port]), limits=limits) as gateway:
        async with connected(gateway.http_port) as client:
            for _ in range(6):
                await client.ask(GET)
        assert [bytes(each).count(b"GET ") for each in endpoint.connections] == [2, 2, 2]


async def test_an_old_connection_to_an_endpoint_ends_with_its_request() -> None:
    limits = Limits(upstream_age_s=0.0)
    async with origin() as endpoint, local_gateway(one_host([endpoint.port]), limits=limits) as gateway:
        async with connected(gateway.http_port) as client:
            for _ in range(3):
                assert (await client.ask(GET)).status == 200
        assert [bytes(each).count(b"GET ") for each in endpoint.connections] == [1, 1, 1]
        assert gateway.gateway.pool.idle == 0

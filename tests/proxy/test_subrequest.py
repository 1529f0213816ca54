"""Sub-requests over real sockets: answers, bounds, failures, and connections that are used again."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator

import pytest

from ingressd.errors import UpstreamError
from ingressd.proxy.resolver import Resolver
from ingressd.proxy.subrequest import Fetched, Fetcher
from ingressd.routing.snapshot import Snapshot
from tests.support.gateway import LocalGateway, check_counts, make_gateway
from tests.support.origin import Origin, Script, Seen, origin
from tests.tls.authority import issue, new_key

HEAD = b"GET /auth HTTP/1.1\r\nHost: auth\r\n\r\n"


@pytest.fixture
async def local() -> AsyncIterator[LocalGateway]:
    made = make_gateway(asyncio.get_running_loop(), Snapshot())
    yield made
    check_counts(made)


@pytest.fixture
async def fetcher(local: LocalGateway) -> AsyncIterator[Fetcher]:
    made = Fetcher(local.gateway)
    yield made
    made.close()
    assert local.gateway.pool.idle == 0


async def get(fetcher: Fetcher, origin: Origin, *, method: bytes = b"GET", max_bytes: int = 100) -> Fetched:
    head = HEAD.replace(b"GET", method)
    return await fetcher.fetch("http", "127.0.0.1", origin.port, head, method, 30.0, max_bytes)


def saying(answer: bytes) -> Script:
    async def script(seen: Seen) -> None:
        while await seen.head():
            await seen.say(answer)

    return script


async def test_one_connection_serves_one_question_after_the_other(fetcher: Fetcher, local: LocalGateway) -> None:
    answer = b"HTTP/1.1 202 Accepted\r\nX-User: jo\r\nContent-Length: 2\r\n\r\nok"
    async with origin(saying(answer)) as auth:
        for _ in range(3):
            fetched = await get(fetcher, auth)
            assert (fetched.status, fetched.fields.onward, fetched.body) == (202, b"X-User: jo\r\n", b"ok")
            assert fetched.is_whole
        assert auth.received == HEAD * 3
        assert len(auth.connections) == 1
        assert local.gateway.pool.idle == 1


async def test_questions_at_a_time_have_a_connection_each(fetcher: Fetcher) -> None:
    both = asyncio.Barrier(2)

    async def script(seen: Seen) -> None:
        await seen.head()
        await both.wait()
        await seen.say(b"HTTP/1.1 204 No Content\r\n\r\n")

    async with origin(script) as auth:
        fetched = await asyncio.gather(get(fetcher, auth), get(fetcher, auth))
        assert [one.status for one in fetched] == [204, 204]
        assert len(auth.connections) == 2


@pytest.mark.parametrize(
    ("answer", "body", "is_whole"),
    [
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n", b"abcd", True),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na", b"a", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + b"x" * 100, b"x" * 100, True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n" + b"x" * 101, b"x" * 100, False),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n" + b"x" * 255, b"x" * 100, False),
    ],
)
async def test_answers(fetcher: Fetcher, local: LocalGateway, answer: bytes, body: bytes, is_whole: bool) -> None:
    async with origin(saying(answer)) as auth:
        fetched = await get(fetcher, auth)
        assert (fetched.status, fetched.body, fetched.is_whole) == (200, body, is_whole)
        assert local.gateway.pool.idle == int(is_whole)


async def test_an_answer_up_to_the_end_of_the_connection(fetcher: Fetcher) -> None:
    async def script(seen: Seen) -> None:
        await seen.head()
        await seen.say(b"HTTP/1.0 200 OK\r\n\r\nall of it")

    async with origin(script) as auth:
        assert (await get(fetcher, auth)).body == b"all of it"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"SSH-2.0\r\n", "bad_status_line"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nx", "closed_in_response"),
        (b"HTTP/1.1 200 OK\r\nX: y", "closed_in_head"),
        (b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", "unexpected_upgrade"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "bad_response_fields"),
    ],
)
async def test_half_an_answer_is_none(fetcher: Fetcher, local: LocalGateway, answer: bytes, reason: str) -> None:
    async def script(seen: Seen) -> None:
        await seen.head()
        await seen.say(answer)

    async with origin(script) as auth:
        with pytest.raises(UpstreamError) as failure:
            await get(fetcher, auth)
    assert failure.value.reason == reason
    assert local.gateway.pool.idle == 0


async def test_a_kept_connection_that_has_ended_costs_nobody_an_answer(fetcher: Fetcher) -> None:
    async def script(seen: Seen) -> None:
        await seen.head()
        await seen.say(b"HTTP/1.1 204 No Content\r\n\r\n")
        await seen.head()  # and closes without a word

    async with origin(script) as auth:
        assert [(await get(fetcher, auth)).status for _ in range(3)] == [204, 204, 204]
        with pytest.raises(UpstreamError):
            await get(fetcher, auth, method=b"POST")  # it may have been acted upon


async def test_nobody_there(fetcher: Fetcher) -> None:
    async with origin() as auth:
        port = auth.port
    with pytest.raises(UpstreamError) as failure:
        await fetcher.fetch("http", "127.0.0.1", port, HEAD, b"GET", 30.0, 100)
    assert failure.value.reason == "connect_failed"


async def test_the_next_address_is_tried(local: LocalGateway) -> None:
    async def look_up(name: str) -> tuple[str, ...]:
        return ("127.0.0.1", "127.0.0.2")

    fetcher = Fetcher(local.gateway, Resolver(local.gateway.loop, lookup=look_up))
    async with origin(saying(b"HTTP/1.1 204 No Content\r\n\r\n")) as auth:
        for _ in range(8):
            assert (await fetcher.fetch("http", "auth", auth.port, HEAD, b"GET", 30.0, 100)).status == 204
    fetcher.close()


async def test_names_stand_for_ipv4_only_where_nobody_wants_more(local: LocalGateway) -> None:
    async def look_up(name: str) -> tuple[str, ...]:
        return ("::1", "127.0.0.1") if name == "auth" else ("::1",)

    local.gateway.resolves_ipv6 = False
    fetcher = Fetcher(local.gateway, Resolver(local.gateway.loop, lookup=look_up))
    async with origin(saying(b"HTTP/1.1 204 No Content\r\n\r\n")) as auth:
        for _ in range(8):
            assert (await fetcher.fetch("http", "auth", auth.port, HEAD, b"GET", 30.0, 100)).status == 204
        assert len(auth.connections) == 1
        with pytest.raises(UpstreamError) as failure:
            await fetcher.fetch("http", "other", auth.port, HEAD, b"GET", 30.0, 100)
        assert failure.value.reason == "name_not_resolved"
        with pytest.raises(UpstreamError) as failure:  # what somebody wrote as an address is no name
            await fetcher.fetch("http", "::1", auth.port, HEAD, b"GET", 30.0, 100)
        assert failure.value.reason == "connect_failed"
    fetcher.close()


async def test_silence_ends_in_time(fetcher: Fetcher, local: LocalGateway) -> None:
    async def script(seen: Seen) -> None:
        await seen.head()
        await seen.head()

    async with origin(script) as auth:
        with pytest.raises(UpstreamError) as failure:
            await fetcher.fetch("http", "127.0.0.1", auth.port, HEAD, b"GET", 0.05, 100)
    assert failure.value.reason == "read_timeout"
    assert local.gateway.pool.active == 0


async def test_who_is_cancelled_leaves_nothing(fetcher: Fetcher, local: LocalGateway) -> None:
    heard, ended = asyncio.Event(), asyncio.Event()

    async def script(seen: Seen) -> None:
        await seen.head()
        heard.set()
        assert await seen.head() == b""
        ended.set()

    async with origin(script) as auth:
        asking = asyncio.get_running_loop().create_task(get(fetcher, auth))
        await heard.wait()
        asking.cancel()
        await asyncio.wait((asking,))
        await ended.wait()
    assert (local.gateway.pool.active, local.gateway.pool.idle) == (0, 0)


async def test_only_what_is_spoken(fetcher: Fetcher) -> None:
    with pytest.raises(UpstreamError) as failure:
        await fetcher.fetch("ftp", "127.0.0.1", 1, HEAD, b"GET", 30.0, 100)
    assert failure.value.reason == "scheme_not_supported"


@pytest.fixture(scope="module")
def server_context(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    issued = issue("auth", new_key("p256", 31), names=("auth.example",))
    pair = tmp_path_factory.mktemp("auth") / "pair.pem"
    pair.write_bytes(issued.key_pem + issued.pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair)
    return context


async def test_over_tls_the_name_is_sent_and_connections_are_kept(
    local: LocalGateway, server_context: ssl.SSLContext
) -> None:
    names: list[str | None] = []
    server_context.sni_callback = lambda connection, name, context: names.append(name)

    async def look_up(name: str) -> tuple[str, ...]:
        return ("127.0.0.1",)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(head), head))
        writer.close()

    fetcher = Fetcher(local.gateway, Resolver(local.gateway.loop, lookup=look_up))
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=server_context)
    port = server.sockets[0].getsockname()[1]
    for name in ("a.example", "a.example", "b.example"):
        assert (await fetcher.fetch("https", name, port, HEAD, b"GET", 30.0, 100)).body == HEAD
    assert names == ["a.example", "b.example"]
    assert local.gateway.pool.idle == 2
    fetcher.close()
    server.close()


async def test_no_tls_there(fetcher: Fetcher, local: LocalGateway) -> None:
    async def script(seen: Seen) -> None:
        await seen.say(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with origin(script) as auth:
        with pytest.raises(UpstreamError) as failure:
            await fetcher.fetch("https", "127.0.0.1", auth.port, HEAD, b"GET", 30.0, 100)
    assert failure.value.reason == "tls_handshake_failed"


async def test_targets_are_bounded(fetcher: Fetcher, local: LocalGateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingressd.proxy.subrequest.MAX_TARGETS", 2)
    async with origin() as one, origin() as two, origin() as three:
        for auth in (one, two, three, three):
            await get(fetcher, auth)
        assert (len(fetcher._targets), local.gateway.pool.idle) == (2, 2)
        assert len(three.connections) == 1

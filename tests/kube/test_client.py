"""What the client makes of answers, against a server that says what it is told."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from ingressd.kube.client import ApiError, KubeClient, UnreachableError
from ingressd.kube.credentials import Credentials
from ingressd.version import __version__

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Server:
    """Answers as told, and keeps what was asked."""

    def __init__(self) -> None:
        self.answer: Answer = self._nothing
        self.requests: list[web.Request] = []
        self.bodies: list[bytes] = []
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._handle)
        self.server = TestServer(app)

    async def read(self) -> Credentials:
        return Credentials(host=str(self.server.make_url("")).rstrip("/"), authorization="Bearer t")

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        self.bodies.append(await request.read())
        return await self.answer(request)

    async def _nothing(self, _: web.Request) -> web.StreamResponse:
        return web.json_response({})


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    await server.server.start_server()
    yield server
    await server.server.close()


@pytest.fixture
async def client(server: Server) -> AsyncIterator[KubeClient]:
    async with KubeClient(server, read_timeout_s=0.5) as client:
        yield client


def says(status: int, text: str = "", **headers: str) -> Answer:
    async def answer(_: web.Request) -> web.StreamResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(status=status, text=text, headers=named)

    return answer


async def test_what_every_request_says(server: Server, client: KubeClient) -> None:
    await client.patch_json("/x/status", {"a": [1]})
    (request,) = server.requests
    assert request.headers["User-Agent"].startswith(f"ingressd/{__version__} ")
    assert request.headers["Authorization"] == "Bearer t"
    assert request.headers["Accept"] == "application/json"
    assert request.headers["Content-Type"] == "application/merge-patch+json"
    assert server.bodies == [b'{"a":[1]}']


async def test_parameters_are_encoded(server: Server, client: KubeClient) -> None:
    await client.get_json("/x", {"fieldSelector": "type!=helm.sh/release.v1"})
    assert server.requests[0].query == {"fieldSelector": "type!=helm.sh/release.v1"}


STATUS = '{"kind":"Status","reason":"Forbidden","message":"no, thanks","code":403}'


async def test_a_refusal_is_typed(server: Server, client: KubeClient) -> None:
    server.answer = says(403, STATUS)
    with pytest.raises(ApiError) as refused:
        await client.get_json("/x")
    error = refused.value
    assert (error.status, error.reason, error.message, error.retry_after_s) == (403, "Forbidden", "no, thanks", 0.0)
    assert str(error) == "403 Forbidden: no, thanks"


ODD = [
    "<html>502</html>",
    "",
    "null",
    "[1]",
    '"text"',
    '{"message":7}',
    '{"reason":null}',
    "[" * 100_000,
    "x" * 200_000,
]


@pytest.mark.parametrize("body", ODD, ids=lambda body: body[:12] or "empty")
async def test_a_refusal_that_is_not_the_api_servers_is_one_too(server: Server, client: KubeClient, body: str) -> None:
    server.answer = says(502, body)
    with pytest.raises(ApiError) as refused:
        await client.get_bytes("/x")
    assert refused.value.status == 502
    assert "html" not in str(refused.value)
    # And the connection is no worse for it.
    server.answer = says(200, "{}")
    assert await client.get_json("/x") == {}


@pytest.mark.parametrize(("value", "seconds"), [("7", 7.0), ("0", 0.0), ("soon", 0.0), ("-1", 0.0), ("99999", 600.0)])
async def test_retry_after(server: Server, client: KubeClient, value: str, seconds: float) -> None:
    server.answer = says(429, STATUS, Retry_After=value)
    with pytest.raises(ApiError) as refused:
        await client.get_json("/x")
    assert refused.value.retry_after_s == seconds


async def test_410_and_a_version_too_large_are_told_apart(server: Server, client: KubeClient) -> None:
    server.answer = says(410, '{"reason":"Expired"}')
    with pytest.raises(ApiError) as refused:
        await client.get_json("/x")
    assert refused.value.is_expired
    server.answer = says(504, '{"reason":"Timeout","message":"Timeout: Too large resource version: 9, current: 1"}')
    with pytest.raises(ApiError) as refused:
        await client.get_json("/x")
    assert refused.value.is_version_too_large
    assert not refused.value.is_expired


async def test_no_redirect_is_followed(server: Server, client: KubeClient) -> None:
    server.answer = says(307, Location="http://127.0.0.1:9/elsewhere")
    with pytest.raises(ApiError) as refused:
        await client.get_json("/x")
    assert refused.value.status == 307
    assert len(server.requests) == 1


async def test_no_cookie_is_kept(server: Server, client: KubeClient) -> None:
    server.answer = says(200, "{}", Set_Cookie="a=b")
    await client.get_json("/x")
    await client.get_json("/x")
    assert "Cookie" not in server.requests[1].headers


@pytest.mark.parametrize("body", ["", "<html>", '{"a":', "[" * 100_000])
async def test_an_answer_that_is_not_json_is_no_answer(server: Server, client: KubeClient, body: str) -> None:
    server.answer = says(200, body)
    with pytest.raises(UnreachableError, match="not JSON"):
        await client.get_json("/x")


async def silence(_: web.Request) -> web.StreamResponse:
    await asyncio.Event().wait()
    raise AssertionError


async def stops_in_the_middle(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write(b'{"a":')
    await asyncio.Event().wait()
    raise AssertionError


@pytest.mark.parametrize("answer", [silence, stops_in_the_middle])
async def test_silence_is_not_waited_for(server: Server, client: KubeClient, answer: Answer) -> None:
    server.answer = answer
    with pytest.raises(UnreachableError, match="timed out"):
        await client.get_bytes("/x")
    with pytest.raises(UnreachableError, match="timed out"):
        await client.get_json("/x")
    with pytest.raises(UnreachableError, match="timed out"):
        async with client.stream_lines("/x", idle_timeout_s=0.2) as chunks:
            [lines async for lines in chunks]


async def test_nobody_there(server: Server, client: KubeClient) -> None:
    await client.check()
    await server.server.close()
    with pytest.raises(UnreachableError, match="GET /x"):
        await client.get_json("/x")


async def test_a_closed_client_says_so(server: Server) -> None:
    with pytest.raises(UnreachableError, match="closed"):
        await KubeClient(server).get_json("/x")


def streams(*chunks: bytes, abort: bool = False) -> Answer:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for chunk in chunks:
            await response.write(chunk)
        if abort:
            assert request.transport is not None
            request.transport.abort()
        return response

    return answer


async def read_lines(client: KubeClient) -> list[bytes]:
    async with client.stream_lines("/x", idle_timeout_s=5.0) as chunks:
        return [line async for lines in chunks for line in lines]


async def test_lines_come_whole(server: Server, client: KubeClient) -> None:
    server.answer = streams(b"on", b"e\ntwo\nth", b"ree\n")
    assert await read_lines(client) == [b"one", b"two", b"three"]


async def test_a_stream_that_ends_within_a_line_was_cut(server: Server, client: KubeClient) -> None:
    server.answer = streams(b"one\ntw")
    with pytest.raises(UnreachableError, match="middle of a line"):
        await read_lines(client)


async def test_a_stream_that_is_torn_down_was_cut(server: Server, client: KubeClient) -> None:
    server.answer = streams(b"one\n", abort=True)
    with pytest.raises(UnreachableError):
        await read_lines(client)


async def test_leaving_a_stream_closes_its_connection(server: Server, client: KubeClient) -> None:
    gone = asyncio.Event()

    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        assert request.transport is not None
        try:
            while not request.transport.is_closing():
                await response.write(b"line\n")
                await asyncio.sleep(0)
        finally:
            gone.set()
        return response

    server.answer = endless
    async with client.stream_lines("/x", idle_timeout_s=5.0) as chunks:
        assert await anext(chunks)
    async with asyncio.timeout(5):
        await gone.wait()


async def test_a_refused_stream_is_typed(server: Server, client: KubeClient) -> None:
    server.answer = says(422, '{"reason":"Invalid"}')
    with pytest.raises(ApiError) as refused:
        await read_lines(client)
    assert refused.value.status == 422

"""TLS passed through by its server name, unread, on real sockets and both loops."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import uvloop

from ingressd.proxy.limits import Limits
from ingressd.proxy.passthrough import PassThrough
from ingressd.proxy.proxy_protocol import Relays
from ingressd.proxy.verified_tls import ChosenTls, HelloChoices
from tests.support.client import Client
from tests.support.gateway import LocalGateway, https_host, local_gateway
from tests.support.origin import Script, Seen
from tests.support.origin import origin as running_origin
from tests.tls.authority import leaf
from tests.tls.hellos import real_hello
from tests.tls.peers import FakeTcp, Inner, Owner, client_context, server_context

Run = Callable[[Coroutine[Any, Any, None]], None]
on_both_loops = pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])

NAME = "pass.example"
HELLO = real_hello(NAME)
GET = b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"
MIB = 1 << 20


@asynccontextmanager
async def passing(script: Script, *, limits: Limits | None = None, idle_s: float = 60.0) -> AsyncIterator[LocalGateway]:
    """A gateway that passes ``NAME`` through to ``script``."""
    async with (
        running_origin() as web,
        running_origin(script) as backend,
        local_gateway(https_host([web.port]), limits=limits) as gateway,
    ):
        pass_name_to(gateway, backend.port, idle_s=idle_s)
        yield gateway


def pass_name_to(gateway: LocalGateway, port: int, *, idle_s: float = 60.0) -> None:
    target = PassThrough(gateway.gateway, "127.0.0.1", port, idle_s=idle_s)
    gateway.gateway.hellos = HelloChoices({NAME: target})


@contextmanager
def closing(writer: asyncio.StreamWriter) -> Iterator[None]:
    try:
        yield
    finally:
        writer.close()


async def connect(gateway: LocalGateway) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", gateway.https_port)


async def echo(seen: Seen) -> None:
    while data := await seen.reader.read(1 << 16):
        await seen.say(data)


@on_both_loops
def test_a_name_of_its_own_and_every_other(run: Run, tmp_path: Path) -> None:
    """The backend's own certificate behind its name; ours, and HTTP, behind any other and none."""
    pem = tmp_path / "backend.pem"
    pem.write_bytes(leaf("rsa").key_pem + leaf("rsa").pem)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(pem)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer):
            writer.write(await reader.readexactly(5))

    async def certificate_of(gateway: LocalGateway, name: str | None) -> tuple[bytes, bytes]:
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.https_port)
        with closing(writer):
            context = client_context()
            await writer.start_tls(context, server_hostname=name or "")
            seen = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
            if name == NAME:
                writer.write(b"hello")
                return seen, await reader.read()
            return seen, str((await Client(reader, writer).ask(GET)).status).encode()

    async def scenario() -> None:
        backend = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
        async with running_origin() as web, local_gateway(https_host([web.port])) as gateway:
            pass_name_to(gateway, backend.sockets[0].getsockname()[1])
            theirs, ours = (ssl.PEM_cert_to_DER_cert(made.pem.decode()) for made in (leaf("rsa"), leaf()))
            assert await certificate_of(gateway, NAME) == (theirs, b"hello")
            assert await certificate_of(gateway, "a.example") == (ours, b"200")
            assert await certificate_of(gateway, None) == (ours, b"200")
            gateway.gateway.hellos = None
            assert (await certificate_of(gateway, NAME.removesuffix("e")))[0] == ours
        backend.close()

    run(scenario())


@on_both_loops
@pytest.mark.parametrize("piece", [1, 100, 1 << 20])
def test_the_hello_is_replayed_however_it_came(run: Run, piece: int) -> None:
    sent = HELLO + b"and what the client says next"

    async def scenario() -> None:
        async with passing(echo) as gateway:
            reader, writer = await connect(gateway)
            with closing(writer):
                for start in range(0, len(sent), piece):
                    writer.write(sent[start : start + piece])
                    await asyncio.sleep(0)
                assert await reader.readexactly(len(sent)) == sent

    run(scenario())


@on_both_loops
def test_16_mib_there_and_back(run: Run) -> None:
    sent = HELLO + bytes(range(256)) * (16 * MIB // 256)

    async def scenario() -> None:
        async with passing(echo) as gateway:
            reader, writer = await connect(gateway)
            with closing(writer):
                writer.write(sent)
                assert await reader.readexactly(len(sent)) == sent

    run(scenario())


@on_both_loops
def test_each_direction_ends_by_itself(run: Run) -> None:
    async def hears_all_then_answers(seen: Seen) -> None:
        heard = await seen.reader.read()
        await seen.say(b"%d bytes" % len(heard))

    async def says_all_then_hears(seen: Seen) -> None:
        await seen.say(b"said")
        seen.writer.write_eof()
        assert await seen.reader.readexactly(len(HELLO) + 4) == HELLO + b"more"
        ended[0].set_result(await seen.reader.read())

    async def scenario() -> None:
        ended.append(asyncio.get_running_loop().create_future())
        async with passing(hears_all_then_answers) as gateway:
            reader, writer = await connect(gateway)
            with closing(writer):
                writer.write(HELLO)
                writer.write_eof()
                assert await reader.read() == b"%d bytes" % len(HELLO)
        async with passing(says_all_then_hears) as gateway:
            reader, writer = await connect(gateway)
            with closing(writer):
                writer.write(HELLO)
                assert await reader.read() == b"said"
                writer.write(b"more")
                writer.write_eof()
                assert await ended[0] == b""

    ended: list[asyncio.Future[bytes]] = []
    run(scenario())


async def _resets(seen: Seen) -> None:
    await seen.reader.readexactly(len(HELLO))
    seen.reset()


@on_both_loops
def test_a_reset_ends_the_other_side_too(run: Run) -> None:
    async def scenario() -> None:
        async with passing(_resets) as gateway:
            reader, writer = await connect(gateway)
            with closing(writer):
                writer.write(HELLO)
                await _ends(reader.read())

    run(scenario())


@on_both_loops
def test_who_cannot_be_reached(run: Run) -> None:
    async def scenario() -> None:
        async with local_gateway(https_host([1])) as gateway:
            pass_name_to(gateway, 1)
            reader, writer = await connect(gateway)
            with closing(writer):
                writer.write(HELLO)
                await _ends(reader.read())
            assert gateway.rejected() == {"passthrough_connect_failed": 1}

    run(scenario())


async def _ends(reading: Awaitable[bytes]) -> None:
    """The connection is closed, one way or the other, and nothing was said."""
    with suppress(ConnectionResetError):
        assert await reading == b""


async def test_who_leaves_before_the_endpoint_answers() -> None:
    async with passing(echo) as gateway:
        endpoint = SwitchingTcp()

        async def connect_at_last(make: Callable[[], asyncio.Protocol], *_: object) -> None:
            client.protocol.connection_lost(None)
            endpoint.attach(make())
            connected.set()

        connected = asyncio.Event()
        gateway.gateway.loop = Loop(gateway.gateway.loop, connect_at_last)  # type: ignore[assignment]
        client = SwitchingTcp()
        PassThrough(gateway.gateway, "192.0.2.9", 443).take_over(client, HELLO)
        await connected.wait()
        await asyncio.sleep(0)
        assert endpoint.aborted
        assert endpoint.written == []
        assert gateway.gateway.connections == set()


@on_both_loops
def test_what_nobody_uses_is_closed(run: Run) -> None:
    async def scenario() -> None:
        async with passing(echo, idle_s=0.0) as gateway:
            reader, writer = await connect(gateway)
            with closing(writer):
                writer.write(HELLO)
                assert await reader.readexactly(len(HELLO)) == HELLO
                await _ends(reader.read())
            assert gateway.gateway.active == 0
            assert gateway.gateway.connections == set()

    run(scenario())


@on_both_loops
def test_it_counts_as_a_connection_of_its_client(run: Run) -> None:
    async def scenario() -> None:
        async with passing(echo, limits=Limits(connections_per_client=1)) as gateway:
            (reader, writer), (second_reader, second) = await connect(gateway), await connect(gateway)
            with closing(writer), closing(second):
                writer.write(HELLO)
                assert await reader.readexactly(len(HELLO)) == HELLO
                assert gateway.gateway.active == len(gateway.gateway.connections) == 1
                second.write(HELLO)
                await _ends(second_reader.read())
            assert gateway.rejected() == {"too_many_connections_of_client": 1}

    run(scenario())


@on_both_loops
def test_behind_proxy_protocol(run: Run) -> None:
    async def scenario() -> None:
        async with passing(echo) as gateway:
            gateway.gateway.relays = Relays()
            reader, writer = await connect(gateway)
            with closing(writer):
                writer.write(b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n" + HELLO)
                assert await reader.readexactly(len(HELLO)) == HELLO

    run(scenario())


@on_both_loops
def test_a_drain_that_is_over_cuts_it(run: Run) -> None:
    async def scenario() -> None:
        async with passing(echo) as gateway:
            reader, writer = await connect(gateway)
            with closing(writer):
                writer.write(HELLO)
                assert await reader.readexactly(len(HELLO)) == HELLO
                for connection in list(gateway.gateway.connections):
                    connection.close_when_idle()
                writer.write(b"still here")
                assert await reader.readexactly(10) == b"still here"
                gateway.gateway.abort_all()
                await _ends(reader.read())

    run(scenario())


# ── without sockets ──


class SwitchingTcp(FakeTcp):
    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        assert isinstance(protocol, asyncio.Protocol)
        self.protocol = protocol


@pytest.mark.parametrize("error", [None, ConnectionResetError()])
async def test_whoever_cannot_keep_up_pauses_the_other(error: Exception | None) -> None:
    async with passing(echo) as gateway:
        joined: list[SwitchingTcp] = []

        async def connect_to_a_fake(make: Callable[[], asyncio.Protocol], *_: object) -> None:
            joined.append(SwitchingTcp(limit=1000))
            joined[0].attach(make())
            connected.set()

        connected = asyncio.Event()
        gateway.gateway.loop = Loop(gateway.gateway.loop, connect_to_a_fake)  # type: ignore[assignment]
        client = SwitchingTcp(limit=1000)
        PassThrough(gateway.gateway, "192.0.2.9", 443).take_over(client, HELLO)
        assert is_paused(client)
        await connected.wait()
        await asyncio.sleep(0)
        [endpoint] = joined
        assert endpoint.written == [HELLO]
        assert not is_paused(client)
        for reader, writer in ((client, endpoint), (endpoint, client)):
            writer.takes_everything = False
            reader.protocol.data_received(b"x" * 1001)
            assert is_paused(reader)
            writer.drain()
            assert not is_paused(reader)
        client.protocol.connection_lost(error)
        assert endpoint.closed
        assert endpoint.aborted is (error is not None)
        endpoint.protocol.connection_lost(None)
        assert gateway.gateway.connections == set()


def is_paused(tcp: FakeTcp) -> bool:
    return tcp.is_paused


class Loop:
    """A loop that connects elsewhere."""

    def __init__(self, loop: asyncio.AbstractEventLoop, connect: Callable[..., Awaitable[None]]) -> None:
        self._loop = loop
        self.create_connection = connect

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)


PLAIN = {
    "plain HTTP": (GET, ["plain_http"], Owner.answer),
    "noise": (b"\0\1\2", ["not_tls"], b""),
    "a hello that is none": (b"\x16\x03\x01\0\5\1\0\0\1\0", ["protocol_error"], None),
}


@pytest.mark.parametrize(("data", "ended", "answer"), PLAIN.values(), ids=PLAIN)
async def test_what_is_no_hello_ends_as_ever(data: bytes, ended: list[str], answer: bytes | None) -> None:
    """Even when whatever has no name is to be passed through: this has not asked for it."""
    async with passing(echo) as gateway:
        otherwise = PassThrough(gateway.gateway, "127.0.0.1", 1)
        owner, tcp = Owner(), SwitchingTcp()
        transport = ChosenTls(server_context(), Inner, owner, HelloChoices({}, otherwise))
        tcp.attach(transport)
        for byte in data:
            transport.data_received(bytes([byte]))
        transport.connection_lost(None)
        assert owner.ended == ended
        assert answer is None or b"".join(tcp.written) == answer


def test_choices() -> None:
    one, two, three = (PassThrough(None, name, 1) for name in "abc")  # type: ignore[arg-type]
    choices = HelloChoices({"a.example": one, "*.example": two, "b.example": None, "*.b.example": None}, three)
    expected = {
        "a.example": one,
        "b.example": None,
        "c.example": two,
        "x.a.example": three,
        "x.b.example": None,
        "example": three,
        "": three,
    }
    assert {name: choices.choose(name) for name in expected} == expected
    assert not choices.is_empty
    assert HelloChoices({"a.example": None}).is_empty
    assert HelloChoices({"*.example": two}).choose("") is None


@on_both_loops
def test_without_an_endpoint_the_connection_is_closed(run: Run) -> None:
    async def scenario() -> None:
        async with running_origin() as web, local_gateway(https_host([web.port])) as gateway:
            gateway.gateway.hellos = HelloChoices({NAME: PassThrough(gateway.gateway, "", 0)})
            reader, writer = await connect(gateway)
            with closing(writer), suppress(ConnectionError):
                writer.write(HELLO)
                assert await reader.read() == b""
            assert gateway.rejected()["passthrough_no_endpoint"] == 1

    run(scenario())

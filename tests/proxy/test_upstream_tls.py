"""Connections to TLS backends, over real sockets, to servers made of ``ssl``."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import cache
from typing import Any, cast

import pytest

from ingressd.errors import UpstreamError
from ingressd.proxy import upstream_tls
from ingressd.proxy.upstream_tls import ClientTls, EndpointTls, connect_tls
from ingressd.tls.client import UpstreamTls
from tests.tls.authority import Issued, issue, new_key

ALWAYS = (-3650, 36500)  # these are verified against today's date
EACH_VERSION = pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])


@cache
def root() -> Issued:
    return issue("backend root", new_key("p256", 11), ca=True, days=ALWAYS)


@cache
def chain(length: int, *names: str) -> tuple[Issued, bytes]:
    """A leaf with ``length`` authorities between it and the root, and its chain in PEM."""
    issuer = root()
    pems: list[bytes] = []
    for number in range(length):
        issuer = issue(f"between {number}", new_key("p256", 20 + number), issuer=issuer, ca=True, days=ALWAYS)
        pems.insert(0, issuer.pem)
    end = issue("backend", new_key("p256", 12), issuer=issuer, names=names or ("shop.example",), days=ALWAYS)
    return end, b"".join([end.pem, *pems])


class Backend:
    """Answers each read with what it got in upper case; notes what each connection brought along."""

    def __init__(
        self, tmp_path_factory: pytest.TempPathFactory, *, length: int = 0, names: tuple[str, ...] = ()
    ) -> None:
        end, pem = chain(length, *names)
        path = tmp_path_factory.mktemp("backend") / "pair.pem"
        path.write_bytes(end.key_pem + pem)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(path)
        self.names: list[str | None] = []
        self.context.sni_callback = lambda connection, name, context: self.names.append(name)
        self.connections: list[tuple[bool, dict[str, Any]]] = []
        self.writers: list[asyncio.StreamWriter] = []
        self.serving: list[asyncio.Task[object]] = []
        self.clients: list[Inner] = []
        self.address = ("", 0)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = writer.get_extra_info("ssl_object")
        self.serving.append(cast("asyncio.Task[object]", asyncio.current_task()))
        self.connections.append((connection.session_reused, connection.getpeercert() or {}))
        self.writers.append(writer)
        with contextlib.suppress(OSError):
            while data := await reader.read(1 << 16):
                writer.write(data.upper())
                await writer.drain()
        await close(writer)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Backend"]:
        server = await asyncio.start_server(self.serve, "127.0.0.1", 0, ssl=self.context)
        self.address = server.sockets[0].getsockname()
        yield self
        server.close()
        for client in self.clients:
            client.transport.abort()
            await client.lost
        await asyncio.gather(*self.serving)


async def close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


class Inner(asyncio.Protocol):
    def __init__(self) -> None:
        self.received = b""
        self.wanted = 0
        self.arrived = asyncio.Event()
        self.lost: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()
        self.truncated: bool | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, ClientTls)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.received += data
        if len(self.received) >= self.wanted:
            self.arrived.set()

    def eof_received(self) -> None:
        self.truncated = self.transport.truncated

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set_result(exc)

    async def ask(self, data: bytes) -> bytes:
        self.received, self.wanted = b"", len(data)
        self.arrived.clear()
        self.transport.write(data)
        await self.arrived.wait()
        return self.received


async def connected(backend: Backend, tls: EndpointTls, timeout_s: float = 30.0) -> Inner:
    inner = Inner()
    transport = await connect_tls(asyncio.get_running_loop(), inner, *backend.address[:2], tls, timeout_s)
    assert inner.transport is transport
    backend.clients.append(inner)
    return inner


async def refused(backend: Backend, profile: UpstreamTls) -> str:
    with pytest.raises(UpstreamError) as caught:
        await connected(backend, EndpointTls(profile))
    assert caught.value.reason == "tls_handshake_failed"
    assert caught.value.unheard
    return caught.value.detail


@pytest.fixture
def make_backend(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Backend]:
    return lambda **options: Backend(tmp_path_factory, **options)


@EACH_VERSION
async def test_nothing_verified_no_name_sent(make_backend: Callable[..., Backend], version: str) -> None:
    async with make_backend().running() as backend:
        inner = await connected(backend, EndpointTls(UpstreamTls(protocols=(version,), name="shop.example")))
        assert await inner.ask(b"hello") == b"HELLO"
        assert await inner.ask(b"a" * 300_000) == b"A" * 300_000
        assert inner.transport.ssl_object.version() == version
        assert backend.names == [None]
        inner.transport.close()
        assert await inner.lost is None


@EACH_VERSION
@pytest.mark.parametrize("server_name", [True, False])
async def test_a_verified_backend(make_backend: Callable[..., Backend], version: str, server_name: bool) -> None:
    profile = UpstreamTls(
        verify=True, name="shop.example", server_name=server_name, protocols=(version,), ca_pem=root().pem
    )
    async with make_backend().running() as backend:
        inner = await connected(backend, EndpointTls(profile))
        assert await inner.ask(b"hello") == b"HELLO"
        assert backend.names == ["shop.example" if server_name else None]
        inner.transport.abort()
        await inner.lost


@EACH_VERSION
@pytest.mark.parametrize("server_name", [True, False])
async def test_another_name(make_backend: Callable[..., Backend], version: str, server_name: bool) -> None:
    profile = UpstreamTls(
        verify=True, name="cart.example", server_name=server_name, protocols=(version,), ca_pem=root().pem
    )
    async with make_backend().running() as backend:
        assert "cart.example" in await refused(backend, profile)


async def test_another_authority(make_backend: Callable[..., Backend]) -> None:
    stranger = issue("stranger", new_key("p256", 13), ca=True, days=ALWAYS)
    async with make_backend().running() as backend:
        why = await refused(backend, UpstreamTls(verify=True, name="shop.example", ca_pem=stranger.pem))
        assert "not trusted" in why


@pytest.mark.parametrize(("length", "depth", "allowed"), [(0, 0, True), (1, 1, True), (1, 0, False), (3, 2, False)])
async def test_depth(make_backend: Callable[..., Backend], length: int, depth: int, allowed: bool) -> None:
    profile = UpstreamTls(verify=True, name="shop.example", ca_pem=root().pem, verify_depth=depth)
    async with make_backend(length=length).running() as backend:
        if allowed:
            assert await (await connected(backend, EndpointTls(profile))).ask(b"a") == b"A"
        else:
            assert f"{length} certificates" in await refused(backend, profile)


async def test_our_certificate_is_shown_when_asked_for(make_backend: Callable[..., Backend]) -> None:
    ours = issue("proxy", new_key("p256", 14), issuer=root(), names=["proxy.example"], days=ALWAYS)
    backend = make_backend()
    backend.context.verify_mode = ssl.CERT_REQUIRED
    backend.context.load_verify_locations(cadata=root().pem.decode())
    async with backend.running():
        inner = await connected(backend, EndpointTls(UpstreamTls(chain_pem=ours.pem, key_pem=ours.key_pem)))
        assert await inner.ask(b"a") == b"A"
        assert backend.connections[0][1]["subjectAltName"] == (("DNS", "proxy.example"),)
        assert await refused(backend, UpstreamTls(protocols=("TLSv1.2",)))


@EACH_VERSION
@pytest.mark.parametrize("closed", ["open", "close", "abort"])
async def test_sessions_are_resumed(make_backend: Callable[..., Backend], version: str, closed: str) -> None:
    """Whatever has become of the connection they come from."""
    tls = EndpointTls(UpstreamTls(verify=True, name="shop.example", protocols=(version,), ca_pem=root().pem))
    async with make_backend().running() as backend:
        for _ in range(3):
            inner = await connected(backend, tls)
            assert await inner.ask(b"a") == b"A"
            if closed != "open":
                getattr(inner.transport, closed)()
                await inner.lost
        assert [reused for reused, _ in backend.connections] == [False, True, True]


async def test_sessions_end_an_hour_after_the_certificate_was_verified(
    make_backend: Callable[..., Backend], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr(upstream_tls, "monotonic", lambda: now[0])
    tls = EndpointTls(UpstreamTls())
    async with make_backend().running() as backend:
        for now[0] in (1000.0, 4000.0, 4601.0, 4700.0):
            inner = await connected(backend, tls)
            await inner.ask(b"a")
        assert [reused for reused, _ in backend.connections] == [False, True, False, True]


async def test_who_refuses_a_session_is_offered_none_for_a_minute(
    make_backend: Callable[..., Backend], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr(upstream_tls, "monotonic", lambda: now[0])
    tls, offered = EndpointTls(UpstreamTls()), []
    async with make_backend().running() as before, make_backend().running() as restarted:
        for now[0], backend in (
            (1000.0, before),
            (1001.0, before),
            (1002.0, restarted),  # it has other keys
            (1003.0, restarted),
            (1061.0, restarted),
            (1062.5, restarted),
        ):
            inner = await connected(backend, tls)
            await inner.ask(b"a")
            offered.append(inner.transport.offered)
        assert offered == [False, True, True, False, False, True]
        assert [reused for reused, _ in restarted.connections] == [False, False, False, True]


async def test_two_profiles_share_no_session(make_backend: Callable[..., Backend]) -> None:
    async with make_backend().running() as backend:
        for profile in (UpstreamTls(), UpstreamTls(name="other")):
            inner = await connected(backend, EndpointTls(profile))
            await inner.ask(b"a")
        assert [reused for reused, _ in backend.connections] == [False, False]


async def test_how_the_other_side_ends(make_backend: Callable[..., Backend]) -> None:
    async with make_backend().running() as backend:
        for said in (True, False):
            inner = await connected(backend, EndpointTls(UpstreamTls()))
            await inner.ask(b"a")
            if said:
                backend.writers[-1].close()
            else:
                backend.writers[-1].get_extra_info("socket")._sock.shutdown(socket.SHUT_WR)
            lost = await inner.lost
            assert inner.truncated is (not said)
            assert lost is None if said else isinstance(lost, ssl.SSLEOFError)


# ── what is no TLS backend ──


@asynccontextmanager
async def listening(answer: bytes | None, accepted: asyncio.Event | None = None) -> AsyncIterator[tuple[str, int]]:
    """Accepts; says ``answer`` to the first bytes and closes; None: is silent."""
    serving: list[asyncio.Task[object]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.append(cast("asyncio.Task[object]", asyncio.current_task()))
        while await reader.read(1 << 16) and answer is None:
            if accepted is not None:
                accepted.set()
        writer.write(answer or b"")
        await close(writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()
    server.close()
    await asyncio.gather(*serving)


@pytest.mark.parametrize(
    ("answer", "why"), [(b"HTTP/1.1 400 Bad Request\r\n\r\n", "WRONG_VERSION_NUMBER"), (b"", "closed during")]
)
async def test_an_endpoint_without_tls(answer: bytes, why: str) -> None:
    async with listening(answer) as address:
        with pytest.raises(UpstreamError, match=why) as caught:
            await connect_tls(
                asyncio.get_running_loop(), Inner(), address[0], address[1], EndpointTls(UpstreamTls()), 30.0
            )
        assert caught.value.reason == "tls_handshake_failed"


async def test_an_endpoint_that_is_silent() -> None:
    async with listening(None) as address:
        with pytest.raises(UpstreamError, match=r"within 0\.05 s") as caught:
            await connect_tls(asyncio.get_running_loop(), Inner(), *address, EndpointTls(UpstreamTls()), 0.05)
        assert caught.value.reason == "tls_handshake_timeout"
        assert caught.value.unheard


async def test_whoever_waits_may_leave() -> None:
    accepted = asyncio.Event()
    async with listening(None, accepted) as address:
        inner = Inner()
        loop = asyncio.get_running_loop()
        waiting = loop.create_task(connect_tls(loop, inner, address[0], address[1], EndpointTls(UpstreamTls()), 30.0))
        await accepted.wait()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting


async def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        address = closed.getsockname()
    with pytest.raises(UpstreamError) as caught:
        await connect_tls(asyncio.get_running_loop(), Inner(), address[0], address[1], EndpointTls(UpstreamTls()), 30.0)
    assert caught.value.reason == "connect_failed"

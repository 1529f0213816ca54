"""The admin server over real sockets: what it answers, and what it does not let happen."""

import asyncio
import gzip
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from ingressd.telemetry import admin_connection
from ingressd.telemetry.admin import AdminServer

API = ["routes", "backends", "certificates", "findings", "status"]
PATHS = ["/healthz", "/readyz", "/metrics", *(f"/api/{name}" for name in API)]
CANARY = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIGNhbmFyeQ==\n-----END PRIVATE KEY-----\n"


@dataclass
class View:
    """An AdminView whose answers a test can change."""

    health: tuple[bool, str] = (True, "ok")
    readiness: tuple[bool, str] = (True, "ok")
    shown: dict[str, Any] = field(default_factory=lambda: {name: [{"name": name}] for name in API})
    error: Exception | None = None
    gate: asyncio.Event | None = None
    text: bytes = b"# HELP up 1 when up.\n# TYPE up gauge\nup 1\n"
    arrivals: asyncio.Queue[None] = field(default_factory=asyncio.Queue)
    rendering: int = 0
    most_rendering: int = 0

    async def healthy(self) -> tuple[bool, str]:
        await self._pass()
        return self.health

    async def ready(self) -> tuple[bool, str]:
        await self._pass()
        return self.readiness

    async def metrics(self) -> bytes:
        self.rendering += 1
        self.most_rendering = max(self.most_rendering, self.rendering)
        try:
            await self._pass()
        finally:
            self.rendering -= 1
        return self.text

    async def _pass(self) -> None:
        self.arrivals.put_nowait(None)
        if self.error is not None:
            raise self.error
        if self.gate is not None:
            await self.gate.wait()

    def _show(self, name: str) -> object:
        if self.error is not None:
            raise self.error
        return self.shown[name]

    def routes(self) -> object:
        return self._show("routes")

    def backends(self) -> object:
        return self._show("backends")

    def certificates(self) -> object:
        return self._show("certificates")

    def findings(self) -> object:
        return self._show("findings")

    def status(self) -> object:
        return self._show("status")


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


class Client:
    """One connection, speaking plain HTTP/1.1 so that nothing is made nicer on the way."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def ask(self, path: str, *, method: str = "GET", headers: str = "") -> Answer:
        self.send(f"{method} {path} HTTP/1.1\r\nHost: admin\r\n{headers}\r\n".encode())
        return await self.answer(has_body=method != "HEAD")

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def answer(self, *, has_body: bool = True) -> Answer:
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
        body = await self.reader.readexactly(int(headers["content-length"])) if has_body else b""
        return Answer(int(head[0].split()[1]), headers, body)


Connect = Callable[[], Awaitable[Client]]
Serve = Callable[..., Awaitable[Connect]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    servers: list[AdminServer] = []
    clients: list[Client] = []

    async def start(view: View, **bounds: Any) -> Connect:
        listener = socket.create_server(("127.0.0.1", 0))
        server = AdminServer(view, listener, **bounds)
        await server.start()
        servers.append(server)
        address = listener.getsockname()

        async def connect() -> Client:
            clients.append(Client(*await asyncio.open_connection(*address)))
            return clients[-1]

        return connect

    yield start
    for client in clients:
        client.writer.close()
    for server in servers:
        await server.close()


@pytest.fixture
async def client(serve: Serve) -> Client:
    return await (await serve(View()))()


@pytest.mark.parametrize("name", API)
async def test_api_is_json(client: Client, name: str) -> None:
    answer = await client.ask(f"/api/{name}")
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert json.loads(answer.body) == [{"name": name}]


async def test_metrics_have_the_content_type_of_the_text_format(client: Client) -> None:
    answer = await client.ask("/metrics")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert answer.body == View().text


async def test_healthy_and_ready(client: Client) -> None:
    for path in ("/healthz", "/readyz"):
        answer = await client.ask(path)
        assert (answer.status, answer.body) == (200, b"ok\n")


async def test_not_healthy_and_not_ready_say_why_in_one_line(serve: Serve) -> None:
    view = View(health=(False, "worker 1\ndoes not answer"), readiness=(False, "draining"))
    client = await (await serve(view))()
    health, readiness = await client.ask("/healthz"), await client.ask("/readyz")
    assert (health.status, health.body) == (503, b"worker 1 does not answer\n")
    assert (readiness.status, readiness.body) == (503, b"draining\n")


@pytest.mark.parametrize("path", PATHS)
async def test_head_is_get_without_the_body(client: Client, path: str) -> None:
    got = await client.ask(path)
    asked = await client.ask(path, method="HEAD")
    again = await client.ask(path)  # nothing of a body was sent in between
    assert asked.status == got.status == again.status == 200
    for name in ("content-type", "content-length"):
        assert asked.headers[name] == got.headers[name]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
@pytest.mark.parametrize("path", PATHS)
async def test_nothing_can_be_changed(client: Client, path: str, method: str) -> None:
    answer = await client.ask(path, method=method, headers="Content-Length: 0\r\n")
    assert answer.status == 405
    assert answer.headers["allow"] == "GET, HEAD"


@pytest.mark.parametrize(
    "path", ["/", "/healthz/", "/api", "/api/secrets", "/..%2f..%2fetc/passwd", "/metrics%00", "//"]
)
async def test_other_paths_are_404_and_say_which_exist(client: Client, path: str) -> None:
    answer = await client.ask(path)
    assert answer.status == 404
    assert answer.headers["content-type"] == "application/json"
    assert json.loads(answer.body)["paths"] == sorted(PATHS)


async def test_a_query_changes_nothing(client: Client) -> None:
    assert (await client.ask("/healthz?verbose")).status == 200


async def test_answers_name_no_version_and_are_not_stored(client: Client) -> None:
    for path in (*PATHS, "/missing"):
        answer = await client.ask(path)
        assert answer.headers["server"] == "ingressd"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", PATHS)
async def test_an_error_of_the_view_is_one_line(serve: Serve, path: str, caplog: pytest.LogCaptureFixture) -> None:
    view = View(error=RuntimeError(f"boom {CANARY}"))
    client = await (await serve(view))()
    answer = await client.ask(path)
    assert answer.status == 500
    assert answer.body.count(b"\n") == 1
    assert b"Traceback" not in answer.body
    assert b"boom" not in answer.body
    assert f"{path} failed" in caplog.text

    view.error = None
    assert (await client.ask(path)).status == 200


@pytest.mark.parametrize("name", API)
@pytest.mark.parametrize(
    "leak",
    [
        {"tls.key": CANARY},
        [CANARY.replace("PRIVATE", "EC PRIVATE")],
        {CANARY: 1},
        CANARY.replace("\n", ""),
    ],
)
async def test_a_private_key_never_leaves(serve: Serve, name: str, leak: object) -> None:
    client = await (await serve(View(shown={name: leak})))()
    answer = await client.ask(f"/api/{name}")
    assert answer.status == 500
    assert b"KEY" not in answer.body
    assert b"canary" not in answer.body
    assert b"MC4C" not in answer.body


@pytest.mark.parametrize("value", [b"bytes", {"key": b"bytes"}, object(), {1: "a key that is no text"}])
async def test_what_is_not_json_is_an_error_and_not_guessed(serve: Serve, value: object) -> None:
    client = await (await serve(View(shown={"status": value})))()
    assert (await client.ask("/api/status")).status == 500


async def test_a_view_that_hangs_is_503(serve: Serve) -> None:
    view = View(gate=asyncio.Event())
    client = await (await serve(view, view_timeout_s=0.01))()
    answer = await client.ask("/healthz")
    assert (answer.status, answer.body) == (503, b"/healthz took longer than 0.01 s\n")


async def test_a_scrape_that_hangs_does_not_hold_health(serve: Serve) -> None:
    view = View(gate=asyncio.Event())
    connect = await serve(view)
    scraper, probe = await connect(), await connect()
    scraper.send(b"GET /metrics HTTP/1.1\r\nHost: admin\r\n\r\n")
    await view.arrivals.get()
    assert (await probe.ask("/api/status")).status == 200
    assert view.gate is not None
    view.gate.set()
    assert (await scraper.answer()).status == 200


async def test_scrapes_at_once_render_one_after_the_other(serve: Serve) -> None:
    view = View(gate=asyncio.Event())
    connect = await serve(view)
    scrapers = [await connect() for _ in range(5)]
    waiting = [asyncio.ensure_future(scraper.ask("/metrics")) for scraper in scrapers]  # noqa: TID251
    assert (await (await connect()).ask("/api/status")).status == 200  # they have all been read by now
    assert view.gate is not None
    view.gate.set()
    assert [answer.status for answer in await asyncio.gather(*waiting)] == [200] * 5
    assert view.most_rendering == 1


async def test_long_answers_are_compressed_for_who_asks(serve: Serve) -> None:
    view = View(text=b"up 1\n" * 100_000)
    client = await (await serve(view))()
    plain = await client.ask("/metrics")
    client.send(b"GET /metrics HTTP/1.1\r\nHost: admin\r\nAccept-Encoding: gzip\r\n\r\n")
    packed = await client.answer()
    assert plain.body == view.text
    assert packed.headers["content-encoding"] == "gzip"
    assert len(packed.body) < len(view.text) / 10
    assert gzip.decompress(packed.body) == view.text


@pytest.mark.parametrize(
    "request_head",
    [
        b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: admin\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: admin\r\nX: " + b"a" * 20_000 + b"\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",  # somebody speaks TLS
    ],
)
async def test_a_bad_or_huge_head_is_400_and_the_server_goes_on(
    serve: Serve, request_head: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    connect = await serve(View())
    client = await connect()
    client.send(request_head)
    answer = await client.answer()
    assert (answer.status, answer.body) == (400, b"bad request\n")
    assert answer.headers["server"] == "ingressd"
    assert caplog.text == ""  # anybody can send this: no line per attempt
    assert (await (await connect()).ask("/healthz")).status == 200


async def test_a_body_is_not_waited_for(client: Client) -> None:
    answer = await client.ask("/healthz", method="POST", headers="Content-Length: 1000000\r\n")
    assert answer.status == 405
    assert await client.reader.read() == b""  # closed: the rest would be read as a request


async def test_when_full_the_oldest_idle_connection_makes_room(serve: Serve) -> None:
    connect = await serve(View(), max_connections=3)
    holders = [await connect() for _ in range(3)]
    for holder in holders:
        assert (await holder.ask("/healthz")).status == 200
    probe = await connect()
    assert (await probe.ask("/healthz")).status == 200
    with pytest.raises((asyncio.IncompleteReadError, ConnectionResetError)):
        await holders[0].ask("/healthz")
    assert (await holders[1].ask("/healthz")).status == 200


async def test_when_all_are_busy_one_more_is_refused(serve: Serve) -> None:
    view = View(gate=asyncio.Event())
    connect = await serve(view, max_connections=2)
    busy = [await connect() for _ in range(2)]
    for holder in busy:
        holder.send(b"GET /readyz HTTP/1.1\r\nHost: admin\r\n\r\nGET /healthz HTTP/1.1\r\nHost: admin\r\n\r\n")
        await view.arrivals.get()
    refused = await connect()
    answer = await refused.answer()
    assert (answer.status, answer.body) == (503, b"too many connections\n")
    assert view.gate is not None
    view.gate.set()
    for holder in busy:
        assert [(await holder.answer()).status for _ in range(2)] == [200, 200]
    assert (await (await connect()).ask("/healthz")).status == 200


async def test_a_connection_without_a_request_is_closed(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admin_connection, "HEAD_TIMEOUT_S", 0.01)
    connect = await serve(View())
    silent, slow = await connect(), await connect()
    slow.send(b"GET /healthz HT")
    for client in (silent, slow):
        with pytest.raises((asyncio.IncompleteReadError, ConnectionResetError)):
            await client.answer()


async def test_a_reader_that_does_not_read_is_cut_off(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = asyncio.Event()
    lose = admin_connection.Connection.connection_lost

    def connection_lost(self: admin_connection.Connection, exc: BaseException | None) -> None:
        gone.set()
        lose(self, exc)

    monkeypatch.setattr(admin_connection, "EXCHANGE_TIMEOUT_S", 0.01)
    monkeypatch.setattr(admin_connection.Connection, "connection_lost", connection_lost)
    client = await (await serve(View(text=b"up 1\n" * 10_000_000)))()
    client.send(b"GET /metrics HTTP/1.1\r\nHost: admin\r\n\r\n")  # and nobody reads the 50 MB
    await gone.wait()
    with pytest.raises((asyncio.IncompleteReadError, ConnectionResetError)):
        await client.answer()


async def test_closing_ends_idle_connections_and_the_listener(serve: Serve) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    server = AdminServer(View(), listener)
    await server.start()
    client = Client(*await asyncio.open_connection(*listener.getsockname()))
    address = listener.getsockname()
    assert (await client.ask("/healthz")).status == 200
    await server.close()
    await server.close()
    assert await client.reader.read() == b""
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(*address)
    client.writer.close()

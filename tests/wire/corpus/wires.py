"""A gateway between wires that lie in memory: what each side sends arrives in the pieces a test chose.

    wires = Wires(two_routes())
    outcome = await wires.run([b"GET / HT", b"TP/1.1\r\n..."])

One gateway serves any number of runs, as a worker does: what one client's message leaves behind must not change how
the next one's is read.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, cast

from ingressd.proxy.downstream import Downstream
from ingressd.proxy.limits import Limits
from ingressd.proxy.pool import LiveEndpoint
from ingressd.proxy.upstream import UpstreamConnection
from ingressd.routing.snapshot import ANY_HOST, Backend, Endpoint, Route, Snapshot, VirtualHost
from tests.support.gateway import LocalGateway, RecordingLog, make_gateway
from tests.wire.corpus.reading import Seen, check_head, first_request

CLIENT = "192.0.2.7"
PORTS = {1: "open", 2: "admin"}
_MADE_ID = re.compile(rb"(?<=\r\nX-Request-ID: )[0-9a-f]{32}(?=\r\n)")


def two_routes(ports: Mapping[int, str] = PORTS) -> Snapshot:
    """a.example: / to one backend, /admin to another. Any other host: everything to the first."""
    backends = {
        name: Backend(name, "default", name, "80", (Endpoint("127.0.0.1", port),)) for port, name in ports.items()
    }
    everything = Route("prefix", "/", "open", "default", "web", "open")
    guarded = Route("prefix", "/admin", "admin", "default", "web", "admin")
    hosts = (VirtualHost("a.example", (everything, guarded)), VirtualHost(ANY_HOST, (everything,)))
    return Snapshot(hosts={host.name: host for host in hosts}, backends=backends)


class Wire(asyncio.Transport):
    """One end of a connection: keeps what is written, remembers how it was closed."""

    def __init__(self, peer: tuple[str, int]) -> None:
        super().__init__()
        self.sent = bytearray()
        self.end = ""
        self.is_held = False
        self._peer = peer

    def write(self, data: Any) -> None:
        assert self.end != "eof", "written after the end of writing"
        if not self.end:
            self.sent += data

    def write_eof(self) -> None:
        self.end = self.end or "eof"

    def can_write_eof(self) -> bool:
        return True

    def close(self) -> None:
        if self.end in ("", "eof"):
            self.end = "closed"

    def abort(self) -> None:
        self.end = "aborted"

    def is_closing(self) -> bool:
        return self.end in ("closed", "aborted")

    def pause_reading(self) -> None:
        self.is_held = True

    def resume_reading(self) -> None:
        self.is_held = False

    def get_write_buffer_size(self) -> int:
        return 0

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return {"peername": self._peer, "sockname": ("192.0.2.1", 80)}.get(name, default)


class EndpointWire:
    """A connection to an endpoint: reads requests, and is asked what to say to each."""

    def __init__(self, wires: Wires, port: int, protocol: asyncio.Protocol) -> None:
        self.port = port
        self.wire = Wire(("127.0.0.1", port))
        self.protocol = protocol
        self.unread = b""
        self.requests = 0
        self.is_lost = False
        self._wires = wires
        protocol.connection_made(self.wire)

    def take(self) -> Seen | None:
        """The next complete request; fails when what came cannot be one."""
        if self.wire.sent:
            # Ids are made new each time: with one of our own, runs that say the same are read once.
            self.unread = _MADE_ID.sub(b"0" * 32, self.unread + bytes(self.wire.sent))
            self.wire.sent.clear()
        if not self.unread:
            return None
        found = first_request(self.unread)
        if found is None:
            check_head(self.unread)
            return None
        seen, size = found
        self.unread = self.unread[size:]
        self.requests += 1
        return seen

    def say(self, data: bytes) -> None:
        """Deliver bytes from the endpoint."""
        if data and not self.wire.is_closing() and not self.is_lost:
            self.protocol.data_received(data)

    def hang_up(self, error: Exception | None = None) -> None:
        """The endpoint closes (with ``error``: resets) the connection."""
        if self.is_lost:
            return
        if error is None and not self.wire.is_closing():
            self.protocol.eof_received()
        self.lose(error)

    def lose(self, error: Exception | None = None) -> None:
        if not self.is_lost:
            self.is_lost = True
            self.wire.close()
            self.protocol.connection_lost(error)


Script = Callable[[EndpointWire, Seen], None]


def echo(endpoint: EndpointWire, seen: Seen) -> None:
    """Answers name what was asked, so that a mixed-up answer cannot pass for a right one."""
    body = seen.method + b" " + seen.target
    length = b"Content-Length: %d\r\n\r\n" % len(body)
    endpoint.say(b"HTTP/1.1 200 OK\r\n" + length + (b"" if seen.method == b"HEAD" else body))


@dataclass(slots=True)
class Outcome:
    """``seen``: complete requests with the backend that got them. ``cut``: an endpoint got an incomplete one.

    ``end`` is how the client's connection was ended: "" not at all, ``eof``, ``closed`` or ``aborted``.
    """

    received: bytes = b""
    end: str = ""
    seen: list[tuple[str, Seen]] = field(default_factory=list)
    cut: bool = False
    dangling: bool = False
    logged: list[int] = field(default_factory=list)


class _Loop:
    """The running loop, except that connections to endpoints are wires."""

    def __init__(self, wires: Wires) -> None:
        self._wires = wires
        self.tasks: set[asyncio.Task[Any]] = set()

    def call_soon(self, work: Callable[..., object], *args: object) -> None:
        self._wires.soon.append(lambda: work(*args))

    def create_task(self, work: Any) -> asyncio.Task[Any]:
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    async def create_connection(
        self, factory: Callable[[], asyncio.Protocol], _host: str, port: int
    ) -> tuple[Wire, asyncio.Protocol]:
        protocol = factory()
        return self._wires.connect(port, protocol).wire, protocol


class Wires:
    """See the module's text. ``script`` answers requests; ``stock`` keeps an idle connection to each endpoint at hand,
    so that nothing has to wait for one.
    """

    def __init__(self, snapshot: Snapshot, *, script: Script = echo, stock: bool = True) -> None:
        self.soon: deque[Callable[[], object]] = deque()
        self._loop = _Loop(self)
        self.log = RecordingLog()
        loop = cast("asyncio.AbstractEventLoop", self._loop)
        self.local: LocalGateway = make_gateway(loop, snapshot, log=self.log, limits=Limits(reuse_for_all=True))
        self.gateway = self.local.gateway
        self.gateway.date = b"Sat, 21 Nov 2026 00:00:00 GMT"
        self.script = script
        self.endpoints: list[EndpointWire] = []
        self.is_stocked = stock
        self._live = self._find_endpoints() if stock else []

    def _find_endpoints(self) -> list[LiveEndpoint]:
        found: list[LiveEndpoint] = []
        for path in ("/", "/admin"):
            route = self.gateway.state.find("a.example", path)
            assert route.backend is not None
            found += route.backend.endpoints
        return found

    def connect(self, port: int, protocol: asyncio.Protocol) -> EndpointWire:
        """A new connection to an endpoint."""
        endpoint = EndpointWire(self, port, protocol)
        self.endpoints.append(endpoint)
        return endpoint

    def restock(self) -> None:
        """Two for each endpoint: after an answer that ends its connection, a request that waits is sent at once."""
        for live in self._live:
            for _ in range(2 - len(live.idle)):
                connection = UpstreamConnection(self.gateway, live)
                self.connect(live.port, connection)
                self.gateway.pool.lease(live, fresh=True)
                self.gateway.pool.release(live, connection, reusable=True)
                connection.rest(monotonic())

    async def run(self, pieces: Iterable[bytes], *, is_last: bool = False) -> Outcome:
        """One client connection that sends ``pieces``, each once what came of the one before has come.

        ``is_last``: the client then half-closes.
        """
        client = Client(self)
        for piece in pieces:
            await client.send(piece)
        if is_last:
            await client.half_close()
        return await client.leave()

    async def settle(self, outcome: Outcome) -> None:
        """Until nothing happens any more."""
        while self._step(outcome) or self._loop.tasks:
            if self._loop.tasks:
                await asyncio.sleep(0)

    def _step(self, outcome: Outcome) -> bool:
        moved = False
        while self.soon:
            self.soon.popleft()()
            moved = True
        for endpoint in list(self.endpoints):
            while (seen := endpoint.take()) is not None:
                outcome.seen.append((PORTS.get(endpoint.port, ""), seen))
                self.script(endpoint, seen)
                moved = True
            if endpoint.wire.is_closing() or endpoint.is_lost:
                outcome.cut = outcome.cut or bool(endpoint.unread)
                endpoint.lose()
                self.endpoints.remove(endpoint)
                moved = True
        if self.is_stocked:
            self.restock()
        return moved

    def rejected(self) -> Counter[str]:
        return Counter(self.gateway.stats.report().rejected)

    def close(self) -> None:
        """The worker ends: all it counted must add up."""
        for key in list(self.gateway.backends.keys()):
            self.gateway.backends.release(self.gateway.backends.remove(key))
        for endpoint in self.endpoints:
            endpoint.lose()
        assert not self.gateway.connections
        assert not self.gateway.pool.idle


class Client:
    """One client connection of ``Wires``."""

    def __init__(self, wires: Wires) -> None:
        self._wires = wires
        self._waiting: deque[bytes] = deque()
        self.outcome = Outcome()
        self.wire = Wire((CLIENT, 50000))
        if wires.is_stocked:
            wires.restock()
        self.down = Downstream(wires.gateway, b"http", b"80")
        self.down.connection_made(self.wire)

    async def send(self, data: bytes) -> None:
        """Bytes on their way; they wait while the gateway holds its reading."""
        self._waiting.append(data)
        await self._deliver()

    async def _deliver(self) -> None:
        while self._waiting and not self.wire.is_held and not self.wire.is_closing():
            self.down.data_received(self._waiting.popleft())
            await self._wires.settle(self.outcome)

    async def half_close(self) -> None:
        """The client has nothing more to say."""
        await self._deliver()
        if not self.wire.is_closing() and not self.down.eof_received():
            self.wire.close()
        await self._wires.settle(self.outcome)

    async def leave(self) -> Outcome:
        """What came of it; the client is gone then."""
        outcome, wires = self.outcome, self._wires
        outcome.received, outcome.end = bytes(self.wire.sent), self.wire.end
        outcome.dangling = any(endpoint.unread for endpoint in wires.endpoints)
        self.wire.abort()
        self.down.connection_lost(None)
        await wires.settle(Outcome())  # what is cut now is cut because the client has gone
        assert wires.gateway.active == 0
        assert wires.gateway.pool.active == 0
        outcome.logged = [record.status for record in wires.log.records]
        wires.log.records.clear()
        return outcome


def splits(raw: bytes, *, more: bytes = b"") -> Iterable[Sequence[bytes]]:
    """``raw`` cut in two at every byte (a long one at every byte of its ends, and here and there), then ``more``."""
    size = len(raw)
    step = 1 if size <= _ALL_SPLITS_BYTES else size // 50
    for at in range(1, size):
        if step == 1 or at < 100 or at > size - 100 or at % step == 0:
            yield (raw[:at], raw[at:] + more)


_ALL_SPLITS_BYTES = 1500
__all__ = ["CLIENT", "Client", "EndpointWire", "Outcome", "Wires", "echo", "splits", "two_routes"]

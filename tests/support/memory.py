"""The data path without sockets: bytes in, bytes out, nothing happens in between that the test did not ask for."""

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import Any, cast

import h11
from msgspec.structs import replace

from ingressd.proxy.downstream import Downstream
from ingressd.proxy.limits import Limits
from ingressd.proxy.pool import LiveEndpoint
from ingressd.proxy.shared_limits import SharedLimits
from ingressd.proxy.upstream import UpstreamConnection
from ingressd.routing.snapshot import Snapshot
from tests.support.gateway import check_counts, make_gateway, one_host
from tests.support.origin import ANSWER


class AtOnce:
    """A loop that has nothing to wait for."""

    def call_soon(self, work: Callable[..., object], *args: object) -> None:
        work(*args)


class MemoryTransport(asyncio.Transport):
    """Keeps what is written. The peer takes all of it, or after ``stop_taking`` nothing until ``take``."""

    HIGH, LOW = 65536, 16384

    def __init__(self, protocol: asyncio.Protocol) -> None:
        super().__init__()
        self.written = b""
        self._protocol = protocol
        self._taken: int | None = None  # None: all of it
        self._writing_paused = False
        self.ended = False
        self.aborted = False
        self._reading = True
        self._closing = False

    def write(self, data: Any) -> None:
        assert not self.ended, "written after write_eof"
        if not self._closing:
            self.written += bytes(data)
            if not self._writing_paused and self.get_write_buffer_size() > self.HIGH:
                self._writing_paused = True
                self._protocol.pause_writing()

    def stop_taking(self) -> None:
        """The peer stops reading: from here on bytes wait."""
        self._taken = len(self.written)

    def take(self, count: int) -> None:
        """The peer reads ``count`` more bytes."""
        assert self._taken is not None
        self._taken = min(self._taken + count, len(self.written))
        if self._writing_paused and self.get_write_buffer_size() <= self.LOW:
            self._writing_paused = False
            self._protocol.resume_writing()

    def write_eof(self) -> None:
        self.ended = True

    def can_write_eof(self) -> bool:
        return True

    def close(self) -> None:
        self._closing = True

    def abort(self) -> None:
        self._closing = self.aborted = True

    def is_closing(self) -> bool:
        return self._closing

    def pause_reading(self) -> None:
        self._reading = False

    def resume_reading(self) -> None:
        self._reading = True

    def is_reading(self) -> bool:
        return self._reading

    def get_write_buffer_size(self) -> int:
        return 0 if self._taken is None else len(self.written) - self._taken

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return {"peername": ("192.0.2.7", 50000), "sockname": ("192.0.2.1", 80)}.get(name, default)

    def is_done(self) -> bool:
        """Whether the client was told that nothing more comes, in whichever way."""
        return self._closing or self.ended


class MemoryOrigin:
    """One endpoint connection; h11 reads what it is sent and says when a request is complete."""

    def __init__(self, path: "MemoryPath", endpoint: LiveEndpoint) -> None:
        self.path = path
        self.endpoint = endpoint
        self.connection = UpstreamConnection(path.gateway, endpoint)
        self.transport = MemoryTransport(self.connection)
        self.connection.connection_made(self.transport)
        self._read = 0
        self._h11 = h11.Connection(h11.SERVER)
        self.is_scripted = False  # then the test answers, not we
        self.requests: list[h11.Request] = []
        self.bodies: list[bytes] = []
        self.trailers: list[Any] = []

    def pump(self) -> bool:
        """Read what was written, answer what is complete; whether there was anything to answer."""
        if self.is_scripted:
            return False
        if data := self.transport.written[self._read :]:
            self._read = len(self.transport.written)
            self._h11.receive_data(data)
        while True:
            event = self._h11.next_event()
            if event is h11.NEED_DATA or event is h11.PAUSED:
                return False
            if isinstance(event, h11.Request):
                self.requests.append(event)
                self.bodies.append(b"")
            elif isinstance(event, h11.Data):
                self.bodies[-1] += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                self.trailers.append(list(event.headers))
                self._answer()
                return True
            else:
                raise AssertionError(event)

    def _answer(self) -> None:
        # The gateway may reuse the connection while it reads the answer: be ready for the next request before.
        self._h11.send(h11.Response(status_code=200, headers=[(b"content-length", b"0")]))
        self._h11.send(h11.EndOfMessage())
        if self._h11.our_state is h11.DONE and self._h11.their_state is h11.DONE:
            self._h11.start_next_cycle()
        self.connection.data_received(self.path.answer)


class MemoryPath:
    """One client connection and origins that h11 reads; see the module's text."""

    def __init__(
        self,
        snapshot: Snapshot | None = None,
        *,
        limits: Limits | None = None,
        loop: asyncio.AbstractEventLoop | None = None,
        scheme: bytes = b"http",
        shared_limits: SharedLimits | None = None,
    ) -> None:
        loop = loop or cast("asyncio.AbstractEventLoop", AtOnce())
        # Nothing can be connected to here, so a POST takes a kept connection too.
        limits = replace(limits or Limits(), reuse_for_all=True)
        self.local = make_gateway(loop, snapshot or one_host([1]), limits=limits, shared_limits=shared_limits)
        self.gateway = self.local.gateway
        self.gateway.date = b"Sat, 21 Nov 2026 00:00:00 GMT"
        self.answer = ANSWER
        self.endpoint = self._endpoint()
        self.origins: list[MemoryOrigin] = []
        self.down = Downstream(self.gateway, scheme, b"443" if scheme == b"https" else b"80")
        self.transport = MemoryTransport(self.down)
        self.down.connection_made(self.transport)
        if self.endpoint is not None:
            self.seed(self.endpoint)

    def _endpoint(self) -> LiveEndpoint | None:
        backend = self.gateway.state.find("a.example", "/").backend
        return backend.endpoints[0] if backend is not None and backend.endpoints else None

    def seed(self, endpoint: LiveEndpoint) -> MemoryOrigin:
        """An idle connection to the endpoint, so that no exchange has to connect."""
        origin = MemoryOrigin(self, endpoint)
        self.origins.append(origin)
        self.gateway.pool.lease(endpoint)
        self.gateway.pool.release(endpoint, origin.connection, reusable=True)
        origin.connection.rest(monotonic())
        return origin

    def send(self, data: bytes) -> None:
        """What the client sends, unless it was told that nobody listens."""
        if not self.transport.is_closing():
            self.down.data_received(data)
        self.pump()

    def pump(self) -> None:
        """Let origins answer what they have got."""
        while any(origin.pump() for origin in self.origins):
            pass
        if self.endpoint is not None and not self.gateway.pool.idle and not self.gateway.pool.active:
            self.seed(self.endpoint)

    @property
    def received(self) -> bytes:
        return self.transport.written

    @property
    def forwarded(self) -> bytes:
        """All that the endpoint was sent."""
        return b"".join(origin.transport.written for origin in self.origins)

    @property
    def requests(self) -> list[tuple[h11.Request, bytes]]:
        """Requests as h11 understood them, with their bodies, complete or not."""
        return [pair for origin in self.origins for pair in zip(origin.requests, origin.bodies, strict=True)]

    @property
    def statuses(self) -> list[int]:
        """What was logged."""
        records = cast("Any", self.local.log).records
        return [record.status for record in records]

    def lose(self) -> None:
        """The client's connection is gone."""
        self.transport.abort()
        self.down.connection_lost(None)

    def close(self) -> None:
        """The client is gone; check the books."""
        self.lose()
        for backend in list(self.gateway.backends.keys()):
            self.gateway.backends.remove(backend)
        check_counts(self.local)


def statuses_of(received: bytes, methods: list[bytes]) -> list[int]:
    """Statuses of the responses in ``received``, which h11 must be able to read in full."""
    statuses = []
    connection = h11.Connection(h11.CLIENT)
    connection.receive_data(received)
    for method in methods:
        connection.send(h11.Request(method=method, target=b"/", headers=[(b"host", b"a")]))
        connection.send(h11.EndOfMessage())
        while not isinstance(event := connection.next_event(), h11.EndOfMessage):
            assert isinstance(event, h11.Response | h11.Data), event
            if isinstance(event, h11.Response):
                statuses.append(event.status_code)
        if connection.their_state is not h11.DONE:
            break
        connection.start_next_cycle()
    return statuses

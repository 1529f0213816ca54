"""A scripted HTTP/1.1 origin: records what it is sent, byte by byte, and answers what the test says."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Seen:
    """One connection as the origin saw it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, record: bytearray) -> None:
        self.reader = reader
        self.writer = writer
        self.received = record

    async def head(self) -> bytes:
        """Read one request head; empty when the connection has ended."""
        try:
            data = await self.reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as short:
            self.received += short.partial
            return b""
        self.received += data
        return data

    async def body(self, head: bytes) -> bytes:
        """Read the body that ``head`` announces, framing included when it is chunked."""
        lower = head.lower()
        if b"transfer-encoding: chunked" in lower:
            data = bytearray()
            while not data.endswith(b"0\r\n\r\n"):
                data += await self.reader.readuntil(b"\r\n")
            self.received += data
            return bytes(data)
        at = lower.find(b"content-length: ")
        if at < 0:
            return b""
        data_read = await self.reader.readexactly(int(lower[at + 16 : lower.index(b"\r\n", at)]))
        self.received += data_read
        return data_read

    async def say(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    def reset(self) -> None:
        """Vanish with a RST."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


Script = Callable[[Seen], Awaitable[None]]


async def polite(seen: Seen) -> None:
    """Answer every request with ``ANSWER``."""
    while head := await seen.head():
        await seen.body(head)
        await seen.say(ANSWER)


class Origin:
    """A running origin. ``connections`` holds what each connection received, in order of arrival."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.connections: list[bytearray] = []

    @property
    def received(self) -> bytes:
        return b"".join(self.connections)

    @property
    def heads(self) -> int:
        """Request heads that arrived (for requests without a body that holds an empty line)."""
        return self.received.count(b"\r\n\r\n")


@asynccontextmanager
async def origin(script: Script = polite, *, port: int = 0) -> AsyncIterator[Origin]:
    """Run an origin on a free loopback port, or on the one that another had.

    Each connection is served by ``script`` and then closed.
    """
    running: set[asyncio.Task[None]] = set()
    opened: list[Origin] = []

    async def on_connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        running.add(task)
        record = bytearray()
        opened[0].connections.append(record)
        try:
            await script(Seen(reader, writer, record))
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            running.discard(task)
            writer.close()

    server = await asyncio.start_server(on_connection, "127.0.0.1", port, limit=1 << 22)
    opened.append(Origin(server.sockets[0].getsockname()[1]))
    try:
        yield opened[0]
    finally:
        await _stop_accepting(server)
        for task in list(running):
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def _stop_accepting(server: asyncio.Server) -> None:
    """Close ``server`` once whatever it has accepted has a task of its own, which closes its connection.

    asyncio accepts in one turn of the loop and makes the transport in a later one, which fails and leaks the socket
    when the server was closed between the two.
    """
    loop = asyncio.get_running_loop()
    for listening in server.sockets:
        loop.remove_reader(listening.fileno())
    for _ in range(8):  # accepted, transport, connection made, task: a turn each, and some to spare
        await asyncio.sleep(0)
    server.close()

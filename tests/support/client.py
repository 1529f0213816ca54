"""A raw HTTP/1.1 client: sends what the test says, reads one answer at a time, and notices when one is cut."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass
class Answer:
    """One response. ``complete`` is False when the connection ended, or was reset, before its end."""

    status: int
    fields: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    complete: bool = True

    def get(self, name: str) -> str | None:
        return next((value for key, value in self.fields if key.lower() == name.lower()), None)


class Client:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def ask(self, data: bytes, *, method: str = "GET") -> Answer:
        await self.send(data)
        return await self.answer(method=method)

    async def answer(self, *, method: str = "GET") -> Answer:
        """The next response, final or interim. Raises EOFError when there is none at all."""
        try:
            head = await self.reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise EOFError(str(error)) from None
        start, *lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
        fields = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]
        answer = Answer(int(start.split()[1]), fields)
        if answer.status >= 200 and answer.status not in (204, 304) and method != "HEAD":
            try:
                await self._read_body(answer)
            except (asyncio.IncompleteReadError, ConnectionError):
                answer.complete = False
        return answer

    async def _read_body(self, answer: Answer) -> None:
        length = answer.get("content-length")
        if answer.get("transfer-encoding") == "chunked":
            while size := int(await self.reader.readline() or b"x", 16):
                answer.body += (await self.reader.readexactly(size + 2))[:-2]
            await self.reader.readuntil(b"\r\n")
        elif length is not None:
            while len(answer.body) < int(length):
                answer.body += await self._more(int(length) - len(answer.body))
        else:
            while piece := await self.reader.read(65536):
                answer.body += piece

    async def _more(self, wanted: int) -> bytes:
        piece = await self.reader.read(wanted)
        if not piece:
            raise asyncio.IncompleteReadError(b"", None)
        return piece

    async def ended(self) -> bool:
        """Wait for the end: True when it was orderly, False for a reset. Anything else that comes is an error."""
        try:
            rest = await self.reader.read()
        except ConnectionError:
            return False
        assert rest == b""
        return True

    def half_close(self) -> None:
        self.writer.write_eof()

    def reset(self) -> None:
        """Vanish with a RST."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


@asynccontextmanager
async def connected(port: int, *, receive_buffer: int = 0) -> AsyncIterator[Client]:
    """A client connected to a loopback port."""
    sock = socket.socket()
    if receive_buffer:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
    reader, writer = await asyncio.open_connection(sock=sock, limit=1 << 16)
    try:
        yield Client(reader, writer)
    finally:
        writer.close()

"""As much of HTTP/1.1 as a sample backend behind a proxy needs: a head, and a body that is counted and dropped."""

import asyncio
from dataclasses import dataclass

MAX_HEAD_BYTES = 1 << 16  # asyncio's limit of one line is the same


class RequestError(Exception):
    """Not HTTP/1.1 as we read it."""


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    target: str
    version: str
    headers: tuple[tuple[str, str], ...]

    def header(self, name: str) -> str:
        """All values of a field, joined; "" when there is none."""
        return ", ".join(value for key, value in self.headers if key.lower() == name)

    @property
    def keeps_alive(self) -> bool:
        connection = self.header("connection").lower()
        return "close" not in connection if self.version == "HTTP/1.1" else "keep-alive" in connection

    @property
    def expects_continue(self) -> bool:
        return self.header("expect").lower() == "100-continue"


async def read_request(reader: asyncio.StreamReader) -> Request | None:
    """The next head, or None when the client is done. Raises RequestError."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial.strip():
            raise RequestError from None
        return None
    except asyncio.LimitOverrunError:
        raise RequestError from None
    start, *lines = head.decode("latin-1").strip("\r\n").split("\r\n")
    match start.split(" "):
        case [method, target, "HTTP/1.1" | "HTTP/1.0" as version]:
            return Request(method, target, version, tuple(_field(line) for line in lines))
    raise RequestError


async def skip_body(reader: asyncio.StreamReader, request: Request) -> int:
    """Read the body and forget it. Returns its length in bytes. Raises RequestError, EOFError."""
    if "chunked" in request.header("transfer-encoding").lower():
        return await _skip_chunks(reader)
    text = request.header("content-length") or "0"
    if not (text.isascii() and text.isdigit()):
        raise RequestError
    await _skip(reader, int(text))
    return int(text)


async def _skip_chunks(reader: asyncio.StreamReader) -> int:
    total = 0
    while True:
        line = await reader.readuntil(b"\r\n")
        size = int(line.split(b";")[0], 16)
        if size < 0:
            raise RequestError
        if size == 0:
            break
        await _skip(reader, size)
        if await reader.readexactly(2) != b"\r\n":
            raise RequestError
        total += size
    while await reader.readuntil(b"\r\n") != b"\r\n":
        pass  # trailers
    return total


async def _skip(reader: asyncio.StreamReader, size: int) -> None:
    while size:
        piece = await reader.read(min(size, MAX_HEAD_BYTES))
        if not piece:
            raise EOFError
        size -= len(piece)


def _field(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon:
        raise RequestError
    return name, value.strip()

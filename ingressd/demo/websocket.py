"""A WebSocket that says back what it hears (RFC 6455), so that an upgrade through the proxy can be tried."""

import asyncio
import base64
import hashlib

from ingressd.demo.request import Request

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # section 1.3
CLOSE, PING, PONG = 0x8, 0x9, 0xA
MAX_FRAME_BYTES = 1 << 20


def is_handshake(request: Request) -> bool:
    return "websocket" in request.header("upgrade").lower() and bool(request.header("sec-websocket-key"))


def accept(request: Request) -> bytes:
    """The answer to a handshake."""
    proof = hashlib.sha1((request.header("sec-websocket-key") + GUID).encode(), usedforsecurity=False).digest()
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + base64.b64encode(proof) + b"\r\n\r\n"
    )


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Every data frame comes back as it is, fragments included, until the client closes."""
    while True:
        first, payload = await _read_frame(reader)
        opcode = first & 0x0F
        if opcode == PING:
            first = 0x80 | PONG
        if opcode != PONG:
            writer.write(_frame(first, payload))
            await writer.drain()
        if opcode == CLOSE:
            return


async def _read_frame(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """First byte and unmasked payload (section 5.2). Raises ValueError for what this server does not read."""
    first, second = await reader.readexactly(2)
    length = second & 0x7F
    if length > 125:
        length = int.from_bytes(await reader.readexactly(2 if length == 126 else 8), "big")
    if not second & 0x80 or length > MAX_FRAME_BYTES:
        raise ValueError("a client masks its frames, and ours are small")
    mask = await reader.readexactly(4)
    payload = await reader.readexactly(length)
    key = int.from_bytes((mask * (length // 4 + 1))[:length], "big")
    return first, (int.from_bytes(payload, "big") ^ key).to_bytes(length, "big")


def _frame(first: int, payload: bytes) -> bytes:
    length = len(payload)
    if length < 126:
        return bytes((first, length)) + payload
    if length < 1 << 16:
        return bytes((first, 126)) + length.to_bytes(2, "big") + payload
    return bytes((first, 127)) + length.to_bytes(8, "big") + payload

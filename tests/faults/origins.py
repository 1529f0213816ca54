"""Origins that keep the books and fail on command.

A script for ``tests.support.origin``: it reads requests whole, enters them, and answers, except where a ``Fault`` says
what to do instead.
"""

from __future__ import annotations

import asyncio
import re
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from tests.faults.ledger import Ledger, answer_body
from tests.support.origin import Script, Seen

_REQUEST_LINE = re.compile(rb"(\w+) /(\d+) HTTP/1\.1\r\n")
_CHUNK = re.compile(rb"[0-9a-f]+\r\n", re.IGNORECASE)

Act = Callable[[Seen, int], Awaitable[None]]
"""What to do about a request instead of answering it; the connection ends afterwards."""


@dataclass(eq=False)
class Fault:
    """Every ``every``-th request to one origin meets ``act``; ``struck`` are their numbers."""

    act: Act
    every: int = 3
    struck: set[int] = field(default_factory=set)
    _seen: int = 0

    def strikes(self, number: int) -> bool:
        self._seen += 1
        if self._seen % self.every:
            return False
        self.struck.add(number)
        return True


def keeping_books(
    ledger: Ledger,
    name: str,
    fault: Fault | None = None,
    *,
    requests: int = 0,
    idle_s: float | None = None,
) -> Script:
    """Without a word about it the origin closes after so many ``requests``, or when one does not come in ``idle_s``."""

    async def script(seen: Seen) -> None:
        count = 0
        while head := await _next_head(seen, idle_s if count else None):
            number = await _process(seen, head)
            if fault is not None and fault.strikes(number):
                await fault.act(seen, number)
                return
            await seen.say(answer(number))
            count += 1
            if count == requests:
                return

    async def _process(seen: Seen, head: bytes) -> int:
        body = await seen.body(head)
        said = _REQUEST_LINE.match(head)
        assert said is not None, head
        number = int(said[2])
        ledger.process(name, number, said[1].decode(), _payload(head, body))
        return number

    return script


async def _next_head(seen: Seen, idle_s: float | None) -> bytes:
    """Empty when there will be none, or none came in time."""
    try:
        async with asyncio.timeout(idle_s):
            return await seen.head()
    except TimeoutError:
        return b""


def _payload(head: bytes, body: bytes) -> bytes:
    if b"transfer-encoding: chunked" not in head.lower():
        return body
    payload = b""
    while size := _CHUNK.match(body):
        length = int(size[0], 16)
        payload, body = payload + body[size.end() : size.end() + length], body[size.end() + length + 2 :]
    return payload


def answer(number: int) -> bytes:
    """Complete; every other one in chunks."""
    body = answer_body(number)
    if number % 2:
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    middle = len(body) // 2
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:middle], body[middle:]) if part)
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%b0\r\n\r\n" % chunks


def reset(seen: Seen) -> None:
    """RST instead of FIN, as the kernel sends it for a process that died with data unread."""
    connection: socket.socket = seen.writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    seen.writer.transport.abort()


async def close(seen: Seen, number: int) -> None:
    """End without a word."""


async def die(seen: Seen, number: int) -> None:
    reset(seen)


async def in_head(seen: Seen, number: int) -> None:
    """Say half of the answer's head, then end."""
    whole = answer(number)
    await seen.say(whole[: whole.index(b"\r\n\r\n") // 2])


async def in_body(seen: Seen, number: int) -> None:
    """Say all of the answer but its last byte, then end."""
    await seen.say(answer(number)[:-1])


async def in_body_reset(seen: Seen, number: int) -> None:
    """Say the head and half of the body, then reset."""
    whole = answer(number)
    await seen.say(whole[: (whole.index(b"\r\n\r\n") + len(whole)) // 2])
    reset(seen)


async def stall(seen: Seen, number: int) -> None:
    """Say nothing until the other side leaves."""
    await seen.reader.read()


async def stall_in_body(seen: Seen, number: int) -> None:
    """Say all of the answer but its last byte, then nothing until the other side leaves."""
    await in_body(seen, number)
    await stall(seen, number)


async def half_close(seen: Seen, number: int) -> None:
    """Say that nothing will be said, and go on listening."""
    seen.writer.write_eof()
    await stall(seen, number)


async def answer_and_half_close(seen: Seen, number: int) -> None:
    """Answer, say that this was all, and go on listening."""
    seen.writer.write(answer(number))
    await half_close(seen, number)

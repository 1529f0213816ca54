"""Reaching below HTTP: how connections end badly."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from itertools import pairwise

from aiohttp import web


def transport_of(request: web.Request) -> asyncio.Transport:
    transport = request.transport
    if not isinstance(transport, asyncio.Transport):
        raise ConnectionResetError("the client has gone")
    return transport


async def forever() -> None:
    """Waits until the connection is lost, when aiohttp cancels the handler."""
    await asyncio.Event().wait()


async def close(request: web.Request) -> None:
    """FIN, once what was written is sent."""
    transport_of(request).close()
    await forever()


async def reset(request: web.Request) -> None:
    abort_with_reset(transport_of(request))
    await forever()


def abort_with_reset(transport: asyncio.BaseTransport) -> None:
    sock = transport.get_extra_info("socket")
    # Closing with a linger time of zero makes the kernel send RST instead of FIN.
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    if isinstance(transport, asyncio.Transport):
        transport.abort()


def odd_pieces(data: bytes) -> list[bytes]:
    """Cuts where readers break: after one byte, inside, and before the last byte, which ends a line."""
    cuts = sorted({0, min(1, len(data)), len(data) // 3, max(len(data) - 1, 0), len(data)})
    return [data[start:end] for start, end in pairwise(cuts)]

"""TLS that is another's: a connection's bytes go both ways unread, to where its server name leads.

Each direction may end before the other, whoever cannot keep up pauses the other side, and what nobody uses for
``idle_s`` is closed. Nothing is known of what is said, so there is no second attempt and no answer of ours: a
connection that leads nowhere is closed.
"""

from __future__ import annotations

import asyncio
import logging
from time import monotonic
from typing import TYPE_CHECKING, cast

from ingressd.proxy.timers import NEVER

if TYPE_CHECKING:
    from ingressd.proxy.gateway import Gateway

log = logging.getLogger(__name__)

CONNECT_S = 5.0
IDLE_S = 600.0
"""As nginx has it for streams: long, because nobody but the two ends knows what silence means to them."""


class PassThrough:
    """What to do with the connections of one server name: join them with ``address`` and ``port``. Times in seconds.

    ``address`` "": there is no endpoint now, and connections are closed.
    """

    __slots__ = ("address", "connect_s", "gateway", "idle_s", "port")

    def __init__(
        self, gateway: Gateway, address: str, port: int, *, connect_s: float = CONNECT_S, idle_s: float = IDLE_S
    ) -> None:
        self.gateway = gateway
        self.address = address
        self.port = port
        self.connect_s = connect_s
        self.idle_s = idle_s

    def take_over(self, transport: asyncio.Transport, data: bytes) -> None:
        """From here on the transport is ours; ``data`` was read of it and belongs to the endpoint."""
        _Joined(self, transport, data)


class _Joined:
    """One connection passed through: both sides, one deadline, one place where it ends."""

    __slots__ = ("_client", "_endpoint", "_gateway", "_host", "_target", "deadline", "wake_at")

    def __init__(self, target: PassThrough, transport: asyncio.Transport, data: bytes) -> None:
        self._target = target
        self._gateway = gateway = target.gateway
        self._client = _Side(self)
        self._endpoint = _Side(self)
        self._client.other, self._endpoint.other = self._endpoint, self._client
        self.deadline = self.wake_at = NEVER
        peer = transport.get_extra_info("peername")
        self._host = peer[0] if peer else "unknown"
        transport.set_protocol(self._client)
        self._client.connection_made(transport)
        gateway.connections.add(self)
        gateway.active += 1
        gateway.admission.opened()
        if not gateway.admission.enter(self._host):
            gateway.stats.rejected("too_many_connections_of_client")
            self.abort()
            return
        if not target.address:
            gateway.stats.rejected("passthrough_no_endpoint")
            self.abort()
            return
        transport.pause_reading()
        gateway.spawn(self._connect(data))

    async def _connect(self, data: bytes) -> None:
        target = self._target
        try:
            async with asyncio.timeout(target.connect_s):
                await self._gateway.loop.create_connection(lambda: self._endpoint, target.address, target.port)
        except OSError as error:  # TimeoutError is one
            self._gateway.stats.rejected("passthrough_connect_failed")
            log.info("passed through to %s port %d: %s", target.address, target.port, str(error) or "no answer in time")
            self.abort()
            return
        endpoint, client = self._endpoint.transport, self._client.transport
        if endpoint is None or client is None or client.is_closing():  # somebody has left meanwhile
            self.abort()
            return
        self.touch()
        self._gateway.wheel.schedule(self)
        endpoint.write(data)
        if not self._endpoint.is_full:
            client.resume_reading()

    def touch(self) -> None:
        """Something moved."""
        self.deadline = monotonic() + self._target.idle_s

    def on_deadline(self, now: float) -> None:
        """Nothing has moved for too long, or the goodbye was not taken."""
        self.abort()

    def finish(self) -> None:
        """Both sides have said all: close when it is sent."""
        for side in (self._client, self._endpoint):
            if side.transport is not None:
                side.transport.close()

    def on_lost(self, side: _Side, exc: Exception | None) -> None:
        """One side is gone: a reset is passed on as one, so that a cut stream never looks complete."""
        other = side.other.transport
        if other is not None:
            if exc is None:
                other.close()
            else:
                other.abort()
        if side is self._client:
            self._leave()
        if self._client.transport is None and self._endpoint.transport is None:
            self.deadline = NEVER
            self._gateway.wheel.cancel(self)

    def _leave(self) -> None:
        self._gateway.connections.discard(self)
        self._gateway.active -= 1
        self._gateway.admission.closed()
        self._gateway.admission.leave(self._host)

    # -- what the worker asks of any client connection

    def abort(self) -> None:
        """Cut both sides."""
        for side in (self._client, self._endpoint):
            if side.transport is not None:
                side.transport.abort()

    def close_when_idle(self) -> None:
        """Whether it is idle only the two ends know: it lasts as long as the drain allows."""


class _Side(asyncio.Protocol):
    """One end of a joined connection."""

    __slots__ = ("_has_ended", "_joined", "is_full", "other", "transport")

    other: _Side

    def __init__(self, joined: _Joined) -> None:
        self._joined = joined
        self._has_ended = False
        self.is_full = False  # what the other side says waits to be taken
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._joined.touch()
        other = self.other.transport
        if other is not None:
            other.write(data)

    def eof_received(self) -> bool:
        self._has_ended = True
        if self.other._has_ended or self.other.transport is None:
            self._joined.finish()
            return False
        if not self.other.transport.is_closing():
            self.other.transport.write_eof()
        return True

    def pause_writing(self) -> None:
        self.is_full = True
        if self.other.transport is not None and not self.other.transport.is_closing():
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        self.is_full = False
        self._joined.touch()
        if self.other.transport is not None and not self.other.transport.is_closing():
            self.other.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        self._joined.on_lost(self, exc)

"""Bounds on the admin server's connections which aiohttp does not set by itself: how many, and for how long."""

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, Final, cast

from aiohttp import web

HEAD_TIMEOUT_S: Final = 10.0
"""From the connection to its first complete request head. The heads after it are bounded by the keep-alive time."""

EXCHANGE_TIMEOUT_S: Final = 120.0
"""From a request to the end of the keep-alive time after it: bounds a reader that does not read its answer."""

_BUSY: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 21\r\nConnection: close\r\n\r\ntoo many connections\n"
)


class Connection(web.RequestHandler):
    """One admin connection with a deadline."""

    __slots__ = ("_deadline", "_server", "is_idle")

    def __init__(self, server: "BoundedServer", *, loop: asyncio.AbstractEventLoop, **settings: Any) -> None:
        super().__init__(server, loop=loop, **settings)
        self._server = server
        self._deadline: asyncio.TimerHandle | None = None
        self.is_idle = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if not self._server.make_room():
            refused = cast(asyncio.Transport, transport)  # uvloop's is one in all but name
            refused.write(_BUSY)  # before aiohttp starts a task for it
            refused.close()
            return
        super().connection_made(transport)
        self._set_deadline(HEAD_TIMEOUT_S)

    def request_arrived(self) -> None:
        """A whole head is here: the deadline moves."""
        self.is_idle = False
        self._set_deadline(EXCHANGE_TIMEOUT_S)

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        finished = await super().finish_response(request, resp, start_time)
        self.is_idle = True
        return finished

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """A head that cannot be read. aiohttp would log a traceback for each and name its version to whoever asks."""
        if request.writer.output_size > 0:
            raise ConnectionError("part of an answer was sent already")
        text = f"{HTTPStatus(status).phrase.lower()}\n"
        response = web.Response(status=status, text=text, headers={"Server": "ingressd"})
        response.force_close()
        return response

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        super().connection_lost(exc)

    def abort(self) -> None:
        """Close at once; ``close`` would wait for a reader that does not read."""
        if self.transport is not None:
            self.transport.abort()

    def _set_deadline(self, seconds: float) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = self._loop.call_later(seconds, self.abort)


class BoundedServer(web.Server):
    """aiohttp's low-level server with a bound on open connections."""

    def __init__(
        self,
        handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]],
        *,
        max_connections: int,
        **settings: Any,
    ) -> None:
        super().__init__(handler)
        self._settings = settings
        self._max_connections = max_connections

    def make_room(self) -> bool:
        """Whether one more connection may come; when full, the oldest idle one goes.

        Somebody who holds all connections open would otherwise make the kubelet's probes fail, and the pod restart.
        """
        connections = self.connections
        if len(connections) < self._max_connections:
            return True
        for connection in connections:
            if isinstance(connection, Connection) and connection.is_idle:
                connection.is_idle = False
                connection.abort()
                return True
        return False

    def __call__(self) -> web.RequestHandler:
        return Connection(self, loop=self._loop, **self._settings)

"""The admin server: health, readiness, metrics and what is being served now. Control process; read-only.

It answers on a socket bound by the parent. It knows nothing of the program but an ``AdminView``. People and probes of
the cluster's network reach it, so it is as distrustful as a traffic port: connections, heads and time are bounded, an
error of the view is one line, and no private key leaves even if the view were to hand one over.
"""

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Protocol

import orjson
from aiohttp import web

from ingressd.telemetry.admin_connection import BoundedServer, Connection
from ingressd.telemetry.exposition import CONTENT_TYPE

VIEW_TIMEOUT_S: Final = 30.0
KEEPALIVE_S: Final = 75.0  # longer than the usual scrape interval, so that a scraper keeps its connection
MAX_CONNECTIONS: Final = 128
MAX_HEAD_BYTES: Final = 8 * 1024
COMPRESS_FROM_BYTES: Final = 2 * 1024

_PRIVATE_KEY: Final = b"PRIVATE KEY-----"
_COMMON_HEADERS: Final = {"Server": "ingressd", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}

_logger = logging.getLogger(__name__)


class AdminView(Protocol):
    """What the admin server shows. Values are JSON-able: str, int, float, bool, None, list, tuple, dict.

    ``healthy`` and ``ready`` give a verdict and, in one line, why. Nothing here may hold a private key. ``routes``,
    ``backends`` and ``certificates`` may be long, so they are called in a thread: they read frozen values only.
    """

    async def healthy(self) -> tuple[bool, str]: ...
    async def ready(self) -> tuple[bool, str]: ...
    async def metrics(self) -> bytes: ...
    def routes(self) -> object: ...
    def backends(self) -> object: ...
    def certificates(self) -> object: ...
    def findings(self) -> object: ...
    def status(self) -> object: ...


class AdminServer:
    """Serves ``view`` on a listening socket, which stays the caller's to make and becomes ours to close."""

    def __init__(
        self,
        view: AdminView,
        listener: socket.socket,
        *,
        view_timeout_s: float = VIEW_TIMEOUT_S,
        max_connections: int = MAX_CONNECTIONS,
    ) -> None:
        self._view = view
        self._listener = listener
        self._view_timeout_s = view_timeout_s
        self._max_connections = max_connections
        self._rendering = asyncio.Lock()
        self._runner: web.ServerRunner | None = None
        self._paths: Mapping[str, Callable[[], Awaitable[web.Response]]] = {
            "/healthz": lambda: self._verdict(view.healthy),
            "/readyz": lambda: self._verdict(view.ready),
            "/metrics": self._metrics,
            "/api/routes": lambda: self._json_in_thread(view.routes),
            "/api/backends": lambda: self._json_in_thread(view.backends),
            "/api/certificates": lambda: self._json_in_thread(view.certificates),
            "/api/findings": lambda: self._json(view.findings),
            "/api/status": lambda: self._json(view.status),
        }

    async def start(self) -> None:
        """Begin to answer. Raises OSError when the socket is no listening socket."""
        server = BoundedServer(
            self._answer,
            max_connections=self._max_connections,
            access_log=None,
            keepalive_timeout=KEEPALIVE_S,
            lingering_time=0.0,  # nobody has a reason to send a body; none is read
            max_line_size=MAX_HEAD_BYTES,
            max_field_size=MAX_HEAD_BYTES,
        )
        self._runner = web.ServerRunner(server, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.SockSite(self._runner, self._listener).start()

    async def close(self) -> None:
        """Stop listening, give answers under way a second, close what is left."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        if isinstance(request.protocol, Connection):
            request.protocol.request_arrived()
        response = await self._respond(request.method, request.path)
        response.headers.update(_COMMON_HEADERS)
        if isinstance(response.body, bytes) and len(response.body) >= COMPRESS_FROM_BYTES:
            response.enable_compression()
        return response

    async def _respond(self, method: str, path: str) -> web.Response:
        answer = self._paths.get(path)
        if answer is None:
            return _json_response({"error": f"there is no {path[:200]}", "paths": sorted(self._paths)}, status=404)
        if method not in ("GET", "HEAD"):
            return _line("only GET and HEAD are answered here", status=405, headers={"Allow": "GET, HEAD"})
        try:
            async with asyncio.timeout(self._view_timeout_s):
                return await answer()
        except TimeoutError:
            return _line(f"{path} took longer than {self._view_timeout_s:g} s", status=503)
        except Exception:  # whatever the view's fault is, the server goes on; the log has the details, the body not
            _logger.exception("admin: %s failed", path)
            return _line(f"{path} failed; the log says why", status=500)

    async def _verdict(self, ask: Callable[[], Awaitable[tuple[bool, str]]]) -> web.Response:
        is_good, why = await ask()
        return _line(why, status=200 if is_good else 503)

    async def _metrics(self) -> web.Response:
        async with self._rendering:  # several scrapers at once cost no more threads and memory than one
            body = await self._view.metrics()
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE}, zlib_executor_size=COMPRESS_FROM_BYTES)

    async def _json(self, ask: Callable[[], object]) -> web.Response:
        return _json_response(ask())

    async def _json_in_thread(self, ask: Callable[[], object]) -> web.Response:
        """20,000 routes take 0.15 s, in which the loop has changes to publish."""
        async with self._rendering:
            return await asyncio.to_thread(lambda: _json_response(ask()))


def _json_response(value: object, *, status: int = 200) -> web.Response:
    # orjson takes JSON's own types and refuses the rest: bytes and unknown objects cannot slip through.
    body = orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE)
    if _PRIVATE_KEY in body:
        raise ValueError("the answer held a private key and was not sent")
    headers = {"Content-Type": "application/json"}
    return web.Response(body=body, status=status, headers=headers, zlib_executor_size=COMPRESS_FROM_BYTES)


def _line(text: str, *, status: int, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(text=" ".join(text.split()) + "\n", status=status, headers=headers)

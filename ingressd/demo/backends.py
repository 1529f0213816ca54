"""Sample backends: small HTTP/1.1 servers that say who they are and what reached them. For the demo and tests only."""

import asyncio
import contextlib
import json
import signal
import threading

from ingressd.demo import websocket
from ingressd.demo.plan import Backend, DemoPlan
from ingressd.demo.request import Request, RequestError, read_request, skip_body

IDLE_TIMEOUT_S = 75.0
REFUSAL = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


def serve_backends(plan: DemoPlan) -> None:
    """Serve until SIGTERM or SIGINT, or for ever outside a main thread. Best in a process of its own."""
    asyncio.run(_serve_until_signal(plan))


async def run_backends(plan: DemoPlan) -> None:
    """Serve every backend of the plan until cancelled."""
    async with contextlib.AsyncExitStack() as stack:
        for backend in plan.backends:
            connections = _Connections(backend)
            server = await asyncio.start_server(connections.serve, sock=backend.listener)
            stack.callback(connections.close)
            stack.callback(server.close)
        await asyncio.get_running_loop().create_future()


async def _serve_until_signal(plan: DemoPlan) -> None:
    async with asyncio.TaskGroup() as group:
        serving = group.create_task(run_backends(plan))
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                asyncio.get_running_loop().add_signal_handler(number, serving.cancel)


class _Connections:
    """The connections of one backend, so that they can be closed with it."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._writers: set[asyncio.StreamWriter] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Requests of one connection, one after the other."""
        self._writers.add(writer)
        try:
            while await self._exchange(reader, writer):
                pass
        except (RequestError, ValueError):
            writer.write(REFUSAL)
        except (OSError, EOFError, TimeoutError):
            pass  # the other side went away; nobody is left to tell
        finally:
            self._writers.discard(writer)
            writer.close()

    def close(self) -> None:
        for writer in tuple(self._writers):
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request and its response. True when the connection can be used again."""
        async with asyncio.timeout(IDLE_TIMEOUT_S):
            request = await read_request(reader)
        if request is None:
            return False
        if websocket.is_handshake(request):
            writer.write(websocket.accept(request))
            await websocket.echo(reader, writer)
            return False
        if request.expects_continue:
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body_bytes = await skip_body(reader, request)
        writer.write(_response(self._backend, request, body_bytes))
        await writer.drain()
        return request.keeps_alive


def _response(backend: Backend, request: Request, body_bytes: int) -> bytes:
    body, content_type = _body(backend, request, body_bytes)
    head = (
        "HTTP/1.1 200 OK\r\n"
        f"Content-Type: {content_type}\r\n"
        f"Content-Length: {len(body)}\r\n"
        f"X-Served-By: {backend.service} 127.0.0.1:{backend.port}\r\n"
        f"Connection: {'keep-alive' if request.keeps_alive else 'close'}\r\n\r\n"
    ).encode("latin-1")
    return head if request.method == "HEAD" else head + body


def _body(backend: Backend, request: Request, body_bytes: int) -> tuple[bytes, str]:
    """What reached us: JSON when asked for, else text."""
    endpoint = f"127.0.0.1:{backend.port}"
    if "application/json" in request.header("accept"):
        seen = {
            "service": backend.service,
            "endpoint": endpoint,
            "method": request.method,
            "path": request.target,
            "headers": request.headers,
            "body_bytes": body_bytes,
        }
        return json.dumps(seen, indent=2).encode() + b"\n", "application/json"
    lines = [f"service {backend.service}, endpoint {endpoint}", "", f"{request.method} {request.target}"]
    lines += [f"{name}: {value}" for name, value in request.headers]
    if body_bytes:
        lines += ["", f"({body_bytes} bytes of body)"]
    return ("\n".join(lines) + "\n").encode(), "text/plain; charset=utf-8"

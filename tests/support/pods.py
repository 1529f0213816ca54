"""Small backends, each on a loopback address of its own and all on one port, as the pods of a Service are.

Every answer says who gave it and what it was asked, so that a mixed-up answer cannot pass for a right one.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import os
import threading
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar

from aiohttp import WSMsgType, web

T = TypeVar("T")

PORT = 8080
_START_TIMEOUT_S = 10.0
_addresses = (
    f"127.{16 + os.getpid() % 200}.{number >> 8}.{number & 255}" for number in itertools.count(1) if number & 255 < 255
)


@dataclass(eq=False)
class Pod:
    """``held``: requests for /hold that wait for ``release``; ``requests``: heads it has seen."""

    service: str
    name: str
    address: str
    held: int = 0
    requests: int = 0
    open_gate: asyncio.Event = field(default_factory=asyncio.Event)
    runner: web.ServerRunner | None = None


class Pods:
    """Backends on a loop in a thread of their own: tests may block meanwhile."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="pods", daemon=True)
        self._pods: list[Pod] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for pod in list(self._pods):
            self.stop(pod)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def start(self, service: str, count: int = 1) -> list[Pod]:
        """So many pods of a Service, accepting."""
        return [self._do(self._start(service)) for _ in range(count)]

    def stop(self, pod: Pod) -> None:
        """As a pod ends: it accepts no more, answers what it has, closes what is idle."""
        self._pods.remove(pod)
        self._do(self._stop(pod))

    def release(self, pod: Pod) -> None:
        """Let requests for /hold be answered, now and from here on."""
        self._loop.call_soon_threadsafe(pod.open_gate.set)

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_START_TIMEOUT_S)

    async def _start(self, service: str) -> Pod:
        for address in _addresses:
            pod = Pod(service, f"{service}-{address.rpartition('.')[2]}", address)
            pod.runner = web.ServerRunner(web.Server(_Answering(pod).answer, access_log=None), shutdown_timeout=2.0)
            await pod.runner.setup()
            try:
                await web.TCPSite(pod.runner, address, PORT).start()
            except OSError:
                await pod.runner.cleanup()  # another test run has this address
                continue
            self._pods.append(pod)
            return pod
        raise AssertionError("no loopback address is free")

    async def _stop(self, pod: Pod) -> None:
        pod.open_gate.set()
        assert pod.runner is not None
        await pod.runner.cleanup()


class _Answering:
    def __init__(self, pod: Pod) -> None:
        self._pod = pod

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        pod = self._pod
        pod.requests += 1
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._echo(request)
        body = await request.read()
        if request.path == "/hold":
            pod.held += 1
            await pod.open_gate.wait()
            pod.held -= 1
        said = {
            "service": pod.service,
            "pod": pod.name,
            "method": request.method,
            "target": request.path_qs,
            "headers": {name.lower(): value for name, value in request.headers.items()},
            "body": hashlib.sha256(body).hexdigest() if body else "",
        }
        return web.json_response(said)

    async def _echo(self, request: web.BaseRequest) -> web.StreamResponse:
        # BaseRequest is all a server without routes has, and all that is needed of a Request here.
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                await socket.send_str(f"{self._pod.service}: {message.data}")
        return socket

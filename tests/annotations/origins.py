"""Services for the cases: origins that say what they were sent, and answer what a request tells them to.

The field ``X-Answer`` of a request is a JSON object: ``status``, ``headers`` (pairs), ``body``; ``first`` is such an
object for the first request of a case only; ``stall`` never answers; ``drop`` closes the connection. What is asked on
the way (``auth``, ``errors``, ``mirror``) gets the client's fields too, and obeys ``X-Auth-Answer`` and so on instead.
"""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import threading
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Self, TypeVar

from aiohttp import web

T = TypeVar("T")

PORT = 8080
ASKED_ON_THE_WAY = ("auth", "errors", "mirror")
_START_S = 10.0
# One for each origin, never twice in a process: desks come and go, and what was said of one is not said to another.
_addresses = (f"127.{16 + os.getpid() % 200}.{128 + at // 250}.{1 + at % 250}" for at in range(100 * 250))


@dataclass
class Seen:
    """A request as an origin saw it: names in lower case, every field in its order."""

    service: str
    pod: str
    method: str
    target: str
    fields: list[tuple[str, str]]
    body: bytes
    version: str = "HTTP/1.1"
    server_name: str | None = None

    def get(self, name: str) -> str | None:
        found = [value for key, value in self.fields if key == name.lower()]
        return ", ".join(found) if found else None


def _note_name(connection: Any, name: str | None, _: ssl.SSLContext) -> None:
    connection.asked = name


@dataclass(eq=False)
class Origin:
    """``seen`` holds everything since the start, oldest first."""

    service: str
    address: str
    seen: list[Seen] = field(default_factory=list)
    runner: web.ServerRunner | None = None


class Origins:
    """On a loop in a thread of their own: tests may block meanwhile."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="origins", daemon=True)
        self._stalled = asyncio.Event()
        self._times: Counter[str] = Counter()
        self.all: list[Origin] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._do(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def start(self, service: str, count: int = 1, *, tls: ssl.SSLContext | None = None) -> list[Origin]:
        """So many endpoints of a Service, accepting."""
        if tls is not None:
            tls.sni_callback = _note_name
        return [self._do(self._start(service, tls)) for _ in range(count)]

    @property
    def seen(self) -> list[Seen]:
        return [one for origin in self.all for one in origin.seen]

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_START_S)

    async def _stop(self) -> None:
        self._stalled.set()
        for origin in self.all:
            if origin.runner is not None:
                await origin.runner.cleanup()

    async def _start(self, service: str, tls: ssl.SSLContext | None) -> Origin:
        for address in _addresses:
            origin = Origin(service, address)
            handler = partial(self._answer, origin)
            origin.runner = web.ServerRunner(web.Server(handler, access_log=None), shutdown_timeout=0.1)
            await origin.runner.setup()
            try:
                await web.TCPSite(origin.runner, address, PORT, ssl_context=tls).start()
            except OSError:
                await origin.runner.cleanup()  # another run of the tests has it
                continue
            self.all.append(origin)
            return origin
        raise AssertionError("no loopback address is free")

    async def _answer(self, origin: Origin, request: web.BaseRequest) -> web.StreamResponse:
        fields = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in request.raw_headers]
        transport = request.transport
        secured = transport.get_extra_info("ssl_object") if transport is not None else None
        seen = Seen(
            origin.service,
            origin.address,
            request.method,
            request.raw_path,
            fields,
            await request.content.read(),
            f"HTTP/{request.version.major}.{request.version.minor}",
            getattr(secured, "asked", None),
        )
        origin.seen.append(seen)
        obeyed = f"x-{origin.service}-answer" if origin.service in ASKED_ON_THE_WAY else "x-answer"
        wish = json.loads(seen.get(obeyed) or "{}")
        if "first" in wish:
            self._times[seen.get("x-case") or ""] += 1
            wish = wish["first"] if self._times[seen.get("x-case") or ""] == 1 else {}
        return await self._as_told(seen, request, wish)

    async def _as_told(self, seen: Seen, request: web.BaseRequest, wish: dict[str, Any]) -> web.StreamResponse:
        if "stall" in wish:
            await self._stalled.wait()
        if "drop" in wish and request.transport is not None:
            request.transport.abort()
        said = {"service": seen.service, "pod": seen.pod, "target": seen.target}
        response = web.Response(status=wish.get("status", 200), text=wish.get("body", json.dumps(said)))
        headers = wish.get("headers", ())
        if any(name.lower() == "content-type" for name, _ in headers):
            del response.headers["Content-Type"]
        for name, value in headers:
            response.headers.add(name, value)
        return response

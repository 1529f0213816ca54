"""Steady load over kept connections, every answer checked; nothing that goes wrong is forgiven or tried again."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import json
import ssl
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Aim:
    """Where a client sends its requests. ``path`` is looked up anew for each request, so that a test may change it."""

    port: int
    host: str
    path: str = "/"
    tls: ssl.SSLContext | None = None


@dataclass(slots=True)
class Tally:
    """What came back. ``failures`` holds one line for each request that did not get its own, right answer."""

    answers: int = 0
    services: Counter[str] = field(default_factory=Counter)
    pods: Counter[str] = field(default_factory=Counter)
    certificates: Counter[bytes] = field(default_factory=Counter)  # DER, one for each handshake
    connections: int = 0
    failures: list[str] = field(default_factory=list)


class Load:
    """Clients that each send a request every ``pause_s``, and every ``per_connection`` requests take a new connection.

    with Load(aims, clients=10) as load: …; load.tally
    """

    def __init__(
        self, aims: Sequence[Aim], *, clients: int = 10, pause_s: float = 0.05, per_connection: int = 40
    ) -> None:
        self._aims = aims
        self._clients = clients
        self._pause_s = pause_s
        self._per_connection = per_connection
        self._numbers = itertools.count()
        self._stopping = False
        self._tasks: list[asyncio.Task[None]] = []
        self._progress = asyncio.Event()
        self.tally = Tally()

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._client(number)) for number in range(self._clients)]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping = True
        await asyncio.gather(*self._tasks)

    async def more(self, count: int) -> None:
        """Until so many more requests are answered, or one has failed."""
        wanted = self.tally.answers + count
        async with asyncio.timeout(_TIMEOUT_S + count * self._pause_s):
            while self.tally.answers < wanted and not self.tally.failures:
                self._progress.clear()
                await self._progress.wait()

    async def _client(self, number: int) -> None:
        aim = self._aims[number % len(self._aims)]
        while not self._stopping:
            try:
                async with asyncio.timeout(_TIMEOUT_S):
                    connection = await self._open(aim)
            except (OSError, TimeoutError, ssl.SSLError) as error:
                self._failed(f"connecting to {aim.host}: {error!r}")
                await asyncio.sleep(self._pause_s)
                continue
            try:
                await self._use(connection, aim)
            finally:
                connection.close()

    async def _open(self, aim: Aim) -> _Connection:
        name = aim.host if aim.tls else None
        reader, writer = await asyncio.open_connection("127.0.0.1", aim.port, ssl=aim.tls, server_hostname=name)
        self.tally.connections += 1
        secured = writer.get_extra_info("ssl_object")
        if secured is not None:
            self.tally.certificates[secured.getpeercert(binary_form=True)] += 1
        return _Connection(reader, writer)

    async def _use(self, connection: _Connection, aim: Aim) -> None:
        for _ in range(self._per_connection):
            if self._stopping:
                return
            number = next(self._numbers)
            request = f"{aim.path}?n={number}"
            # Every fourth one may not be sent twice: what a retry would hide shows.
            body = b"" if number % 4 else b"x" * (number % 3000 + 1)
            try:
                async with asyncio.timeout(_TIMEOUT_S):
                    keeps, answer = await connection.ask(aim.host, request, body)
            except (OSError, EOFError, TimeoutError, ValueError) as error:
                self._failed(f"{aim.host}{request}: {error!r}")
                return
            self._check(answer, request, body)
            if not keeps:
                return
            await asyncio.sleep(self._pause_s)

    def _check(self, answer: tuple[int, bytes], request: str, body: bytes) -> None:
        status, text = answer
        said = json.loads(text) if status == 200 else {}
        expected = hashlib.sha256(body).hexdigest() if body else ""
        if status != 200 or said["target"] != request or said["body"] != expected:
            self._failed(f"{request}: {status} {text[:200]!r}")
            return
        self.tally.answers += 1
        self.tally.services[said["service"]] += 1
        self.tally.pods[said["pod"]] += 1
        self._progress.set()

    def _failed(self, why: str) -> None:
        self.tally.failures.append(f"{asyncio.get_running_loop().time():.3f} {why}")
        self._progress.set()


class _Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def ask(self, host: str, target: str, body: bytes) -> tuple[bool, tuple[int, bytes]]:
        """Whether the connection may go on, and status and body of the answer."""
        method = "POST" if body else "GET"
        self._writer.write(
            f"{method} {target} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
        )
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode().lower()
        fields = dict(line.split(": ", 1) for line in head.split("\r\n")[1:-2])
        content = await self._reader.readexactly(int(fields["content-length"]))
        return fields.get("connection") != "close", (int(head[9:12]), content)

    def close(self) -> None:
        # Abortive for TLS: nobody waits for the peer's close_notify.
        self._writer.transport.abort()

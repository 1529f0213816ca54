"""Many callers at once, each with a request under way most of the time: GET, POST by length and POST in chunks."""

from __future__ import annotations

import asyncio
import ssl
from types import TracebackType
from typing import Self

from tests.faults.caller import Caller
from tests.faults.ledger import Ledger, Request

_KINDS = (("GET", False), ("POST", False), ("GET", False), ("POST", True))
_STUCK_S = 20.0


class Crowd:
    """``async with Crowd(ledger, port, host) as crowd: await crowd.more(200)``.

    A connection takes ``per_connection`` requests, with ``pause_s`` between two. ``refused`` counts connections that
    could not be opened; callers give up after one when ``once`` is set.
    """

    def __init__(
        self,
        ledger: Ledger,
        port: int,
        host: str,
        *,
        callers: int = 12,
        per_connection: int = 15,
        pause_s: float = 0.002,
        methods: tuple[str, ...] = ("GET", "POST"),
        tls: ssl.SSLContext | None = None,
        once: bool = False,
    ) -> None:
        self._ledger = ledger
        self._port = port
        self._host = host
        self._callers = callers
        self._per_connection = per_connection
        self._pause_s = pause_s
        self._kinds = tuple(kind for kind in _KINDS if kind[0] in methods)
        self._tls = tls
        self._once = once
        self._stopping = False
        self._settled = 0
        self._progress = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self.refused = 0

    async def __aenter__(self) -> Self:
        self._ledger.on_settled.append(self._on_settled)
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._call(number)) for number in range(self._callers)]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping = True
        await asyncio.gather(*self._tasks)
        self._ledger.on_settled.remove(self._on_settled)

    async def more(self, count: int) -> None:
        """Until so many more requests are settled."""
        wanted = self._settled + count
        async with asyncio.timeout(_STUCK_S):
            while self._settled < wanted:
                self._progress.clear()
                await self._progress.wait()

    async def gone(self) -> None:
        """Until every caller has given up (``once``)."""
        async with asyncio.timeout(_STUCK_S):
            await asyncio.gather(*self._tasks)

    def _on_settled(self, request: Request) -> None:
        self._settled += 1
        self._progress.set()

    async def _call(self, turn: int) -> None:
        while not self._stopping:
            try:
                caller = await Caller.open(self._ledger, self._port, self._host, tls=self._tls)
            except OSError:
                self.refused += 1
                if self._once:
                    return
                await asyncio.sleep(self._pause_s)
                continue
            turn = await self._use(caller, turn)
            caller.close()

    async def _use(self, caller: Caller, turn: int) -> int:
        for _ in range(self._per_connection):
            turn += 1
            method, chunked = self._kinds[turn % len(self._kinds)]
            await caller.ask(method, chunked=chunked)
            await asyncio.sleep(self._pause_s)
            if self._stopping or not caller.usable:
                break
        return turn

"""A watch as these tests read it: by lines, each within seconds."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

from tests.support.apiserver.client import as_kind
from tests.support.apiserver.errors import Json

_SOON_S = 10.0


class Stream:
    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.response = response
        self._unread = b""

    async def line(self) -> bytes:
        """One line with its end, or what is left before the end of the body (b"" when nothing is)."""
        async with asyncio.timeout(_SOON_S):
            # Not the reader's own lines: those have a limit, which huge objects exceed.
            while b"\n" not in self._unread:
                piece = await self.response.content.readany()
                if not piece:
                    break
                self._unread += piece
        line, end, self._unread = self._unread.partition(b"\n")
        return line + end

    async def event(self) -> tuple[str, Json]:
        event = json.loads(await self.line())
        return event["type"], event["object"]

    async def names(self, count: int) -> list[tuple[str, str]]:
        """Type and object's name of the next events."""
        events = [await self.event() for _ in range(count)]
        return [(kind, obj["metadata"]["name"]) for kind, obj in events]

    async def is_silent(self, for_s: float = 0.3) -> bool:
        try:
            async with asyncio.timeout(for_s):
                return not (self._unread or await self.response.content.readany())
        except TimeoutError:
            return True


class WatchReader:
    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    @asynccontextmanager
    async def __call__(self, kind: str, namespace: str = "", **query: str) -> AsyncIterator[Stream]:
        path = as_kind(kind).path(namespace)
        async with self._session.get(path, params={"watch": "true", **query}) as response:
            assert response.status == 200, await response.text()
            yield Stream(response)

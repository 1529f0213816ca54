"""What clients asked for, so that tests can say what they should have asked."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import asdict, dataclass, field

from aiohttp import web

from tests.support.apiserver.errors import Json
from tests.support.apiserver.request_info import RequestInfo

_KEPT = 20_000


@dataclass(slots=True)
class RequestRecord:
    number: int
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    time: float  # seconds since the epoch
    monotonic: float
    verb: str
    resource: str
    namespace: str
    name: str
    subresource: str
    peer: str
    status: int | None = None  # None: not answered, or not yet
    fault: str = ""
    ended: float | None = field(default=None)


class RequestLog:
    def __init__(self) -> None:
        self._records: deque[RequestRecord] = deque(maxlen=_KEPT)
        self._grown = asyncio.Event()
        self._number = 0
        # Grows with every request and every answer.
        self.changes = 0

    def add(self, request: web.Request, info: RequestInfo) -> RequestRecord:
        self._number += 1
        record = RequestRecord(
            number=self._number,
            method=request.method,
            path=request.path,
            query=dict(request.query),
            headers={name.lower(): value for name, value in request.headers.items()},
            time=time.time(),
            monotonic=time.monotonic(),
            verb=info.verb,
            resource=info.resource,
            namespace=info.namespace,
            name=info.name,
            subresource=info.subresource,
            peer=_peer(request),
        )
        self._records.append(record)
        self.changed()
        return record

    def changed(self) -> None:
        self.changes += 1
        self._grown.set()
        self._grown = asyncio.Event()

    def since(self, number: int) -> list[Json]:
        return [asdict(record) for record in self._records if record.number > number]

    def clear(self) -> None:
        self._records.clear()

    async def wait_for_change(self, timeout_s: float) -> None:
        grown = self._grown
        try:
            async with asyncio.timeout(timeout_s):
                await grown.wait()
        except TimeoutError:
            return


def _peer(request: web.Request) -> str:
    peer = request.transport.get_extra_info("peername") if request.transport else None
    return f"{peer[0]}:{peer[1]}" if peer else ""

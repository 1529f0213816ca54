"""The request cases once more over real sockets, with real endpoints that record what reaches them."""

import asyncio

import pytest

from ingressd.proxy.limits import Limits
from tests.support.gateway import local_gateway
from tests.support.origin import Origin, Seen, origin
from tests.wire.corpus.case import FOLLOWER, Case, Passed, Refused, Unfinished, Want
from tests.wire.corpus.reading import answers, first_request
from tests.wire.corpus.requests import TOPICS
from tests.wire.corpus.wires import two_routes

IN_ORDER = Limits(reuse_for_all=True)
"""A POST on a connection of its own may be recorded after the request that follows it."""


async def _answer(seen: Seen) -> None:
    unread = b""
    while data := await seen.reader.read(1 << 16):
        seen.received += data
        unread += data
        while (found := first_request(unread)) is not None:
            unread = unread[found[1] :]
            body = b"" if found[0].method == b"HEAD" else b"ok"
            await seen.say(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" + body)


class Record:
    """Complete requests that an endpoint got, since it was last asked."""

    def __init__(self, origin: Origin) -> None:
        self._origin = origin
        self._taken: list[int] = []

    def take(self) -> list[tuple[bytes, bytes, bytes]]:
        """Method, target and body of each."""
        found = []
        connections = self._origin.connections
        self._taken += [0] * (len(connections) - len(self._taken))
        for index, received in enumerate(connections):
            while (one := first_request(bytes(received[self._taken[index] :]))) is not None:
                seen, size = one
                self._taken[index] += size
                found.append((seen.method, seen.target, seen.body))
        return found


async def _talk(port: int, data: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(data)
        writer.write_eof()
        return await reader.read()
    finally:
        writer.close()


@pytest.mark.parametrize("topic", TOPICS)
async def test_cases_over_sockets(topic: str) -> None:
    async with (
        origin(_answer) as open_origin,
        origin(_answer) as admin_origin,
        local_gateway(two_routes({open_origin.port: "open", admin_origin.port: "admin"}), limits=IN_ORDER) as local,
    ):
        records = {"open": Record(open_origin), "admin": Record(admin_origin)}
        for case in TOPICS[topic]:
            received = await _talk(local.http_port, case.raw if _is_unfinished(case) else case.raw + FOLLOWER)
            _check(case, received, {name: record.take() for name, record in records.items()})


def _is_unfinished(case: Case) -> bool:
    return isinstance(case.expect, Unfinished)


def _check(case: Case, received: bytes, got: dict[str, list[tuple[bytes, bytes, bytes]]]) -> None:
    wants: tuple[Want, ...] = ()
    statuses: list[int] = []
    if isinstance(case.expect, Passed):
        wants = case.expect.wants
        if case.expect.keeps and not case.expect.waits:
            wants += (Want(target=b"/innocent"),)
        statuses = [200] * len(wants) + [case.expect.then] * bool(case.expect.then)
    elif isinstance(case.expect, Refused):
        statuses = [case.expect.status]
    read = answers(received, (*case.methods, b"GET"), ended=True)
    assert read.statuses == statuses, case
    assert not read.rest, case
    for backend, seen in got.items():
        assert seen == [(want.method, want.target, want.body) for want in wants if want.backend == backend], case

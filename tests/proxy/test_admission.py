"""How many connections there may be, and what becomes of the others."""

import asyncio
import contextlib

import pytest

from ingressd.proxy.admission import Admission, backlog_of, connections_of
from ingressd.proxy.limits import Limits
from tests.support.gateway import local_gateway, one_host
from tests.support.origin import origin

GET = b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"


class Recorder:
    def __init__(self) -> None:
        self.calls: list[str] = []

    def pause(self) -> None:
        self.calls.append("pause")

    def resume(self) -> None:
        self.calls.append("resume")


def test_it_pauses_at_the_limit_and_resumes_below_it() -> None:
    admission, recorder = Admission(100, 0), Recorder()
    admission.listening = recorder
    for _ in range(100):
        admission.opened()
    assert recorder.calls == ["pause"]
    for _ in range(4):
        admission.closed()
    assert recorder.calls == ["pause"]
    admission.closed()
    assert recorder.calls == ["pause", "resume"]


def test_each_client_has_its_own_share() -> None:
    admission = Admission(100, 2)
    assert admission.enter("a")
    assert admission.enter("a")
    assert not admission.enter("a")
    assert admission.enter("b")
    admission.leave("a")
    admission.leave("a")
    assert admission.enter("a")


@pytest.mark.parametrize("descriptors", [256, 1024, 20_000, 1 << 20])
def test_descriptors_are_kept_for_endpoints_and_queues(descriptors: int) -> None:
    connections = connections_of(descriptors, 4)
    assert connections >= 16
    assert connections + 4 * backlog_of(descriptors) + descriptors // 4 <= descriptors


async def _connect(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", port)


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    writer.write(GET)
    return await reader.readuntil(b"\r\n\r\nok")


async def test_who_comes_at_the_limit_waits_and_is_served_when_there_is_room() -> None:
    limits = Limits(connections=4, backlog=16)
    async with origin() as upstream, local_gateway(one_host([upstream.port]), limits=limits) as gateway:
        held = [await _connect(gateway.http_port) for _ in range(4)]
        for pair in held:
            assert await _ask(*pair)
        assert gateway.gateway.admission.is_paused
        late_reader, late_writer = await _connect(gateway.http_port)
        async with asyncio.TaskGroup() as group:
            late = group.create_task(_ask(late_reader, late_writer))
            for reader, writer in held:
                assert await _ask(reader, writer)  # those who are in are served meanwhile
            assert not late.done()
            for _, writer in held[:2]:
                writer.close()
        assert late.result()
        for _, writer in [*held[2:], (late_reader, late_writer)]:
            writer.close()


async def test_one_client_too_often_is_told_so() -> None:
    limits = Limits(connections_per_client=1)
    async with origin() as upstream, local_gateway(one_host([upstream.port]), limits=limits) as gateway:
        first = await _connect(gateway.http_port)
        assert await _ask(*first)
        reader, writer = await _connect(gateway.http_port)
        assert (await reader.read()).startswith(b"HTTP/1.1 429 ")
        writer.close()
        assert await _ask(*first)
        first[1].close()
        with contextlib.suppress(ConnectionError):
            await first[1].wait_closed()

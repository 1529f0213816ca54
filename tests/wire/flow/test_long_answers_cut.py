"""Long answers that the kernel passes on, when somebody leaves, is silent, or nothing is to be had of the system."""

import asyncio

import pytest

from ingressd.policy.timeouts import Timeouts
from ingressd.proxy.limits import Limits
from ingressd.proxy.observed import Observed
from tests.support.client import connected
from tests.support.clock import Clock
from tests.support.eventually import soon
from tests.support.gateway import LocalGateway
from tests.support.origin import Seen
from tests.wire.flow.long_answers import (
    BODY,
    LONG,
    SMALL,
    Kernel,
    Said,
    descriptors,
    download,
    head_of,
    narrow,
    only_client,
    only_record,
    running,
    serving,
    stop_reading,
    turns,
    until_blocked,
)
from tests.wire.flow.support import GET

READ_S, WRITE_S = 20.0, 40.0
LIMITS = Limits(client_write_gap_s=WRITE_S)
TIMEOUTS = Timeouts(read_s=READ_S)


# -- who leaves


@pytest.mark.parametrize("how", ["FIN", "RST"])
async def test_an_endpoint_that_leaves(kernel: Kernel, how: str) -> None:
    """The client has got what there was, and can tell that it is not all."""
    said = Said()
    async with serving(said.script) as (gateway, client, _):
        await client.send(GET)
        await said.say(head_of(len(BODY)))
        await client.reader.readuntil(b"\r\n\r\n")
        await said.say(BODY[:LONG])
        assert await client.reader.readexactly(LONG) == BODY[:LONG]
        assert said.seen is not None
        if how == "RST":
            said.seen.reset()
        else:
            said.seen.writer.close()
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await client.reader.readexactly(1)
        assert await only_record(gateway) == (200, LONG)
        assert kernel.moved == LONG
        assert gateway.gateway.pool.idle == 0


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("waits_for", ["client", "endpoint"])
async def test_a_client_that_leaves(kernel: Kernel, how: str, waits_for: str) -> None:
    said = Said()
    async with serving(said.script, buffer=SMALL) as (gateway, client, _):
        await narrow(gateway)
        await client.send(GET)
        await said.say(head_of(len(BODY)))
        await client.reader.readuntil(b"\r\n\r\n")
        if waits_for == "client":
            said.write(BODY)
            await until_blocked(gateway)
        else:
            await said.say(BODY[:1000])
            await client.reader.readexactly(1000)
        if how == "reset":
            client.reset()
        else:
            client.writer.close()
            said.write(BODY[1000:])  # to a server a close looks like a half-close, until it says more
        await said.gone.wait()
        status, bytes_out = await only_record(gateway)
        assert (status, bytes_out) == (200, kernel.moved)
        assert bytes_out < len(BODY)


async def test_what_was_read_and_not_sent_is_known_to_the_log(kernel: Kernel) -> None:
    said = Said()
    known = []

    class Noted(Observed):
        __slots__ = ()

        def _end(self, now: float) -> None:
            known.append((self.bytes_out, self.upstream_bytes))
            super()._end(now)

    async with serving(said.script, buffer=SMALL) as (gateway, client, _):
        gateway.gateway.exchange_type = Noted
        await narrow(gateway)
        await client.send(GET)
        await said.say(head_of(len(BODY)))
        await client.reader.readuntil(b"\r\n\r\n")
        said.write(BODY)
        await until_blocked(gateway)
        down = only_client(gateway)
        stop_reading(client)
        await turns()
        waiting = down.beside_bytes
        client.reset()
        assert await only_record(gateway) == (200, kernel.moved)
        assert known == [(kernel.moved, kernel.moved + waiting)]
        assert down.beside_bytes == 0


async def test_the_end_of_draining_cuts_it(kernel: Kernel) -> None:
    said = Said()
    async with serving(said.script) as (gateway, client, _):
        await client.send(GET)
        await said.say(head_of(len(BODY)) + BODY[:LONG])
        async with asyncio.TaskGroup() as tasks:
            answer = tasks.create_task(client.answer())
            while not kernel.calls:
                await asyncio.sleep(0)
            gateway.gateway.abort_all()
        assert not answer.result().complete
        assert (await only_record(gateway))[0] == 200


# -- who is silent


async def test_a_silent_endpoint(kernel: Kernel, clock: Clock) -> None:
    """Each byte buys it the whole time again."""
    said = Said()
    async with serving(said.script, timeouts=TIMEOUTS) as (gateway, client, _):
        await client.send(GET)
        await said.say(head_of(len(BODY)))
        await client.reader.readuntil(b"\r\n\r\n")
        for _ in range(3):
            gateway.pass_time(clock, READ_S * 0.7)
            await said.say(BODY[:1000])
            assert await client.reader.readexactly(1000) == BODY[:1000]
        gateway.pass_time(clock, READ_S + 1)
        assert await client.reader.read() == b""
        assert await only_record(gateway) == (200, 3000)
        await said.gone.wait()


async def test_a_client_that_takes_nothing(kernel: Kernel, clock: Clock) -> None:
    """The endpoint's time does not run meanwhile: it is not the one who is waited for."""
    said = Said()
    async with serving(said.script, limits=LIMITS, timeouts=TIMEOUTS, buffer=SMALL) as (gateway, client, _):
        await narrow(gateway)
        await client.send(GET)
        await said.say(head_of(len(BODY)))
        await client.reader.readuntil(b"\r\n\r\n")
        stop_reading(client)
        said.write(BODY)
        await until_blocked(gateway)
        await turns()
        gateway.pass_time(clock, READ_S + 1)
        await turns()
        assert running(gateway) == 1
        gateway.pass_time(clock, WRITE_S + 1)
        assert await only_record(gateway) == (200, kernel.moved)
        await said.gone.wait()


@pytest.mark.parametrize("is_behind", [True, False], ids=["from the beginning", "later"])
async def test_a_client_that_takes_what_it_must(kernel: Kernel, clock: Clock, is_behind: bool) -> None:
    """``min_rate`` bytes a second buy time, fewer do not."""
    said = Said(buffer=1 << 20)
    async with serving(said.script, limits=LIMITS, timeouts=TIMEOUTS, buffer=SMALL) as (gateway, client, _):
        await narrow(gateway)
        await client.send(GET)
        await said.asked.wait()
        if is_behind:
            said.write(head_of(len(BODY)) + BODY)
            while not only_client(gateway).write_paused:
                await asyncio.sleep(0)
        else:
            said.write(head_of(len(BODY)))
            await client.reader.readuntil(b"\r\n\r\n")
            said.write(BODY)
        while waiting(gateway) < 100_000:
            await client.reader.read(1000)
        for _ in range(3):
            gateway.pass_time(clock, WRITE_S * 0.9)
            before = waiting(gateway)
            while waiting(gateway) > before - LIMITS.min_rate * WRITE_S:
                await client.reader.read(1000)
            gateway.pass_time(clock, WRITE_S * 0.2)
            await turns()
        assert running(gateway) == 1
        gateway.pass_time(clock, WRITE_S + 1)
        gateway.pass_time(clock, WRITE_S + 1)
        assert (await only_record(gateway))[0] == 200


def waiting(gateway: LocalGateway) -> int:
    """Bytes that wait here for the client."""
    down = only_client(gateway)
    return down.transport.get_write_buffer_size() + down.beside_bytes


# -- what is left


async def test_no_descriptor_is_left_behind(kernel: Kernel) -> None:
    """However they end, and whoever ends them."""

    async def by_path(seen: Seen) -> None:
        while head := await seen.head():
            is_whole = head.startswith(b"GET /whole")
            await seen.say(head_of(len(BODY)) + (BODY if is_whole else BODY[: 5 * LONG]))
            if not is_whole:
                return

    whole, half = (GET.replace(b"/", path, 1) for path in (b"/whole", b"/half"))
    async with serving(by_path) as (gateway, client, _):
        await download(client, whole)
        before = descriptors()
        for _ in range(5):
            async with connected(gateway.http_port) as short:
                assert not (await short.ask(half)).complete
            async with connected(gateway.http_port) as fickle:
                await fickle.send(whole)
                await fickle.reader.readexactly(5 * LONG)
                fickle.reset()
            await download(client, whole)
        await soon(lambda: descriptors() == before)
        assert await gateway.answered(16) == [200] * 16
    assert kernel.moved > 10 * LONG

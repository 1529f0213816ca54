"""SIGTERM with a long answer and a tunnel open: everything begun is finished, then it is over."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.faults.caller import Caller
from tests.faults.ledger import Ledger
from tests.faults.origins import answer
from tests.faults.shop import Shop
from tests.support.eventually import soon
from tests.support.origin import Seen, origin

SWITCH = b"GET /echo HTTP/1.1\r\nHost: %b\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"


class Slow:
    """An origin that answers all but the last byte, and that when told."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.begun = asyncio.Event()
        self.go_on = asyncio.Event()

    async def script(self, seen: Seen) -> None:
        head = await seen.head()
        number = int(head.split()[1][1:])
        self._ledger.process("slow", number, "GET", b"")
        await seen.say(answer(number)[:-1])
        self.begun.set()
        await self.go_on.wait()
        await seen.say(answer(number)[-1:])


async def echo(seen: Seen) -> None:
    await seen.head()
    await seen.say(SWITCHED)
    while data := await seen.reader.read(4096):
        await seen.say(data)


@asynccontextmanager
async def long_answer_and_tunnel(shop: Shop, ledger: Ledger) -> AsyncIterator[None]:
    """Both are begun before the block; the daemon gets SIGTERM in it; after it both go on, end, and so does it."""
    slow = Slow(ledger)
    async with origin(slow.script) as late, origin(echo) as echoing:
        hosts = [await shop.serve([one.port]) for one in (late, echoing)]
        port = shop.daemon.http_port
        caller = await Caller.open(ledger, port, hosts[0])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(SWITCH % hosts[1].encode())
        assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
        async with asyncio.TaskGroup() as tasks:
            request = tasks.create_task(caller.ask())
            await slow.begun.wait()

            yield

            assert not request.done()
            writer.write(b"still there?")
            assert await reader.readexactly(12) == b"still there?"
            slow.go_on.set()
        writer.write_eof()
        assert await reader.read() == b""
        writer.close()
        caller.close()
        assert await asyncio.to_thread(shop.daemon.wait, within_s=5.0) == 0


async def test_what_is_open_is_finished(shop: Shop, ledger: Ledger) -> None:
    async with long_answer_and_tunnel(shop, ledger):
        shop.daemon.process.send_signal(signal.SIGTERM)
        await soon(lambda: not accepts(shop.daemon.http_port))

    assert ledger.outcomes == {"GET 200": 1}


def accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except ConnectionRefusedError:
        return False
    return True

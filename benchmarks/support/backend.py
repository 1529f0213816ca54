"""A backend on every loopback address: answers with the address it was asked at.

    python -m benchmarks.support.backend

Prints its port, and ends with its standard input.
"""

import asyncio
import subprocess
import sys
from types import TracebackType
from typing import Self, cast

import uvloop


class Answering(asyncio.Protocol):
    """Reads whole requests without bodies, possibly several at a time; keeps the connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        address = transport.get_extra_info("sockname")[0].encode()
        self._answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(address), address)
        self._rest = b""

    def data_received(self, data: bytes) -> None:
        data = self._rest + data
        count = data.count(b"\r\n\r\n")
        self._rest = data[data.rfind(b"\r\n\r\n") + 4 :] if count else data
        if count:
            self._transport.write(self._answer * count)


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Answering, "0.0.0.0", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    ended = asyncio.Event()
    loop.add_reader(sys.stdin.fileno(), ended.set)
    await ended.wait()


class Backend:
    """The backend as a process."""

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "benchmarks.support.backend"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())
        self.pid = self._process.pid
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._process.communicate(timeout=10)


if __name__ == "__main__":
    uvloop.run(_serve())

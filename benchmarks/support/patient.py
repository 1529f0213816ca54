"""A backend for slow clients: reads bodies as they come, and gives a large answer as it is taken.

python -m benchmarks.support.patient

Prints its port, and ends with its standard input.
"""

import asyncio
import subprocess
import sys
from types import TracebackType
from typing import Self, cast

from benchmarks.support.slow import LARGE_PATH

LARGE_BYTES = 8 << 20
_PIECE = bytes(1 << 16)
_SMALL = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
_LARGE = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % LARGE_BYTES


class Patient:
    """The backend as a process."""

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "benchmarks.support.patient"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._process.communicate(timeout=10)


class _Answering(asyncio.Protocol):
    """One request at a time, as the proxy sends them."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._head = b""
        self._body_left = 0
        self._pieces_left = 0
        self._is_full = False

    def data_received(self, data: bytes) -> None:
        if self._body_left:
            self._body_left -= len(data)
        else:
            self._head += data
            head, found, body = self._head.partition(b"\r\n\r\n")
            if not found:
                return
            self._head = b""
            self._is_large = head.startswith(b"GET %b " % LARGE_PATH.encode())
            length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
            self._body_left = int(length or 0) - len(body)
        if not self._body_left:
            self._answer()

    def _answer(self) -> None:
        self._transport.write(_LARGE if self._is_large else _SMALL)
        self._pieces_left = LARGE_BYTES // len(_PIECE) if self._is_large else 0
        self._send()

    def _send(self) -> None:
        while self._pieces_left and not self._is_full:
            self._pieces_left -= 1
            self._transport.write(_PIECE)

    def pause_writing(self) -> None:
        self._is_full = True

    def resume_writing(self) -> None:
        self._is_full = False
        self._send()


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_Answering, "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    ended = asyncio.Event()
    loop.add_reader(sys.stdin.fileno(), ended.set)
    await ended.wait()


if __name__ == "__main__":
    asyncio.run(_serve())

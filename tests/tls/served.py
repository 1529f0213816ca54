"""An echo server over real sockets, as its own process, so that its memory is its own.

python -m tests.tls.served uvloop|asyncio    prints its port; the text "memory?" is answered with the peak in KiB
"""

import asyncio
import re
import sys
from pathlib import Path

import uvloop

from ingressd.proxy.tls_transport import TlsTransport
from tests.tls.peers import Owner, server_context


class Echo(asyncio.Protocol):
    """Sends back what it gets, and reads no faster than it can send."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, TlsTransport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(f"{peak_memory_kib():12}".encode() if data == b"memory?" else data)

    def pause_writing(self) -> None:
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        self.transport.resume_reading()


def peak_memory_kib() -> int:
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found
    return int(found[1])


async def serve() -> None:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: print("exception handler:", context, file=sys.stderr, flush=True))
    context, owner = server_context(), Owner()
    server = await loop.create_server(lambda: TlsTransport(context, Echo, owner), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    uvloop.run(serve()) if sys.argv[1] == "uvloop" else asyncio.run(serve())

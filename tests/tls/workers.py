"""A parent that makes one listener context and forks workers, as ingressd does, for test_resumption.

python -m tests.tls.workers VERSION    prints whether a second worker resumed the first one's session
"""

import asyncio
import os
import socket
import ssl
import sys

from ingressd.proxy.tls_transport import TlsTransport
from tests.tls.peers import Client, Inner, Owner, client_context, server_context


def work(listener: ssl.SSLContext, connection: socket.socket) -> None:
    """One worker: one connection, an answer to what comes first, then the end."""

    async def serve() -> None:
        lost = asyncio.Event()

        class Answering(Inner):
            def data_received(self, data: bytes) -> None:
                self.transport.write(data.upper())
                self.transport.close()

        class Watched(TlsTransport):
            def connection_lost(self, exc: Exception | None) -> None:
                super().connection_lost(exc)
                lost.set()

        loop = asyncio.get_running_loop()
        await loop.connect_accepted_socket(lambda: Watched(listener, Answering, Owner()), connection)
        await lost.wait()

    asyncio.run(serve())


def visit(worker_end: socket.socket, context: ssl.SSLContext, session: ssl.SSLSession | None) -> Client:
    """Handshake with a worker and read its answer."""
    client = Client(context, session=session)
    data = client.step()
    while not client.handshake_done:
        worker_end.sendall(data)
        data = client.step(worker_end.recv(1 << 16))
    worker_end.sendall(data + client.send(b"hello"))
    while not client.saw_close_notify:
        client.step(worker_end.recv(1 << 16))
    assert client.received == b"HELLO"
    return client


def main(version: str) -> None:
    listener = server_context()
    ends = []
    for _ in range(2):
        ours, theirs = socket.socketpair()
        if os.fork() == 0:
            ours.close()
            work(listener, theirs)
            os._exit(0)
        theirs.close()
        ends.append(ours)
    context = client_context(ssl.TLSVersion[version])
    first = visit(ends[0], context, None)
    second = visit(ends[1], context, first.tls.session)
    for end in ends:
        end.close()
        os.wait()
    print("resumed" if second.tls.session_reused and not first.tls.session_reused else "full")


if __name__ == "__main__":
    main(sys.argv[1])

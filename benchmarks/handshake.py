"""What TLS costs a worker: our transport against uvloop's own TLS, in turns on the same machine.

    python -m benchmarks.handshake [--rounds 5]

Claims: a full handshake costs less CPU than with uvloop's TLS, a keep-alive exchange too, and an idle connection less
memory; bodies cost about the same. CPU is the server process's own, from the scheduler; the client does not count.
TLS 1.3, ECDSA P-256, and for our transport the switch of certificate by server name that every connection makes.
"""

import argparse
import asyncio
import contextlib
import os
import socket
import ssl
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import cast

import uvloop

from ingressd.proxy.tls_transport import TlsTransport
from ingressd.tls.certificate import CheckedPair, self_signed
from ingressd.tls.context import certificate_context, listener_context
from ingressd.tls.sni import CertificateSwitch, ServerNames

MIB = 1 << 20
HANDSHAKES = 300
ECHOES, ECHO_CONNECTIONS = 8_000, 16
BULK_MIB = 96
IDLE = 600
CHUNK = bytes(64 * 1024)  # about what a proxy reads from an upstream at a time
ECHO, DOWNLOAD, UPLOAD = b"E", b"D", b"U"


class Served(asyncio.Protocol):
    """E… comes back as it is; D is answered with BULK_MIB; U and what follows is counted, then acknowledged."""

    def __init__(self) -> None:
        self.to_send = self.to_receive = 0
        self.is_full = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self.to_receive or data[:1] == UPLOAD:
            self.to_receive = (self.to_receive or BULK_MIB * MIB) - len(data)
            if self.to_receive <= 0:
                self.to_receive = 0
                self.transport.write(ECHO)
        elif data[:1] == DOWNLOAD:
            self.to_send = BULK_MIB * MIB
            self.send()
        else:
            self.transport.write(data)

    def send(self) -> None:
        while self.to_send and not self.is_full:
            self.to_send -= len(CHUNK)
            self.transport.write(CHUNK)

    def pause_writing(self) -> None:
        self.is_full = True

    def resume_writing(self) -> None:
        self.is_full = False
        self.send()


class Owner:
    def handshake_started(self, transport: TlsTransport) -> None: ...

    def handshake_ended(self, transport: TlsTransport, failure: str) -> None: ...

    def plain_http(self, data: bytes) -> bytes:
        return b""


def own_tls(pair: CheckedPair) -> Callable[[socket.socket], Awaitable[asyncio.Server]]:
    listener = listener_context()
    contexts = {"default": certificate_context(pair.chain_pem, pair.key_pem)}
    CertificateSwitch(ServerNames(contexts, {"ingress.local": "default"}, "default")).install(listener)
    owner = Owner()
    make_protocol = lambda: TlsTransport(listener, Served, owner)  # noqa: E731
    return lambda listening: asyncio.get_running_loop().create_server(make_protocol, sock=listening)


def uvloop_tls(pair: CheckedPair) -> Callable[[socket.socket], Awaitable[asyncio.Server]]:
    context = certificate_context(pair.chain_pem, pair.key_pem)
    return lambda listening: asyncio.get_running_loop().create_server(Served, sock=listening, ssl=context)


VARIANTS = {"own": own_tls, "uvloop": uvloop_tls}


async def serve(variant: str, descriptor: int) -> None:
    """What a server process does."""
    start = VARIANTS[variant](self_signed(now=time.time()))
    server = await start(socket.socket(fileno=descriptor))
    await asyncio.get_running_loop().create_future()
    server.close()


class Server:
    """A server process, and its costs. Not forked: memory that the client freed would hide what the server takes."""

    def __init__(self, variant: str) -> None:
        with socket.create_server(("127.0.0.1", 0), backlog=1024) as listening:
            self.address = listening.getsockname()
            fd = listening.fileno()
            command = [sys.executable, "-m", "benchmarks.handshake", "--serve", variant, "--descriptor", str(fd)]
            self.process = subprocess.Popen(command, pass_fds=[fd])
        self.pid = self.process.pid
        os.sched_setaffinity(self.pid, {0})

    def cpu_us(self) -> float:
        return int(Path(f"/proc/{self.pid}/schedstat").read_text().split()[0]) / 1000

    def rss_kib(self) -> float:
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1024

    def connect(self, context: ssl.SSLContext, session: ssl.SSLSession | None = None) -> ssl.SSLSocket:
        plain = socket.create_connection(self.address)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return context.wrap_socket(plain, server_hostname="ingress.local", session=session)

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


def echo(connection: ssl.SSLSocket) -> None:
    connection.sendall(ECHO * 100)
    wanted = 100
    while wanted:
        wanted -= len(connection.recv(wanted))


@contextlib.contextmanager
def settled(server: Server) -> Iterator[list[float]]:
    """CPU microseconds spent inside the block."""
    spent = [0.0]
    before = server.cpu_us()
    yield spent
    time.sleep(0.02)  # closing is work too
    spent[0] = server.cpu_us() - before


def full_handshake(server: Server, client: ssl.SSLContext) -> float:
    with settled(server) as spent:
        for _ in range(HANDSHAKES):
            with server.connect(client) as connection:
                echo(connection)
    return spent[0] / HANDSHAKES


def resumed_handshake(server: Server, client: ssl.SSLContext) -> float:
    with server.connect(client) as connection:
        echo(connection)
        session = connection.session
    with settled(server) as spent:
        for _ in range(HANDSHAKES):
            with server.connect(client, session) as connection:
                echo(connection)
                assert connection.session_reused
                session = connection.session
    return spent[0] / HANDSHAKES


def keep_alive(server: Server, client: ssl.SSLContext) -> float:
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(server.connect(client)) for _ in range(ECHO_CONNECTIONS)]
        for connection in connections:
            echo(connection)
        with settled(server) as spent:
            for _ in range(ECHOES // ECHO_CONNECTIONS):
                for connection in connections:
                    connection.sendall(ECHO * 100)
                for connection in connections:
                    connection.recv(100)
    return spent[0] / ECHOES


def download(server: Server, client: ssl.SSLContext) -> float:
    into = bytearray(256 * 1024)
    with server.connect(client) as connection, settled(server) as spent:
        connection.sendall(DOWNLOAD)
        wanted = BULK_MIB * MIB
        while wanted:
            wanted -= connection.recv_into(into)
    return spent[0] / BULK_MIB / 1000


def upload(server: Server, client: ssl.SSLContext) -> float:
    with server.connect(client) as connection, settled(server) as spent:
        for _ in range(BULK_MIB):
            connection.sendall(UPLOAD * MIB)
        connection.recv(1)
    return spent[0] / BULK_MIB / 1000


def idle(server: Server, client: ssl.SSLContext) -> float:
    with contextlib.ExitStack() as stack:
        before = server.rss_kib()
        for _ in range(IDLE):
            echo(stack.enter_context(server.connect(client)))
        time.sleep(0.05)
        return (server.rss_kib() - before) / IDLE


MEASURES: dict[str, Callable[[Server, ssl.SSLContext], float]] = {
    "full handshake, µs": full_handshake,
    "resumed handshake, µs": resumed_handshake,
    "keep-alive echo of 100 bytes, µs": keep_alive,
    "download, ms/MiB": download,
    "upload, ms/MiB": upload,
    "idle connection, KiB": idle,
}


def client_context(version: ssl.TLSVersion) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = context.maximum_version = version
    return context


def measure(rounds: int, only: str) -> dict[str, dict[str, list[float]]]:
    client = client_context(ssl.TLSVersion.TLSv1_3)
    results: dict[str, dict[str, list[float]]] = {
        name: {variant: [] for variant in VARIANTS} for name in MEASURES if only in name
    }
    for _ in range(rounds):
        for name, by_variant in results.items():
            for variant in VARIANTS:
                server = Server(variant)  # a new one each time: memory once used stays used
                try:
                    for _ in range(20):  # past its first times
                        with server.connect(client) as connection:
                            echo(connection)
                    by_variant[variant].append(MEASURES[name](server, client))
                finally:
                    server.stop()
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="part of a measure's name")
    parser.add_argument("--serve", choices=VARIANTS, help=argparse.SUPPRESS)
    parser.add_argument("--descriptor", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        uvloop.run(serve(arguments.serve, arguments.descriptor))
        return
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})  # servers get core 0
    print(f"{'':34}{'own: median (min–max)':>28}{'uvloop':>28}   ratio of medians")
    for name, by_variant in measure(arguments.rounds, arguments.only).items():
        medians = [statistics.median(values) for values in by_variant.values()]
        cells = [f"{m:.2f} ({min(v):.2f}–{max(v):.2f})" for m, v in zip(medians, by_variant.values(), strict=True)]
        print(f"{name:34}{cells[0]:>28}{cells[1]:>28}   {medians[0] / medians[1]:.2f}")


if __name__ == "__main__":
    main()

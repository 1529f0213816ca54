"""A body of 1 GiB, up and down, with ends that stall: the gateway's memory does not grow."""

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, cast

import pytest

SIZE = 1 << 30
PIECE = bytes(1 << 20)
STALLS = 3
"""How often the receiving end stops until the sending end is stuck."""
MOST_GROWTH_KIB = 4096
PATIENCE_S = 60.0
STUCK_S = 0.3
"""The sender takes it that nobody reads any more when it cannot send for this long."""


class Stream:
    """Sends or receives ``SIZE`` bytes; the receiver stops some times until the sender has noticed."""

    def __init__(self) -> None:
        self._stuck = threading.Semaphore(0)
        self._stalls = [SIZE * (number + 1) // (STALLS + 1) for number in range(STALLS)]

    def send(self, sock: socket.socket, size: int) -> None:
        sock.settimeout(STUCK_S)
        while size:
            try:
                size -= sock.send(PIECE[:size])
            except TimeoutError:
                self._stuck.release()
        sock.settimeout(PATIENCE_S)

    def receive(self, sock: socket.socket, size: int) -> None:
        buffer = bytearray(1 << 20)
        received = 0
        while received < size:
            if self._stalls and size == SIZE and received >= self._stalls[0]:
                del self._stalls[0]
                while self._stuck.acquire(blocking=False):
                    pass
                assert self._stuck.acquire(timeout=PATIENCE_S)
            count = sock.recv_into(buffer, min(len(buffer), size - received))
            assert count, "cut off"
            received += count


def read_head(sock: socket.socket) -> bytes:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = sock.recv(1)
        if not byte:
            return b""
        head += byte
    return head


def serve_one(listening: socket.socket, stream: Stream) -> None:
    """The origin: takes what is put, gives ``SIZE`` bytes for a GET of /large."""
    connection, _ = listening.accept()
    with connection:
        connection.settimeout(PATIENCE_S)
        while head := read_head(connection):
            length = 0
            if head.startswith(b"PUT"):
                stream.receive(connection, SIZE)
            elif head.startswith(b"GET /large"):
                length = SIZE
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % length)
            stream.send(connection, length)


class GatewayProcess:
    """See ``tests/support/gateway_process``."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._stdin, self._stdout = cast("IO[str]", process.stdin), cast("IO[str]", process.stdout)
        self.port = int(self._stdout.readline())

    def take_peak_kib(self) -> int:
        self._stdin.write("peak\n")
        self._stdin.flush()
        return int(self._stdout.readline())


@contextmanager
def gateway_process(loop: str, origin_port: int) -> Iterator[GatewayProcess]:
    arguments = [sys.executable, "-m", "tests.support.gateway_process", loop, str(origin_port)]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield GatewayProcess(process)
        cast("IO[str]", process.stdin).close()
        assert process.wait(PATIENCE_S) == 0


@contextmanager
def running_origin(stream: Stream) -> Iterator[int]:
    """Its port; it has ended without a fault when this ends."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        origin = threading.Thread(target=serve_one, args=(listening, stream), daemon=True)
        origin.start()
        yield listening.getsockname()[1]
        origin.join(PATIENCE_S)
        assert not origin.is_alive()


def move(client: socket.socket, stream: Stream, direction: str) -> None:
    if direction == "down":
        client.sendall(b"GET /large HTTP/1.1\r\nHost: a.example\r\n\r\n")
        assert read_head(client).startswith(b"HTTP/1.1 200 ")
        stream.receive(client, SIZE)
    else:
        client.sendall(b"PUT / HTTP/1.1\r\nHost: a.example\r\nContent-Length: %d\r\n\r\n" % SIZE)
        stream.send(client, SIZE)
        assert read_head(client).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
@pytest.mark.parametrize("direction", ["up", "down"])
def test_memory_does_not_grow_with_bodies(loop: str, direction: str) -> None:
    stream = Stream()
    with (
        running_origin(stream) as port,
        gateway_process(loop, port) as gateway,
        socket.create_connection(("127.0.0.1", gateway.port), timeout=PATIENCE_S) as client,
    ):
        client.sendall(b"GET /small HTTP/1.1\r\nHost: a.example\r\n\r\n")
        assert read_head(client).startswith(b"HTTP/1.1 200 ")
        gateway.take_peak_kib()
        before_kib = gateway.take_peak_kib()
        move(client, stream, direction)
        growth_kib = gateway.take_peak_kib() - before_kib
        client.close()
    print(f"{direction} on {loop}: {growth_kib} KiB more than {before_kib}")
    assert growth_kib < MOST_GROWTH_KIB

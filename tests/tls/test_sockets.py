"""The transport on real sockets and both event loops: Python's own TLS and the openssl program as clients."""

import contextlib
import selectors
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tls.peers import BOTH_VERSIONS, Owner, client_context

MIB = 1 << 20

each_version = pytest.mark.parametrize("version", BOTH_VERSIONS, ids=lambda v: v.name)


@pytest.fixture(scope="module", params=["uvloop", "asyncio"])
def port(request: pytest.FixtureRequest) -> Iterator[int]:
    """A running echo server. At the end it must have told its exception handler, and standard error, nothing."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.tls.served", request.param],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    yield int(process.stdout.readline())
    _, errors = process.communicate(timeout=30)
    assert errors == ""
    assert process.returncode == 0


def connect(port: int, version: ssl.TLSVersion | None = None) -> ssl.SSLSocket:
    plain = socket.create_connection(("127.0.0.1", port), timeout=60)
    return client_context(version).wrap_socket(plain, server_hostname="shop.example")


def receive(connection: socket.socket, size: int) -> bytes:
    received = bytearray()
    while len(received) < size and (part := connection.recv(256 * 1024)):
        received += part
    return bytes(received)


def exchange(connection: ssl.SSLSocket, piece: bytes, times: int) -> None:
    """Send ``piece`` so many times while reading as many back, in one thread: an SSLSocket is not made for two."""
    unsent = memoryview(piece * times)
    expected = len(unsent)
    received = bytearray()
    whole = 0
    while whole + len(received) < expected:
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if unsent else 0)
        with selectors.DefaultSelector() as selector:
            selector.register(connection, wanted)
            assert connection.pending() or selector.select(timeout=60), "nothing moves"
        with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLWantWriteError):
            if unsent:
                unsent = unsent[connection.send(unsent[:16384]) :]
        with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLWantWriteError):
            received += connection.recv(MIB)
        while len(received) >= len(piece):
            assert received[: len(piece)] == piece
            del received[: len(piece)]
            whole += len(piece)


def peak_memory_kib(port: int) -> int:
    with connect(port) as connection:
        connection.sendall(b"memory?")
        return int(receive(connection, 12))


@each_version
def test_64_mib_there_and_back_in_little_memory(port: int, version: ssl.TLSVersion) -> None:
    piece = bytes(range(256)) * 4096
    with connect(port, version) as connection:
        connection.sendall(piece)
        receive(connection, MIB)
        before = peak_memory_kib(port)
        connection.setblocking(False)
        exchange(connection, piece, 64)
        assert peak_memory_kib(port) - before < 2048


def test_plain_http_on_the_tls_port(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n")
        assert receive(connection, 1000) == Owner.answer


@each_version
def test_close_notify_is_answered_with_close_notify(port: int, version: ssl.TLSVersion) -> None:
    with connect(port, version) as connection:
        connection.sendall(b"x")
        assert connection.recv(1) == b"x"
        connection.unwrap().close()  # raises unless the server says close_notify too


def test_clients_that_vanish_hurt_nobody(port: int) -> None:
    for stage in range(4):
        plain = socket.create_connection(("127.0.0.1", port), timeout=60)
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")  # close by reset
        with contextlib.ExitStack() as stack:
            stack.callback(plain.close)
            if stage == 1:
                plain.sendall(b"\x16\x03\x01\x02\x00\x01")
            elif stage >= 2:
                connection = client_context().wrap_socket(plain, server_hostname="shop.example")
                stack.callback(connection.close)
                if stage == 3:
                    connection.sendall(bytes(4 * MIB)[: 200 * 1024])
    with connect(port) as connection:
        connection.sendall(b"alive")
        assert receive(connection, 5) == b"alive"


class SClient:
    """``openssl s_client`` with a person's keyboard. What it prints is read up to a word that must come."""

    def __init__(self, openssl: str, port: int, *arguments: str) -> None:
        command = [openssl, "s_client", "-connect", f"127.0.0.1:{port}", "-servername", "shop.example", *arguments]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=0
        )
        self.printed = b""
        self.watchdog = threading.Timer(60, self.process.kill)  # a word that never comes must not hang the suite
        self.watchdog.start()

    def type(self, text: bytes) -> None:
        assert self.process.stdin
        self.process.stdin.write(text)

    def until(self, word: bytes) -> None:
        assert self.process.stdout
        while word not in self.printed:
            part = self.process.stdout.read(4096)
            assert part, self.printed.decode()
            self.printed += part
        self.printed = self.printed.partition(word)[2]

    def end(self) -> str:
        rest, _ = self.process.communicate()
        self.watchdog.cancel()
        return (self.printed + rest).decode()


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_openssl_talks_and_gets_its_echo(openssl: str, port: int, version: str) -> None:
    client = SClient(openssl, port, version, "-alpn", "h2,http/1.1")
    client.until(b"ALPN protocol: http/1.1")
    client.type(b"hello there\n")
    client.until(b"hello there\n")
    client.end()
    assert client.process.returncode == 0


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_openssl_resumes(openssl: str, port: int, version: str, tmp_path: Path) -> None:
    session = str(tmp_path / "session")
    for file, expected in (("-sess_out", b"New, "), ("-sess_in", b"Reused, ")):
        client = SClient(openssl, port, version, file, session)
        client.until(expected)
        client.type(b"hello\n")
        client.until(b"hello\n")  # by now TLS 1.3's ticket has come
        client.end()


def test_openssl_updates_its_keys_both_ways(openssl: str, port: int) -> None:
    client = SClient(openssl, port, "-tls1_3")
    client.until(b"Verify return code")
    for word in (b"one", b"two", b"three"):
        client.type(b"K\n")  # update ours, and ask the server to update its own
        client.until(b"KEYUPDATE")
        client.type(word + b"\n")
        client.until(word + b"\n")
    client.end()


def test_openssl_is_refused_a_renegotiation(openssl: str, port: int) -> None:
    client = SClient(openssl, port, "-tls1_2")
    client.until(b"Verify return code")
    client.type(b"R\n")
    client.until(b"RENEGOTIATING")
    assert "no renegotiation" in client.end()


@pytest.mark.parametrize("arguments", [["-tls1_2", "-cipher", "AES128-SHA"], ["-tls1_3", "-groups", "ffdhe2048"]])
def test_openssl_without_anything_in_common_is_told_so(openssl: str, port: int, arguments: list[str]) -> None:
    client = SClient(openssl, port, *arguments)
    assert "handshake failure" in client.end()
    assert client.process.returncode != 0

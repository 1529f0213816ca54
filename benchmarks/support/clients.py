"""Clients that know which worker they speak to, and a probe that notes what one patient client sees."""

import json
import os
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path


class Connection:
    """A keep-alive connection; answers are small and have a Content-Length. ``ended``: the proxy closes it now."""

    def __init__(self, port: int) -> None:
        self.ended = False
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def get(self, host: str, path: str = "/") -> tuple[int, str]:
        """Status and body."""
        self.socket.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        head, _, body = self._read_head().partition(b"\r\n\r\n")
        self.ended = b"\r\nconnection: close" in head.lower()
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        while len(body) < length:
            body += self._receive()
        return int(head.split(b" ", 2)[1]), body.decode()

    def _read_head(self) -> bytes:
        data = b""
        while b"\r\n\r\n" not in data:
            data += self._receive()
        return data

    def _receive(self) -> bytes:
        data = self.socket.recv(65536)
        if not data:
            raise ConnectionError("closed by the proxy")
        return data

    def close(self) -> None:
        self.socket.close()


class WorkerClient:
    """Asks one worker only. The kernel spreads connections over workers, so some are opened until one fits."""

    def __init__(self, port: int, pid: int, host: str) -> None:
        self._port, self._pid, self._host = port, pid, host
        self._connection = self._connect()

    def get(self, host: str) -> tuple[int, str]:
        """Status and body."""
        if self._connection.ended:
            self._connection.close()
            self._connection = self._connect()
        return self._connection.get(host)

    def _connect(self) -> Connection:
        while True:
            connection = Connection(self._port)
            connection.get(self._host)  # answered, so accepted
            if process_at(connection.socket, [self._pid]) is not None:
                return connection
            connection.close()


def process_at(connection: socket.socket, pids: Collection[int]) -> int | None:
    """Which of ``pids`` holds the other end of a connection to this machine; None while none has accepted it."""
    wanted = f"{_kernel_address(connection.getpeername())} {_kernel_address(connection.getsockname())}"
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if f"{fields[1]} {fields[2]}" == wanted and fields[9] != "0":
            link = f"socket:[{fields[9]}]"
            for pid in pids:
                if link in _links(pid):
                    return pid
    return None


def _kernel_address(address: tuple[str, int]) -> str:
    host = int.from_bytes(socket.inet_aton(address[0]), sys.byteorder)
    return f"{host:08X}:{address[1]:04X}"


def _links(pid: int) -> set[str]:
    links = set()
    for entry in os.scandir(f"/proc/{pid}/fd"):
        try:
            links.add(os.readlink(entry.path))
        except FileNotFoundError:
            continue
    return links


def handshake(port: int, server_name: str, pids: Collection[int]) -> tuple[int | None, bytes]:
    """A new TLS connection: the worker that took it and the certificate it showed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    plain = socket.create_connection(("127.0.0.1", port), timeout=10)
    with context.wrap_socket(plain, server_hostname=server_name) as connection:
        certificate = connection.getpeercert(binary_form=True)
        return process_at(connection, pids), certificate or b""


# ── the probe ───────────────────────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def probing(port: int, host: str, pause_s: float) -> Iterator[list[tuple[float, float]]]:
    """While the block runs, another process asks one after the other; afterwards the list holds (monotonic time of
    sending, seconds to the answer) of each request."""
    command = [sys.executable, "-m", "benchmarks.support.clients", str(port), host, str(pause_s)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    seen: list[tuple[float, float]] = []
    try:
        yield seen
    finally:
        said, _ = process.communicate(timeout=30)
        seen.extend((sent, took) for sent, took in json.loads(said))


def _probe(port: int, host: str, pause_s: float) -> None:
    seen = []
    connection = Connection(port)
    connection.get(host)
    print("probing", flush=True)
    os.set_blocking(0, False)
    while _is_open(0):
        if connection.ended:
            connection.close()
            connection = Connection(port)
        started = time.monotonic()
        status, _ = connection.get(host)
        seen.append((started, time.monotonic() - started))
        if status != 200:
            raise SystemExit(f"{host} answered {status}")
        time.sleep(pause_s)
    json.dump(seen, sys.stdout)


def _is_open(descriptor: int) -> bool:
    try:
        return bool(os.read(descriptor, 1))
    except BlockingIOError:
        return True


if __name__ == "__main__":
    _probe(int(sys.argv[1]), sys.argv[2], float(sys.argv[3]))

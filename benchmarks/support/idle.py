"""Clients that asked once and keep the connection.

    python -m benchmarks.support.idle PORT HOST SCHEME

Each line on standard input is a number of connections to have; the answer is a line when they are there. Ends with its
standard input.
"""

import resource
import socket
import ssl
import subprocess
import sys
from types import TracebackType
from typing import Self


class IdleClients:
    """The clients as a process."""

    def __init__(self, port: int, host: str, scheme: str) -> None:
        self._command = [sys.executable, "-m", "benchmarks.support.idle", str(port), host, scheme]

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return self

    def grow_to(self, count: int) -> None:
        """Returns when there are so many connections, each answered once."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{count}\n")
        self._process.stdin.flush()
        if self._process.stdout.readline() != f"{count}\n":
            raise RuntimeError("the idle clients failed; see above")

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._process.communicate(timeout=60)


def connect(port: int, host: str, tls: ssl.SSLContext | None) -> socket.socket:
    """A connection that has done one request."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=30)
    if tls is not None:
        connection = tls.wrap_socket(connection, server_hostname=host)
    connection.sendall(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    answer = connection.recv(4096)
    if not answer.startswith(b"HTTP/1.1 200 "):
        raise SystemExit(f"answered {answer[:200]!r}")
    return connection


def main(port: int, host: str, scheme: str) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    tls = None
    if scheme == "https":
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        tls.check_hostname = False
        tls.verify_mode = ssl.CERT_NONE
    connections: list[socket.socket] = []
    for line in sys.stdin:
        while len(connections) < int(line):
            connections.append(connect(port, host, tls))
        print(line, end="", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3])

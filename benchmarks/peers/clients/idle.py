"""Holds connections that did one request each and are idle since.

    python -m benchmarks.peers.clients.idle '{"port": …, "tls": false, "host": …, "path": "/"}'

Each line of standard input is a number: connections are opened until there are so many, then the number comes back.
Before that, every connection is asked whether it is still open. Ends with its standard input.
"""

import contextlib
import json
import socket
import ssl
import sys
from typing import Any

from benchmarks.peers.clients.answers import Answers


class Idle:
    def __init__(self, options: dict[str, Any]) -> None:
        self._address = ("127.0.0.1", options["port"])
        self._host = options["host"]
        self._request = f"GET {options['path']} HTTP/1.1\r\nHost: {self._host}\r\n\r\n".encode()
        self._context: ssl.SSLContext | None = None
        if options["tls"]:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            self._context.check_hostname = False
            self._context.verify_mode = ssl.CERT_NONE
        self._held: list[socket.socket] = []

    def hold(self, count: int) -> None:
        while len(self._held) < count:
            self._held.append(self._open())
        for one in self._held:
            self._check(one)

    def _open(self) -> socket.socket:
        connection = socket.create_connection(self._address, timeout=10)
        if self._context is not None:
            connection = self._context.wrap_socket(connection, server_hostname=self._host)
        connection.sendall(self._request)
        answers = Answers()
        while not answers.feed(self._some(connection)):
            pass
        if not answers.ok:
            raise SystemExit("an answer other than 200")
        return connection

    def _some(self, connection: socket.socket) -> bytes:
        data = connection.recv(65536)
        if not data:
            raise SystemExit("closed by the proxy")
        return data

    def _check(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        with contextlib.suppress(BlockingIOError, ssl.SSLWantReadError):
            if not connection.recv(1):
                raise SystemExit(f"closed by the proxy, with {len(self._held)} open")


if __name__ == "__main__":
    idle = Idle(json.loads(sys.argv[1]))
    for line in sys.stdin:
        idle.hold(int(line))
        print(int(line), flush=True)

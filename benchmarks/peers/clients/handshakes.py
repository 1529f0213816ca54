"""New TLS connections with one request each, all full or all resumed, several at a time.

    python -m benchmarks.peers.clients.handshakes '{"port": …, "resumed": true, "connections": 16, "seconds": 2}'

Each connection is checked: a round in which one was resumed that should not, or was not that should, fails. A resumed
connection uses the ticket of the one before it, as a browser does. Slower than C, so that the proxy is not quite
saturated: CPU per handshake is the figure, not handshakes a second.
"""

import json
import select
import socket
import ssl
import sys
import time
from collections.abc import Iterator
from typing import Any

from benchmarks.peers.clients.answers import Answers

Waits = Iterator[int]
"""What a connection waits for: select.EPOLLIN or EPOLLOUT."""


class Handshakes:
    def __init__(self, options: dict[str, Any]) -> None:
        self._port, self._host = options["port"], options["host"]
        self._request = f"GET {options['path']} HTTP/1.1\r\nHost: {self._host}\r\nConnection: close\r\n\r\n".encode()
        self._resumed, self._connections, self._seconds = options["resumed"], options["connections"], options["seconds"]
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._context.check_hostname = False
        self._context.verify_mode = ssl.CERT_NONE
        self._context.minimum_version = ssl.TLSVersion.TLSv1_3
        self._session: ssl.SSLSession | None = None
        self.done = 0

    def run(self) -> float:
        """Seconds it took."""
        if self._resumed:
            self._first_ticket()
        self._epoll = select.epoll()
        self._open: dict[int, tuple[socket.socket, Waits]] = {}
        started = time.perf_counter()
        self._end = started + self._seconds
        for _ in range(self._connections):
            self._start()
        while self._open:
            events = self._epoll.poll(5.0)
            if not events:
                raise SystemExit("no answer in 5 seconds")
            for descriptor, _ in events:
                self._go_on(descriptor)
        return time.perf_counter() - started

    def _start(self) -> None:
        plain = socket.socket()
        plain.setblocking(False)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        plain.connect_ex(("127.0.0.1", self._port))
        waits = self._exchange(plain)
        self._epoll.register(plain.fileno(), next(waits))
        self._open[plain.fileno()] = plain, waits

    def _go_on(self, descriptor: int) -> None:
        waits = self._open[descriptor][1]
        try:
            self._epoll.modify(descriptor, next(waits))
        except StopIteration:
            del self._open[descriptor]
            if time.perf_counter() < self._end:
                self._start()

    def _exchange(self, plain: socket.socket) -> Waits:
        """One connection from beginning to end; ends closed."""
        yield select.EPOLLOUT
        failed = plain.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if failed:
            raise OSError(failed, "cannot connect")
        descriptor = plain.fileno()
        secure = self._context.wrap_socket(
            plain, server_hostname=self._host, do_handshake_on_connect=False, session=self._session
        )
        assert secure.fileno() == descriptor
        yield from _until(secure, secure.do_handshake)
        secure.send(self._request)
        answers = Answers()
        while True:
            try:
                data = secure.recv(65536)
            except ssl.SSLWantReadError:
                yield select.EPOLLIN
                continue
            if not data:
                raise SystemExit("closed by the proxy before its answer")
            if answers.feed(data):
                break
        self._note(secure, answers)
        self._epoll.unregister(descriptor)
        secure.close()

    def _note(self, secure: ssl.SSLSocket, answers: Answers) -> None:
        if not answers.ok:
            raise SystemExit("an answer other than 200")
        if bool(secure.session_reused) != self._resumed:
            raise SystemExit("resumed" if secure.session_reused else "not resumed")
        if self._resumed:
            self._session = secure.session
        self.done += 1

    def _first_ticket(self) -> None:
        plain = socket.create_connection(("127.0.0.1", self._port))
        with self._context.wrap_socket(plain, server_hostname=self._host) as secure:
            secure.sendall(self._request)
            while secure.recv(65536):
                pass
            self._session = secure.session
        if self._session is None or not self._session.has_ticket:
            raise SystemExit("no session ticket")


def _until(secure: ssl.SSLSocket, step: Any) -> Waits:
    while True:
        try:
            step()
        except ssl.SSLWantReadError:
            yield select.EPOLLIN
        except ssl.SSLWantWriteError:
            yield select.EPOLLOUT
        else:
            return


if __name__ == "__main__":
    handshakes = Handshakes(json.loads(sys.argv[1]))
    took = handshakes.run()
    json.dump({"requests": handshakes.done, "seconds": took}, sys.stdout)

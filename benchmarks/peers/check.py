"""Does each peer really forward? The same requests to all of them, with a backend that keeps what it was sent."""

import re
import socket
import ssl
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import IO, Self

from benchmarks.peers.proxies import PROXIES, Proxy, Variant
from benchmarks.peers.site import ANSWER, HOST, MIB, Site

_LENGTH = re.compile(r"^content-length: *(\d+)", re.I | re.M)


class Recorder:
    """A backend on ``port`` that answers everything with 200 and remembers heads, by connection."""

    def __init__(self, port: int) -> None:
        self._listener = socket.create_server(("127.0.0.1", port), backlog=64)
        self.heads: list[tuple[int, str, int]] = []
        """(number of the connection, head, bytes of the body)."""

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._listener.close()

    def _accept(self) -> None:
        number = 0
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            number += 1
            threading.Thread(target=self._serve, args=(connection, number), daemon=True).start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        answer = f"HTTP/1.1 200 OK\r\nContent-Length: {len(ANSWER)}\r\n\r\n{ANSWER}".encode()
        with connection, connection.makefile("rb") as stream:
            while lines := _head_lines(stream.readline):
                head = "\r\n".join(lines)
                self.heads.append((number, head, _read_body(head, stream)))
                connection.sendall(answer)


def _head_lines(read_line: Callable[[], bytes]) -> list[str]:
    lines = []
    while (line := read_line().rstrip(b"\r\n")) != b"":
        lines.append(line.decode("latin-1"))
    return lines


def _read_body(head: str, stream: IO[bytes]) -> int:
    """Its bytes."""
    length = _LENGTH.search(head)
    if length:
        return len(stream.read(int(length.group(1))))
    total = 0
    if "chunked" in head.lower():
        while size := int(stream.readline().split(b";")[0], 16):
            total += len(stream.read(size))
            stream.readline()
        stream.readline()
    return total


class Client:
    """One keep-alive connection."""

    def __init__(self, proxy: Proxy, context: ssl.SSLContext | None = None) -> None:
        self.socket = socket.create_connection(("127.0.0.1", proxy.port(tls=context is not None)), timeout=10)
        self.tls = ""
        if context:
            self.socket = secure = context.wrap_socket(self.socket, server_hostname=HOST)
            cipher = secure.cipher()
            self.tls = f"{secure.version()} {cipher[0] if cipher else ''}"
        self._stream = self.socket.makefile("rb")

    def ask(self, method: str, path: str, *, host: str = HOST, body: bytes = b"") -> tuple[int, bytes]:
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        self.socket.sendall(f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n{length}\r\n".encode() + body)
        lines = _head_lines(self._stream.readline)
        if not lines:
            raise ConnectionError("closed")
        found = _LENGTH.search("\n".join(lines))
        return int(lines[0].split()[1]), self._stream.read(int(found.group(1)) if found else 0)

    def close(self) -> None:
        self._stream.close()
        self.socket.close()


def check_peer(site: Site, name: str, recorder: Recorder) -> list[str]:
    """Prints what was seen; returns what is wrong."""
    with PROXIES[name](site, Variant(log=True)) as proxy:
        recorder.heads.clear()
        faults = _ask(proxy, recorder)
        print(f"== {name} {proxy.version()}")
        for number, head, body in recorder.heads:
            shown = head.replace("\r\n", "\n    ")
            print(f"  connection {number}, body {body}\n    {shown}")
        faults += _forwarded(recorder)
        faults += _logged(proxy)
    print("  " + ("; ".join(faults) or "good") + "\n")
    return [f"{name}: {fault}" for fault in faults]


def _ask(proxy: Proxy, recorder: Recorder) -> list[str]:
    faults = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(proxy.site.certificate)
    plain, secure = Client(proxy), Client(proxy, context)
    print(f"   {secure.tls}")
    expected: list[tuple[Client, str, str, str, bytes, int]] = [
        (plain, "GET", "/", HOST, b"", 200),
        (plain, "GET", "/api/items?page=2", HOST, b"", 200),
        (plain, "GET", "/", "other.example", b"", 200),
        (plain, "PUT", "/upload/body", HOST, b"u" * MIB, 200),
        (secure, "GET", "/", HOST, b"", 200),
        (plain, "GET", "/", "unknown.example", b"", 404),
    ]
    for client, method, path, host, body, status in expected:
        got, answer = client.ask(method, path, host=host, body=body)
        if got != status or (status == 200 and answer != ANSWER.encode()):
            faults.append(f"{method} {path} of {host}: {got} with {len(answer)} bytes, expected {status}")
    plain.close()
    secure.close()
    if not secure.tls.startswith("TLSv1.3"):
        faults.append(secure.tls)
    return faults


def _forwarded(recorder: Recorder) -> list[str]:
    """What is wrong with what the backend was sent. The question that found out whether the peer is up is no part."""
    asked = [one for one in recorder.heads if "\r\nHost: 127.0.0.1" not in one[1]]
    faults = []
    if len(asked) != 5:
        faults.append(f"{len(asked)} requests arrived instead of 5")
    if len({number for number, _, _ in asked}) == len(asked):
        faults.append("no connection to the backend was used again")
    if MIB not in [body for _, _, body in asked]:
        faults.append("the body did not arrive whole")
    every = [_fields(head) for _, head, _ in asked]
    if len({fields.get("x-request-id", "") for fields in every} - {""}) != len(asked):
        faults.append("request ids repeat, or there are none")
    return faults + [fault for _, head, _ in asked for fault in _head_faults(head)]


def _fields(head: str) -> dict[str, str]:
    return dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)


def _head_faults(head: str) -> list[str]:
    fields = _fields(head)
    faults = []
    # Envoy puts its own address where the client's is loopback: any single address will do.
    if not re.fullmatch(r"[\d.]+", fields.get("x-forwarded-for", "")) or fields.get("x-real-ip") != "127.0.0.1":
        faults.append(f"X-Forwarded-For {fields.get('x-forwarded-for')}, X-Real-IP {fields.get('x-real-ip')}")
    if " HTTP/1.1\r\n" not in head or fields.get("connection", "keep-alive") != "keep-alive":
        faults.append("not kept alive towards the backend")
    return faults


def _logged(proxy: Proxy) -> list[str]:
    """Every request, within the seconds that gathering may take."""
    for _ in range(60):
        lines = proxy.access_log.read_text().splitlines()
        if sum("/upload/body" in line for line in lines) == 1 and len(lines) >= 5:
            print(f"   {lines[-1]}")
            return []
        time.sleep(0.1)
    return [f"access log: {lines}"]


def check_all(site: Site, names: list[str]) -> int:
    """Exit status."""
    faults = []
    with Recorder(site.backend) as recorder:
        for name in names:
            faults += check_peer(site, name, recorder)
    print("\n".join(faults) or f"{len(names)} peers forward as they should")
    return 1 if faults else 0

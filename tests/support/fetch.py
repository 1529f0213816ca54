"""One request on a connection of its own, by the standard library: what a client sees, without an opinion."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any

_TIMEOUT_S = 15.0


@dataclass(frozen=True, slots=True)
class Answer:
    """Header names are in lower case; ``certificate`` is what the server showed, in DER."""

    status: int
    headers: dict[str, str]
    body: bytes
    certificate: bytes = b""

    @property
    def text(self) -> str:
        return self.body.decode()

    def json(self) -> Any:
        return json.loads(self.body)


def trusting(cafile: str | None = None) -> ssl.SSLContext:
    """A client's context: of one authority, or of everybody."""
    context = ssl.create_default_context(cafile=cafile)
    if cafile is None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


class Client:
    """A connection that is kept; ``fetch`` may be called again and again until the server closes."""

    def __init__(self, port: int, host: str = "", *, tls: ssl.SSLContext | None = None) -> None:
        self.host = host
        self.port = port
        self._connection = HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_S)
        self._connection.sock = socket.create_connection(("127.0.0.1", port), timeout=_TIMEOUT_S)
        self.local_port = int(self._connection.sock.getsockname()[1])
        self.certificate = b""
        if tls is not None:
            secured = tls.wrap_socket(self._connection.sock, server_hostname=host or None)
            self._connection.sock = secured
            self.certificate = secured.getpeercert(binary_form=True) or b""

    def send(
        self, path: str, *, method: str = "GET", headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> None:
        named = {"Host": self.host} if self.host else {}
        self._connection.request(method, path, body, named | dict(headers or {}))

    def receive(self) -> Answer:
        response = self._connection.getresponse()
        body = response.read()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, headers, body, self.certificate)

    def fetch(self, path: str, **request: Any) -> Answer:
        self.send(path, **request)
        return self.receive()

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def fetch(port: int, path: str, host: str = "", *, tls: ssl.SSLContext | None = None, **request: Any) -> Answer:
    """One request, one answer. Raises OSError or http.client.HTTPException."""
    with Client(port, host, tls=tls) as client:
        return client.fetch(path, **request)

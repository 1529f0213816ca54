"""Requests of the suite, and what comes back: every field as it was sent."""

from __future__ import annotations

import json
import socket
import ssl
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse

from tests.annotations.case import Ask

_TIMEOUT_S = 20.0


@dataclass(frozen=True)
class Reply:
    """Names of fields are in lower case."""

    status: int
    fields: tuple[tuple[str, str], ...]
    body: bytes

    def get(self, name: str) -> str | None:
        found = [value for key, value in self.fields if key == name.lower()]
        return ", ".join(found) if found else None

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.fields if key == name.lower()]


class Line:
    """A connection to a port, plain or TLS; requests go one after the other."""

    def __init__(self, port: int, ask: Ask, host: str, tls: ssl.SSLContext | None) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_S)
        sock = socket.create_connection(("127.0.0.1", port), _TIMEOUT_S)
        if ask.proxy_header:
            sock.sendall(ask.proxy_header)
        self._connection.sock = tls.wrap_socket(sock, server_hostname=host.partition(":")[0]) if tls else sock

    def ask(self, ask: Ask, host: str, marks: dict[str, str]) -> Reply:
        connection = self._connection
        connection.putrequest(ask.method, ask.path, skip_host=True, skip_accept_encoding=True)
        fields = {"Host": host} | marks | dict(ask.headers)
        if ask.answer:
            fields["X-Answer"] = json.dumps(ask.answer)
        if ask.auth:
            fields["X-Auth-Answer"] = json.dumps(ask.auth)
        if ask.chunked:
            fields["Transfer-Encoding"] = "chunked"
        elif ask.body:
            fields["Content-Length"] = str(len(ask.body))
        for name, value in fields.items():
            connection.putheader(name, value)
        connection.endheaders()
        if ask.body:
            self._send(ask)
        return _reply(connection.getresponse())

    def _send(self, ask: Ask) -> None:
        data = b"%x\r\n%b\r\n0\r\n\r\n" % (len(ask.body), ask.body) if ask.chunked else ask.body
        try:
            self._connection.send(data)
        except (BrokenPipeError, ConnectionResetError):
            return  # an answer may come before the body is taken

    def close(self) -> None:
        self._connection.close()


def _reply(response: HTTPResponse) -> Reply:
    body = response.read()
    return Reply(response.status, tuple((name.lower(), value) for name, value in response.getheaders()), body)

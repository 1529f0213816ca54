"""A real nginx on loopback, told what a test wants to know of it.

It is given its listening socket, so it can be asked as soon as it is started: the question waits in the queue.
"""

import os
import socket
import subprocess
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

_CONFIGURATION = """
daemon off;
worker_processes 1;
pid {directory}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 64; }}
http {{
  access_log off;
  default_type text/plain;
  port_in_redirect off;
  proxy_intercept_errors off;
  server_names_hash_bucket_size 128;
  client_body_temp_path {directory}/body;
  proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi;
  scgi_temp_path {directory}/scgi;
  server {{
    listen {listen};
    server_name echo;
    location / {{ return 200 "$http_x_service$request_uri"; }}
  }}
{http}
{servers}
}}
"""
_STOP_S = 10.0
_ANSWER_S = 10.0


class Seen(NamedTuple):
    """What nginx answered: ``location`` "" where there was none."""

    status: int
    location: str
    body: str


class Nginx:
    """Serves ``servers``: name → what stands in its server block.

    ``pass_on`` in a block is replaced by a proxy_pass that answers with the target as an upstream would see it.
    ``http`` is what else stands in the http block.
    """

    def __init__(self, program: str, directory: Path, servers: dict[str, str], http: str = "") -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setblocking(False)  # nginx expects it of a socket that it takes over
        self.address = self._listener.getsockname()
        listen = f"{self.address[0]}:{self.address[1]}"
        blocks = "\n".join(
            f"  server {{ listen {listen}; server_name {name};\n{block} }}" for name, block in servers.items()
        ).replace("pass_on;", f"proxy_set_header Host echo; proxy_pass http://{listen};")
        self._command = [program, "-p", str(directory), "-c", str(directory / "nginx.conf")]
        self._log = directory / "error.log"
        text = _CONFIGURATION.format(directory=directory, listen=listen, servers=blocks, http=http)
        (directory / "nginx.conf").write_text(text)

    def __enter__(self) -> Self:
        # nginx takes over listening sockets by number, as it does from the process it replaces in an upgrade.
        number = self._listener.fileno()
        with self._log.open("w") as log:
            environment = {**os.environ, "NGINX": f"{number};"}
            self._process = subprocess.Popen(self._command, env=environment, pass_fds=[number], stderr=log)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait(_STOP_S)
        self._listener.close()

    def get(self, target: str, host: str, method: str = "GET") -> Seen:
        """Ask for ``target`` as it is spelled. Fails the test when nginx has ended, with what it said."""
        return _seen(self.ask(target, host, method=method))

    def ask(self, target: str, host: str, *, method: str = "GET", fields: str = "") -> str:
        """The whole answer, as latin-1. ``fields`` are whole lines."""
        request = f"{method} {target} HTTP/1.1\r\nHost: {host}\r\n{fields}Connection: close\r\n\r\n"
        answer = b""
        with socket.create_connection(self.address, _ANSWER_S) as connection:
            connection.sendall(request.encode("latin-1"))
            while True:
                assert self._process.poll() is None, self._log.read_text()
                try:
                    data = connection.recv(65536)
                except TimeoutError:
                    raise AssertionError(f"no answer to {target}: {self._log.read_text()}") from None
                if not data:
                    return answer.decode("latin-1")
                answer += data


def _seen(answer: str) -> Seen:
    head, _, body = answer.partition("\r\n\r\n")
    line, *fields = head.split("\r\n")
    location = next((field.partition(": ")[2] for field in fields if field.lower().startswith("location:")), "")
    return Seen(int(line.split(" ")[1]), location, body)

"""The listening sockets: the API's port, with TLS whose certificates can change, and the control port."""

from __future__ import annotations

import ssl
import tempfile
from dataclasses import dataclass

from aiohttp import web

from tests.support.apiserver import wire
from tests.support.apiserver.certificates import Authority, Pair

_BODY_LIMIT = 256 * 1024 * 1024


class Endpoint:
    """The API's port. It can go away and come back on the same number, as an API server does in an upgrade."""

    def __init__(self, runner: web.AppRunner, host: str, port: int, context: ssl.SSLContext | None) -> None:
        self._runner = runner
        self._site: web.TCPSite | None = None
        self._context = context
        self.host = host
        self.port = port

    async def up(self) -> None:
        if self._site is None:
            self._site = web.TCPSite(self._runner, self.host, self.port, ssl_context=self._context, reuse_address=True)
            await self._site.start()
            # Port 0 asked for any; from now on it is this one.
            self.port = self.port or int(self._runner.addresses[-1][1])

    async def down(self) -> None:
        if self._site is not None:
            site, self._site = self._site, None
            await site.stop()
        self.drop_connections()

    def drop_connections(self) -> int:
        """Resets every connection."""
        server = self._runner.server
        connections = list(server.connections) if server else []
        for connection in connections:
            if connection.transport is not None:
                wire.abort_with_reset(connection.transport)
        return len(connections)


async def start_app(app: web.Application) -> web.AppRunner:
    # Cancelling handlers whose client has gone is what ends watches.
    runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    return runner


def new_app() -> web.Application:
    return web.Application(client_max_size=_BODY_LIMIT)


@dataclass(slots=True)
class Tls:
    """A context that new handshakes see change in place when the authority is rotated."""

    context: ssl.SSLContext
    authority: Authority
    host: str

    @classmethod
    def create(cls, host: str) -> Tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.verify_mode = ssl.CERT_OPTIONAL
        tls = cls(context, Authority(), host)
        tls._load()
        return tls

    def rotate(self) -> None:
        self.authority = Authority("apiserver fixture CA, rotated")
        self._load()

    def client_pair(self) -> Pair:
        return self.authority.issue_client("kubernetes-admin", ("system:masters",))

    def _load(self) -> None:
        pair = self.authority.issue_server(self.host)
        with tempfile.NamedTemporaryFile(suffix=".pem") as file:
            file.write(pair.certificate + pair.key)
            file.flush()
            self.context.load_cert_chain(file.name)
        self.context.load_verify_locations(cadata=self.authority.certificate.decode())

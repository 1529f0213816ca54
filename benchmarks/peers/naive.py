"""The naive line: a reverse proxy as Python users write it, an aiohttp server with an aiohttp client behind it.

    python -m benchmarks.peers.naive '{"http": 8080, …}'

Bodies are streamed both ways; uvloop; one session with a pool; the routes in a dictionary.
"""

import asyncio
import json
import logging
import ssl
import sys
import uuid
from typing import Any

import aiohttp
import uvloop
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

HOP_BY_HOP = {
    "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailers", "transfer-encoding",
    "upgrade",
}  # fmt: skip
CHUNK = 64 * 1024


class Relay:
    def __init__(self, session: aiohttp.ClientSession, hosts: dict[str, list[tuple[str, URL]]]) -> None:
        self._session, self._hosts = session, hosts

    async def handle(self, request: web.Request) -> web.StreamResponse:
        base = self._find(request)
        if base is None:
            return web.Response(status=404)
        body = request.content.iter_chunked(CHUNK) if request.body_exists else None
        url = base.join(request.rel_url)
        async with self._session.request(
            request.method, url, headers=_onward(request), data=body, allow_redirects=False
        ) as answer:
            fields = _end_to_end(answer.headers)
            response = web.StreamResponse(status=answer.status, reason=answer.reason, headers=fields)
            await response.prepare(request)
            async for chunk in answer.content.iter_chunked(CHUNK):
                await response.write(chunk)
            await response.write_eof()
            return response

    def _find(self, request: web.Request) -> URL | None:
        host = request.host.partition(":")[0].lower()
        return next((base for prefix, base in self._hosts.get(host, ()) if request.path.startswith(prefix)), None)


def _end_to_end(headers: Any) -> CIMultiDict[str]:
    return CIMultiDict((name, value) for name, value in headers.items() if name.lower() not in HOP_BY_HOP)


def _onward(request: web.Request) -> CIMultiDict[str]:
    fields = _end_to_end(request.headers)
    fields["X-Forwarded-For"] = fields["X-Real-IP"] = request.remote or ""
    fields.setdefault("X-Request-ID", uuid.uuid4().hex)
    return fields


async def serve(options: dict[str, Any]) -> None:
    base = URL(f"http://127.0.0.1:{options['backend']}/")
    hosts = {options["host"]: [("/api/", base), ("/", base)], "other.example": [("/", base)]}
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=60)
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=60)
    async with aiohttp.ClientSession(
        connector=connector, auto_decompress=False, timeout=timeout, skip_auto_headers=("User-Agent", "Accept")
    ) as session:
        app = web.Application(client_max_size=1 << 20)
        app.router.add_route("*", "/{path:.*}", Relay(session, hosts).handle)
        log = _access_log(options["access_log"])
        runner = web.AppRunner(app, access_log=log, keepalive_timeout=75)
        await runner.setup()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_cert_chain(options["certificate"], options["key"])
        await web.TCPSite(runner, "127.0.0.1", options["https"], ssl_context=context, backlog=4096).start()
        await web.TCPSite(runner, "127.0.0.1", options["http"], backlog=4096).start()
        await asyncio.Event().wait()


def _access_log(path: str | None) -> logging.Logger | None:
    if path is None:
        return None
    log = logging.getLogger("access")
    log.addHandler(logging.FileHandler(path))
    log.setLevel(logging.INFO)
    log.propagate = False
    return log


if __name__ == "__main__":
    uvloop.run(serve(json.loads(sys.argv[1])))

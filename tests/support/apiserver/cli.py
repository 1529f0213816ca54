"""`python -m tests.support.apiserver`: the server for people, and for the harness."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import secrets
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from aiohttp import web

from tests.support.apiserver.control import add_control_routes
from tests.support.apiserver.endpoint import Tls, new_app, start_app
from tests.support.apiserver.process import Access, Process
from tests.support.apiserver.settings import Settings

_DEFAULTS = Settings()


def main(arguments: Sequence[str] | None = None) -> None:
    asyncio.run(_run(_parser().parse_args(arguments)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.support.apiserver", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    parser.add_argument("--control-port", type=int, default=0)
    parser.add_argument("--tls", action="store_true", help="serve TLS with a CA of its own")
    parser.add_argument("--token", default="", help="bearer token to require; 'random' makes one")
    parser.add_argument("--token-file", action="store_true", help="the kubeconfig names a token file")
    parser.add_argument("--client-cert", action="store_true", help="require a client certificate or token; needs --tls")
    parser.add_argument("--load", type=Path, metavar="DIR", help="create the objects of the manifests in DIR")
    parser.add_argument("--directory", type=Path, help="where kubeconfig and service account go; default: a new one")
    parser.add_argument("--version", default=_DEFAULTS.version, help="Kubernetes version to claim")
    parser.add_argument("--history", type=int, default=_DEFAULTS.history_limit, help="changes kept for watches")
    parser.add_argument("--bookmark-interval", type=float, default=_DEFAULTS.bookmark_interval_s, metavar="S")
    addresses = parser.add_mutually_exclusive_group()
    addresses.add_argument("--strict-addresses", action="store_true", help="refuse loopback addresses in slices")
    addresses.add_argument("--lenient", dest="strict_addresses", action="store_false", help="accept them (default)")
    parser.add_argument("--no-watch-cache", action="store_true", help="limits count at resourceVersion=0 too")
    parser.add_argument("--no-watch-list", action="store_true", help="refuse sendInitialEvents")
    parser.add_argument("--exit-with-stdin", action="store_true", help="end when standard input is closed")
    return parser


async def _run(options: argparse.Namespace) -> None:
    with contextlib.ExitStack() as stack:
        directory = options.directory or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="apiserver-")))
        process = Process(
            _settings(options), _access(options), directory, Tls.create(options.host) if options.tls else None
        )
        if options.load:
            process.load(options.load)
        # Before anybody is told that we are ready: they may end us at once.
        told = _end_on_signals(options.exit_with_stdin)
        async with _serving(process, options) as control_url:
            print(
                f"apiserver ready url={process.url} kubeconfig={process.kubeconfig} control={control_url}", flush=True
            )
            await told.wait()


def _settings(options: argparse.Namespace) -> Settings:
    return Settings(
        version=options.version,
        history_limit=options.history,
        bookmark_interval_s=options.bookmark_interval,
        strict_addresses=options.strict_addresses,
        watch_cache=not options.no_watch_cache,
        watch_list=not options.no_watch_list,
    )


def _access(options: argparse.Namespace) -> Access:
    if options.client_cert and not options.tls:
        raise SystemExit("--client-cert needs --tls")
    token = secrets.token_urlsafe(24) if options.token == "random" else options.token
    return Access(options.tls, token, options.client_cert, options.token_file)


@contextlib.asynccontextmanager
async def _serving(process: Process, options: argparse.Namespace) -> AsyncIterator[str]:
    runner = await process.listen(options.host, options.port)
    app = new_app()
    add_control_routes(app, process)
    control = await start_app(app)
    site = web.TCPSite(control, "127.0.0.1", options.control_port)
    await site.start()
    try:
        yield f"http://127.0.0.1:{control.addresses[0][1]}"
    finally:
        await process.endpoint.down()
        await control.cleanup()
        await runner.cleanup()


def _end_on_signals(with_stdin: bool) -> asyncio.Event:
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signal_number, told.set)
    if with_stdin:
        # The harness holds the other end: however the tests die, this process does not outlive them.
        loop.add_reader(sys.stdin, told.set)
    return told

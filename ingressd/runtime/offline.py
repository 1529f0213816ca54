"""Commands that compile a source once and end, without serving."""

from __future__ import annotations

import asyncio
import sys
import time

import orjson

from ingressd.errors import StartError
from ingressd.kube.observer import NoObserver
from ingressd.kube.store import Store
from ingressd.routing.compile import Compiled, compile_routes
from ingressd.runtime import view
from ingressd.runtime.sources import open_source, route_defaults
from ingressd.settings import RoutingSettings, Settings, SourceSettings

_SYNC_TIMEOUT_S = 60.0


def print_routes(source: SourceSettings, routing: RoutingSettings, output: str) -> int:
    """Print the table the daemon would serve; findings go to standard error. Returns the exit code.

    Raises:
        StartError: the source cannot be read, or not in time.
    """
    store = Store()
    compiled = asyncio.run(_compile_once(Settings(source=source, routing=routing), store))
    rows = view.routes_of(compiled.snapshot)
    if output == "json":
        sys.stdout.write(orjson.dumps(rows, option=orjson.OPT_INDENT_2).decode() + "\n")
    else:
        sys.stdout.write(_table(rows))
    for finding in sorted({*store.findings(), *compiled.findings}):
        sys.stderr.write(f"{finding.level}: {view.describe(finding)}\n")
    return 0


async def _compile_once(settings: Settings, store: Store) -> Compiled:
    await fill(settings, store)
    now = time.time()
    return compile_routes(store.freeze({}), route_defaults(settings.routing, now), now=now)


async def fill(settings: Settings, store: Store) -> None:
    """Put everything the source has now into the store.

    Raises:
        StartError: the source cannot be read, or not in time.
    """
    async with open_source(settings, NoObserver()) as (source, _), asyncio.TaskGroup() as group:
        watching = group.create_task(source.run(store))
        try:
            async with asyncio.timeout(_SYNC_TIMEOUT_S):
                await source.synced()
        except TimeoutError:
            raise StartError(f"no complete answer from {source.describe()} in {_SYNC_TIMEOUT_S:.0f} s") from None
        finally:
            watching.cancel()


def _table(rows: list[dict[str, object]]) -> str:
    header = ("HOST", "PATH", "MATCH", "BACKEND", "ENDPOINTS", "INGRESS")
    lines = [header]
    for row in rows:
        endpoints = row["endpoints"]
        count = len(endpoints) if isinstance(endpoints, list) else 0
        backend = row["backend"] or f"answers {row.get('status')}"
        lines.append(
            (str(row["host"]), str(row["path"]), str(row["kind"]), str(backend), str(count),
             f"{row['namespace']}/{row['ingress']}" if row["ingress"] else "-")
        )  # fmt: skip
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    padded = ("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines)
    return "\n".join(padded) + "\n"

"""A daemon on a manifest directory to which tests add hosts of their own, on origins of their own."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.support import sites
from tests.support.daemon import Daemon
from tests.support.eventually import soon

_names = (f"shop-{number}" for number in itertools.count(1))

IMPATIENT = """
import functools
import ingressd.runtime.sources as sources
from ingressd.policy.timeouts import Timeouts
sources.RouteDefaults = functools.partial(sources.RouteDefaults, timeouts=Timeouts({0!r}, {0!r}, {0!r}))
"""
"""Run before the program: every upstream time-out, in seconds; no flag sets them yet."""


class Shop:
    """``serve`` returns when every worker serves it."""

    def __init__(self, directory: Path, daemon: Daemon) -> None:
        self.directory = directory
        self.daemon = daemon

    async def serve(self, ports: Sequence[int], *, host: str = "") -> str:
        """A host whose endpoints listen on loopback ``ports``; give ``host`` to change what it has."""
        host = host or f"{next(_names)}.example"
        before = self.daemon.status()["served_generation"]
        write(self.directory, host, ports)
        await soon(lambda: self.daemon.status()["served_generation"] > before)
        return host


def write_class(directory: Path) -> None:
    sites.write(directory, sites.ingress_class())


def write(directory: Path, host: str, ports: Sequence[int]) -> None:
    """One file for everything of a host, so that it is one change."""
    document = {"apiVersion": "v1", "kind": "List", "items": objects(host, ports)}
    beside = directory / f".{host}.new"
    beside.write_text(json.dumps(document))
    beside.rename(directory / f"{host}.json")


def objects(host: str, ports: Sequence[int]) -> list[sites.Json]:
    name = host.partition(".")[0]
    slices = [slice_of(name, number, port) for number, port in enumerate(ports)]
    return [sites.ingress(name, {host: {"/": name}}), sites.service(name), *slices]


def slice_of(service: str, number: int, port: int) -> sites.Json:
    """One endpoint; as ports differ from endpoint to endpoint, each has a slice of its own."""
    made: dict[str, Any] = sites.endpoints(service, [])
    made["metadata"]["name"] = f"{service}-{number}"
    made["ports"] = [{"name": "http", "port": port, "protocol": "TCP"}]
    made["endpoints"] = [{"addresses": ["127.0.0.1"], "conditions": {"ready": True}}]
    return made

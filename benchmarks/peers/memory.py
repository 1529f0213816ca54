"""Memory of every peer: just started, and with connections that did one request each and are idle since."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence

from msgspec import Struct

from benchmarks.peers.accounting import Memory, memory_of, tree
from benchmarks.peers.plan import Contender
from benchmarks.peers.proxies import PROXIES, ROOT, Proxy
from benchmarks.peers.site import HOST, LOAD_CORE, Site, pinned, stop

SETTLE_S = 0.5


class MemorySample(Struct, kw_only=True):
    """``serving``: the processes that hold the connections; ``all``: the whole tree. MiB."""

    contender: str
    is_tls: bool
    connections: int
    serving: Memory
    all: Memory


def run_memory(
    site: Site, contenders: Sequence[Contender], counts: Sequence[int], schemes: Sequence[bool]
) -> Iterator[MemorySample]:
    """A fresh process for each of ``schemes`` (is it TLS?): memory once used stays used."""
    for one in contenders:
        kind = PROXIES[one.proxy]
        if not kind.is_there():
            continue
        for is_tls in schemes:
            with kind(site, one.variant) as proxy:
                yield from _samples(one.name, proxy, counts, is_tls)


def _samples(name: str, proxy: Proxy, counts: Sequence[int], is_tls: bool) -> Iterator[MemorySample]:
    options = {"port": proxy.port(tls=is_tls), "tls": is_tls, "host": HOST, "path": "/"}
    command = [sys.executable, "-m", "benchmarks.peers.clients.idle", json.dumps(options)]
    with pinned(LOAD_CORE):
        client = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT,
            env=proxy.site.load_environment(),
        )  # fmt: skip
    assert client.stdin is not None
    assert client.stdout is not None
    try:
        for count in (0, *counts):
            if count:
                client.stdin.write(b"%d\n" % count)
                client.stdin.flush()
                if not client.stdout.readline():
                    raise RuntimeError(f"{name}: the client of {count} idle connections ended")
            time.sleep(SETTLE_S)
            sample = MemorySample(
                contender=name, is_tls=is_tls, connections=count,
                serving=memory_of(proxy.serving()), all=memory_of(tree(proxy.pid)),
            )  # fmt: skip
            print(
                f"memory  {name:14} {'TLS' if is_tls else 'plain':5} {count:6} connections "
                f"{sample.serving.rss:7.1f} MiB resident, tree {sample.all.pss:7.1f} MiB",
                file=sys.stderr, flush=True,
            )  # fmt: skip
            yield sample
    finally:
        client.stdin.close()
        stop(client)
        client.stdout.close()

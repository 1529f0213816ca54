"""Clients that take as long as they may: nobody else notices, and what they cost is bounded.

`benchmarks/slow_clients.py` is the same with ten times as many, and says how long answers take meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.support.patient import LARGE_BYTES, Patient
from benchmarks.support.slow import Attack
from tests.faults import processes
from tests.faults.conftest import start_shop
from tests.faults.crowd import Crowd
from tests.faults.ledger import Ledger
from tests.faults.origins import keeping_books
from tests.faults.shop import Shop
from tests.support.eventually import soon
from tests.support.origin import origin

HEADS, BODIES, READERS = 200, 50, 50
HEADER_S = 3.0
STEP_S = 0.2
MOST_KIB_EACH = 400
"""Of a slow reader, whose answer is LARGE_BYTES: what is written but not taken, and one read beyond it."""


@pytest.fixture
def lone_shop(tmp_path: Path) -> Iterator[Shop]:
    """One worker: everybody meets there."""
    yield from start_shop(tmp_path, "--workers=1", f"--client-header-timeout={HEADER_S}")


async def test_slow_clients(lone_shop: Shop, ledger: Ledger) -> None:
    daemon = lone_shop.daemon
    [worker], port = daemon.workers.values(), daemon.http_port
    with Patient() as backend:
        async with origin(keeping_books(ledger, "sound")) as sound:
            host = await lone_shop.serve([sound.port])
            slow_host = await lone_shop.serve([backend.port])
            before_kib = processes.resident_kib(worker)
            with (
                Attack("head", HEADS, port, slow_host, STEP_S) as heads,
                Attack("body", BODIES, port, slow_host, STEP_S) as bodies,
                Attack("read", READERS, port, slow_host, STEP_S) as readers,
            ):
                async with Crowd(ledger, port, host, callers=4) as crowd:
                    await crowd.more(500)
                    await soon(
                        lambda: (
                            daemon.metrics().sum("ingressd_rejected_requests_total", reason="header_timeout") >= HEADS
                        )
                    )
                    await crowd.more(500)
                grown_kib = processes.resident_kib(worker) - before_kib
                ends = heads.stop(), bodies.stop(), readers.stop()
    print(f"{grown_kib} KiB for all of them; heads {ends[0]}, bodies {ends[1]}, readers {ends[2]}")

    assert ledger.unanswered() == set()
    assert crowd.refused == 0
    assert ends[0].count == {"408": HEADS}
    assert grown_kib < (HEADS + BODIES + READERS) * 32 + READERS * MOST_KIB_EACH < READERS * LARGE_BYTES // 1024
    assert daemon.workers == {0: worker}

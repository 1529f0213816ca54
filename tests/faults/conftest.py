"""Ledgers that are checked at the end, and daemons on manifest directories."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.ledger import Ledger
from tests.faults.shop import IMPATIENT, Shop, write_class
from tests.support.daemon import Daemon

UPSTREAM_TIMEOUT_S = 0.8
OUTAGE_S = float(os.environ.get("OUTAGE_S", "0"))
"""How long an outage lasts at least; without it, as long as what happens in it takes. `make soak` sets it."""


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    """Whatever a test expects besides: no answer for somebody else, no POST twice, nothing left open."""
    ledger = Ledger()
    yield ledger
    print(ledger)
    ledger.check()


@pytest.fixture(scope="module")
def shared_shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """For tests that leave the daemon as it was."""
    yield from start_shop(tmp_path_factory.mktemp("manifests"))


@pytest.fixture(scope="module")
def impatient_shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Its daemon waits ``UPSTREAM_TIMEOUT_S`` for an upstream."""
    yield from start_shop(tmp_path_factory.mktemp("manifests"), patch=IMPATIENT.format(UPSTREAM_TIMEOUT_S))


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """Of the test's own, to be ill-treated."""
    yield from start_shop(tmp_path)


def start_shop(directory: Path, *flags: str, patch: str = "") -> Iterator[Shop]:
    """The body of a fixture: manifests in ``directory``, and a daemon that serves them."""
    write_class(directory)
    with Daemon("--manifests", str(directory), "--access-log", "off", *flags, patch=patch) as daemon:
        yield Shop(directory, daemon)

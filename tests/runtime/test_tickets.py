"""TLS sessions are resumed by whichever worker a client comes to next, also by one that was not there before."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.runtime.conftest import HOST, Shop
from tests.support.daemon import Daemon
from tests.support.eventually import eventually

VERSIONS = pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
TRIES = 8
"""A ticket that only its own worker can read would pass all of them once in 2^8 runs."""


class Session:
    """openssl's client, which keeps its session in a file."""

    def __init__(self, openssl: str, port: int, version: str, file: Path) -> None:
        address = f"127.0.0.1:{port}"
        self._command = [openssl, "s_client", "-connect", address, "-servername", HOST, version, "-ign_eof"]
        self._file = str(file)

    def connect(self, *arguments: str) -> str:
        """New or Reused, as openssl calls it; one request is answered on the way."""
        request = f"GET / HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n"
        done = subprocess.run(
            [*self._command, *arguments], input=request, capture_output=True, text=True, timeout=30, check=True
        )
        assert "HTTP/1.1 200" in done.stdout, done.stdout
        [line] = [line for line in done.stdout.splitlines() if line.startswith(("New, TLS", "Reused, TLS"))]
        return line.partition(",")[0]

    def begin(self) -> str:
        return self.connect("-sess_out", self._file)

    def resume(self) -> str:
        return self.connect("-sess_in", self._file)


@pytest.fixture(scope="module")
def shared(shared_shop: Shop) -> Iterator[Daemon]:
    with Daemon(*shared_shop.flags) as daemon:
        yield daemon


@VERSIONS
def test_one_ticket_for_all_workers(shared: Daemon, openssl: str, tmp_path: Path, version: str) -> None:
    session = Session(openssl, shared.https_port, version, tmp_path / "session")

    assert session.begin() == "New"
    assert [session.resume() for _ in range(TRIES)] == ["Reused"] * TRIES


@VERSIONS
def test_also_for_replaced_workers(shared: Daemon, openssl: str, tmp_path: Path, version: str) -> None:
    session = Session(openssl, shared.https_port, version, tmp_path / "session")
    assert session.begin() == "New"

    old = set(shared.workers.values())
    for pid in old:
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: len(workers := set(shared.workers.values())) == 2 and not workers & old)

    assert session.resume() == "Reused"

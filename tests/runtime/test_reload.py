"""SIGHUP: manifests are read again and the access log is opened anew."""

import json
import mmap
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.runtime.conftest import HOST, Shop
from tests.support import sites
from tests.support.daemon import Daemon
from tests.support.eventually import eventually


@contextmanager
def written_unnoticed(file: Path, old: bytes, new: bytes) -> Iterator[None]:
    """A change through a memory map is one that the kernel tells no watcher of, until the map is closed."""
    assert len(old) == len(new)
    with file.open("r+b") as opened, mmap.mmap(opened.fileno(), 0) as memory:
        at = memory.find(old)
        assert at >= 0
        memory[at : at + len(new)] = new
        yield


def test_manifests_are_read_again(shop: Shop) -> None:
    shop.write(sites.ingress("other", {"aaaa.example": {"/": "web"}}))
    with Daemon(*shop.flags) as daemon:
        assert daemon.get("/", host="bbbb.example").status == 404
        with written_unnoticed(shop.directory / "ingress-other.json", b"aaaa.example", b"bbbb.example"):
            daemon.process.send_signal(signal.SIGHUP)

            eventually(lambda: {daemon.get("/", host="bbbb.example").status for _ in range(6)} == {200})
        assert daemon.get("/", host="aaaa.example").status == 404
        assert daemon.get("/", host=HOST).status == 200


def hosts_in(log: Path) -> list[str]:
    return [json.loads(line)["host"] for line in log.read_text().splitlines()] if log.exists() else []


def test_the_access_log_is_opened_anew(shop: Shop, tmp_path: Path) -> None:
    log, rotated = tmp_path / "access.log", tmp_path / "access.log.1"
    with Daemon(*shop.flags, f"--access-log={log}") as daemon:
        before = [f"before-{number}.example" for number in range(10)]
        for host in before:
            daemon.get("/", host=host)
        eventually(lambda: sorted(hosts_in(log)) == sorted(before))
        log.rename(rotated)

        daemon.process.send_signal(signal.SIGHUP)

        def arrives() -> bool:
            daemon.get("/", host="probe.example")
            return "probe.example" in hosts_in(log)

        eventually(arrives)  # one worker has; the other may still write to the old file
        after = [f"after-{number}.example" for number in range(10)]
        for host in after:
            daemon.get("/", host=host)
        eventually(lambda: set(before + after) <= set(hosts_in(rotated) + hosts_in(log)))
        assert "after-9.example" in hosts_in(log) or "after-9.example" in hosts_in(rotated)

        def only_new() -> bool:
            size = rotated.stat().st_size
            for _ in range(8):
                daemon.get("/", host="last.example")
            return rotated.stat().st_size == size and hosts_in(log).count("last.example") >= 8

        eventually(only_new)
        assert sorted(host for host in hosts_in(rotated) + hosts_in(log) if "-" in host) == sorted(before + after)

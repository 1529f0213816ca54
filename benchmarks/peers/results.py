"""What a run measured, as one file of JSON."""

import datetime
import os
import subprocess
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct, field

from benchmarks.peers.measure import Failure, Pace, Sample
from benchmarks.peers.memory import MemorySample
from benchmarks.peers.proxies import PROXIES
from benchmarks.support.figures import RESULTS, machine


class Results(Struct, kw_only=True):
    about: dict[str, Any]
    pace: Pace
    samples: list[Sample] = field(default_factory=list)
    memory: list[MemorySample] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)

    def add(self, one: Sample | Failure) -> None:
        if isinstance(one, Sample):
            self.samples.append(one)
        else:
            self.failures.append(one)

    def save(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(msgspec.json.format(msgspec.json.encode(self), indent=1) + b"\n")


def load(path: Path) -> Results:
    return msgspec.json.decode(path.read_bytes(), type=Results)


def new_path(kind: str) -> Path:
    return RESULTS / f"peers-{kind}-{datetime.datetime.now(datetime.UTC):%Y%m%d-%H%M%S}.json"


def about() -> dict[str, Any]:
    """The machine, the programs, and what else was running when we began."""
    openssl = subprocess.run(["openssl", "version"], capture_output=True, text=True, check=False).stdout
    return {
        **machine(),
        "openssl": " ".join(openssl.split()[:2]),
        "loadavg": os.getloadavg()[0],
        "versions": {name: kind.version() for name, kind in PROXIES.items() if kind.is_there()},
        "missing": [name for name, kind in PROXIES.items() if not kind.is_there()],
    }

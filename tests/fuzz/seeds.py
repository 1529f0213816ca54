"""What fuzzing starts from: the raw cases of ``tests/wire``, and ``corpus/``, where the fuzzer's own finds are kept.

python -m tests.fuzz.seeds DIRECTORY        writes all of them, a folder for each target
"""

import sys
from hashlib import sha256
from pathlib import Path

from tests.wire.corpus.requests import REQUESTS
from tests.wire.corpus.responses import RESPONSES

CORPUS = Path(__file__).parent / "corpus"
MAX_SEED_BYTES = 4096
_METHODS = {b"GET": 0, b"HEAD": 1, b"POST": 2}
_ENDS = {"": 0, "eof": 1, "reset": 2}
_HOSTS = (b"a.example", b"A.example.:8080", b"[2001:DB8::1]:443", b"192.0.2.1", b"a_b.example:")


def seeds(target: str) -> list[bytes]:
    """Inputs for a target, each once, the kept ones last."""
    kept = [path.read_bytes() for path in sorted((CORPUS / target).glob("*"))]
    found = dict.fromkeys([*_MADE[target](), *kept])
    return [data for data in found if len(data) <= MAX_SEED_BYTES or data in kept]


def _requests() -> list[bytes]:
    return [case.raw for case in REQUESTS]


def _heads() -> list[bytes]:
    return [raw.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" if b"\r\n\r\n" in raw else raw for raw in _requests()]


def _chunks() -> list[bytes]:
    return [raw.partition(b"\r\n\r\n")[2] for raw in [*_requests(), *_responses()] if b"hunked" in raw]


def _targets() -> list[bytes]:
    lines = [raw.partition(b"\r\n")[0].split(b" ") for raw in _requests()]
    return [line[1] for line in lines if len(line) == 3] + list(_HOSTS)


def _responses() -> list[bytes]:
    """The first byte as ``targets/response`` reads it: method, upgrade, ending."""
    return [
        bytes([0x40 | _METHODS.get(case.method, 0) | 4 * (b"pgrade" in case.request) | _ENDS.get(case.ends, 0) << 3])
        + case.raw
        for case in RESPONSES
    ]


_MADE = {"head": _heads, "chunks": _chunks, "path": _targets, "response": _responses, "connection": _requests}


def write(target: str, folder: Path) -> None:
    """One file for each seed, named by what is in it."""
    folder.mkdir(parents=True, exist_ok=True)
    for data in seeds(target):
        (folder / sha256(data).hexdigest()[:16]).write_bytes(data)


if __name__ == "__main__":
    for name in _MADE:
        write(name, Path(sys.argv[1]) / name)

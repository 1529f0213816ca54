"""One target under atheris: what ``tests.fuzz`` starts for each.

python -m tests.fuzz.drive TARGET [LIBFUZZER ARGUMENT…]
"""

import gc
import sys
from time import process_time

import atheris

SLOW_S = 1.0
"""CPU time for an input of a few KiB, instrumented. What takes longer grows faster than its input."""


def main() -> None:
    with atheris.instrument_imports(include=["ingressd.http", "ingressd.proxy", "ingressd.errors"]):
        from tests.fuzz.targets import TARGETS
    name, *arguments = sys.argv[1:]
    check = TARGETS[name]

    def check_timed(data: bytes) -> None:
        started = process_time()
        check(data)
        used = process_time() - started
        assert used < SLOW_S, f"{used:.1f} s for {len(data)} bytes"

    gc.freeze()
    atheris.Setup([sys.argv[0], *arguments], check_timed)
    atheris.Fuzz()


if __name__ == "__main__":
    main()

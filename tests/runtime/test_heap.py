"""Memory that was freed is there again without a page fault."""

import resource
import subprocess
import sys

from ingressd.runtime.heap import keep_freed_memory

ROUNDS = 50
PROGRAM = f"""
from tests.runtime import test_heap
from ingressd.runtime.heap import keep_freed_memory
{{first}}
print(test_heap.faults_of_bodies({ROUNDS}))
"""


def faults_of_bodies(rounds: int) -> int:
    """Page faults of so many rounds in which eight reads of a body are held at once, and let go."""
    for _ in range(3):  # glibc adapts its thresholds to what it has seen
        _ = [bytes(250_000) for _ in range(8)]
        del _
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(rounds):
        held = [bytearray(250_000) for _ in range(8)]
        del held
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def faults(first: str) -> int:
    """In a process of its own, since what is set here cannot be taken back."""
    program = [sys.executable, "-c", PROGRAM.format(first=first)]
    return int(subprocess.run(program, check=True, capture_output=True, text=True).stdout)


def test_bodies_cost_no_page_faults() -> None:
    kept, given_back = faults("keep_freed_memory()"), faults("")

    assert given_back > 100 * ROUNDS, "the C library keeps freed memory by itself: is heap.py needed?"
    assert kept < given_back / 10


def test_may_be_said_twice() -> None:
    keep_freed_memory()
    keep_freed_memory()

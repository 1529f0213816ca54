"""How many workers there are when nobody says."""

import os
from pathlib import Path

import pytest

from ingressd.runtime.cpus import usable_cpus

ALL = len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("max 100000", ALL),
        ("50000 100000", 1),
        ("100000 100000", 1),
        ("6400000 100000", ALL),
        ("1 100000", 1),
        ("nonsense", ALL),
    ],
)
def test_a_quota_bounds_the_workers(tmp_path: Path, text: str, expected: int) -> None:
    cpu_max = tmp_path / "cpu.max"
    cpu_max.write_text(text + "\n")
    assert usable_cpus(cpu_max) == expected


def test_no_cgroup_means_all(tmp_path: Path) -> None:
    assert usable_cpus(tmp_path / "absent") == ALL

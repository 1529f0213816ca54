"""Reading /proc: the real one, and one made up for what the real one shows seldom."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ingressd.telemetry.processes import process_families, read_process

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def make_process(proc: Path, pid: int, *, name: str = "python") -> Path:
    folder = proc / str(pid)
    (folder / "fd").mkdir(parents=True)
    for fd in range(3):
        (folder / "fd" / str(fd)).touch()
    (proc / "stat").write_text("cpu 1 2 3\nbtime 1700000000\nprocesses 4\n")
    fields = ["S", *["0"] * 10, "250", "50", *["0"] * 6, "500", "8192", "3", "0"]
    (folder / "stat").write_text(f"{pid} ({name}) {' '.join(fields)}\n")
    (folder / "limits").write_text("Limit   Soft Limit   Hard Limit   Units\nMax open files   1024   4096   files\n")
    return folder


def test_this_process() -> None:
    figures = read_process(os.getpid())
    assert figures is not None
    assert figures.cpu_s > 0
    assert 1 << 20 < figures.resident_bytes < figures.virtual_bytes
    assert time.time() - 86_400 < figures.start_time_s <= time.time() + 1
    assert figures.open_fds is not None
    assert figures.max_fds is not None
    assert 3 <= figures.open_fds <= figures.max_fds


def test_another_process_of_ours() -> None:
    program = [sys.executable, "-c", "print('up', flush=True); input()"]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"up\n"
        figures = read_process(child.pid)
        child.communicate(b"\n")
    assert figures is not None
    assert figures.open_fds is not None
    assert figures.resident_bytes > 0


def test_a_process_that_ended_is_none() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        child.wait()
    assert read_process(child.pid) is None


@pytest.mark.parametrize("name", ["python", "a b", "a) S 1 (b", ") 1 2 3", "("])
def test_fields_and_units_whatever_the_name(tmp_path: Path, name: str) -> None:
    make_process(tmp_path, 7, name=name)
    figures = read_process(7, proc=tmp_path)
    assert figures is not None
    assert figures.cpu_s == 300 / TICKS_PER_S
    assert figures.virtual_bytes == 8192
    assert figures.resident_bytes == 3 * PAGE_BYTES
    assert figures.start_time_s == 1_700_000_000 + 500 / TICKS_PER_S
    assert (figures.open_fds, figures.max_fds) == (3, 1024)


@pytest.mark.parametrize("content", ["", "7 (python", "7 (python) S 1 2", "7 (python) S " + "x " * 40])
def test_nonsense_is_none(tmp_path: Path, content: str) -> None:
    (make_process(tmp_path, 7) / "stat").write_text(content)
    assert read_process(7, proc=tmp_path) is None


def test_what_the_kernel_hides_is_left_out(tmp_path: Path) -> None:
    folder = make_process(tmp_path, 7)
    (folder / "limits").write_text("Limit Soft Hard Units\nMax open files unlimited unlimited files\n")
    for fd in (folder / "fd").iterdir():
        fd.unlink()
    (folder / "fd").rmdir()
    families = {family.name: family.samples for family in process_families({"worker-0": 7}, proc=tmp_path)}
    assert families["process_open_fds"] == families["process_max_fds"] == []
    assert [sample.labels for sample in families["process_resident_memory_bytes"]] == [{"process": "worker-0"}]


def test_one_sample_for_each_living_process(tmp_path: Path) -> None:
    make_process(tmp_path, 7)
    make_process(tmp_path, 8)
    pids = {"control": 7, "worker-0": 8, "worker-1": 9}
    for family in process_families(pids, proc=tmp_path):
        assert [sample.labels["process"] for sample in family.samples] == ["control", "worker-0"]

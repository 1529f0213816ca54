"""What peers are given, and what is counted of their processes."""

import os
import subprocess
import sys

import pytest

from benchmarks.peers import accounting
from benchmarks.peers.accounting import Cpu
from benchmarks.peers.proxies import PROXIES, IngressdProxy, Variant
from benchmarks.peers.site import ANSWER, CONFIG, render

VALUES = dict.fromkeys(
    (
        "folder",
        "backend",
        "http",
        "https",
        "admin",
        "host",
        "certificate",
        "key",
        "bundle",
        "hosts",
        "answer",
        "bodies",
    ),
    "VALUE",
)


def test_answer_is_as_long_as_the_page_says() -> None:
    assert len(ANSWER) == 100


@pytest.mark.parametrize("name", sorted(path.name for path in CONFIG.iterdir() if path.suffix != ".md"))
@pytest.mark.parametrize(
    "flags", [{"log"}, {"quiet"}, {"quiet", "tuned"}, {"quiet", "http2"}], ids=lambda flags: "+".join(sorted(flags))
)
def test_configurations_are_complete(name: str, flags: set[str]) -> None:
    text = render(name, frozenset(flags), VALUES)
    assert "VALUE" in text
    assert "#@" not in text


def test_flags_choose_lines() -> None:
    quiet, log = (render("nginx.conf", frozenset({flag}), VALUES) for flag in ("quiet", "log"))
    assert ("access_log off;" in quiet, "stub_status" in quiet) == (True, False)
    assert ("log_format json" in log, "stub_status" in log) == (True, True)


def test_variants_have_names_of_their_own() -> None:
    assert Variant().name == "quiet"
    assert Variant(log=True, hosts=10, workers=2, http2=True).name == "log-10-hosts-2-workers-http2"


def test_every_peer_says_its_version_or_is_not_there() -> None:
    assert IngressdProxy.is_there()
    versions = {name: kind.version() for name, kind in PROXIES.items() if kind.is_there()}
    assert all(version[0].isdigit() for version in versions.values()), versions


def test_cpu_is_summed_over_processes_and_new_ones_count_whole() -> None:
    before = {1: Cpu(100, 60, 40)}
    after = {1: Cpu(150, 90, 60), 2: Cpu(10, 10, 0)}
    assert accounting.spent(before, after) == Cpu(60, 40, 20)


def test_cpu_and_memory_of_this_process() -> None:
    first = accounting.cpu_of(os.getpid())
    sum(range(100_000))
    assert accounting.cpu_of(os.getpid()).exact_us > first.exact_us > 0
    memory = accounting.memory_of([os.getpid()])
    assert memory.rss >= memory.pss >= memory.private > 1


def test_cpu_of_a_process_that_ended() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    assert accounting.cpu_of(process.pid) == Cpu()


def test_tree_has_children_of_children() -> None:
    script = "import subprocess, sys; p = subprocess.Popen(['sleep', '60']); print(p.pid, flush=True); p.wait()"
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    grandchild = int(process.stdout.readline())
    try:
        assert accounting.tree(process.pid) == [process.pid, grandchild]
        assert {process.pid, grandchild} <= set(accounting.descendants(os.getpid()))
    finally:
        os.kill(grandchild, 9)
        process.wait()
        process.stdout.close()


GUARDED = """
import os, subprocess, sys
from benchmarks.peers.guard import guarded

def work():
    child = subprocess.Popen(["sleep", "600"], start_new_session=True)
    print(child.pid, flush=True)
    {end}

sys.exit(guarded(work))
"""


@pytest.mark.parametrize(
    ("end", "status"),
    [("return 3", 3), ("os.kill(os.getpid(), 9)", 137), ("raise SystemExit('a reason')", 1), ("raise KeyError(1)", 1)],
    ids=["returned", "killed", "left", "failed"],
)
def test_nothing_outlives_the_benchmark(end: str, status: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", GUARDED.format(end=end)], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == status, done.stderr
    with pytest.raises(ProcessLookupError):
        os.kill(int(done.stdout), 0)

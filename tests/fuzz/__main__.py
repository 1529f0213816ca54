"""Run the fuzz targets one after the other.

    python -m tests.fuzz [--seconds 120] [TARGET…]
    python -m tests.fuzz --replay FILE…               (the name of its target is the beginning of the file's)
    python -m tests.fuzz --distil                     keeps some of what was found in corpus/

Each target goes on from what earlier runs have found. Exit 1 when there is a finding.
"""

import argparse
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from tests.fuzz.seeds import CORPUS, MAX_SEED_BYTES, seeds, write
from tests.fuzz.targets import TARGETS

_WORK = Path(".cache/fuzz")
_FINDINGS = _WORK / "findings"
_MAX_KEPT = 60  # inputs of each target
_TIMEOUT_S = 20  # for one input; tests.fuzz.drive says which are slow long before
_RUNS = re.compile(r"Done (\d+) runs|number_of_executed_units: (\d+)")
_COVERAGE = re.compile(r"cov: (\d+) ft: (\d+) corp: (\d+)")


@dataclass(frozen=True, slots=True)
class Run:
    """One target's run. ``findings`` are inputs that broke a promise or took too long."""

    target: str
    executions: int
    branches: int
    inputs: int
    findings: tuple[Path, ...]
    status: int
    log: Path


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--seconds", type=int, default=120, help="for each target")
    parser.add_argument("--replay", nargs="+", type=Path, metavar="FILE", help="run these inputs without the fuzzer")
    parser.add_argument("--distil", action="store_true", help="renew what corpus/ keeps")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    options = parser.parse_args()
    targets: list[str] = options.targets or list(TARGETS)
    if unknown := set(targets) - set(TARGETS):
        parser.error(f"no such target: {', '.join(unknown)}")
    if options.replay:
        return _replay(options.replay)
    if options.distil:
        for target in targets:
            _distil(target)
        return 0
    runs = [_fuzz(target, options.seconds) for target in targets]
    return _conclude(runs)


def _replay(files: list[Path]) -> int:
    for file in files:
        data = file.read_bytes()
        target = next((name for name in TARGETS if name in (file.parent.name, file.name.partition("-")[0])), None)
        if target is None:
            print(f"{file}: neither its folder nor the beginning of its name is a target")
            return 2
        print(f"{target}: {data!r}", flush=True)
        TARGETS[target](data)
    print("no finding")
    return 0


def _fuzz(target: str, seconds: int) -> Run:
    start, found, log = _WORK / "seeds" / target, _WORK / "found" / target, _WORK / f"{target}.log"
    shutil.rmtree(start, ignore_errors=True)
    write(target, start)
    for folder in (found, _FINDINGS):
        folder.mkdir(parents=True, exist_ok=True)
    before = set(_FINDINGS.iterdir())
    print(f"{target}: {seconds} s, log in {log}", flush=True)
    with log.open("wb") as output:
        status = _drive(
            target,
            f"-max_total_time={seconds}",
            f"-timeout={_TIMEOUT_S}",
            f"-max_len={MAX_SEED_BYTES}",
            f"-dict={Path(__file__).parent / 'http.dict'}",
            f"-artifact_prefix={_FINDINGS}/{target}-",
            "-print_final_stats=1",
            str(found),
            str(start),
            output=output,
        )
    text = log.read_text(errors="replace")
    runs = [int(one or other) for one, other in _RUNS.findall(text)]
    covered = [tuple(map(int, figures)) for figures in _COVERAGE.findall(text)]
    branches, _, inputs = covered[-1] if covered else (0, 0, 0)
    findings = tuple(sorted(set(_FINDINGS.iterdir()) - before))
    return Run(target, max(runs, default=0), branches, inputs, findings, status, log)


def _drive(target: str, *arguments: str, output: BinaryIO) -> int:
    command = [sys.executable, "-m", "tests.fuzz.drive", target, *arguments]
    return subprocess.run(command, stdout=output, stderr=subprocess.STDOUT, check=False).returncode


def _conclude(runs: list[Run]) -> int:
    print("\n| target | executions | branches reached | inputs kept | findings |\n| --- | --- | --- | --- | --- |")
    for run in runs:
        print(f"| {run.target} | {run.executions} | {run.branches} | {run.inputs} | {len(run.findings)} |")
    failed = [run for run in runs if run.findings or run.status or not run.executions]
    for run in failed:
        print(f"\n{run.target} ended with status {run.status}; see {run.log}")
        for path in run.findings:
            print(f"  replay:               .venv/bin/python -m tests.fuzz --replay {path}")
            print(f"  keep for regression:  cp {path} tests/fuzz/corpus/{run.target}/regression-WHAT")
    if not failed:
        print(f"\nno finding in {sum(run.executions for run in runs)} executions")
    return bool(failed)


def _distil(target: str) -> None:
    """Inputs of all sizes that reached what none before them did; regressions stay whatever they reach."""
    kept = CORPUS / target
    kept.mkdir(parents=True, exist_ok=True)
    for path in kept.iterdir():
        if not path.name.startswith("regression-"):
            path.unlink()
    known = set(seeds(target))
    found = sorted((_WORK / "found" / target).iterdir(), key=lambda path: (path.stat().st_size, path.name))
    new = [path for path in found if path.read_bytes() not in known]
    for path in new[:: len(new) // _MAX_KEPT + 1]:
        shutil.copy(path, kept / path.name[:16])
    print(f"{target}: {len(list(kept.iterdir()))} inputs")


if __name__ == "__main__":
    sys.exit(main())

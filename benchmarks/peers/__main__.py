"""Arguments → a run, a check, a profile or a page."""

import argparse
import sys
from pathlib import Path

from benchmarks.peers import plan, results, tables
from benchmarks.peers.check import check_all
from benchmarks.peers.guard import guarded
from benchmarks.peers.measure import Pace, run_stage
from benchmarks.peers.memory import run_memory
from benchmarks.peers.plan import Contender, Stage
from benchmarks.peers.profiling import profile
from benchmarks.peers.proxies import PROXIES, raise_file_limit
from benchmarks.peers.publish import publish
from benchmarks.peers.site import Site, backend, free_port, memory_folder

PACES = {
    "quick": Pace(rounds=3, seconds=1, warms_up_once=True),
    "usual": Pace(rounds=5, seconds=2),
    "long": Pace(rounds=9, seconds=4),
}
NEEDED = ("ingressd", "nginx")
"""The backend is nginx too."""


def main() -> int:
    options = _arguments()
    if options.publish:
        publish(options.publish)
        return 0
    there = [name for name in options.peers if PROXIES[name].is_there()]
    if missing := [name for name in PROXIES if name not in there and name in options.peers]:
        print(f"not installed, so left out: {', '.join(missing)} (scripts/bench-tools --yes)", file=sys.stderr)
    if any(name in missing for name in NEEDED):
        return 1
    raise_file_limit()
    return guarded(lambda: _work(options, there))


def _work(options: argparse.Namespace, names: list[str]) -> int:
    with memory_folder() as folder:
        site = Site(folder, free_port())
        if options.check:
            return check_all(site, names)
        with backend(site):
            if options.profile:
                return profile(site, options.profile)
            return _measure(site, options, names)


def _measure(site: Site, options: argparse.Namespace, names: list[str]) -> int:
    kind = "quick" if options.quick else "long" if options.long else "usual"
    pace = PACES[kind]
    pace = Pace(
        rounds=options.rounds or pace.rounds, seconds=options.seconds or pace.seconds,
        max_others=options.max_others / 100, again=options.again, warms_up_once=pace.warms_up_once,
    )  # fmt: skip
    found = results.Results(about=results.about() | {"kind": kind}, pace=pace)
    path = results.new_path(kind)
    stages = plan.quick() if options.quick else plan.STAGES
    try:
        for stage in stages:
            chosen = _chosen(stage, names, options)
            if chosen.measures:
                for one in run_stage(site, chosen, pace):
                    found.add(one)
        if options.memory and (not options.only or "memory" in options.only):
            counts, schemes = ((1_000,), (False,)) if options.quick else ((1_000, 10_000), (False, True))
            contenders = [Contender(name) for name in plan.PEERS if name in names]
            found.memory.extend(run_memory(site, contenders, counts, schemes))
    finally:
        found.save(path)  # also of a run that was broken off
    print(tables.everything(found))
    print(f"raw figures: {path}", file=sys.stderr)
    return 1 if found.failures else 0


def _chosen(stage: Stage, names: list[str], options: argparse.Namespace) -> Stage:
    wanted = options.only
    return Stage(
        id=stage.id, title=stage.title, base=stage.base,
        contenders=tuple(one for one in stage.contenders if one.proxy in names),
        measures=tuple(
            one for one in stage.measures if not wanted or stage.id in wanted or f"{stage.id}/{one.id}" in wanted
        ),
    )  # fmt: skip


def _arguments() -> argparse.Namespace:
    stages = ", ".join(stage.id for stage in plan.STAGES)
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description="ingressd beside other proxies")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--quick", action="store_true", help="the main loads, 3 rounds of a second: 3 minutes")
    length.add_argument("--long", action="store_true", help="9 rounds of 4 seconds: two hours")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--check", action="store_true", help="show what each peer forwards, measure nothing")
    what.add_argument("--profile", nargs="?", const="ingressd", choices=PROXIES, help="where the time goes")
    what.add_argument("--publish", type=Path, metavar="FILE", help="write docs/performance.md from raw figures")
    parser.add_argument("--only", nargs="+", default=[], metavar="STAGE[/MEASURE]", help=f"{stages}, memory")
    parser.add_argument("--peers", nargs="+", default=list(PROXIES), choices=PROXIES, metavar="PEER")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--max-others", type=float, default=5.0, metavar="PERCENT",
                        help="drop a round in which others had more of the machine (5)")  # fmt: skip
    parser.add_argument("--again", type=int, default=2, help="how often a dropped round is done again (2)")
    parser.add_argument("--no-memory", dest="memory", action="store_false")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())

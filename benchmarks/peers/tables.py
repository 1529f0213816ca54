"""Results → Markdown: medians with their spread, and ratios inside the same round."""

import statistics
from collections.abc import Callable, Iterable, Sequence

from benchmarks.peers.accounting import Memory
from benchmarks.peers.measure import Sample
from benchmarks.peers.memory import MemorySample
from benchmarks.peers.plan import GOALS, STAGES, Goal, Measure, Stage, find_measure
from benchmarks.peers.results import Results

NOTHING = "–"


# ── arithmetic ──────────────────────────────────────────────────────────────────────────────────────────────────────


def kept(samples: Iterable[Sample], stage: str, measure: str) -> dict[str, dict[int, Sample]]:
    """By contender, by round; rounds that were thrown away are not there."""
    found: dict[str, dict[int, Sample]] = {}
    for one in samples:
        if (one.stage, one.measure) == (stage, measure) and one.is_kept:
            found.setdefault(one.contender, {})[one.round] = one
    return found


def ratios(own: dict[int, Sample], base: dict[int, Sample], cost: Callable[[Sample], float]) -> list[float]:
    """Of the rounds that both have."""
    return [cost(own[number]) / cost(base[number]) for number in sorted(own.keys() & base.keys())]


def spread(values: Sequence[float], digits: int) -> str:
    """``median (least–most)``."""
    if not values:
        return NOTHING
    median = f"{statistics.median(values):,.{digits}f}"
    return median if len(values) == 1 else f"{median} ({min(values):,.{digits}f}–{max(values):,.{digits}f})"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def _median(samples: Iterable[Sample], value: Callable[[Sample], float], digits: int) -> str:
    values = [value(one) for one in samples]
    return f"{statistics.median(values):,.{digits}f}" if values else NOTHING


# ── one table per load ──────────────────────────────────────────────────────────────────────────────────────────────


def measure_table(results: Results, stage: Stage, measure: Measure) -> str:
    """Empty when nothing of it was measured."""
    found = kept(results.samples, stage.id, measure.id)
    if not found:
        return ""
    columns = _columns(measure, found)
    rows = []
    for contender in stage.contenders:
        own = found.get(contender.name)
        if own is None:
            continue
        ratio = ratios(own, found.get(stage.base, {}), lambda one: one.cost(measure))
        rows.append([
            contender.name,
            spread([one.cost(measure) for one in own.values()], 3 if measure.per == "MiB" else 1),
            spread(ratio, 2),
            *(cell(own) for _, cell in columns),
        ])  # fmt: skip
    unit = "CPU ms per MiB" if measure.per == "MiB" else f"CPU µs per {measure.per}"
    return table(["", unit, f"ratio to {stage.base}", *(title for title, _ in columns)], rows)


Cell = Callable[[dict[int, Sample]], str]


def _columns(measure: Measure, found: dict[str, dict[int, Sample]]) -> list[tuple[str, Cell]]:
    """What is worth a column depends on the load."""
    columns: list[tuple[str, Cell]] = [("user share", lambda own: _median(own.values(), _user_share, 2))]
    speed: Callable[[Sample], float]
    if measure.per == "MiB":
        title, speed = "MiB/s", lambda one: one.mebibytes(measure) / one.seen.seconds
    else:
        title, speed = f"{measure.per}s/s", lambda one: one.seen.requests / one.seen.seconds
    columns.append((title, lambda own: _median(own.values(), speed, 0)))
    if any(one.seen.latency_us for own in found.values() for one in own.values()):
        columns += [(f"{name} ms", _latency(name)) for name in ("p50", "p99", "p99.9")]
    columns.append(("rounds", lambda own: str(len(own))))
    return columns


def _latency(name: str) -> Cell:
    return lambda own: _median(own.values(), lambda one: one.seen.latency_us.get(name, 0.0) / 1e3, 2)


def _user_share(sample: Sample) -> float:
    ticks = sample.total.user_us + sample.total.system_us
    return sample.total.user_us / ticks if ticks else 0.0


def stage_tables(results: Results, stage: Stage) -> str:
    made = ((measure.title, measure_table(results, stage, measure)) for measure in stage.measures)
    return "\n".join(f"**{title}**\n\n{text}" for title, text in made if text)


# ── goals ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def goal_table(results: Results) -> str:
    rows = [row for goal in GOALS if (row := _goal_row(results, goal))]
    head = ["ingressd, CPU", "ratio", "goal", "aim", "met", "ratio to Envoy", "goal", "met"]
    return table(head, rows) if rows else ""


def _goal_row(results: Results, goal: Goal) -> list[str]:
    stage = next(one for one in STAGES if one.id == goal.stage)
    measure = find_measure(goal.stage, goal.measure)
    found = kept(results.samples, goal.stage, goal.measure)
    own = found.get(goal.contender, {})
    to_base = ratios(own, found.get(stage.base, {}), lambda one: one.cost(measure))
    to_envoy = ratios(own, found.get("envoy", {}), lambda one: one.cost(measure))
    if not to_base:
        return []
    title = f"{measure.title}{'' if goal.stage == 'quiet' else f' ({stage.title.lower()})'}"
    base = f" × {'own' if stage.base == 'ingressd' else stage.base}"
    return [
        title, spread(to_base, 2) + base, f"{goal.at_most:g}", f"{goal.aim:g}",
        _verdict(to_base, goal.at_most, goal.aim),
        spread(to_envoy, 2), f"{goal.envoy:g}" if goal.envoy else NOTHING,
        _verdict(to_envoy, goal.envoy) if goal.envoy and to_envoy else NOTHING,
    ]  # fmt: skip


def _verdict(values: Sequence[float], at_most: float, aim: float = 0.0) -> str:
    median = statistics.median(values)
    return "aim" if aim and median <= aim else "yes" if median <= at_most else "**no**"


# ── ingressd's parts, memory, how it was measured ───────────────────────────────────────────────────────────────────


def parts_table(results: Results) -> str:
    """What of ingressd's CPU the worker used, and what the control process and the supervisor."""
    rows = [row for stage in STAGES for measure in stage.measures if (row := _parts_row(results, stage, measure))]
    return table(["CPU µs per request, ms per MiB", "worker", "control and supervisor"], rows) if rows else ""


def _parts_row(results: Results, stage: Stage, measure: Measure) -> list[str]:
    own = kept(results.samples, stage.id, measure.id).get("ingressd", {}).values()
    if not own or any("control" not in one.cpu for one in own):
        return []
    digits = 3 if measure.per == "MiB" else 2
    return [
        f"{stage.title}: {measure.title}",
        _median(own, lambda one: one.cost(measure, "worker"), digits),
        _median(own, lambda one: one.cost(measure, "control"), digits),
    ]


def memory_table(results: Results) -> str:
    if not results.memory:
        return ""
    names = list(dict.fromkeys(one.contender for one in results.memory))
    counts = sorted({one.connections for one in results.memory if one.connections})
    head = ["MiB", "serving process, started", "whole tree, started (PSS)"]
    for scheme in ("plain", "TLS"):
        head += [f"{count:,} {scheme}" for count in counts]
        head.append(f"KiB per {scheme} connection")
    rows = [[name, *_memory_cells([one for one in results.memory if one.contender == name], counts)] for name in names]
    return table(head, rows)


def _memory_cells(samples: list[MemorySample], counts: list[int]) -> list[str]:
    start = _at(samples, 0, is_tls=False)
    cells = [_mib(start, "serving.rss"), _mib(start, "all.pss")]
    for is_tls in (False, True):
        cells += [_mib(_at(samples, count, is_tls=is_tls), "serving.rss") for count in counts]
        cells.append(per_connection(samples, is_tls=is_tls))
    return cells


def _at(samples: list[MemorySample], connections: int, *, is_tls: bool) -> MemorySample | None:
    return next((one for one in samples if (one.connections, one.is_tls) == (connections, is_tls)), None)


def _mib(sample: MemorySample | None, what: str) -> str:
    if sample is None:
        return NOTHING
    memory: Memory = sample.all if what == "all.pss" else sample.serving
    return f"{memory.pss if what == 'all.pss' else memory.rss:,.1f}"


def per_connection(samples: Sequence[MemorySample], *, is_tls: bool) -> str:
    """KiB of resident memory that each of the most connections took."""
    ordered = sorted((one for one in samples if one.is_tls == is_tls), key=lambda one: one.connections)
    if len(ordered) < 2:
        return NOTHING
    first, last = ordered[0], ordered[-1]
    return f"{(last.serving.rss - first.serving.rss) * 1024 / last.connections:.1f}"


def machine_text(results: Results) -> str:
    about, pace = results.about, results.pace
    dropped = sum(not one.is_kept for one in results.samples)
    others = sorted(one.others for one in results.samples if one.is_kept)
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    missing = f" Not installed: {', '.join(about['missing'])}." if about["missing"] else ""
    median = f"{statistics.median(others):.1%}" if others else NOTHING
    return (
        f"Measured on {about['date']}: {about['cpu']}, Linux {about['kernel']}, CPython {about['python']}, "
        f"{about['openssl']}. {versions}.{missing}\n\n"
        f"{pace.rounds} rounds of {pace.seconds:g} s. {len(results.samples) - dropped} measurements kept, "
        f"{dropped} dropped because others had more than {pace.max_others:.0%} of the machine; in those kept they had "
        f"{median} (median). "
        f"Load average before: {about['loadavg']:.1f}. {_speed_text(results)}\n{_failure_text(results)}"
    )


def _speed_text(results: Results) -> str:
    speeds = [one.speed for one in results.samples if one.is_kept and one.speed]
    if not speeds:
        return ""
    least, most = (value / statistics.median(speeds) for value in (min(speeds), max(speeds)))
    return f"Given the same work before each round, the core was {least:.0%} to {most:.0%} as fast as in the median."


def _failure_text(results: Results) -> str:
    lines = {f"- {one.contender}, {one.stage}/{one.measure}: {one.why}\n" for one in results.failures}
    return f"\nCould not be measured:\n\n{''.join(sorted(lines))}" if lines else ""


def everything(results: Results) -> str:
    parts = [machine_text(results)]
    if goals := goal_table(results):
        parts.append(f"## Against the goals\n\n{goals}")
    made = ((stage.title, stage_tables(results, stage)) for stage in STAGES)
    parts += [f"## {title}\n\n{text}" for title, text in made if text]
    if text := parts_table(results):
        parts.append(f"## ingressd's processes\n\n{text}")
    if text := memory_table(results):
        parts.append(f"## Memory\n\n{text}")
    return "\n".join(parts)

"""From measurements to tables, charts and the page."""

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from benchmarks import chart
from benchmarks.peers import results, tables
from benchmarks.peers.accounting import Cpu, Memory
from benchmarks.peers.load import LoadError, Seen
from benchmarks.peers.measure import Failure, Pace, Sample, check, rotated
from benchmarks.peers.memory import MemorySample
from benchmarks.peers.plan import GOALS, PEERS, QUICK, STAGES, find_measure, quick
from benchmarks.peers.publish import NOT_MEASURED, PAGE, fill, sections
from benchmarks.peers.results import Results
from benchmarks.peers.site import MIB

HOST, DOWN, UP = find_measure("quiet", "host"), find_measure("bulk", "down-1m"), find_measure("bulk", "up-1m")


def sample(
    contender: str, number: int, us: float, *, stage: str = "quiet", measure: str = "host", is_kept: bool = True
) -> Sample:
    """1,000 requests of ``us`` microseconds each."""
    return Sample(
        stage=stage, measure=measure, contender=contender, round=number, is_kept=is_kept, speed=1000.0,
        seen=Seen(requests=1000, seconds=0.5, bytes=1000 * MIB, latency_us={"p50": 1500, "p99": 2500, "p99.9": 3500}),
        cpu={"worker": Cpu(us * 900, us * 600, us * 300), "control": Cpu(us * 100, us * 100, 0)},
    )  # fmt: skip


def measured(*samples: Sample) -> Results:
    about = {
        "date": "2026-11-21", "cpu": "2 x CPU", "kernel": "6", "python": "3.11", "openssl": "OpenSSL 3",
        "loadavg": 0.25,
        "versions": {"nginx": "1.22.1"}, "missing": ["caddy"],
    }  # fmt: skip
    return Results(about=about, pace=Pace(rounds=2, seconds=1), samples=list(samples))


ROUNDS = (
    sample("nginx", 0, 10), sample("ingressd", 0, 15), sample("envoy", 0, 30),
    sample("nginx", 1, 20), sample("ingressd", 1, 32), sample("envoy", 1, 50),
    sample("nginx", 2, 10), sample("ingressd", 2, 99, is_kept=False), sample("envoy", 2, 30),
)  # fmt: skip


def test_cost() -> None:
    one = sample("ingressd", 0, 15)
    assert one.cost(HOST) == 15
    assert one.cost(HOST, "worker") == 13.5
    assert one.cost(DOWN) == pytest.approx(0.015)  # 15,000 µs for 1,000 MiB
    assert one.cost(UP) == pytest.approx(0.015)


def test_ratios_are_of_the_same_round_and_of_rounds_that_both_have() -> None:
    found = tables.kept(ROUNDS, "quiet", "host")
    assert sorted(found["ingressd"]) == [0, 1]
    assert tables.ratios(found["ingressd"], found["nginx"], lambda one: one.cost(HOST)) == [1.5, 1.6]


def test_spread() -> None:
    assert tables.spread([], 1) == "–"
    assert tables.spread([1.25], 2) == "1.25"
    assert tables.spread([3, 1, 1200.5], 1) == "3.0 (1.0–1,200.5)"


def test_measure_table() -> None:
    stage = next(one for one in STAGES if one.id == "quiet")
    lines = tables.measure_table(measured(*ROUNDS), stage, HOST).splitlines()
    assert lines[2:] == [
        "| ingressd | 23.5 (15.0–32.0) | 1.55 (1.50–1.60) | 0.70 | 2,000 | 1.50 | 2.50 | 3.50 | 2 |",
        "| nginx | 10.0 (10.0–20.0) | 1.00 (1.00–1.00) | 0.70 | 2,000 | 1.50 | 2.50 | 3.50 | 3 |",
        "| envoy | 30.0 (30.0–50.0) | 3.00 (2.50–3.00) | 0.70 | 2,000 | 1.50 | 2.50 | 3.50 | 3 |",
    ]


def test_goal_table() -> None:
    (line,) = tables.goal_table(measured(*ROUNDS)).splitlines()[2:]
    assert line == (
        "| Host only, 64 connections | 1.55 (1.50–1.60) × nginx | 1.6 | 1.4 | yes | 0.57 (0.50–0.64) | 0.7 | yes |"
    )


def test_goals_and_quick_run_name_what_there_is() -> None:
    for goal in GOALS:
        find_measure(goal.stage, goal.measure)
        stage = next(one for one in STAGES if one.id == goal.stage)
        assert {goal.contender, stage.base} <= {one.name for one in stage.contenders}
    assert {stage.id: tuple(one.id for one in stage.measures) for stage in quick()} == QUICK


def test_memory() -> None:
    start, full = Memory(20, 25, 10), Memory(40, 45, 30)
    found = measured()
    found.memory = [
        MemorySample(contender="nginx", is_tls=False, connections=0, serving=start, all=start),
        MemorySample(contender="nginx", is_tls=False, connections=10_240, serving=full, all=full),
    ]
    assert tables.memory_table(found).splitlines()[2] == "| nginx | 20.0 | 25.0 | 40.0 | 2.0 | – | – |"


def test_machine_text_tells_what_was_dropped_and_what_failed() -> None:
    found = measured(*ROUNDS)
    found.failures.append(Failure(stage="bulk", measure="up-1m", contender="caddy", why="no request was answered"))
    text = tables.machine_text(found)
    assert "8 measurements kept, 1 dropped" in text
    assert "Not installed: caddy" in text
    assert "- caddy, bulk/up-1m: no request was answered" in text


def test_results_survive_the_file(tmp_path: Path) -> None:
    found = measured(*ROUNDS)
    found.save(tmp_path / "results.json")
    assert results.load(tmp_path / "results.json") == found
    assert json.loads((tmp_path / "results.json").read_text())["samples"][0]["contender"] == "nginx"


@pytest.mark.parametrize("number", range(24))
def test_rotation_keeps_everybody(number: int) -> None:
    assert sorted(rotated(PEERS, number)) == sorted(PEERS)


def test_rotation_gives_everybody_each_place() -> None:
    orders = [rotated(PEERS, number) for number in range(2 * len(PEERS))]
    assert all({order[place] for order in orders} == set(PEERS) for place in range(len(PEERS)))
    assert rotated([], 3) == []


@pytest.mark.parametrize(
    ("seen", "why"),
    [
        (Seen(requests=5, seconds=1, errors=1), "1 errors"),
        (Seen(requests=0, seconds=1), "no request"),
        (Seen(requests=10, seconds=1, bytes=500), "50 bytes an answer"),
    ],
)
def test_a_round_of_errors_is_refused(seen: Seen, why: str) -> None:
    with pytest.raises(LoadError, match=why):
        check(HOST, seen)


def test_large_bodies_may_outlast_a_round() -> None:
    check(DOWN, Seen(requests=0, seconds=1, bytes=50 * MIB))


def test_chart() -> None:
    made = chart.groups(measured(*ROUNDS), chart.CHARTS[0])
    assert [(group.title, [(bar.name, bar.median) for bar in group.bars]) for group in made] == [
        ("Host only", [("ingressd", 23.5), ("nginx", 10), ("envoy", 30)])
    ]
    root = ElementTree.fromstring(chart.draw("a < b & c", "µs", made))
    space = "{http://www.w3.org/2000/svg}"
    widths = [float(bar.get("width", "")) for bar in root.iter(f"{space}rect")]
    assert widths == pytest.approx([chart.BAR * median / 50 for median in (23.5, 10, 30)])
    assert next(text.text for text in root.iter(f"{space}text")) == "a < b & c"


def test_charts_of_nothing_are_not_written(tmp_path: Path) -> None:
    assert chart.write_charts(measured(), tmp_path) == []
    assert [path.name for path in chart.write_charts(measured(*ROUNDS), tmp_path)] == ["small.svg"]


def test_page_is_filled_again_and_again() -> None:
    page = "kept\n<!-- figures: goals -->\nold\n<!-- end -->\nkept too\n<!-- figures: memory -->\n<!-- end -->\n"
    made = sections(measured(*ROUNDS), [])
    filled = fill(page, made)
    assert filled.startswith("kept\n")
    assert "old" not in filled
    assert "1.55 (1.50–1.60) × nginx" in filled
    assert NOT_MEASURED in filled
    assert fill(filled, made) == filled


def test_every_section_of_the_page_is_made() -> None:
    fill(PAGE.read_text(), sections(measured(), []))

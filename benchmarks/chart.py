"""Raw figures → bar charts as SVG, for the docs: no dependency, readable on light and dark pages.

    python -m benchmarks.chart RESULTS.json [FOLDER]

A bar is a median, the line over it goes from the least to the most.
"""

import argparse
import statistics
from collections.abc import Sequence
from html import escape
from pathlib import Path

from msgspec import Struct

from benchmarks.peers import results
from benchmarks.peers.plan import PEERS, find_measure
from benchmarks.peers.results import Results
from benchmarks.peers.tables import kept

LABEL, BAR, VALUE = 96, 480, 150  # widths in pixels
LINE, GAP, HEAD = 18, 26, 44  # heights


class Bar(Struct, frozen=True):
    name: str
    median: float
    least: float
    most: float


class Group(Struct, frozen=True):
    title: str
    bars: tuple[Bar, ...]


class Chart(Struct, frozen=True, kw_only=True):
    """``loads``: (stage, measure, title) each."""

    name: str
    title: str
    unit: str
    loads: tuple[tuple[str, str, str], ...]


CHARTS = (
    Chart(
        name="small",
        title="Small requests: CPU of the proxy per request",
        unit="µs",
        loads=(
            ("quiet", "host", "Host only"),
            ("quiet", "browser", "12 browser fields"),
            ("log", "browser", "12 browser fields, access log and metrics"),
            ("quiet", "close", "a new connection per request"),
        ),
    ),
    Chart(
        name="tls",
        title="TLS 1.3: CPU of the proxy per request or handshake",
        unit="µs",
        loads=(
            ("quiet", "tls-host", "keep-alive request"),
            ("quiet", "tls-full", "full handshake and a request"),
            ("quiet", "tls-resumed", "resumed handshake and a request"),
        ),
    ),
    Chart(
        name="bodies",
        title="Bodies: CPU of the proxy per MiB",
        unit="ms",
        loads=(
            ("bulk", "down-64k", "64 KiB down"),
            ("bulk", "down-1m", "1 MiB down"),
            ("bulk", "down-100m", "100 MiB down"),
            ("bulk", "tls-down-1m", "1 MiB down over TLS"),
            ("bulk", "up-1m", "1 MiB up"),
        ),
    ),
)

STYLE = """
  text { font: 12px system-ui, sans-serif; fill: #24292f }
  .title { font-size: 15px; font-weight: 600 }
  .group { font-weight: 600 }
  .peer { fill: #8c959f }
  .own { fill: #1a7f64 }
  .spread { stroke: #57606a; stroke-width: 1.5 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .peer { fill: #6e7681 }
    .own { fill: #3fb68b }
    .spread { stroke: #c9d1d9 }
  }
"""


def groups(found: Results, chart: Chart) -> list[Group]:
    """What was measured of the chart; loads of which nothing was measured are left out."""
    made = []
    for stage, name, title in chart.loads:
        measure = find_measure(stage, name)
        samples = kept(found.samples, stage, name)
        bars = []
        for peer in PEERS:
            costs = [one.cost(measure) for one in samples.get(peer, {}).values()]
            if costs:
                bars.append(Bar(peer, statistics.median(costs), min(costs), max(costs)))
        if bars:
            made.append(Group(title, tuple(bars)))
    return made


def draw(title: str, unit: str, made: Sequence[Group]) -> str:
    """The chart; every group has a scale of its own, since a handshake costs twenty requests."""
    height = HEAD + sum(GAP + LINE * len(group.bars) for group in made) + 8
    width = LABEL + BAR + VALUE
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" aria-label="{escape(title)}">',
        f"<style>{STYLE}</style>",
        f'<text class="title" x="8" y="22">{escape(title)}</text>',
    ]
    top = HEAD
    for group in made:
        parts.append(f'<text class="group" x="8" y="{top + 12}">{escape(group.title)}</text>')
        top += GAP - 6
        longest = max(bar.most for bar in group.bars)
        for bar in group.bars:
            parts += _bar(bar, unit, BAR / longest, top)
            top += LINE
        top += 6
    return "\n".join([*parts, "</svg>", ""])


def _bar(bar: Bar, unit: str, scale: float, top: int) -> list[str]:
    kind = "own" if bar.name == "ingressd" else "peer"
    middle = top + LINE / 2
    least, most = (LABEL + value * scale for value in (bar.least, bar.most))
    digits = 2 if bar.median < 10 else 1 if bar.median < 100 else 0
    return [
        f'<text x="{LABEL - 8}" y="{middle + 4:.1f}" text-anchor="end">{escape(bar.name)}</text>',
        f'<rect class="{kind}" x="{LABEL}" y="{top + 2}" width="{bar.median * scale:.1f}" height="{LINE - 4}" rx="2"/>',
        f'<line class="spread" x1="{least:.1f}" y1="{middle}" x2="{most:.1f}" y2="{middle}"/>',
        f'<text x="{most + 6:.1f}" y="{middle + 4:.1f}">{bar.median:.{digits}f} {unit}</text>',
    ]


def write_charts(found: Results, folder: Path) -> list[Path]:
    """Charts of which nothing was measured are not written."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for chart in CHARTS:
        if made := groups(found, chart):
            path = folder / f"{chart.name}.svg"
            path.write_text(draw(chart.title, chart.unit, made))
            paths.append(path)
    return paths


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("benchmarks/results"))
    options = parser.parse_args()
    for path in write_charts(results.load(options.results), options.folder):
        print(path)


if __name__ == "__main__":
    main()

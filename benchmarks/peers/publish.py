"""Raw figures → ``docs/performance.md``: its tables and charts are made from one file, which is kept beside them.

A section of the page is what stands between ``<!-- figures: NAME -->`` and ``<!-- end -->``; nothing in it is written
by hand.
"""

import re
import shutil
from pathlib import Path

from benchmarks.chart import write_charts
from benchmarks.peers import results, tables
from benchmarks.peers.plan import STAGES
from benchmarks.peers.proxies import ROOT
from benchmarks.peers.results import Results

DOCS = ROOT / "docs"
PAGE, RAW, CHARTS = DOCS / "performance.md", DOCS / "performance.json", DOCS / "performance"
NOT_MEASURED = "*Not measured yet.*\n"

_SECTION = re.compile(r"(<!-- figures: ([\w-]+) -->\n).*?(<!-- end -->)", re.S)


def publish(raw: Path) -> None:
    found = results.load(raw)
    if raw.resolve() != RAW.resolve():
        shutil.copyfile(raw, RAW)
    charts = write_charts(found, CHARTS)
    PAGE.write_text(fill(PAGE.read_text(), sections(found, charts)))
    print(f"{PAGE} and {len(charts)} charts are of {raw}")


def sections(found: Results, charts: list[Path]) -> dict[str, str]:
    made = {
        "machine": tables.machine_text(found),
        "goals": tables.goal_table(found),
        "parts": tables.parts_table(found),
        "memory": tables.memory_table(found),
    }
    made |= {stage.id: tables.stage_tables(found, stage) for stage in STAGES}
    drawn = {path.stem for path in charts}
    for name in ("small", "tls", "bodies"):
        made[f"chart-{name}"] = f"![Chart: {name}]({CHARTS.name}/{name}.svg)\n" if name in drawn else ""
    return made


def fill(page: str, made: dict[str, str]) -> str:
    """Raises KeyError when the page has a section that nothing is made for."""
    return _SECTION.sub(lambda found: f"{found[1]}\n{made[found[2]] or NOT_MEASURED}\n{found[3]}", page)

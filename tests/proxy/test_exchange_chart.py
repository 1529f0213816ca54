"""The chart of an exchange in the docs is the table in the code."""

from pathlib import Path

from ingressd.proxy.exchange import TRANSITIONS, State

_PAGE = Path(__file__).parents[2] / "docs" / "request.md"
_BEGIN = "<!-- exchange chart: kept equal to proxy/exchange.py by tests/proxy/test_exchange_chart.py -->\n"
_END = "<!-- end of exchange chart -->"


def chart() -> str:
    """The transitions as a Mermaid state diagram."""
    lines = [f"    {old.name} --> {new.name}: {why.name.lower()}" for (old, why), new in TRANSITIONS.items()]
    body = "\n".join([f"    [*] --> {State.CONNECTING.name}", *lines, f"    {State.ENDED.name} --> [*]"])
    return f"```mermaid\nstateDiagram-v2\n{body}\n```\n"


def test_chart_in_the_docs_is_the_table_in_the_code() -> None:
    page = _PAGE.read_text()
    shown = page[page.index(_BEGIN) + len(_BEGIN) : page.index(_END)]
    assert shown == chart(), f"put this between the two comments in docs/request.md:\n\n{chart()}"


def test_every_state_is_reached_and_left() -> None:
    assert set(TRANSITIONS.values()) | {State.CONNECTING} == set(State)
    assert {old for old, _ in TRANSITIONS} == set(State) - {State.ENDED}

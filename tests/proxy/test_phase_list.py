"""The list of phases in the docs is the order in the code, with the same words about each."""

import re
from pathlib import Path

from ingressd.policy import phases
from ingressd.policy.phases import Phase

_PAGE = Path(__file__).parents[2] / "docs" / "request.md"
_BEGIN = "<!-- phases: kept equal to policy/phases.py by tests/proxy/test_phase_list.py -->\n"
_END = "<!-- end of phases -->"


def listed() -> str:
    """The phases as a list, worded by the comments beside them."""
    source = Path(phases.__file__).read_text()
    said = dict(re.findall(r"^    ([A-Z_]+) = [0-9]+  # (.*)$", source, re.MULTILINE))
    return "".join(f"{phase.value}. `{phase.name}`: {said[phase.name].replace('``', '`')}\n" for phase in Phase)


def test_the_list_in_the_docs_is_the_order_in_the_code() -> None:
    page = _PAGE.read_text()
    shown = page[page.index(_BEGIN) + len(_BEGIN) : page.index(_END)]
    assert shown == listed(), f"put this between the two comments in docs/request.md:\n\n{listed()}"

"""The committed page is what the registry says."""

from ingressd.routing.annotations.page import page
from ingressd.routing.annotations.table import ROWS
from tests.routing.annotations.__main__ import PAGE


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run `make docs`"


def test_the_page_names_every_row() -> None:
    text = page()
    assert [row.name for row in ROWS if f"`{row.name}`" not in text and f"`ingressd.io/{row.name}`" not in text] == []

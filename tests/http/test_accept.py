"""Accept: when a person is asking."""

import pytest

from ingressd.http.accept import prefers_html


@pytest.mark.parametrize(
    ("accept", "html"),
    [
        (b"", False),
        (b"*/*", False),
        (b"text/*", False),
        (b"text/html", True),
        (b"TEXT/HTML", True),
        (b"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", True),
        (b"text/plain, text/html;q=0.9", False),
        (b"text/html;q=0.5, text/plain;q=0.4", True),
        (b"text/html;q=0.1, */*;q=0.5", False),
        (b"text/html;level=1", True),
        (b"text/html;q=0", False),
        (b"text/html;q=zero", False),
        (b"text/plain;q=0, */*", True),
        (b"application/json", False),
        (b"application/json, text/html;q=0.2", True),
        (b"text/htmlx", False),
        (b",;,text/html ; q=1.000 ,", True),
        (b"a," * 500 + b"text/html", True),
        (b"a," * 5000 + b"text/html", False),
        (b"text/html," + b"a," * 5000, True),
        (b"a" * 1020 + b",text/html;q=0,text/html", False),
    ],
)
def test_preferences(accept: bytes, html: bool) -> None:
    assert prefers_html(accept) is html

"""Made-up spellings of paths: none that some common server resolves to the guarded route reaches the open backend."""

from collections.abc import Iterator

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.wire.corpus.path_readings import is_guarded, readings
from tests.wire.corpus.wires import Wires, two_routes
from tests.wire.verdicts import at_once

_WIRES = Wires(two_routes())
_PARTS = (
    *("admin", "%61dmin", "%2561dmin", "x", "/", "/", "//", "%2f", "%2F", "%252f", "\\", "%5c", "%255c"),
    *(".", "..", "%2e", "%2E%2e", "%252e", ";", ";a=b", "%3b", "%253b", "%25", "%", "25", "2f", "61"),
    *("%00", "%2500", "\xc0\xaf", "%c0%ae", "?", "%3f", "%23", "\xe9"),
)


@pytest.fixture(scope="module", autouse=True)
def _books_in_order() -> Iterator[None]:
    yield
    _WIRES.close()


@settings(max_examples=2000)
@given(st.lists(st.sampled_from(_PARTS), max_size=9).map("".join))
@example(";%2Fx/admin")
@example("a;x%2Fy/../admin")
@example("%25%32%66admin")
def test_no_spelling_gets_past_the_guarded_route(path: str) -> None:
    outcome = at_once(_WIRES.run([f"GET /{path} HTTP/1.1\r\nHost: a.example\r\n\r\n".encode("latin-1")]))
    for backend, seen in outcome.seen:
        target = seen.target.decode()
        guarded = [reading for reading in readings(target) if is_guarded(reading)]
        assert backend == "admin" or not guarded, f"{target} reached the open backend"
        assert backend == "open" or is_guarded(target.partition("?")[0])
    assert len(outcome.logged) == 1

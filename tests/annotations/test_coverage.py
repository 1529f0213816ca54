"""Nothing that is read is left out: a case, and a bad value where there can be one, for each row people use."""

import pytest

from ingressd.policy.phases import Phase
from ingressd.routing.annotations.row import Row
from ingressd.routing.annotations.table import ANNOTATIONS, CONFIG_KEYS
from tests.annotations import test_logs
from tests.annotations.bad import BAD, BAD_KEYS, bad_text, is_read
from tests.annotations.tables import TOPICS

_SHOWN = frozenset(name for cases in TOPICS.values() for case in cases for name in case.rows) | frozenset(
    test_logs.SHOWN
)


def _common(rows: dict[str, Row[object]]) -> list[str]:
    return [name for name, row in rows.items() if is_read(row) and row.tier in ("T1", "T2")]


@pytest.mark.parametrize("name", _common(dict(ANNOTATIONS)))
def test_an_annotation_has_a_case_and_a_bad_value(name: str) -> None:
    row = ANNOTATIONS[name]

    assert _SHOWN & {name, *row.aliases}
    assert (name in BAD) == bool(bad_text(row))


@pytest.mark.parametrize("key", _common(dict(CONFIG_KEYS)))
def test_a_key_has_a_case_and_a_bad_value(key: str) -> None:
    assert key in _SHOWN
    assert (key in BAD_KEYS) == bool(bad_text(CONFIG_KEYS[key]))


def test_cases_name_rows_that_exist() -> None:
    known = {*ANNOTATIONS, *CONFIG_KEYS, *(alias for row in ANNOTATIONS.values() for alias in row.aliases)}
    written = {name for cases in TOPICS.values() for case in cases for name in case.rows - set(case.shows)}

    assert written - known == set()


def test_every_phase_is_in_the_order() -> None:
    titles = " ".join(case.title for case in TOPICS["order"])

    assert [phase.name for phase in Phase if phase.name not in titles] == []


def test_titles_are_different() -> None:
    titles = [(topic, case.title) for topic, cases in TOPICS.items() for case in cases]

    assert len(titles) == len(set(titles))

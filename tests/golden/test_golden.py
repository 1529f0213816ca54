"""Every golden case; see the package's text for the format and how to write them anew."""

import pytest

from tests.golden.golden import CASES, GoldenCase, render


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_golden(case: GoldenCase) -> None:
    assert render(case) == case.expected


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_order_of_objects_makes_no_difference(case: GoldenCase) -> None:
    assert render(case, backwards=True) == case.expected

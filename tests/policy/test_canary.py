from typing import Any

import pytest

from ingressd.policy.ask import Ask
from ingressd.policy.canary import Canary, CanaryRule
from tests.policy.heads import asked

HEADER: dict[str, Any] = {"header": "X-Canary"}
COOKIE: dict[str, Any] = {"cookie": "canary"}


def takes(request: Ask, roll: int = 99, belongs_to: bytes = b"", **settings: Any) -> bool:
    rule = CanaryRule(Canary("shop/next:80", **settings))
    assert rule.backend == "shop/next:80"
    return rule.takes(request, roll, belongs_to=belongs_to, primary=b"one", canary=b"two")


@pytest.mark.parametrize(
    ("settings", "value", "expected"),
    [
        (HEADER, "always", True),
        (HEADER, "never", False),
        (HEADER, "Always", None),
        (HEADER, "other", None),
        (HEADER, "", None),
        ({**HEADER, "header_value": "yes"}, "yes", True),
        ({**HEADER, "header_value": "yes"}, "no", None),
        ({**HEADER, "header_value": "yes"}, "always", None),
        ({**HEADER, "header_value": "yes"}, "never", None),
        ({**HEADER, "header_pattern": "^(DE|FR)$"}, "DE", True),
        ({**HEADER, "header_pattern": "E"}, "DE", True),
        ({**HEADER, "header_pattern": "^de$"}, "DE", None),
        ({**HEADER, "header_pattern": "DE"}, "always", None),
        ({**HEADER, "header_pattern": "DE"}, "never", None),
        ({**HEADER, "header_pattern": "DE", "header_value": "yes"}, "DE", None),
        ({**HEADER, "header_pattern": "DE", "header_value": "yes"}, "yes", True),
        ({**HEADER, "header_pattern": "(", "header_value": "yes"}, "no", None),
        ({**HEADER, "header_pattern": "("}, "always", False),  # neither cookie nor weight is asked
        ({"header_pattern": "DE"}, "DE", None),  # a pattern without a header
    ],
)
def test_by_header(settings: dict[str, Any], value: str, expected: bool | None) -> None:
    """None: it is left to the weight."""
    request = asked("/", f"x-canary: {value}")
    answers = [takes(request, weight=weight, **settings) for weight in (0, 100)]
    assert answers == ([False, True] if expected is None else [expected, expected])


@pytest.mark.parametrize("settings", [HEADER, {**HEADER, "header_pattern": "("}, {**HEADER, "header_value": "yes"}])
def test_without_the_header_it_is_left_to_the_weight(settings: dict[str, Any]) -> None:
    assert takes(asked(), weight=100, **settings)
    assert not takes(asked(), weight=0, **settings)


@pytest.mark.parametrize(("value", "expected"), [("always", True), ("never", False), ("other", None), ("", None)])
def test_by_cookie(value: str, expected: bool | None) -> None:
    request = asked("/", f"Cookie: a=always; canary={value}; b=never")
    answers = [takes(request, weight=weight, **COOKIE) for weight in (0, 100)]
    assert answers == ([False, True] if expected is None else [expected, expected])


@pytest.mark.parametrize(
    ("header", "cookie", "weight", "belongs_to", "expected"),
    [
        ("always", "never", 0, b"", True),
        ("never", "always", 100, b"", False),
        ("other", "always", 0, b"", True),
        ("other", "never", 100, b"", False),
        ("other", "other", 100, b"", True),
        ("always", "always", 100, b"one", False),
        ("never", "never", 0, b"two", True),
        ("always", "never", 0, b"three", True),  # a backend of another time
        ("other", "other", 0, b"three", False),
    ],
)
def test_affinity_then_header_then_cookie_then_weight(
    header: str, cookie: str, weight: int, belongs_to: bytes, expected: bool
) -> None:
    request = asked("/", f"X-Canary: {header}", f"Cookie: canary={cookie}")
    assert takes(request, weight=weight, belongs_to=belongs_to, **HEADER, **COOKIE) is expected


def test_whose_clients_are_not_kept_has_no_id() -> None:
    rule = CanaryRule(Canary("next", weight=100))
    assert rule.takes(asked(), 0)
    assert rule.takes(asked(), 0, belongs_to=b"two", primary=b"one")
    assert not rule.takes(asked(), 0, belongs_to=b"one", primary=b"one")


@pytest.mark.parametrize(
    ("weight", "total", "share"),
    [
        (0, 100, 0),
        (1, 100, 10),
        (50, 100, 500),
        (100, 100, 1000),
        (500, 100, 1000),
        (10, 50, 100),
        (10, 200, 50),
        (1, 1000, 1),
        (-1, 100, 0),
    ],
)
def test_the_weight_is_a_share_of_the_total_and_a_small_total_is_a_hundred(weight: int, total: int, share: int) -> None:
    assert sum(takes(asked(), roll, weight=weight, weight_total=total) for roll in range(1000)) == share

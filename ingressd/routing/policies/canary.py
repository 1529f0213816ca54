"""Canary Ingresses: whom the canary gets, where the registry's values are not enough."""

from ingressd.policy.canary import Canary
from ingressd.policy.pattern import PatternError, compile_pattern
from ingressd.routing.annotations.rows import affinity
from ingressd.routing.policies.wishes import Wishes


def is_canary(wishes: Wishes) -> bool:
    return wishes.get(affinity.CANARY)


def sticks(wishes: Wishes) -> bool:
    """Whether clients stay on the canary (``affinity-canary-behavior``)."""
    return wishes.get(affinity.AFFINITY_CANARY_BEHAVIOR) == "sticky"


def canary(wishes: Wishes, backend: str) -> Canary:
    pattern = wishes.get(affinity.CANARY_BY_HEADER_PATTERN)
    if pattern:
        try:
            compile_pattern(pattern)
        except PatternError as error:
            message = f"{error}; requests with the header stay away from the canary"
            wishes.say(affinity.CANARY_BY_HEADER_PATTERN, "error", "BadPattern", message)
    return Canary(
        backend,
        header=wishes.get(affinity.CANARY_BY_HEADER),
        header_value=wishes.get(affinity.CANARY_BY_HEADER_VALUE),
        header_pattern=pattern,
        cookie=wishes.get(affinity.CANARY_BY_COOKIE),
        weight=max(wishes.get(affinity.CANARY_WEIGHT), 0),
        weight_total=wishes.get(affinity.CANARY_WEIGHT_TOTAL),
    )

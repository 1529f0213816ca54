"""Canary Ingresses: whom the canary gets, where the registry's values are not enough."""

from collections.abc import Iterable

from ingressd.model.finding import Finding
from ingressd.policy.canary import Canary
from ingressd.policy.pattern import PatternError, compile_pattern
from ingressd.routing.annotations.reading import OUR_PREFIX
from ingressd.routing.annotations.rows import affinity, backend
from ingressd.routing.annotations.table import ANNOTATIONS
from ingressd.routing.place import place_of
from ingressd.routing.policies.wishes import Wishes

_COUNT = frozenset(
    row.name
    for row in (
        affinity.CANARY,
        affinity.CANARY_BY_HEADER,
        affinity.CANARY_BY_HEADER_VALUE,
        affinity.CANARY_BY_HEADER_PATTERN,
        affinity.CANARY_BY_COOKIE,
        affinity.CANARY_WEIGHT,
        affinity.CANARY_WEIGHT_TOTAL,
        affinity.AFFINITY_CANARY_BEHAVIOR,
        backend.SERVICE_UPSTREAM,
    )
)
"""What counts on a canary's Ingress; for all else the Ingress whose path it shares is asked."""


def is_canary(wishes: Wishes) -> bool:
    return wishes.get(affinity.CANARY)


def sticks(wishes: Wishes) -> bool:
    """Whether clients stay on the canary (``affinity-canary-behavior``)."""
    return wishes.get(affinity.AFFINITY_CANARY_BEHAVIOR) == "sticky"


def findings(wishes: Wishes, found: Iterable[Finding]) -> tuple[Finding, ...]:
    """Those that are about what counts, and one that names the rest."""
    prefixes = OUR_PREFIX, wishes.context.defaults.annotations_prefix
    ignored = []
    for whole in sorted(wishes.meta.annotations):
        prefix, _, name = whole.partition("/")
        if prefix in prefixes and name in ANNOTATIONS and name not in _COUNT:
            ignored.append(whole)
    if not ignored:
        return tuple(found)
    fields = {f"metadata.annotations[{whole}]" for whole in ignored}
    message = (
        "on a canary only canary-*, affinity-canary-behavior and service-upstream count, all else is as on the Ingress "
        f"whose path it shares; without effect here: {', '.join(ignored)}"
    )
    told = place_of(wishes.meta, "metadata.annotations").finding("info", "CanaryAnnotationsIgnored", message)
    return (*(one for one in found if one.field not in fields), told)


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

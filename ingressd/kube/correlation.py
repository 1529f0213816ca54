"""How many Events tell one story (pure): repeated ones are counted, similar ones combined, talkative objects silenced.

An Event of the same object, reason and message as one before counts that one up. More than 10 different messages for
the same object and reason within 10 minutes become one Event, counted up. And each object gets 25 Events, then one more
each 5 minutes: the API server keeps Events in the same etcd as everything else.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from msgspec import Struct

from ingressd.kube.backoff import TokenBucket
from ingressd.model.finding import Finding

SIMILAR = 10
SIMILAR_WITHIN_S = 600.0
BURST = 25
REFILL_S = 300.0
REMEMBERED = 4096
"""Objects, reasons and messages kept in mind; the ones unused for longest are forgotten first."""

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Story(Struct, frozen=True):
    """What to write for a finding. Findings with the same key count up the same Event."""

    key: tuple[str, ...]
    message: str


class Correlator:
    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._buckets = _Recent[tuple[str, ...], TokenBucket](
            lambda: TokenBucket(per_s=1 / REFILL_S, burst=BURST, clock=clock)
        )
        self._messages = _Recent[tuple[str, ...], dict[str, float]](dict)

    def tell(self, finding: Finding) -> Story | None:
        """How to tell this finding now; None when its object has said enough."""
        about = (finding.kind, finding.namespace, finding.name)
        similar = (*about, finding.level, finding.reason)
        message = f"{finding.field}: {finding.message}" if finding.field else finding.message
        if self._has_many(similar, message):
            story = Story(similar, f"(combined from similar events): {message}")
        else:
            story = Story((*similar, message), message)
        return story if self._buckets[about].try_take() else None

    def _has_many(self, similar: tuple[str, ...], message: str) -> bool:
        now = self._clock()
        recent = self._messages[similar]
        for old in [text for text, at in recent.items() if now - at > SIMILAR_WITHIN_S]:
            del recent[old]
        if len(recent) <= SIMILAR or message in recent:  # bounded: beyond this nobody counts
            recent[message] = now
        return len(recent) > SIMILAR


class _Recent(Generic[K, V]):
    """A dict with a default that forgets what was not used for longest."""

    def __init__(self, make: Callable[[], V]) -> None:
        self._make = make
        self._values: OrderedDict[K, V] = OrderedDict()

    def __getitem__(self, key: K) -> V:
        if key not in self._values:
            self._values[key] = self._make()
            if len(self._values) > REMEMBERED:
                self._values.popitem(last=False)
        self._values.move_to_end(key)
        return self._values[key]

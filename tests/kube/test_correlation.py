"""How many Events tell one story."""

import pytest

from ingressd.kube.correlation import REMEMBERED, Correlator
from ingressd.model.finding import Finding


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def correlator(clock: Clock) -> Correlator:
    return Correlator(clock)


def finding(message: str = "m", name: str = "web", **changes: str) -> Finding:
    return Finding(kind="Ingress", namespace="shop", name=name, reason="Bad", message=message, **changes)  # type: ignore[arg-type]


def test_the_same_finding_has_the_same_key(correlator: Correlator) -> None:
    first, second = correlator.tell(finding()), correlator.tell(finding())
    assert first is not None
    assert first == second
    assert correlator.tell(finding("other")) != first


def test_the_field_is_part_of_the_message(correlator: Correlator) -> None:
    story = correlator.tell(finding("is wrong", field="spec.rules[0]"))
    assert story is not None
    assert story.message == "spec.rules[0]: is wrong"


def test_more_than_ten_different_messages_in_ten_minutes_are_combined(correlator: Correlator, clock: Clock) -> None:
    stories = [correlator.tell(finding(f"m{number}")) for number in range(13)]
    told = [story for story in stories if story]
    assert len({story.key for story in told[:10]}) == 10
    assert len({story.key for story in told[10:]}) == 1
    assert told[12].message == "(combined from similar events): m12"
    clock.now += 601.0
    alone = correlator.tell(finding("m99"))
    assert alone is not None
    assert alone.message == "m99"


def test_an_object_has_25_and_then_one_each_five_minutes(correlator: Correlator, clock: Clock) -> None:
    told = [correlator.tell(finding()) for _ in range(30)]
    assert [story is not None for story in told] == [True] * 25 + [False] * 5
    assert correlator.tell(finding(name="other")) is not None
    clock.now += 300.1
    assert correlator.tell(finding()) is not None
    assert correlator.tell(finding()) is None


def test_what_it_remembers_is_bounded(correlator: Correlator) -> None:
    for number in range(REMEMBERED + 100):
        correlator.tell(finding(name=f"n{number}"))
        correlator.tell(finding(f"m{number}", name="talkative"))
    assert len(correlator._buckets._values) == REMEMBERED
    assert len(correlator._messages._values) == REMEMBERED
    assert max(len(messages) for messages in correlator._messages._values.values()) <= 11

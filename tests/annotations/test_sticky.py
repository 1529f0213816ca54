"""Who gets a client's next request: a canary that had the last one, an endpoint while others come and go, or either."""

import json
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.annotations import manifests
from tests.annotations.case import Annotations, Ask, Case, Other, Path
from tests.annotations.desk import Desk
from tests.annotations.origins import Origin
from tests.annotations.wire import Reply
from tests.support.eventually import eventually

_COOKIE = {"affinity": "cookie", "session-cookie-name": "aff"}
_SEVERAL = 30
_SAID = {"canary": "true", "canary-by-header": "X-Force", "canary-by-header-value": "yes"}


def beside_a_canary(title: str, own: Annotations, annotations: Annotations) -> Case:
    canary = Other(annotations={**_SAID, **annotations}, paths=(Path(service="canary"),))
    return Case(title=title, annotations=own, steps=(), others=(canary,))


USUAL = beside_a_canary("usual", _COOKIE, {"canary-weight": "1"})
STICKY = beside_a_canary("sticky", _COOKIE, {"canary-weight": "1", "affinity-canary-behavior": "sticky"})
LEGACY = beside_a_canary("legacy", _COOKIE, {"canary-weight": "50", "affinity-canary-behavior": "legacy"})
HALF = beside_a_canary("half", {}, {"canary-weight": "50"})
ONE_OF_TWO = beside_a_canary("one of two", {}, {"canary-weight": "100", "canary-weight-total": "200"})
KEPT = Case(
    title="kept", annotations={**_COOKIE, "affinity-mode": "persistent"}, steps=(), paths=(Path(service="grow"),)
)
_CASES = [USUAL, STICKY, LEGACY, HALF, ONE_OF_TWO, KEPT]


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    with Desk("sticky", _CASES) as desk:
        desk.settled_with(*(desk.name(case) for case in _CASES))
        yield desk


def said(reply: Reply, word: str) -> str:
    """What the origin says of itself."""
    return str(json.loads(reply.body)[word])


def cookie_of(reply: Reply) -> dict[str, str]:
    return {"Cookie": (reply.get("set-cookie") or "").partition(";")[0]}


@pytest.mark.parametrize("case", [USUAL, STICKY], ids=str)
def test_who_was_on_the_canary_stays_there(desk: Desk, case: Case) -> None:
    first = desk.ask(Ask(headers={"X-Force": "yes"}), desk.host(case))
    back = [desk.ask(Ask(headers=cookie_of(first)), desk.host(case)) for _ in range(_SEVERAL)]

    assert {said(reply, "service") for reply in (first, *back)} == {"canary"}


def test_who_was_on_the_canary_gets_no_cookie_where_that_is_as_it_used_to_be(desk: Desk) -> None:
    first = desk.ask(Ask(headers={"X-Force": "yes"}), desk.host(LEGACY))

    assert (said(first, "service"), first.get("set-cookie")) == ("canary", None)
    assert len(shares(desk, LEGACY)) == 2


@pytest.mark.parametrize("case", [HALF, ONE_OF_TWO], ids=str)
def test_half_of_all_requests_are_about_half(desk: Desk, case: Case) -> None:
    """A fair coin falls fewer than 25 times of 100 on one side once in millions of runs."""
    counted = shares(desk, case)

    assert counted["echo"] >= 25
    assert counted["canary"] >= 25


def shares(desk: Desk, case: Case) -> Counter[str]:
    """Who answers a hundred requests."""
    return Counter(said(desk.ask(Ask(), desk.host(case)), "service") for _ in range(100))


def scale(desk: Desk, pods: list[Origin]) -> None:
    """The Service has these endpoints, and every worker knows."""
    for one in manifests.service("grow", pods):
        desk.write(one)
    wanted = {f"{pod.address}:8080" for pod in pods}
    eventually(lambda: {one for found in grown(desk) for one in found} == wanted and grown(desk))
    desk.settled()


def grown(desk: Desk) -> list[list[str]]:
    return [found["endpoints"] for found in desk.daemon.api("backends") if found["service"] == "grow"]


def test_a_client_stays_while_others_come_and_only_then(desk: Desk) -> None:
    pods = desk.origins.start("grow", 5)
    scale(desk, pods[:2])
    first = desk.ask(Ask(), desk.host(KEPT))
    back, pod = Ask(headers=cookie_of(first)), said(first, "pod")
    for count in (3, 4, 5):
        scale(desk, pods[:count])
        assert {said(desk.ask(back, desk.host(KEPT)), "pod") for _ in range(_SEVERAL)} == {pod}

    scale(desk, [])
    assert desk.ask(back, desk.host(KEPT)).status == 503

    scale(desk, [one for one in pods if one.address != pod])
    after = desk.ask(back, desk.host(KEPT))
    assert said(after, "pod") != pod
    assert cookie_of(after)["Cookie"].startswith("aff=")

"""Every case of every topic: real manifests, the real daemon, requests through sockets."""

from collections.abc import Iterator

import pytest

from tests.annotations.case import Case
from tests.annotations.desk import Desk
from tests.annotations.tables import FLAGS, TOPICS


def _in_order(cases: list[Case]) -> list[Case]:
    """Those with one ConfigMap together: the desk shows it once."""
    return sorted(cases, key=lambda case: sorted(case.config.items()))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    pairs = [(topic, case) for topic, cases in TOPICS.items() for case in _in_order(cases)]
    ids = [f"{topic}: {case}" for topic, case in pairs]
    metafunc.parametrize(("desk", "case"), pairs, ids=ids, indirect=["desk"], scope="module")


@pytest.fixture(scope="module")
def desk(request: pytest.FixtureRequest) -> Iterator[Desk]:
    topic: str = request.param
    with Desk(topic, _in_order(TOPICS[topic]), *FLAGS.get(topic, ())) as desk:
        yield desk


def test_case(desk: Desk, case: Case) -> None:
    desk.run(case)

"""Leader election against the API-server fixture, on clocks of our own."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from ingressd.kube.client import KubeClient
from ingressd.kube.lease import LeaderElection, LeaseTiming
from tests.support.apiserver.harness import ApiServer, in_thread

Json = dict[str, Any]
NOW = datetime(2030, 1, 2, 3, 4, 5, 678901, UTC)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def client(api: ApiServer) -> AsyncIterator[KubeClient]:
    async with KubeClient.from_kubeconfig(str(api.kubeconfig)) as client:
        yield client


def elector(client: KubeClient, clock: Clock, identity: str = "one", **options: Any) -> LeaderElection:
    return LeaderElection(
        client, namespace="default", name="lead", identity=identity, clock=clock, now=lambda: NOW, **options
    )


def leads(one: LeaderElection) -> bool:
    return one.is_leader


async def record(api: ApiServer) -> Json:
    spec: Json = (await in_thread(api.get, "leases", "lead"))["spec"]
    return spec


async def test_the_first_makes_the_lease(api: ApiServer, client: KubeClient, clock: Clock) -> None:
    told: list[bool] = []
    one = elector(client, clock, on_change=told.append)
    assert not leads(one)
    await one.attempt()
    assert leads(one)
    assert told == [True]
    assert await record(api) == {
        "holderIdentity": "one",
        "leaseDurationSeconds": 15,
        "acquireTime": "2030-01-02T03:04:05.678901Z",
        "renewTime": "2030-01-02T03:04:05.678901Z",
        "leaseTransitions": 0,
    }


async def test_the_leader_renews_by_one_request(api: ApiServer, client: KubeClient, clock: Clock) -> None:
    one = elector(client, clock)
    await one.attempt()
    mark = await in_thread(api.mark)
    for _ in range(3):
        clock.now += 9.0
        await one.attempt()
        assert leads(one)
    assert [request.verb for request in api.requests(mark)] == ["update"] * 3


async def test_a_second_waits_until_the_record_stood_still_for_its_duration(
    api: ApiServer, client: KubeClient, clock: Clock
) -> None:
    one, two = elector(client, clock), elector(client, clock, "two")
    await one.attempt()
    await two.attempt()
    clock.now += 14.0
    await two.attempt()
    assert not leads(two)
    assert two.holder == "one"
    # The first is still alive, only slow: the second begins to count anew.
    later = elector(client, clock)
    later._now = lambda: NOW.replace(hour=4)
    await later.attempt()
    await two.attempt()
    clock.now += 14.9
    await two.attempt()
    assert not leads(two)
    clock.now += 0.1
    await two.attempt()
    assert leads(two)
    spec = await record(api)
    assert (spec["holderIdentity"], spec["leaseTransitions"]) == ("two", 1)


async def test_time_stamps_in_the_record_are_not_believed(api: ApiServer, client: KubeClient, clock: Clock) -> None:
    api.create(
        {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": "lead", "namespace": "default"},
            "spec": {
                "holderIdentity": "other",
                "leaseDurationSeconds": 40,
                "renewTime": "1999-01-01T00:00:00.000000Z",
                "leaseTransitions": 6,
            },
        }
    )
    one = elector(client, clock)
    await one.attempt()
    clock.now += 39.0
    await one.attempt()
    assert not leads(one), "and the duration is the holder's, not ours"
    clock.now += 1.0
    await one.attempt()
    assert leads(one)
    assert (await record(api))["leaseTransitions"] == 7


async def test_leading_ends_by_our_own_clock_when_the_server_is_away(
    api: ApiServer, client: KubeClient, clock: Clock
) -> None:
    told: list[bool] = []
    one = elector(client, clock, on_change=told.append)
    await one.attempt()
    await in_thread(api.down)
    clock.now += 9.9
    await one.attempt()
    assert leads(one), "unsure, but within the deadline"
    clock.now += 0.1
    assert not leads(one), "at once, without an answer"
    await one.attempt()
    assert told == [True, False]
    await in_thread(api.up)
    await one.attempt()
    assert leads(one)
    assert (await record(api))["leaseTransitions"] == 0, "nobody else led in between"


async def test_a_conflict_is_read_again(api: ApiServer, client: KubeClient, clock: Clock) -> None:
    one = elector(client, clock)
    await one.attempt()
    await in_thread(api.patch, "leases", "lead", {"spec": {"holderIdentity": "usurper"}})
    await one.attempt()
    await one.attempt()
    assert not leads(one)
    assert one.holder == "usurper"
    assert [request.status for request in api.requests(resource="leases")][-2:] == [409, 200]


async def test_what_else_is_in_the_lease_stays(api: ApiServer, client: KubeClient, clock: Clock) -> None:
    one = elector(client, clock)
    await one.attempt()
    await in_thread(api.patch, "leases", "lead", {"metadata": {"labels": {"team": "web"}}})
    await one.attempt()
    await one.attempt()
    assert (await in_thread(api.get, "leases", "lead"))["metadata"]["labels"] == {"team": "web"}
    assert leads(one)


async def test_stopping_gives_the_lease_back(api: ApiServer, client: KubeClient, clock: Clock) -> None:
    led = asyncio.Event()
    told: list[bool] = []

    def on_change(leads: bool) -> None:
        told.append(leads)
        led.set()

    one, two = elector(client, clock, on_change=on_change), elector(client, clock, "two")
    async with asyncio.TaskGroup() as group:
        running = group.create_task(one.run())
        await led.wait()
        await two.attempt()
        assert not leads(two)
        running.cancel()
    assert told == [True, False]
    spec = await record(api)
    assert (spec.get("holderIdentity", ""), spec["leaseDurationSeconds"]) == ("", 1)
    await two.attempt()
    assert leads(two)
    assert (await record(api))["leaseTransitions"] == 1


async def test_who_does_not_lead_gives_nothing_back(api: ApiServer, client: KubeClient, clock: Clock) -> None:
    one, two = elector(client, clock), elector(client, clock, "two")
    await one.attempt()
    async with asyncio.TaskGroup() as group:
        running = group.create_task(two.run())
        await in_thread(api.wait_for_request, verb="get", resource="leases")
        running.cancel()
    assert (await record(api))["holderIdentity"] == "one"


async def test_only_one_of_many_leads(api: ApiServer, client: KubeClient, clock: Clock) -> None:
    electors = [elector(client, clock, str(number)) for number in range(6)]
    while electors:
        await _all_attempt(electors)
        # Those who lost a race see the winner's record only now, and count from here.
        await _all_attempt(electors)
        leaders = [one for one in electors if leads(one)]
        assert len(leaders) == 1
        # The leader dies, and the others find out.
        electors.remove(leaders[0])
        clock.now += 15.0


async def _all_attempt(electors: list[LeaderElection]) -> None:
    async with asyncio.TaskGroup() as group:
        for one in electors:
            group.create_task(one.attempt())


def test_the_times_are_those_of_the_rule() -> None:
    timing = LeaseTiming()
    assert timing.duration_s == 15 > timing.renew_deadline_s == 10.0 > timing.retry_s == 2.0
    assert timing.retry_jitter == 1.2
    # Two requests to a round, and the next round's first: all within the deadline.
    assert 2 * timing.request_timeout_s + timing.retry_s * timing.retry_jitter < timing.renew_deadline_s

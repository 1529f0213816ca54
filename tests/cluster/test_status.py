"""What the leader writes back: load-balancer addresses and Events, against the API-server fixture."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from itertools import pairwise
from typing import Any

import pytest

from ingressd.kube.client import KubeClient
from ingressd.kube.events import EventWriter
from ingressd.kube.status import StatusWriter
from ingressd.model.finding import Finding
from ingressd.model.objects import Ingress
from tests.support.api_objects import endpoint_slice, ingress, service
from tests.support.apiserver.harness import ApiServer, in_thread
from tests.support.informers import Watched, watched

Json = dict[str, Any]
KEY = ("default", "web")


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def writing(it: Watched, make: Callable[..., StatusWriter | EventWriter], **options: Any) -> AsyncIterator[Any]:
    """A writer of the store of ``it``, running."""
    options = {"is_leader": lambda: True} | options
    async with KubeClient.from_kubeconfig(str(it.api.kubeconfig)) as client:
        writer = make(client, it.store, **options)
        async with asyncio.TaskGroup() as group:
            running = group.create_task(writer.run())
            yield writer
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running


@pytest.fixture
async def it(api: ApiServer) -> AsyncIterator[Watched]:
    """One Ingress, watched."""
    api.create(ingress())
    async with watched(api) as it:
        await it.synced()
        await it.watching()
        yield it


def load_balancer(it: Watched, name: str = "web") -> tuple[str, ...] | None:
    found = it.store.get("Ingress", ("default", name))
    return found.load_balancer if isinstance(found, Ingress) else None


async def written(it: Watched, *addresses: str, name: str = "web") -> None:
    await it.until(lambda: load_balancer(it, name) == addresses)


async def test_given_addresses_are_written_sorted_to_the_status(it: Watched) -> None:
    addresses = ["192.0.2.7", "lb.example.com", "2001:db8::1", "192.0.2.7"]
    async with writing(it, StatusWriter, addresses=addresses) as writer:
        writer.update([KEY])
        await written(it, "192.0.2.7", "2001:db8::1", "lb.example.com")
    status = (await in_thread(it.api.get, "ingresses", "web"))["status"]["loadBalancer"]["ingress"]
    assert status == [{"ip": "192.0.2.7"}, {"ip": "2001:db8::1"}, {"hostname": "lb.example.com"}]
    (request,) = it.api.requests(verb="patch")
    assert request.subresource == "status"


async def test_what_is_right_already_is_not_written_again(it: Watched) -> None:
    async with writing(it, StatusWriter, addresses=["192.0.2.7"]) as writer:
        writer.update([KEY])
        await written(it, "192.0.2.7")
        await in_thread(it.api.create, ingress("later"))
        await it.until(lambda: "later" in it.names())
        writer.update([KEY, ("default", "later")])
        await written(it, "192.0.2.7", name="later")
    assert [request.name for request in it.api.requests(verb="patch")] == ["web", "later"]


async def test_only_our_ingresses_are_touched(it: Watched) -> None:
    await in_thread(it.api.create, ingress("theirs"))
    await it.until(lambda: "theirs" in it.names())
    async with writing(it, StatusWriter, addresses=["192.0.2.7"]) as writer:
        writer.update([KEY, ("default", "gone")])
        await written(it, "192.0.2.7")
    assert load_balancer(it, "theirs") == ()
    assert [request.name for request in it.api.requests(verb="patch")] == ["web"]


async def test_what_somebody_else_wrote_over_is_put_right(it: Watched) -> None:
    async with writing(it, StatusWriter, addresses=["192.0.2.7"], recheck_s=0.05) as writer:
        writer.update([KEY])
        await written(it, "192.0.2.7")
        other = {"status": {"loadBalancer": {"ingress": [{"ip": "198.51.100.1"}]}}}
        await in_thread(it.api.patch, "ingresses", "web", other, subresource="status")
        await it.asked_times(2, verb="patch")
        await written(it, "192.0.2.7")


async def test_a_conflict_is_decided_on_the_newer_version(it: Watched) -> None:
    """The watch is late: what we know is old when we write."""
    await in_thread(it.api.fault, "slow", resource="ingresses", verb="watch", delay_s=0.3)
    await in_thread(it.api.close_watches, "close_watch", "ingresses")
    await it.asked(resource="ingresses", verb="watch", fault="slow", answered=False)
    await in_thread(it.api.patch, "ingresses", "web", {"metadata": {"labels": {"a": "b"}}})
    async with writing(it, StatusWriter, addresses=["192.0.2.7"]) as writer:
        writer.update([KEY])
        await written(it, "192.0.2.7")
    statuses = [request.status for request in it.api.requests(verb="patch")]
    assert statuses[0] == 409
    assert statuses[-1] == 200
    assert set(statuses[:-1]) == {409}


async def test_who_may_only_update_does_so(it: Watched) -> None:
    """ingress-nginx's chart grants `update` of the status, and no `patch`."""
    await in_thread(it.api.create, ingress("other"))
    await it.until(lambda: "other" in it.names())
    await in_thread(it.api.fault, "forbidden", resource="ingresses", verb="patch", count=None)
    async with writing(it, StatusWriter, addresses=["192.0.2.7"]) as writer:
        writer.update([KEY])
        await written(it, "192.0.2.7")
        writer.update([KEY, ("default", "other")])
        await written(it, "192.0.2.7", name="other")
    assert [request.name for request in it.api.requests(verb="patch")] == ["web"]  # asked once
    assert [(request.name, request.subresource) for request in it.api.requests(verb="update")] == [
        ("web", "status"),
        ("other", "status"),
    ]
    assert (await in_thread(it.api.get, "ingresses", "web"))["spec"] == ingress()["spec"]


async def test_who_may_neither_tries_both_again(it: Watched) -> None:
    await in_thread(it.api.fault, "forbidden", resource="ingresses", verb="patch", count=None)
    await in_thread(it.api.fault, "forbidden", resource="ingresses", verb="update", count=1)
    async with writing(it, StatusWriter, addresses=["192.0.2.7"]) as writer:
        writer.update([KEY])
        await written(it, "192.0.2.7")
    assert [request.verb for request in it.api.requests(resource="ingresses", name="web") if request.status == 403] == [
        "patch",
        "update",
        "patch",
    ]


async def test_15_a_failed_write_is_tried_again_and_holds_up_no_other(it: Watched) -> None:
    await in_thread(it.api.create, ingress("other"))
    await it.until(lambda: "other" in it.names())
    await in_thread(it.api.fault, "internal_error", verb="patch", object_name="web", count=4)
    async with writing(it, StatusWriter, addresses=["192.0.2.7"]) as writer:
        writer.update([KEY, ("default", "other")])
        await written(it, "192.0.2.7", name="other")
        await written(it, "192.0.2.7")
    attempts = it.api.requests(verb="patch", name="web")
    assert [request.status for request in attempts] == [500] * 4 + [200]
    waits = [later.monotonic - earlier.monotonic for earlier, later in pairwise(attempts)]
    assert all(wait >= least for wait, least in zip(waits, (0.005, 0.01, 0.02, 0.04), strict=True))


async def test_who_does_not_lead_writes_nothing(it: Watched) -> None:
    leads = False
    async with writing(it, StatusWriter, addresses=["192.0.2.7"], is_leader=lambda: leads) as writer:
        writer.update([KEY])
        await in_thread(it.api.create, ingress("b"))
        await it.until(lambda: "b" in it.names())
        assert it.api.requests(verb="patch") == []
        leads = True
        writer.wake()
        await written(it, "192.0.2.7")


async def test_without_a_source_of_addresses_nothing_is_written(it: Watched) -> None:
    status = {"status": {"loadBalancer": {"ingress": [{"ip": "198.51.100.1"}]}}}
    await in_thread(it.api.patch, "ingresses", "web", status, subresource="status")
    await written(it, "198.51.100.1")
    for publish in (None, ("default", "not-there")):
        async with writing(it, StatusWriter, publish_service=publish) as writer:
            writer.update([KEY])
            await in_thread(it.api.apply, ingress("b"))
    assert it.api.requests(verb="patch") == []


SERVICES: dict[str, tuple[Json, Json, tuple[str, ...]]] = {
    "load balancer": (
        {"type": "LoadBalancer", "externalIPs": ["203.0.113.9"]},
        {"loadBalancer": {"ingress": [{"hostname": "lb.example"}, {"ip": "203.0.113.8"}]}},
        ("203.0.113.8", "203.0.113.9", "lb.example"),
    ),
    "load balancer to come": ({"type": "LoadBalancer"}, {}, ()),
    "cluster IP": ({"type": "ClusterIP", "clusterIP": "10.96.0.77"}, {}, ("10.96.0.77",)),
    "headless": ({"type": "ClusterIP", "clusterIP": "None"}, {}, ()),
    "node port": ({"type": "NodePort", "clusterIP": "10.96.0.78"}, {}, ("10.96.0.78",)),
    "node port with external IPs": ({"type": "NodePort", "externalIPs": ["203.0.113.9"]}, {}, ("203.0.113.9",)),
    "external name": ({"type": "ExternalName", "externalName": "lb.example"}, {}, ("lb.example",)),
}


@pytest.mark.parametrize(("spec", "status", "expected"), SERVICES.values(), ids=SERVICES)
async def test_the_published_service_says_where(
    it: Watched, spec: Json, status: Json, expected: tuple[str, ...]
) -> None:
    first = {"status": {"loadBalancer": {"ingress": [{"ip": "198.51.100.1"}]}}}
    await in_thread(it.api.patch, "ingresses", "web", first, subresource="status")
    await written(it, "198.51.100.1")
    made = service("front", spec={"ports": [{"port": 80}]} | spec) | {"status": status}
    await in_thread(it.api.apply, made)
    async with writing(it, StatusWriter, publish_service=("default", "front"), recheck_s=0.05) as writer:
        writer.update([KEY])
        await written(it, *expected)


async def test_many_are_written_a_few_at_a_time(it: Watched) -> None:
    for number in range(30):
        await in_thread(it.api.create, ingress(f"i{number}"))
    await it.until(lambda: len(it.names()) == 31)
    await in_thread(it.api.fault, "black_hole", verb="patch", count=10)
    async with writing(it, StatusWriter, addresses=["192.0.2.7"]) as writer:
        writer.update(it.found())
        await it.asked_times(10, verb="patch", answered=False)
        await in_thread(it.api.create, ingress("another"))
        await it.until(lambda: "another" in it.names())
        assert len(it.api.requests(verb="patch")) == 10


async def test_the_last_replica_clears_the_status_and_others_do_not(it: Watched) -> None:
    await in_thread(it.api.create, service("front"))
    ready = [{"addresses": [address], "conditions": {"ready": True}} for address in ("10.0.0.1", "10.0.0.2")]
    slices = endpoint_slice("front-1", service="front", endpoints=ready)
    await in_thread(it.api.create, slices)
    await it.until(lambda: bool(it.names("EndpointSlice") and it.names("Service")))
    options = {"addresses": ["192.0.2.7"], "publish_service": ("default", "front")}
    async with writing(it, StatusWriter, **options) as writer:
        writer.update([KEY])
        await written(it, "192.0.2.7")
    async with KubeClient.from_kubeconfig(str(it.api.kubeconfig)) as client:
        writer = StatusWriter(client, it.store, is_leader=lambda: True, **options)  # type: ignore[arg-type]
        writer.update([KEY])
        await writer.clear("10.0.0.1")
        assert len(it.api.requests(verb="patch")) == 1
        await in_thread(it.api.apply, slices | {"endpoints": ready[:1]})
        await it.until(lambda: [len(one.endpoints) for one in it.store.freeze({}).slices["default", "front"]] == [1])
        await writer.clear("10.0.0.1")
        await written(it)


def finding(message: str = "no such Service", **changes: Any) -> Finding:
    about = {"kind": "Ingress", "namespace": "default", "name": "web", "reason": "ServiceMissing", "field": "spec"}
    return Finding(**(about | {"message": message} | changes))


async def events(it: Watched, count: int) -> list[Json]:
    """The Events, once so many writes were answered."""
    await it.asked_times(count, resource="events")
    return await in_thread(it.api.list, "events", "default")


async def test_a_finding_becomes_an_event_on_its_object(it: Watched) -> None:
    async with writing(it, EventWriter, instance="pod-1") as writer:
        writer.update([finding(), Finding(kind="Secret", reason="Forbidden"), finding(source="a.yaml")])
        (event,) = await events(it, 1)
    stored = await in_thread(it.api.get, "ingresses", "web")
    assert event["involvedObject"].items() >= {"kind": "Ingress", "name": "web", "namespace": "default"}.items()
    assert event["involvedObject"]["uid"] == stored["metadata"]["uid"]
    assert (event["type"], event["reason"], event["message"]) == ("Warning", "ServiceMissing", "spec: no such Service")
    assert (event["count"], event["source"], event["reportingInstance"]) == (1, {"component": "ingressd"}, "pod-1")
    assert len(it.api.requests(resource="events")) == 1


async def test_an_event_for_a_cluster_wide_object_lives_in_default(it: Watched) -> None:
    async with writing(it, EventWriter, instance="pod-1") as writer:
        writer.update([finding(kind="IngressClass", namespace="", name="ours")])
        (event,) = await events(it, 1)
    assert event["involvedObject"]["apiVersion"] == "networking.k8s.io/v1"


async def test_a_finding_that_lasts_is_told_once_and_again_before_the_server_forgets(it: Watched) -> None:
    clock = Clock()
    async with writing(it, EventWriter, instance="pod-1", clock=clock) as writer:
        writer.update([finding()])
        await events(it, 1)
        writer.update([finding(), finding("another", reason="Other")])
        await events(it, 2)
        clock.now += 2700.0
        writer.update([finding()])
        found = await events(it, 3)
        clock.now += 2700.0
        for event in found:
            await in_thread(it.api.delete, "events", event["metadata"]["name"])
        writer.update([finding()])
        (fresh,) = await events(it, 5)
    counts = {event["reason"]: event["count"] for event in found}
    assert counts == {"ServiceMissing": 2, "Other": 1}
    assert fresh["count"] == 1, "the server had forgotten it"


async def test_only_the_leader_tells(it: Watched) -> None:
    leads = False
    async with writing(it, EventWriter, instance="pod-1", is_leader=lambda: leads) as writer:
        writer.update([finding()])
        await in_thread(it.api.create, ingress("b"))
        await it.until(lambda: "b" in it.names())
        assert it.api.requests(resource="events") == []
        leads = True
        writer.wake()
        await events(it, 1)


@pytest.mark.parametrize("fault", ["forbidden", "internal_error", "close"])
async def test_events_that_cannot_be_written_harm_nobody(it: Watched, fault: str) -> None:
    await in_thread(it.api.fault, fault, resource="events", count=1)
    async with writing(it, EventWriter, instance="pod-1") as writer:
        writer.update([finding()])
        await it.asked(resource="events", fault=fault, answered=False)
        writer.update([finding(), finding("another", reason="Other")])
        await it.asked(resource="events", status=201)

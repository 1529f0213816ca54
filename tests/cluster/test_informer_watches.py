"""Points 5 to 7, 13, 14 and 18 of the informer check-list: what a watch asks for, and what events mean."""

import asyncio
from itertools import pairwise

from ingressd.kube.watch import Timing
from tests.support.api_objects import endpoint_slice, ingress, secret, service
from tests.support.apiserver.harness import ApiServer, in_thread
from tests.support.informers import NEVER_AGAIN, QUICK, watched


async def test_05_a_watch_goes_on_from_the_list_with_bookmarks_and_an_end(api: ApiServer) -> None:
    listed_at = api.create(ingress("a"))["metadata"]["resourceVersion"]
    async with watched(api, streaming=False) as it:
        await it.synced()
        opened = await it.asked(resource="ingresses", verb="watch")
        resources = ("services", "endpointslices", "secrets", "ingressclasses")
        others = [await it.asked(resource=resource, verb="watch") for resource in resources]
    assert opened.query["resourceVersion"] == listed_at
    assert opened.query["allowWatchBookmarks"] == "true"
    timeouts = [int(request.query["timeoutSeconds"]) for request in (opened, *others)]
    assert all(300 <= timeout_s <= 600 for timeout_s in timeouts)
    assert len(set(timeouts)) > 1, "they must not all end together"


async def test_05_what_is_watched_is_what_routing_reads(api: ApiServer) -> None:
    for obj in (ingress(), service(), endpoint_slice(), endpoint_slice("orphan", service=""), secret()):
        api.create(obj)
    api.create(secret("release", kind="helm.sh/release.v1"))
    async with watched(api) as it:
        await it.synced()
        assert it.names("EndpointSlice") == {"web-1"}
        assert it.names("Secret") == {"cert"}
    asked = {request.resource: request.query for request in api.requests(verb="watch")}
    assert asked["endpointslices"]["labelSelector"] == "kubernetes.io/service-name"
    assert asked["secrets"]["fieldSelector"] == "type!=helm.sh/release.v1"
    assert set(asked) == {"ingresses", "ingressclasses", "services", "endpointslices", "secrets", "configmaps"}


async def test_06_every_event_moves_the_version(api: ApiServer) -> None:
    async with watched(api) as it:
        await it.synced()
        await it.watching()
        await in_thread(api.create, ingress("a"))
        created = await in_thread(api.create, ingress("b"))
        await it.until(lambda: it.names() == {"a", "b"})
        mark = await in_thread(api.mark)
        await in_thread(api.close_watches, "end_watch", "ingresses")
        added = await it.asked(mark, resource="ingresses")
        await it.watching()
        await in_thread(api.delete, "ingresses", "a")
        await it.until(lambda: it.names() == {"b"})
        mark = await in_thread(api.mark)
        await in_thread(api.close_watches, "end_watch", "ingresses")
        deleted = await it.asked(mark, resource="ingresses")
    assert added.query["resourceVersion"] == created["metadata"]["resourceVersion"]
    assert int(deleted.query["resourceVersion"]) == int(added.query["resourceVersion"]) + 1


async def test_06_every_bookmark_moves_the_version(api: ApiServer) -> None:
    async with watched(api) as it:
        await it.synced()
        await it.watching()
        # Of another kind: only a bookmark can tell the watch of Ingresses how far the server is.
        created = await in_thread(api.create, service())
        before = it.observer.last["Ingress"]
        await in_thread(api.send_bookmarks, "ingresses")
        await it.until(lambda: it.observer.last["Ingress"] > before)
        mark = await in_thread(api.mark)
        await in_thread(api.close_watches, "end_watch", "ingresses")
        again = await it.asked(mark, resource="ingresses")
    assert again.query["resourceVersion"] == created["metadata"]["resourceVersion"]


async def test_06_the_initial_events_of_a_streaming_list_do_not(api: ApiServer) -> None:
    for number in range(20):
        api.create(ingress(f"i{number}"))
    api.fault("slow_lines", resource="ingresses", delay_s=0.01)
    async with watched(api) as it:
        await it.until(lambda: "Ingress" in it.observer.last)
        assert it.names() == set(), "half a list is no list"
        mark = await in_thread(api.mark)
        await in_thread(api.drop_connections)
        again = await it.asked(mark, resource="ingresses")
        await it.synced()
        assert len(it.names()) == 20
    assert again.query["resourceVersion"] == "0"


async def test_07_a_clean_end_leads_to_a_new_watch_at_once_and_to_no_list(api: ApiServer) -> None:
    async with watched(api, timing=NEVER_AGAIN) as it:
        await it.synced()
        await it.watching()
        for number in range(3):
            await in_thread(api.create, ingress(f"i{number}"))
            await it.until(lambda count=number + 1: len(it.names()) == count)  # type: ignore[misc]
            mark = await in_thread(api.mark)
            await in_thread(api.close_watches, "end_watch", "ingresses")
            again = await it.asked(mark, resource="ingresses")
            assert again.verb == "watch"
            assert "sendInitialEvents" not in again.query
            await it.watching()
    assert it.observer.restarts["Ingress"] == 3


async def test_07_a_watch_that_ends_at_once_without_an_event_is_a_failure(api: ApiServer) -> None:
    timing = Timing(backoff_first_s=0.2, backoff_cap_s=0.2)
    async with watched(api, streaming=False, timing=timing) as it:
        await it.synced()
        await it.watching()
        mark = await in_thread(api.mark)
        await in_thread(api.fault, "end_watch", resource="ingresses", count=4)
        watches = await it.asked_times(4, mark, resource="ingresses", verb="watch")
        await it.watching()
    begun = [watch.monotonic for watch in watches]
    assert all(later - earlier >= 0.2 for earlier, later in pairwise(begun))


async def test_13_the_versions_of_one_object_come_in_their_order(api: ApiServer) -> None:
    async with watched(api) as it:
        await it.synced()
        await it.watching()
        seen: list[int] = []
        it.on_change = lambda: seen.append(int(it.version("Ingress", "a") or 0))
        await in_thread(api.create, ingress("a"))
        for number in range(30):
            patched = await in_thread(api.patch, "ingresses", "a", {"metadata": {"annotations": {"n": str(number)}}})
            if number % 10 == 5:
                await in_thread(api.close_watches, "close_watch", "ingresses")
        await it.until(lambda: it.version("Ingress", "a") == patched["metadata"]["resourceVersion"])
    assert seen == sorted(seen)


async def test_13_deleted_and_made_again_unseen_is_another_object(api: ApiServer) -> None:
    first = api.create(ingress("a"))
    api.create(ingress("b"))
    async with watched(api, timing=QUICK) as it:
        await it.synced()
        await it.watching()
        it.store.take_changes()
        await in_thread(api.down)
        await in_thread(api.delete, "ingresses", "a")
        second = await in_thread(api.create, ingress("a"))
        await in_thread(api.compact)
        await in_thread(api.up)
        await it.until(lambda: it.version("Ingress", "a") == second["metadata"]["resourceVersion"])
        found = it.store.get("Ingress", ("default", "a"))
        assert found is not None
        assert found.meta.uid == second["metadata"]["uid"] != first["metadata"]["uid"]
        assert it.store.take_changes() == {("Ingress", ("default", "a"))}


async def test_14_a_slow_reader_of_changes_blocks_no_watch_and_finds_each_key_once(api: ApiServer) -> None:
    async with watched(api) as it:
        await it.synced()
        await it.watching()
        it.store.take_changes()
        # Nobody takes changes for as long as this lasts.
        for number in range(100):
            await in_thread(api.apply, ingress("a", metadata={"name": "a", "annotations": {"n": str(number)}}))
        last = await in_thread(api.create, ingress("b"))
        await it.until(lambda: it.version("Ingress", "b") == last["metadata"]["resourceVersion"])
        assert it.store.take_changes() == {("Ingress", ("default", "a")), ("Ingress", ("default", "b"))}
        assert it.store.take_changes() == frozenset()
    assert len(api.requests(resource="ingresses")) == 1


async def test_14_what_changes_nothing_for_routing_wakes_nobody(api: ApiServer) -> None:
    api.create(ingress("a"))
    async with watched(api) as it:
        await it.synced()
        await it.watching()
        woken = asyncio.Event()
        it.on_change = woken.set
        status = {"status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}}
        patched = await in_thread(api.patch, "ingresses", "a", status, subresource="status")
        await it.until(lambda: it.version("Ingress", "a") == patched["metadata"]["resourceVersion"])
        assert not woken.is_set()


async def test_18_versions_are_only_handed_back_never_compared(api: ApiServer) -> None:
    """The cluster is restored from a backup while we are away: its versions are lower than ours, and right."""
    api.create(ingress("a"))
    for number in range(50):
        api.create(service(f"s{number}"))
    async with watched(api, timing=Timing(backoff_first_s=0.01, backoff_cap_s=0.05, long_absence_s=0.0)) as it:
        await it.synced()
        for resource in ("ingresses", "services"):
            await it.watching(resource)
        await in_thread(api.create, ingress("lost"))
        await it.until(lambda: it.names() == {"a", "lost"})
        before = int(it.version("Ingress", "lost"))
        await in_thread(api.rewind, 40)
        await it.until(lambda: it.names() == {"a"})
        await it.until(lambda: len(it.names("Service")) == 11)
        made = await in_thread(api.create, ingress("b"))
        await it.until(lambda: it.names() == {"a", "b"})
    assert int(made["metadata"]["resourceVersion"]) < before

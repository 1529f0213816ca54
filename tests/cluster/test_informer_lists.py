"""Points 1 to 4 and 16 of the informer check-list: how the first and later lists are asked for and taken."""

import pytest

from ingressd.kube.watch import Timing
from tests.support.api_objects import ingress, service
from tests.support.apiserver.harness import ApiServer, in_thread
from tests.support.informers import NEVER_AGAIN, watched


async def test_01_the_first_list_takes_what_the_server_has_in_memory(api: ApiServer) -> None:
    api.create(ingress("a"))
    async with watched(api, streaming=False) as it:
        await it.synced()
        assert it.names() == {"a"}
    for resource in ("ingresses", "services", "endpointslices", "secrets", "ingressclasses"):
        first, *more = api.requests(resource=resource, verb="list")
        assert first.query["resourceVersion"] == "0"
        assert more == []


async def test_01_a_later_list_is_not_older_than_what_we_have_seen(api: ApiServer) -> None:
    async with watched(api, streaming=False) as it:
        await it.synced()
        await it.watching()
        created = await in_thread(api.create, ingress("a"))
        await it.until(lambda: it.names() == {"a"})
        mark = await in_thread(api.mark)
        await in_thread(api.fault, "undecodable_line", resource="ingresses", count=3)
        again = await it.asked(mark, resource="ingresses", verb="list")
    assert again.query == {"resourceVersion": created["metadata"]["resourceVersion"]}


@pytest.mark.parametrize("streaming", [False, True], ids=["lists", "streaming lists"])
async def test_01_after_410_the_newest_is_asked_for(api: ApiServer, streaming: bool) -> None:
    async with watched(api, streaming=streaming) as it:
        await it.synced()
        await it.watching()
        mark = await in_thread(api.mark)
        await in_thread(api.close_watches, "gone_event", "ingresses")
        again = await it.asked(mark, resource="ingresses")
    assert again.verb == ("watch" if streaming else "list")
    assert "resourceVersion" not in again.query


@pytest.mark.parametrize("streaming", [False, True], ids=["lists", "streaming lists"])
async def test_01_a_version_too_large_for_the_server_is_dropped(api: ApiServer, streaming: bool) -> None:
    api.create(ingress("a"))
    api.fault("too_large_resource_version", resource="ingresses")
    async with watched(api, streaming=streaming) as it:
        await it.synced()
        assert it.names() == {"a"}
    first, again = api.requests(resource="ingresses")[:2]
    assert first.query["resourceVersion"] == "0"
    assert first.status == 504
    assert "resourceVersion" not in again.query


async def test_02_pages_of_500_by_continue_tokens(api: ApiServer) -> None:
    api.configure(watch_cache=False)
    for number in range(1001):
        api.create(service(f"s{number}"))
    async with watched(api, streaming=False) as it:
        await it.synced()
        assert len(it.names("Service")) == 1001
    first, second, third = api.requests(resource="services", verb="list")
    assert (first.query["resourceVersion"], first.query["limit"]) == ("0", "500")
    assert "continue" not in first.query
    for page in (second, third):
        assert set(page.query) == {"limit", "continue"}
        assert page.query["limit"] == "500"
    assert second.query["continue"] != third.query["continue"]


async def test_02_a_list_at_a_version_we_have_seen_is_asked_for_whole(api: ApiServer) -> None:
    async with watched(api, streaming=False) as it:
        await it.synced()
        await in_thread(api.fault, "forbidden", resource="secrets", verb="watch")
        await in_thread(api.close_watches, "end_watch", "secrets")
        _, again = await it.asked_times(2, resource="secrets", verb="list")
    assert again.query["resourceVersion"] not in ("", "0")
    assert "limit" not in again.query


async def test_02_an_expired_continue_token_leads_to_one_full_list(api: ApiServer) -> None:
    api.configure(watch_cache=False)
    for number in range(501):
        api.create(service(f"s{number}"))
    api.fault("gone", resource="services", verb="list", after=1)
    async with watched(api, streaming=False, timing=NEVER_AGAIN) as it:
        await it.synced()
        assert len(it.names("Service")) == 501
    _, expired, full = api.requests(resource="services", verb="list")
    assert expired.status == 410
    assert full.query == {"resourceVersion": "0"}


async def test_03_a_list_takes_its_place_at_once_and_the_old_one_serves_meanwhile(api: ApiServer) -> None:
    api.configure(watch_cache=False)
    for number in range(502):
        api.create(service(f"s{number}"))
    async with watched(api, streaming=False, client_options={"read_timeout_s": 0.5}) as it:
        await it.synced()
        await it.watching("services")
        sizes: list[int] = []
        it.on_change = lambda: sizes.append(len(it.names("Service")))
        # The next list loses its second page; meanwhile the world moves on without events for us.
        await in_thread(api.fault, "black_hole", resource="services", verb="list", after=1)
        await in_thread(api.fault, "unavailable", resource="services", verb="watch")
        await in_thread(api.close_watches, "end_watch", "services")
        await in_thread(api.delete, "services", "s7")
        await in_thread(api.compact)
        await it.asked(resource="services", verb="list", fault="black_hole", answered=False)
        assert len(it.names("Service")) == 502
        await it.until(lambda: len(it.names("Service")) == 501)
        assert "s7" not in it.names("Service")
        assert set(sizes) == {501}


async def test_04_ready_only_when_every_required_list_is_here(api: ApiServer) -> None:
    api.create(ingress("a"))
    api.fault("unavailable", resource="endpointslices", count=None, retry_after_s=0)
    async with watched(api) as it:
        for resource in ("ingresses", "services", "secrets", "ingressclasses"):
            await it.watching(resource)
        await it.asked_times(3, resource="endpointslices", status=503)
        await it.until(lambda: it.names() == {"a"})
        assert not it.source.is_synced
        await in_thread(api.clear_faults)
        await it.synced()
        assert it.source.is_synced


async def test_16_a_streaming_list_goes_on_as_the_watch(api: ApiServer) -> None:
    api.create(ingress("a"))
    async with watched(api, timing=NEVER_AGAIN) as it:
        await it.synced()
        assert it.names() == {"a"}
        await in_thread(api.create, ingress("b"))
        await it.until(lambda: it.names() == {"a", "b"})
    (request,) = api.requests(resource="ingresses")
    assert request.verb == "watch"
    assert (
        request.query.items()
        >= {
            "watch": "true",
            "sendInitialEvents": "true",
            "resourceVersionMatch": "NotOlderThan",
            "allowWatchBookmarks": "true",
            "resourceVersion": "0",
        }.items()
    )


async def test_16_a_server_without_streaming_lists_is_asked_once(api: ApiServer) -> None:
    api.configure(watch_list=False)
    api.create(ingress("a"))
    async with watched(api) as it:
        await it.synced()
        assert it.names() == {"a"}
        await it.watching()
        await in_thread(api.close_watches, "gone_event", "ingresses")
        await it.asked_times(2, resource="ingresses", verb="list")
    refused = [request for request in api.requests(resource="ingresses") if "sendInitialEvents" in request.query]
    assert [request.status for request in refused] == [422]


@pytest.mark.parametrize("fault", ["internal_error", "html_502", "forbidden", "close", "text_body"])
async def test_16_any_other_failure_of_a_streaming_list_falls_back_to_a_list(api: ApiServer, fault: str) -> None:
    api.create(ingress("a"))
    # aiohttp itself asks a second time when a connection is closed on a GET.
    api.fault(fault, resource="ingresses", verb="watch", count=2 if fault == "close" else 1)
    async with watched(api) as it:
        await it.synced()
        assert it.names() == {"a"}
    requests = api.requests(resource="ingresses")
    assert "list" in [request.verb for request in requests][:3]


@pytest.mark.parametrize("fault", ["half_line", "undecodable_line", "text_line", "gone_event", "end_watch"])
async def test_16_a_streaming_list_that_breaks_leaves_nothing_behind(api: ApiServer, fault: str) -> None:
    api.create(ingress("a"))
    api.fault(fault, resource="ingresses", verb="watch")
    async with watched(api) as it:
        await it.synced()
        assert it.names() == {"a"}
        await it.watching()
        await in_thread(api.create, ingress("b"))
        await it.until(lambda: it.names() == {"a", "b"})


async def test_16_a_server_that_ignores_the_request_for_a_streaming_list_is_not_waited_for(api: ApiServer) -> None:
    api.create(ingress("a"))
    api.fault("silence", resource="ingresses", verb="watch")
    async with watched(api, timing=Timing(initial_silence_s=0.2)) as it:
        await it.synced()
        assert it.names() == {"a"}

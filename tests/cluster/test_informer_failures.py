"""Points 8 to 12 and 17 of the informer check-list: what failures lead to."""

from collections.abc import Sequence
from itertools import pairwise

import pytest

from ingressd.kube.watch import Timing
from tests.support.api_objects import ingress, service
from tests.support.apiserver.harness import ApiServer, Recorded, in_thread
from tests.support.informers import NEVER_AGAIN, QUICK, Watched, watched


def gaps(requests: Sequence[Recorded]) -> list[float]:
    return [later.monotonic - earlier.monotonic for earlier, later in pairwise(requests)]


async def assert_still_watching(it: Watched, name: str = "news") -> None:
    created = await in_thread(it.api.create, ingress(name))
    await it.until(lambda: it.version("Ingress", name) == created["metadata"]["resourceVersion"])


def test_08_the_waits_are_those_promised() -> None:
    timing = Timing()
    assert (timing.watch_least_s, timing.watch_most_s, timing.silence_s) == (300, 600, 15.0)
    assert (timing.backoff_first_s, timing.backoff_cap_s, timing.backoff_reset_s) == (0.8, 30.0, 120.0)
    assert timing.short_watch_s == 1.0


async def test_08_each_failure_in_a_row_waits_longer(api: ApiServer) -> None:
    api.fault("internal_error", resource="ingresses", verb="list", count=4)
    timing = Timing(backoff_first_s=0.05, backoff_cap_s=0.2)
    async with watched(api, streaming=False, timing=timing) as it:
        await it.synced()
    first, second, third, fourth = gaps(api.requests(resource="ingresses", verb="list"))
    assert first >= 0.05
    assert second >= 0.1
    assert third >= 0.2
    assert fourth >= 0.2


@pytest.mark.parametrize("fault", ["too_many_requests", "unavailable"])
@pytest.mark.parametrize("verb", ["list", "watch"])
async def test_08_the_servers_wish_is_honoured(api: ApiServer, fault: str, verb: str) -> None:
    api.fault(fault, resource="ingresses", verb=verb, retry_after_s=1)
    async with watched(api, streaming=False) as it:
        await it.synced()
        await it.watching()
    refused, again = api.requests(resource="ingresses", verb=verb)
    assert again.monotonic - refused.monotonic >= 1.0


@pytest.mark.parametrize("gone_as_status", [False, True], ids=["event", "status"])
async def test_09_410_in_both_forms_leads_to_a_list(api: ApiServer, gone_as_status: bool) -> None:
    api.configure(gone_as_status=gone_as_status)
    api.create(ingress("a"))
    async with watched(api, streaming=False) as it:
        await it.synced()
        await it.watching()
        await in_thread(api.down)
        await in_thread(api.delete, "ingresses", "a")
        await in_thread(api.create, ingress("b"))
        await in_thread(api.compact)
        mark = await in_thread(api.mark)
        await in_thread(api.up)
        await it.until(lambda: it.names() == {"b"})
    expired, listed = api.requests(mark, resource="ingresses")[:2]
    assert expired.status == (410 if gone_as_status else 200)
    assert (listed.verb, listed.query) == ("list", {"limit": "500"})


async def test_09_the_first_410_costs_no_wait_and_a_storm_of_them_is_backed_off(api: ApiServer) -> None:
    async with watched(api, streaming=False, timing=NEVER_AGAIN) as it:
        await it.synced()
        await it.watching()
        mark = await in_thread(api.mark)
        await in_thread(api.close_watches, "gone_event", "ingresses")
        await it.asked(mark, resource="ingresses", verb="list")
    api.reset()
    timing = Timing(backoff_first_s=0.1, backoff_cap_s=10.0)
    async with watched(api, streaming=False, timing=timing) as it:
        await it.synced()
        await it.watching()
        mark = await in_thread(api.mark)
        await in_thread(api.fault, "gone_event", resource="ingresses", count=3)
        lists = await it.asked_times(3, mark, resource="ingresses", verb="list")
    second, third = gaps(lists)
    assert second >= 0.2
    assert third >= 0.4


@pytest.mark.parametrize("verb", ["list", "watch"])
async def test_10_an_optional_kind_that_is_forbidden_stops_nobody_and_is_a_finding(api: ApiServer, verb: str) -> None:
    api.fault("forbidden", resource="secrets", verb=verb, count=None)
    api.create(ingress("a"))
    async with watched(api, streaming=False) as it:
        await it.synced()
        assert it.names() == {"a"}
        await it.until(lambda: bool(it.store.findings()))
        (finding,) = it.store.findings()
        assert (finding.kind, finding.level, finding.reason) == ("Secret", "warning", "Forbidden")
        assert f"may not {verb} secrets" in finding.message
        await assert_still_watching(it)
        # Tried again, and all is well once it is allowed.
        await in_thread(api.clear_faults)
        await it.watching("secrets")
        await it.until(lambda: not it.store.findings())


async def test_10_a_required_kind_that_is_forbidden_keeps_us_from_being_ready(api: ApiServer) -> None:
    api.fault("forbidden", resource="services", count=None)
    api.create(service("a"))
    async with watched(api) as it:
        await it.watching("ingresses")
        await it.asked_times(3, resource="services", status=403)
        await it.until(lambda: bool(it.store.findings()))
        (finding,) = it.store.findings()
        assert (finding.kind, finding.level, finding.reason) == ("Service", "error", "Forbidden")
        assert 'give our ClusterRole the verbs "list" and "watch"' in finding.message
        assert not it.source.is_synced
        await in_thread(api.clear_faults)
        await it.synced()
        assert it.names("Service") == {"a"}
        await it.until(lambda: not it.store.findings())


async def test_10_permission_lost_later_keeps_what_we_have(api: ApiServer) -> None:
    api.create(service("a"))
    async with watched(api) as it:
        await it.synced()
        await it.watching("services")
        await in_thread(api.fault, "forbidden", resource="services", count=None)
        await in_thread(api.close_watches, "end_watch", "services")
        await it.asked(resource="services", status=403)
        assert it.source.is_synced
        assert it.names("Service") == {"a"}
        await in_thread(api.delete, "services", "a")
        await in_thread(api.clear_faults)
        await it.until(lambda: it.names("Service") == set())


async def test_11_a_connection_that_went_silent_is_given_up(api: ApiServer) -> None:
    timing = Timing(watch_least_s=1, watch_most_s=1, silence_s=0.1, backoff_first_s=0.01)
    async with watched(api, timing=timing) as it:
        await it.synced()
        await it.watching()
        mark = await in_thread(api.mark)
        await in_thread(api.close_watches, "silence", "ingresses")
        # The silent stream never ends by itself; these are seen only by a new one.
        await assert_still_watching(it)
        again = await it.asked(mark, resource="ingresses")
    assert again.verb == "watch"
    assert "sendInitialEvents" not in again.query


@pytest.mark.parametrize(
    "fault", ["undecodable_line", "text_line", "half_line", "close_watch", "reset_watch", "error_event"]
)
async def test_12_a_broken_stream_is_no_event_and_is_taken_up_where_it_broke(api: ApiServer, fault: str) -> None:
    api.create(ingress("a"))
    async with watched(api) as it:
        await it.synced()
        await it.watching()
        last = await in_thread(api.create, ingress("b"))
        await it.until(lambda: it.names() == {"a", "b"})
        changes: list[set[str]] = []
        it.on_change = lambda: changes.append(it.names())
        mark = await in_thread(api.mark)
        await in_thread(api.close_watches, fault, "ingresses")
        again = await it.asked(mark, resource="ingresses")
        await it.watching()
        await assert_still_watching(it)
    assert again.verb == "watch"
    assert again.query["resourceVersion"] == last["metadata"]["resourceVersion"]
    assert changes == [{"a", "b", "news"}]


async def test_12_half_a_line_before_a_clean_end_is_no_event_either(api: ApiServer) -> None:
    api.create(ingress("a"))
    async with watched(api, streaming=False) as it:
        await it.synced()
        await it.watching()
        await in_thread(api.close_watches, "half_line", "ingresses", clean=True)
        await assert_still_watching(it)
        assert it.names() == {"a", "news"}


async def test_12_an_event_of_an_unknown_type_is_skipped(api: ApiServer) -> None:
    api.create(ingress("a"))
    async with watched(api, timing=NEVER_AGAIN) as it:
        await it.synced()
        await it.watching()
        await in_thread(api.close_watches, "unknown_event", "ingresses")
        await assert_still_watching(it)
        assert it.names() == {"a", "news"}
    assert len(api.requests(resource="ingresses")) == 1


async def test_12_a_line_of_megabytes_in_odd_pieces_is_an_event_like_any_other(api: ApiServer) -> None:
    api.create(ingress("a"))
    async with watched(api, timing=NEVER_AGAIN) as it:
        await it.synced()
        await it.watching()
        await in_thread(api.close_watches, "huge_object", "ingresses", size_bytes=2 << 20)
        await it.until(lambda: _padding(it) >= 2 << 20)
        await assert_still_watching(it)


async def test_12_a_line_beyond_the_limit_is_a_broken_stream(api: ApiServer) -> None:
    api.create(ingress("a"))
    async with watched(api) as it:
        await it.synced()
        await it.watching()
        await in_thread(api.close_watches, "huge_object", "ingresses", size_bytes=17 << 20)
        await assert_still_watching(it)
        assert _padding(it) == 0


def _padding(it: Watched) -> int:
    found = it.store.get("Ingress", ("default", "a"))
    return len(found.meta.annotations.get("fixture/padding", "")) if found else 0


@pytest.mark.parametrize("fault", ["text_body", "truncate_body", "html_502", "close", "reset", "gateway_timeout"])
async def test_12_a_broken_list_is_no_list(api: ApiServer, fault: str) -> None:
    api.create(ingress("a"))
    api.fault(fault, resource="ingresses", verb="list", count=2)
    async with watched(api, streaming=False) as it:
        await it.synced()
        assert it.names() == {"a"}


async def test_17_the_server_may_be_away_and_the_last_state_stays(api: ApiServer) -> None:
    api.create(ingress("a"))
    async with watched(api, timing=QUICK) as it:
        await it.synced()
        await it.watching()
        seen_at = it.observer.last["Ingress"]
        restarts = it.observer.restarts["Ingress"]
        await in_thread(api.down)
        await in_thread(api.create, ingress("b"))
        await it.until_restarted("Ingress", restarts + 3)
        assert it.names() == {"a"}
        assert it.source.is_synced
        assert it.observer.last["Ingress"] == seen_at, "the age of what we have is told"
        await in_thread(api.up)
        await it.until(lambda: it.names() == {"a", "b"})
        assert it.observer.last["Ingress"] > seen_at

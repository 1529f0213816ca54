"""Each fault on command, seen from a client; then how faults are aimed and counted."""

import asyncio
import json
from pathlib import Path

import aiohttp
import pytest

from tests.apiserver.objects import config_map, ingress
from tests.apiserver.watch_reader import WatchReader
from tests.support.apiserver.faults import REQUEST_FAULTS, STREAM_FAULTS
from tests.support.apiserver.harness import ApiServer, in_thread

MAPS = "/api/v1/configmaps"
BROKEN = (aiohttp.ClientError, ConnectionError)
STREAMING = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "allowWatchBookmarks": "true"}
ANSWERS = {
    "unauthorized": (401, "Unauthorized"),
    "forbidden": (403, "Forbidden"),
    "too_many_requests": (429, "TooManyRequests"),
    "internal_error": (500, "InternalError"),
    "unavailable": (503, "ServiceUnavailable"),
    "gateway_timeout": (504, "Timeout"),
    "gone": (410, "Expired"),
    "too_large_resource_version": (504, "Timeout"),
    "watch_list_off": (422, "Invalid"),
}
TESTED = {*ANSWERS, "close", "reset", "black_hole", "slow", "truncate_body", "text_body", "html_502"}


def test_every_request_fault_is_tested() -> None:
    assert TESTED == REQUEST_FAULTS


async def status_of(session: aiohttp.ClientSession, path: str = MAPS) -> int:
    async with session.get(path) as response:
        return response.status


# Instead of an answer.


@pytest.mark.parametrize("fault", ANSWERS)
async def test_refusals_come_once_and_as_status(api: ApiServer, session: aiohttp.ClientSession, fault: str) -> None:
    api.fault(fault)
    query = {"watch": "true", "timeoutSeconds": "1", **STREAMING} if fault == "watch_list_off" else {}

    async with session.get(MAPS, params=query) as response:
        refusal = await response.json()

    assert (response.status, refusal["reason"]) == ANSWERS[fault]
    assert refusal["kind"] == "Status"
    assert await status_of(session) == 200


@pytest.mark.parametrize("fault", ["too_many_requests", "unavailable"])
async def test_retry_after(api: ApiServer, session: aiohttp.ClientSession, fault: str) -> None:
    api.fault(fault, retry_after_s=7)

    async with session.get(MAPS) as response:
        assert response.headers["Retry-After"] == "7"


@pytest.mark.parametrize("fault", ["close", "reset"])
async def test_no_answer(api: ApiServer, session: aiohttp.ClientSession, fault: str) -> None:
    # aiohttp itself repeats a GET once when a connection that was used before breaks.
    api.fault(fault, count=2)

    with pytest.raises(BROKEN):
        await status_of(session)


async def test_black_hole(api: ApiServer, session: aiohttp.ClientSession) -> None:
    api.fault("black_hole")

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await status_of(session)
    [recorded] = api.requests()
    assert (recorded.fault, recorded.status) == ("black_hole", None)


async def test_slow(api: ApiServer, session: aiohttp.ClientSession) -> None:
    api.fault("slow", delay_s=0.2)
    loop = asyncio.get_running_loop()
    start = loop.time()

    assert await status_of(session) == 200
    assert loop.time() - start >= 0.2


async def test_truncated_body(api: ApiServer, session: aiohttp.ClientSession) -> None:
    api.fault("truncate_body")

    async with session.get(MAPS) as response:
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()


@pytest.mark.parametrize(("fault", "status", "text"), [("html_502", 502, "<html>"), ("text_body", 200, "no healthy")])
async def test_answers_of_something_in_between(
    api: ApiServer, session: aiohttp.ClientSession, fault: str, status: int, text: str
) -> None:
    api.fault(fault)

    async with session.get(MAPS) as response:
        assert response.status == status
        assert (await response.text()).startswith(text)


# On a watch stream. Each is ordered while the stream is open.


async def test_end_watch(api: ApiServer, watch: WatchReader) -> None:
    async with watch("configmaps") as stream:
        api.fault("end_watch", resource="configmaps")
        assert await stream.line() == b""


@pytest.mark.parametrize("fault", ["close_watch", "reset_watch"])
async def test_broken_watch(api: ApiServer, watch: WatchReader, fault: str) -> None:
    async with watch("configmaps") as stream:
        api.fault(fault)
        with pytest.raises(BROKEN):
            await stream.line()


async def test_silence(api: ApiServer, watch: WatchReader) -> None:
    async with watch("configmaps") as stream:
        api.fault("silence")
        api.create(config_map())
        assert await stream.is_silent()


async def test_slow_lines(api: ApiServer, watch: WatchReader) -> None:
    async with watch("configmaps") as stream:
        api.fault("slow_lines", delay_s=0.05)
        api.create(config_map())
        assert await stream.names(1) == [("ADDED", "settings")]


@pytest.mark.parametrize("clean", [False, True])
async def test_half_line(api: ApiServer, watch: WatchReader, clean: bool) -> None:
    api.create(config_map())
    async with watch("configmaps") as stream:
        await stream.names(1)
        api.fault("half_line", clean=clean)
        if clean:
            line = await stream.line()
            assert line
            assert not line.endswith(b"\n")
        else:
            with pytest.raises(BROKEN):
                await stream.line()


@pytest.mark.parametrize(("fault", "goes_on"), [("undecodable_line", True), ("text_line", False)])
async def test_lines_that_are_no_events(api: ApiServer, watch: WatchReader, fault: str, goes_on: bool) -> None:
    async with watch("configmaps") as stream:
        api.fault(fault)
        with pytest.raises(json.JSONDecodeError):
            await stream.event()
        if not goes_on:
            assert await stream.line() == b""
        else:
            api.create(config_map())
            assert await stream.names(1) == [("ADDED", "settings")]


async def test_unknown_event(api: ApiServer, watch: WatchReader) -> None:
    async with watch("configmaps") as stream:
        api.fault("unknown_event")
        assert (await stream.event())[0] == "SURPRISE"


@pytest.mark.parametrize(("fault", "code"), [("gone_event", 410), ("error_event", 503)])
async def test_error_events(api: ApiServer, watch: WatchReader, fault: str, code: int) -> None:
    async with watch("configmaps") as stream:
        api.fault(fault, code=503)
        kind, status = await stream.event()
        assert (kind, status["code"]) == ("ERROR", code)
        assert await stream.line() == b""


async def test_no_bookmarks(api: ApiServer, watch: WatchReader) -> None:
    async with watch("configmaps", allowWatchBookmarks="true") as stream:
        api.fault("no_bookmarks")
        api.send_bookmarks()
        assert await stream.is_silent()


async def test_huge_object(api: ApiServer, watch: WatchReader) -> None:
    api.create(config_map())
    async with watch("configmaps") as stream:
        await stream.names(1)
        api.fault("huge_object", size_bytes=3_000_000)
        assert len(await stream.line()) > 3_000_000


def test_every_stream_fault_is_tested() -> None:
    source = Path(__file__).read_text()

    assert {fault for fault in STREAM_FAULTS if f'"{fault}"' not in source} == set()


# Aiming and counting.


async def test_a_fault_strikes_what_it_is_aimed_at(api: ApiServer, session: aiohttp.ClientSession) -> None:
    api.fault("forbidden", resource="secrets", verb="list", namespace="")

    assert await status_of(session) == 200
    assert await status_of(session, "/api/v1/namespaces/default/secrets") == 200
    assert await status_of(session, "/api/v1/secrets") == 403


async def test_counts_and_delays(api: ApiServer, session: aiohttp.ClientSession) -> None:
    api.fault("internal_error", after=1, count=2)

    assert [await status_of(session) for _ in range(4)] == [200, 500, 500, 200]


async def test_until_cleared(api: ApiServer, session: aiohttp.ClientSession) -> None:
    api.fault("unavailable", count=None)
    assert [await status_of(session) for _ in range(3)] == [503] * 3

    api.clear_faults()
    assert await status_of(session) == 200


async def test_a_stream_fault_waits_for_the_next_stream(api: ApiServer, watch: WatchReader) -> None:
    api.fault("end_watch", resource="configmaps")

    async with watch("configmaps") as stream:
        assert await stream.line() == b""


async def test_two_stream_faults_strike_one_stream(api: ApiServer, watch: WatchReader) -> None:
    api.fault("no_bookmarks", count=None)
    api.fault("unknown_event")

    async with watch("configmaps", allowWatchBookmarks="true") as stream:
        assert (await stream.event())[0] == "SURPRISE"
        api.send_bookmarks()
        assert await stream.is_silent()


async def test_close_watches_strikes_open_ones_only(api: ApiServer, watch: WatchReader) -> None:
    api.create(ingress())
    async with watch("configmaps") as maps, watch("ingresses") as ingresses:
        await ingresses.names(1)
        assert await in_thread(api.close_watches, "end_watch", "configmaps") == 1
        assert await maps.line() == b""
        assert await ingresses.is_silent()


def test_an_unknown_fault_is_refused(api: ApiServer) -> None:
    with pytest.raises(Exception, match="no such fault"):
        api.fault("earthquake")


# The request log.


async def test_requests_are_recorded(api: ApiServer, session: aiohttp.ClientSession) -> None:
    await status_of(session, f"{MAPS}?limit=500&resourceVersion=0")

    [recorded] = api.requests(verb="list", resource="configmaps")

    assert (recorded.query, recorded.status) == ({"limit": "500", "resourceVersion": "0"}, 200)
    assert "aiohttp" in recorded.headers["user-agent"]


async def test_waiting_for_a_request(api: ApiServer, watch: WatchReader) -> None:
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(in_thread(api.wait_for_request, verb="watch", resource="configmaps"))
        async with watch("configmaps", resourceVersion="5"):
            recorded = await waiting

    assert (recorded.query["resourceVersion"], recorded.status) == ("5", 200)


def test_a_request_that_never_comes(api: ApiServer) -> None:
    with pytest.raises(TimeoutError, match="no such request"):
        api.wait_for_request(verb="list", timeout_s=0.05)

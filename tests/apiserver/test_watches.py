"""WATCH: where it starts, what it says, how it ends."""

import aiohttp
import pytest

from tests.apiserver.objects import config_map, ingress
from tests.apiserver.watch_reader import WatchReader
from tests.support.apiserver.harness import ApiServer

STREAMING = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "allowWatchBookmarks": "true"}


async def test_from_nowhere_everything_is_added_first(api: ApiServer, watch: WatchReader) -> None:
    api.create(config_map("old"))

    async with watch("configmaps") as stream:
        assert await stream.names(1) == [("ADDED", "old")]
        api.create(config_map("new"))
        api.patch("configmaps", "new", {"data": {"key": "other"}})
        api.delete("configmaps", "new")
        assert await stream.names(3) == [("ADDED", "new"), ("MODIFIED", "new"), ("DELETED", "new")]


async def test_from_a_version_history_is_told(api: ApiServer, watch: WatchReader) -> None:
    start = api.create(config_map("first"))["metadata"]["resourceVersion"]
    api.create(ingress())
    api.create(config_map("second"))

    async with watch("configmaps", resourceVersion=start) as stream:
        assert await stream.names(1) == [("ADDED", "second")]


async def test_the_deletion_has_a_version_of_its_own(api: ApiServer, watch: WatchReader) -> None:
    created = api.create(config_map())
    api.delete("configmaps", "settings")

    async with watch("configmaps", resourceVersion=created["metadata"]["resourceVersion"]) as stream:
        _, deleted = await stream.event()

    assert deleted["metadata"]["resourceVersion"] == api.state()["resourceVersion"]
    assert deleted["metadata"]["uid"] == created["metadata"]["uid"]


async def test_entering_and_leaving_a_selector(api: ApiServer, watch: WatchReader) -> None:
    api.create(config_map("a"))

    async with watch("configmaps", labelSelector="in=yes") as stream:
        for labels in ({"in": "yes"}, {"in": "yes", "more": "x"}, {"in": "no"}):
            api.patch("configmaps", "a", {"metadata": {"labels": labels}})
        assert [kind for kind, _ in await stream.names(3)] == ["ADDED", "MODIFIED", "DELETED"]


async def test_streaming_list(api: ApiServer, watch: WatchReader) -> None:
    api.create(config_map("a"))

    async with watch("configmaps", **STREAMING) as stream:
        assert await stream.names(1) == [("ADDED", "a")]
        kind, bookmark = await stream.event()

    assert kind == "BOOKMARK"
    assert bookmark["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
    assert bookmark["metadata"]["resourceVersion"] == api.state()["resourceVersion"]


async def test_streaming_list_switched_off(api: ApiServer, session: aiohttp.ClientSession) -> None:
    api.configure(watch_list=False)

    async with session.get("/api/v1/configmaps", params={"watch": "true", **STREAMING}) as response:
        assert response.status == 422


async def test_bookmarks_follow_writes_of_other_kinds(api: ApiServer, watch: WatchReader) -> None:
    async with watch("configmaps", resourceVersion=api.state()["resourceVersion"], allowWatchBookmarks="1") as stream:
        api.create(ingress())
        api.send_bookmarks()
        kind, bookmark = await stream.event()

    assert (kind, bookmark["metadata"]["resourceVersion"]) == ("BOOKMARK", api.state()["resourceVersion"])


async def test_the_time_runs_out_cleanly(api: ApiServer, watch: WatchReader) -> None:
    async with watch("configmaps", timeoutSeconds="1", allowWatchBookmarks="true") as stream:
        assert (await stream.event())[0] == "BOOKMARK"
        assert await stream.line() == b""


@pytest.mark.parametrize("as_status", [False, True])
async def test_a_compacted_version_is_gone(api: ApiServer, session: aiohttp.ClientSession, as_status: bool) -> None:
    old = api.create(config_map())["metadata"]["resourceVersion"]
    api.compact()
    api.configure(gone_as_status=as_status)

    async with session.get("/api/v1/configmaps", params={"watch": "1", "resourceVersion": old}) as response:
        answer = await response.json()

    assert response.status == (410 if as_status else 200)
    assert (answer if as_status else answer["object"])["code"] == 410


async def test_compaction_leaves_open_watches_alone(api: ApiServer, watch: WatchReader) -> None:
    async with watch("configmaps") as stream:
        api.compact()
        api.create(config_map())
        assert await stream.names(1) == [("ADDED", "settings")]


def test_history_is_bounded() -> None:
    with ApiServer(arguments=["--history", "10"]) as small:
        start = small.state()["resourceVersion"]
        for number in range(20):
            small.create(config_map(f"m{number}"))
        answer = small.send("GET", "/api/v1/configmaps", query={"watch": "1", "resourceVersion": start})

    assert answer["object"]["code"] == 410


async def test_tables_name_their_columns_once(api: ApiServer, session: aiohttp.ClientSession) -> None:
    for name in "ab":
        api.create(config_map(name))
    accept = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}

    async with session.get(
        "/api/v1/configmaps", params={"watch": "1", "timeoutSeconds": "1"}, headers=accept
    ) as response:
        first, second = [await response.content.readline() for _ in range(2)]

    assert b'"columnDefinitions":[{' in first
    assert b'"columnDefinitions":null' in second


async def test_a_restored_backup_jumps_back(api: ApiServer, watch: WatchReader) -> None:
    api.create(config_map("kept"))
    before = api.state()["resourceVersion"]
    api.create(config_map("lost"))

    async with watch("configmaps") as stream:
        await stream.names(2)
        api.rewind(by=1)
        with pytest.raises((ConnectionError, aiohttp.ClientError)):
            await stream.line()

    assert api.state()["resourceVersion"] == before
    assert [obj["metadata"]["name"] for obj in api.list("configmaps")] == ["kept"]

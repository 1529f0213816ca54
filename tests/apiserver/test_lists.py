"""LIST: pages, versions, selectors, representations."""

import gzip
import json
from typing import Any

import aiohttp
import pytest

from tests.apiserver.objects import config_map, ingress, secret
from tests.support.apiserver.harness import ApiServer

MAPS = "/api/v1/namespaces/default/configmaps"


async def get(session: aiohttp.ClientSession, path: str, **query: str) -> tuple[int, Any]:
    async with session.get(path, params=query) as response:
        return response.status, await response.json()


def names(answer: Any) -> list[str]:
    return [item["metadata"]["name"] for item in answer["items"]]


@pytest.fixture
def five(api: ApiServer) -> ApiServer:
    for name in "abcde":
        api.create(config_map(name))
    return api


async def test_pages_agree_on_one_version(five: ApiServer, session: aiohttp.ClientSession) -> None:
    _, first = await get(session, MAPS, limit="2")
    five.create(config_map("aa"))
    _, second = await get(session, MAPS, limit="2", **{"continue": first["metadata"]["continue"]})
    _, third = await get(session, MAPS, limit="2", **{"continue": second["metadata"]["continue"]})

    assert names(first) + names(second) + names(third) == list("abcde")
    assert first["metadata"]["remainingItemCount"] == 3
    assert first["metadata"]["resourceVersion"] == third["metadata"]["resourceVersion"]
    assert "continue" not in third["metadata"]


async def test_an_expired_page_offers_to_go_on_inconsistently(five: ApiServer, session: aiohttp.ClientSession) -> None:
    _, first = await get(session, MAPS, limit="2")
    five.compact()

    status, refusal = await get(session, MAPS, limit="2", **{"continue": first["metadata"]["continue"]})

    assert (status, refusal["reason"]) == (410, "Expired")
    _, rest = await get(session, MAPS, **{"continue": refusal["metadata"]["continue"]})
    assert names(rest) == list("cde")


async def test_a_limit_at_version_zero_is_ignored_by_the_watch_cache(
    five: ApiServer, session: aiohttp.ClientSession
) -> None:
    _, cached = await get(session, MAPS, limit="2", resourceVersion="0")
    five.configure(watch_cache=False)
    _, uncached = await get(session, MAPS, limit="2", resourceVersion="0")

    assert (len(cached["items"]), len(uncached["items"])) == (5, 2)


async def test_an_exact_version_shows_the_past(five: ApiServer, session: aiohttp.ClientSession) -> None:
    past = five.state()["resourceVersion"]
    five.delete("configmaps", "a")

    _, exact = await get(session, MAPS, resourceVersion=past, resourceVersionMatch="Exact")
    _, newer = await get(session, MAPS, resourceVersion=past, resourceVersionMatch="NotOlderThan")

    assert (names(exact), names(newer)) == (list("abcde"), list("bcde"))
    five.compact()
    assert (await get(session, MAPS, resourceVersion=past, resourceVersionMatch="Exact"))[0] == 410


async def test_a_version_of_the_future_is_too_large(api: ApiServer, session: aiohttp.ClientSession) -> None:
    status, refusal = await get(session, MAPS, resourceVersion="999999")

    assert (status, refusal["reason"]) == (504, "Timeout")
    assert refusal["details"]["causes"][0]["reason"] == "ResourceVersionTooLarge"


@pytest.mark.parametrize(
    ("selector", "found"),
    [
        ("app=web", "ab"),
        ("app==web,tier", "a"),
        ("app!=web", "c"),
        ("app in (web, api)", "abc"),
        ("app notin (web)", "c"),
        ("!tier", "bc"),
    ],
)
async def test_label_selectors(api: ApiServer, session: aiohttp.ClientSession, selector: str, found: str) -> None:
    api.create(config_map("a", labels={"app": "web", "tier": "front"}))
    api.create(config_map("b", labels={"app": "web"}))
    api.create(config_map("c", labels={"app": "api"}))

    assert names((await get(session, MAPS, labelSelector=selector))[1]) == list(found)


async def test_field_selectors(api: ApiServer, session: aiohttp.ClientSession) -> None:
    api.create(secret("plain"))
    api.create(secret("release", "helm.sh/release.v1"))

    _, kept = await get(session, "/api/v1/secrets", fieldSelector="type!=helm.sh/release.v1")
    status, _ = await get(session, "/api/v1/secrets", fieldSelector="data.x=y")

    assert (names(kept), status) == (["plain"], 400)


async def test_one_namespace_or_all(api: ApiServer, session: aiohttp.ClientSession) -> None:
    api.apply(ingress("one", "first"))
    api.apply(ingress("two", "second"))
    root = "/apis/networking.k8s.io/v1"

    assert names((await get(session, f"{root}/ingresses"))[1]) == ["one", "two"]
    assert names((await get(session, f"{root}/namespaces/second/ingresses"))[1]) == ["two"]


async def test_table_and_metadata_only(five: ApiServer, session: aiohttp.ClientSession) -> None:
    table = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"}
    partial = {"Accept": "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"}
    async with session.get(MAPS, headers=table) as response:
        answer = await response.json()
    assert answer["rows"][0]["cells"][:2] == ["a", 1]
    assert [column["name"] for column in answer["columnDefinitions"]] == ["Name", "Data", "Age"]

    async with session.get(MAPS, headers=partial) as response:
        answer = await response.json()
    assert answer["kind"] == "PartialObjectMetadataList"
    assert answer["items"][0].keys() == {"kind", "apiVersion", "metadata"}


async def test_large_lists_are_compressed(api: ApiServer) -> None:
    api.create(config_map() | {"data": {"key": "x" * 200_000}})
    async with (
        aiohttp.ClientSession(api.url, auto_decompress=False) as session,
        session.get(MAPS, headers={"Accept-Encoding": "gzip"}) as response,
    ):
        body = await response.read()

    assert len(body) < 10_000
    assert names(json.loads(gzip.decompress(body))) == ["settings"]

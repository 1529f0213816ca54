"""The four kinds of patch, and who owns a field after server-side apply."""

from typing import Any

import pytest

from tests.apiserver.objects import config_map, service
from tests.support.apiserver.client import RefusedError
from tests.support.apiserver.errors import Json
from tests.support.apiserver.harness import ApiServer


def ports(obj: Json) -> list[tuple[str, int]]:
    return [(port["name"], port["port"]) for port in obj["spec"]["ports"]]


def apply(api: ApiServer, obj: Json, manager: str, **query: str) -> Json:
    kind, name = obj["kind"], obj["metadata"]["name"]
    return api.patch(kind, name, obj, how="apply", fieldManager=manager, **query)


@pytest.fixture
def web(api: ApiServer) -> Json:
    return api.create(service(ports=[{"name": "http", "port": 80}, {"name": "https", "port": 443}]))


def test_merge_patch_replaces_lists_and_removes_nulls(api: ApiServer, web: Json) -> None:
    api.patch("services", "web", {"metadata": {"labels": {"a": "1", "b": "2"}}})
    patched = api.patch(
        "services", "web", {"metadata": {"labels": {"a": None}}, "spec": {"ports": [{"name": "x", "port": 1}]}}
    )

    assert patched["metadata"]["labels"] == {"b": "2"}
    assert ports(patched) == [("x", 1)]


@pytest.mark.parametrize(
    ("patch", "expected"),
    [
        ([{"name": "web", "port": 80}], [("web", 80), ("https", 443)]),
        ([{"name": "new", "port": 81}], [("http", 80), ("https", 443), ("new", 81)]),
        ([{"port": 80, "$patch": "delete"}], [("https", 443)]),
        ([{"name": "only", "port": 1}, {"$patch": "replace"}], [("only", 1)]),
    ],
)
def test_strategic_patch_merges_lists_by_key(api: ApiServer, web: Json, patch: Any, expected: Any) -> None:
    assert ports(api.patch("services", "web", {"spec": {"ports": patch}}, how="strategic")) == expected


def test_strategic_patch_orders_and_takes_out_of_sets(api: ApiServer) -> None:
    api.create(service(ports=[{"name": "a", "port": 1}, {"name": "b", "port": 2}]))
    api.patch("services", "web", {"metadata": {"finalizers": ["x.example/a", "x.example/b"]}}, how="strategic")
    patch = {
        "metadata": {"$deleteFromPrimitiveList/finalizers": ["x.example/a"]},
        "spec": {"$setElementOrder/ports": [{"port": 2}, {"port": 1}], "ports": []},
    }

    patched = api.patch("services", "web", patch, how="strategic")

    assert patched["metadata"]["finalizers"] == ["x.example/b"]
    assert ports(patched) == [("b", 2), ("a", 1)]


def test_json_patch(api: ApiServer) -> None:
    api.create(config_map())
    patch = [
        {"op": "test", "path": "/data/key", "value": "value"},
        {"op": "add", "path": "/metadata/annotations", "value": {"example.com/x": "1"}},
        {"op": "replace", "path": "/metadata/annotations/example.com~1x", "value": "2"},
        {"op": "copy", "from": "/data/key", "path": "/data/copied"},
        {"op": "move", "from": "/data/key", "path": "/data/moved"},
    ]

    patched = api.patch("configmaps", "settings", patch, how="json")

    assert patched["data"] == {"copied": "value", "moved": "value"}
    assert patched["metadata"]["annotations"] == {"example.com/x": "2"}


def test_a_json_patch_that_does_not_fit_is_invalid(api: ApiServer) -> None:
    api.create(config_map())

    with pytest.raises(RefusedError, match="422"):
        api.patch("configmaps", "settings", [{"op": "remove", "path": "/data/nothing"}], how="json")


def test_a_patch_naming_a_stale_version_is_a_conflict(api: ApiServer, web: Json) -> None:
    api.patch("services", "web", {"metadata": {"labels": {"a": "b"}}})

    stale = {"metadata": {"resourceVersion": web["metadata"]["resourceVersion"]}}
    with pytest.raises(RefusedError) as caught:
        api.patch("services", "web", stale)

    assert caught.value.reason == "Conflict"


def test_unknown_patch_type(api: ApiServer) -> None:
    api.create(config_map())

    with pytest.raises(RefusedError, match="415"):
        api.send("PATCH", "/api/v1/namespaces/default/configmaps/settings", {}, media="text/plain")


def test_apply_creates_then_removes_what_is_no_longer_mentioned(api: ApiServer) -> None:
    first = config_map(labels={"a": "1", "b": "2"})
    apply(api, first, "me")
    api.patch("configmaps", "settings", {"data": {"theirs": "x"}})

    applied = apply(api, config_map(labels={"a": "1"}), "me")

    assert applied["metadata"]["labels"] == {"a": "1"}
    assert applied["data"] == {"key": "value", "theirs": "x"}


def test_apply_reports_conflicts_unless_forced(api: ApiServer) -> None:
    apply(api, config_map(), "first")
    changed = config_map() | {"data": {"key": "other"}}

    with pytest.raises(RefusedError) as caught:
        apply(api, changed, "second")
    [cause] = caught.value.status["details"]["causes"]
    assert (caught.value.code, cause["reason"], cause["field"]) == (409, "FieldManagerConflict", ".data.key")

    forced = apply(api, changed, "second", force="true")
    owners = {entry["manager"]: entry["fieldsV1"] for entry in forced["metadata"]["managedFields"]}
    assert forced["data"] == {"key": "other"}
    assert owners == {"second": {"f:data": {"f:key": {}}}}


def test_apply_merges_keyed_lists(api: ApiServer) -> None:
    apply(api, service(ports=[{"name": "http", "port": 80}]), "one")
    applied = apply(api, service(ports=[{"name": "https", "port": 443}]), "two")
    assert ports(applied) == [("http", 80), ("https", 443)]

    without = service()
    del without["spec"]["ports"]
    assert ports(apply(api, without, "one")) == [("https", 443)]


def test_apply_twice_changes_nothing(api: ApiServer) -> None:
    first, second = (apply(api, service(), "me") for _ in range(2))

    assert first["metadata"]["resourceVersion"] == second["metadata"]["resourceVersion"]


def test_updates_are_owned_too(api: ApiServer) -> None:
    api.create(config_map())

    [entry] = api.get("configmaps", "settings")["metadata"]["managedFields"]

    assert (entry["manager"], entry["operation"]) == ("harness", "Update")
    assert entry["fieldsV1"] == {"f:data": {"f:key": {}}}

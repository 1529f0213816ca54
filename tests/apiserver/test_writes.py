"""create, update, delete, and what the server does to objects on the way."""

import base64
from typing import Any

import pytest

from tests.apiserver.objects import config_map, ingress, lease, secret, service, slice_of
from tests.support.apiserver.client import RefusedError
from tests.support.apiserver.harness import ApiServer


def refused(method: Any, *arguments: Any, **options: Any) -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        method(*arguments, **options)
    return caught.value


def test_versions_grow_over_all_kinds(api: ApiServer) -> None:
    first, second = api.create(ingress()), api.create(service())

    assert int(second["metadata"]["resourceVersion"]) == int(first["metadata"]["resourceVersion"]) + 1


def test_a_new_object_gets_what_the_server_owns(api: ApiServer) -> None:
    metadata = api.create(ingress())["metadata"]

    assert metadata["generation"] == 1
    assert {"uid", "creationTimestamp", "resourceVersion", "managedFields"} <= metadata.keys()


def test_generate_name(api: ApiServer) -> None:
    obj = config_map(generateName="some-")
    del obj["metadata"]["name"]

    names = {api.create(obj)["metadata"]["name"] for _ in range(3)}

    assert len(names) == 3
    assert all(name.startswith("some-") and len(name) == 10 for name in names)


def test_creating_twice_is_already_exists(api: ApiServer) -> None:
    api.create(ingress())

    error = refused(api.create, ingress())

    assert (error.code, error.reason) == (409, "AlreadyExists")
    assert error.status["details"] == {"name": "web", "group": "networking.k8s.io", "kind": "ingresses"}


def test_a_missing_namespace_is_not_found(api: ApiServer) -> None:
    error = refused(api.create, ingress(namespace="nowhere"))

    assert (error.code, error.status["details"]["kind"]) == (404, "namespaces")


def test_a_stale_version_is_a_conflict(api: ApiServer) -> None:
    old = api.create(config_map())
    api.replace(old | {"data": {"key": "newer"}})

    error = refused(api.replace, old | {"data": {"key": "late"}})

    assert (error.code, error.reason) == (409, "Conflict")


def test_a_write_without_change_makes_no_version(api: ApiServer) -> None:
    created = api.create(service())

    assert api.replace(created)["metadata"]["resourceVersion"] == created["metadata"]["resourceVersion"]


def test_generation_counts_spec_changes_only(api: ApiServer) -> None:
    obj = api.create(ingress())
    obj["metadata"]["labels"] = {"a": "b"}
    obj = api.replace(obj)
    assert obj["metadata"]["generation"] == 1

    obj["spec"]["rules"][0]["host"] = "other.example"
    assert api.replace(obj)["metadata"]["generation"] == 2


def test_status_and_spec_are_written_apart(api: ApiServer) -> None:
    address = {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}
    obj = api.create(ingress() | {"status": address})
    assert obj["status"] == {"loadBalancer": {}}

    changed = obj | {"spec": {"rules": [{"host": "ignored.example"}]}, "status": address}
    by_status = api.replace(changed, "status")
    assert (by_status["spec"], by_status["status"]) == (obj["spec"], address)
    assert by_status["metadata"]["generation"] == 1

    assert api.replace(by_status | {"status": {}})["status"] == address


def test_many_at_once(api: ApiServer) -> None:
    status = {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}

    assert api.create_all([ingress("a", "one") | {"status": status}, ingress("b", "two")]) == 2

    assert api.get("ingresses", "a", "one")["status"] == status
    assert refused(api.create_all, [ingress("a", "one")]).reason == "AlreadyExists"


def test_finalizers_hold_a_deleted_object(api: ApiServer) -> None:
    api.create(config_map(finalizers=["example.com/hold"]))

    api.delete("configmaps", "settings")
    held = api.get("configmaps", "settings")
    assert held["metadata"]["deletionTimestamp"]

    api.patch("configmaps", "settings", {"metadata": {"finalizers": None}})
    assert refused(api.get, "configmaps", "settings").code == 404


def test_delete_preconditions(api: ApiServer) -> None:
    api.create(config_map())

    body = {"preconditions": {"uid": "another"}}
    error = refused(api.send, "DELETE", "/api/v1/namespaces/default/configmaps/settings", body)

    assert error.code == 409


def test_deleting_a_namespace_empties_it(api: ApiServer) -> None:
    api.apply(ingress(namespace="team"))

    api.delete("namespaces", "team")

    assert api.list("ingresses") == []


def test_delete_collection_by_label(api: ApiServer) -> None:
    for name in ("a", "b"):
        api.create(config_map(name, labels={"name": name}))

    api.send("DELETE", "/api/v1/namespaces/default/configmaps", query={"labelSelector": "name=a"})

    assert [obj["metadata"]["name"] for obj in api.list("configmaps")] == ["b"]


@pytest.mark.parametrize("verb", ["create", "patch", "delete"])
def test_dry_run_changes_nothing(api: ApiServer, verb: str) -> None:
    before = api.create(config_map())
    path = "/api/v1/namespaces/default/configmaps"
    method, target, body, media = {
        "create": ("POST", path, config_map("another"), ""),
        "patch": ("PATCH", f"{path}/settings", {"data": {"key": "x"}}, "application/merge-patch+json"),
        "delete": ("DELETE", f"{path}/settings", None, ""),
    }[verb]

    api.send(method, target, body, {"dryRun": "All"}, media)

    assert [obj["metadata"]["resourceVersion"] for obj in api.list("configmaps")] == [
        before["metadata"]["resourceVersion"]
    ]


def test_secret_text_becomes_data(api: ApiServer) -> None:
    created = api.create(secret(stringData={"password": "hunter2"}))

    assert created["data"] == {"password": base64.b64encode(b"hunter2").decode()}
    assert "stringData" not in created


def test_a_tls_secret_needs_both_halves(api: ApiServer) -> None:
    error = refused(api.create, secret(of_type="kubernetes.io/tls", data={"tls.crt": ""}))

    assert error.code == 422
    assert [cause["field"] for cause in error.status["details"]["causes"]] == ["data[tls.key]"]


@pytest.mark.parametrize("path", ["a", "/a//b", "/a/./b", "/a/../b", "/a%2fb", "/a/..", "/a/."])
def test_ingress_paths_a_real_server_refuses(api: ApiServer, path: str) -> None:
    error = refused(api.create, ingress(path=path))

    assert (error.code, error.reason) == (422, "Invalid")
    assert error.status["details"]["causes"][0]["field"] == "spec.rules[0].http.paths[0].path"


@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.1.1", "0.0.0.0", "224.0.0.1"])
def test_slice_addresses_are_checked_when_strict(api: ApiServer, address: str) -> None:
    api.configure(strict_addresses=True)
    assert refused(api.create, slice_of(address)).code == 422

    api.configure(strict_addresses=False)
    api.create(slice_of(address))


def test_an_empty_slice_says_null(api: ApiServer) -> None:
    api.create(slice_of())

    [listed] = api.list("endpointslices")

    assert listed["endpoints"] is None
    assert "kind" not in listed


def test_service_defaults(api: ApiServer) -> None:
    spec = api.create(service(type="NodePort"))["spec"]

    assert spec["clusterIP"] == spec["clusterIPs"][0]
    assert spec["ports"][0] == {
        "name": "http",
        "port": 80,
        "protocol": "TCP",
        "targetPort": 80,
        "nodePort": spec["ports"][0]["nodePort"],
    }


def test_a_lease_is_updated_with_its_version_only(api: ApiServer) -> None:
    created = api.create(lease(holderIdentity="a", leaseDurationSeconds=15))

    assert refused(api.replace, lease(holderIdentity="b")).code == 422
    assert api.replace(created | {"spec": {"holderIdentity": "b"}})["spec"]["holderIdentity"] == "b"


def test_both_event_apis_show_the_same_objects(api: ApiServer) -> None:
    about = {"kind": "Ingress", "name": "web", "namespace": "default"}
    api.create(
        {
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": {"name": "web.1", "namespace": "default"},
            "eventTime": "2026-01-01T00:00:00.000000Z",
            "regarding": about,
            "reason": "Synced",
            "note": "all is well",
            "reportingController": "example.com/controller",
        }
    )

    [old] = api.list("events", fieldSelector="involvedObject.name=web")

    assert (old["involvedObject"], old["message"]) == (about, "all is well")


def test_the_clock_can_be_shifted(api: ApiServer) -> None:
    young = api.create(ingress("young"))
    api.shift_clock(-3600)
    old = api.create(ingress("old"))

    assert old["metadata"]["creationTimestamp"] < young["metadata"]["creationTimestamp"]

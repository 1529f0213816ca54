"""Which namespaces and objects a ClusterSource watches, and what it keeps of them."""

import pytest

from ingressd.kube.store import Store
from tests.support.api_objects import config_map, endpoint_slice, ingress, namespace, secret, service
from tests.support.apiserver.harness import ApiServer, in_thread
from tests.support.informers import watched

ON_SERVER = ("ingresses", "services", "endpointslices", "secrets", "configmaps")


def fill(api: ApiServer, *names: str, **labels: str) -> None:
    for name in names:
        api.create(namespace(name, **labels))
        for obj in (ingress(namespace=name), service(namespace=name), endpoint_slice(namespace=name)):
            api.create(obj)
        api.create(secret(namespace=name))


async def test_named_namespaces_are_watched_one_by_one(api: ApiServer) -> None:
    fill(api, "one", "two", "three")
    async with watched(api, namespaces=["one", "two", "one"]) as it:
        await it.synced()
        for kind in ("Ingress", "Service", "Secret"):
            assert {key[0] for key in it.found(kind)} == {"one", "two"}
        await it.watching("ingresses", "two")
        await in_thread(api.delete, "ingresses", "web", "two")
        await it.until(lambda: it.found() == {("one", "web")})
    asked = {(request.resource, request.namespace) for request in api.requests()}
    expected = {(resource, name) for resource in ON_SERVER for name in ("one", "two")}
    assert asked == expected | {("ingressclasses", "")}


async def test_a_list_of_one_namespace_leaves_the_other_alone(api: ApiServer) -> None:
    fill(api, "one", "two")
    async with watched(api, namespaces=["one", "two"]) as it:
        await it.synced()
        await it.watching("ingresses", "one")
        await in_thread(api.fault, "gone_event", resource="ingresses", namespace="one")
        await in_thread(api.delete, "ingresses", "web", "one")
        await it.until(lambda: it.found() == {("two", "web")})


async def test_selected_namespaces_come_and_go(api: ApiServer) -> None:
    fill(api, "one", team="web")
    fill(api, "two", team="other")
    async with watched(api, namespace_selector="team=web") as it:
        await it.synced()
        assert it.found() == it.found("Service") == {("one", "web")}
        await it.watching("namespaces")
        await in_thread(api.patch, "namespaces", "two", {"metadata": {"labels": {"team": "web"}}})
        await it.until(lambda: it.found() == {("one", "web"), ("two", "web")})
        await it.until(lambda: it.found("Secret") == {("one", "cert"), ("two", "cert")})
        await in_thread(api.patch, "namespaces", "one", {"metadata": {"labels": {"team": None}}})
        await it.until(lambda: it.found() == {("two", "web")})
        await it.until(lambda: not any(key[0] == "one" for kind in ("Service", "Secret") for key in it.found(kind)))
        await it.watching("ingresses", "two")
        await in_thread(api.create, ingress("late", "one"))
        await in_thread(api.create, ingress("later", "two"))
        await it.until(lambda: ("two", "later") in it.found())
        assert ("one", "late") not in it.found()
    assert {request.namespace for request in api.requests(resource="ingresses")} == {"one", "two"}


async def test_no_namespace_selected_is_ready_with_nothing(api: ApiServer) -> None:
    fill(api, "one")
    async with watched(api, namespace_selector="team=web") as it:
        await it.synced()
        assert it.found() == set()


async def test_without_permission_for_namespaces_a_selector_is_never_ready(api: ApiServer) -> None:
    api.fault("forbidden", resource="namespaces", count=None)
    async with watched(api, namespace_selector="team=web") as it:
        await it.asked_times(3, resource="namespaces", status=403)
        await it.until(lambda: [one.kind for one in it.store.findings()] == ["Namespace"])
        assert not it.source.is_synced


async def test_single_objects_outside_the_watched_namespaces(api: ApiServer) -> None:
    fill(api, "shop", "ingress")
    for obj in (config_map("settings", "ingress", key="value"), config_map("other", "ingress")):
        api.create(obj)
    api.create(secret("default-cert", "ingress"))
    api.create(endpoint_slice("fallback-1", "ingress", service="fallback"))
    api.create(service("fallback", "ingress"))
    wanted = [
        ("ConfigMap", ("ingress", "settings")),
        ("Secret", ("ingress", "default-cert")),
        ("Secret", ("ingress", "cert")),
        ("Service", ("ingress", "fallback")),
        ("EndpointSlice", ("ingress", "fallback")),
        ("Service", ("shop", "web")),
    ]
    async with watched(api, namespaces=["shop"], wanted=wanted) as it:
        await it.synced()
        assert it.found("ConfigMap") == {("ingress", "settings")}
        assert it.found("Secret") == {("shop", "cert"), ("ingress", "default-cert"), ("ingress", "cert")}
        assert it.found("Service") == {("shop", "web"), ("ingress", "fallback")}
        assert it.found("EndpointSlice") == {("shop", "web-1"), ("ingress", "fallback-1")}
        assert it.found() == {("shop", "web")}
        await it.watching("configmaps", "ingress")
        await in_thread(api.delete, "configmaps", "settings", "ingress")
        await it.until(lambda: it.found("ConfigMap") == set())


async def test_a_wanted_object_that_is_not_there_is_not_waited_for(api: ApiServer) -> None:
    async with watched(api, namespaces=["one"], wanted=[("ConfigMap", ("nowhere", "settings"))]) as it:
        await it.synced()
        await it.watching("configmaps", "nowhere")
        await in_thread(api.apply, config_map("settings", "nowhere"))
        await it.until(lambda: it.found("ConfigMap") == {("nowhere", "settings")})


async def test_config_maps_that_are_named_later(api: ApiServer) -> None:
    fill(api, "shop", "ingress")
    for where in ("ingress", "shop"):
        api.create(config_map("headers", where))
    async with watched(api, namespaces=["shop"], wanted=[("ConfigMap", ("ingress", "settings"))]) as it:
        await it.synced()
        it.source.want([("ingress", "headers"), ("shop", "headers"), ("ingress", "settings")])
        await it.source.named()
        assert it.found("ConfigMap") == {("shop", "headers"), ("ingress", "headers")}
        it.source.want([("ingress", "headers")])  # once more: nothing changes
        await in_thread(api.apply, config_map("headers", "ingress", key="value"))
        await it.until(lambda: it.store.freeze({}).config_maps["ingress", "headers"].data == {"key": "value"})
        it.source.want([("shop", "headers")])
        await it.until(lambda: it.found("ConfigMap") == {("shop", "headers")})


async def test_a_named_config_map_that_cannot_be_had_is_not_waited_for(api: ApiServer) -> None:
    fill(api, "shop", "ingress")
    async with watched(api, namespaces=["shop"]) as it:
        await it.synced()
        await in_thread(api.fault, "forbidden", resource="configmaps", namespace="ingress", count=None)
        it.source.want([("ingress", "headers")])
        await it.source.named()
        assert [(one.kind, one.namespace, one.reason) for one in it.store.findings()] == [
            ("ConfigMap", "ingress", "Forbidden")
        ]
        it.source.want([])
        await it.source.named()
        assert it.store.findings() == ()


async def test_config_maps_that_are_named_in_selected_namespaces_stay(api: ApiServer) -> None:
    fill(api, "one", team="web")
    api.create(config_map("headers", "one"))
    async with watched(api, namespace_selector="team=web") as it:
        await it.synced()
        it.source.want([("one", "headers")])
        await it.watching("configmaps", "one")
        it.source.want([])
        await in_thread(api.create, config_map("later", "one"))
        await it.until(lambda: ("one", "later") in it.found("ConfigMap"))
        assert ("one", "headers") in it.found("ConfigMap")


async def test_a_broken_object_keeps_its_last_good_version_and_is_a_finding(api: ApiServer) -> None:
    api.create(ingress("a"))
    api.create(ingress("b"))
    bad = {"spec": {"ingressClassName": 7}}
    async with watched(api) as it:
        await it.synced()
        await it.watching()
        good = it.version("Ingress", "a")
        await in_thread(api.patch, "ingresses", "a", bad)
        await it.until(lambda: bool(it.store.findings()))
        (finding,) = it.store.findings()
        assert (finding.kind, finding.namespace, finding.name) == ("Ingress", "default", "a")
        assert it.version("Ingress", "a") == good
        # The same out of a list.
        mark = await in_thread(api.mark)
        await in_thread(api.close_watches, "gone_event", "ingresses")
        await it.asked(mark, resource="ingresses")
        await in_thread(api.create, ingress("c"))
        await it.until(lambda: it.names() == {"a", "b", "c"})
        assert it.version("Ingress", "a") == good
        assert it.store.findings() == (finding,)
        mended = await in_thread(api.patch, "ingresses", "a", {"spec": {"ingressClassName": "x"}})
        await it.until(lambda: it.version("Ingress", "a") == mended["metadata"]["resourceVersion"])
        assert it.store.findings() == ()


async def test_the_finding_goes_with_the_object(api: ApiServer) -> None:
    api.create(ingress("a"))
    async with watched(api) as it:
        await it.synced()
        await it.watching()
        await in_thread(api.patch, "ingresses", "a", {"spec": {"ingressClassName": 7}})
        await it.until(lambda: bool(it.store.findings()))
        await in_thread(api.delete, "ingresses", "a")
        await it.until(lambda: not it.store.findings())
        assert it.names() == set()


KEPT = {
    "kubernetes.io/tls": {"tls.crt", "tls.key", "ca.crt"},
    "Opaque": {"tls.crt", "tls.key", "ca.crt", "alice"},
    "kubernetes.io/service-account-token": set(),
}


@pytest.mark.parametrize(("kind", "kept"), KEPT.items(), ids=KEPT)
async def test_of_secrets_only_what_serves_a_proxy_is_kept(api: ApiServer, kind: str, kept: set[str]) -> None:
    data = {"tls.crt": b"c", "tls.key": b"k", "ca.crt": b"a", "alice": b"bcrypt"}
    metadata = {"name": "s", "annotations": {"kubernetes.io/service-account.name": "default"}}
    api.create(secret("s", kind=kind, data=data) | {"metadata": metadata})
    async with watched(api) as it:
        await it.synced()
        assert _secret_keys(it.store) == kept
        await it.watching("secrets")
        patched = await in_thread(api.patch, "secrets", "s", {"metadata": {"labels": {"x": "y"}}})
        await it.until(lambda: it.version("Secret", "s") == patched["metadata"]["resourceVersion"])
        assert _secret_keys(it.store) == kept


def _secret_keys(store: Store) -> set[str]:
    return set(store.freeze({}).secrets["default", "s"].data)


async def test_it_says_what_it_watches(api: ApiServer) -> None:
    for options, text in (
        ({}, "cluster, all namespaces"),
        ({"namespaces": ["a", "b"]}, "cluster, namespaces a, b"),
        ({"namespace_selector": "x=y"}, "cluster, namespaces with x=y"),
    ):
        async with watched(api, **options) as it:
            assert it.source.describe() == text

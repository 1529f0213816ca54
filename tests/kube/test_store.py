"""What the store calls a change, and what it hands out."""

import pytest
from msgspec.structs import replace

from ingressd.kube.store import Store
from ingressd.model.finding import Finding
from ingressd.model.objects import ClusterObject, ConfigMap, EndpointSlice, Ingress, IngressClass, Meta, SliceEndpoint


class Counter:
    count = 0

    def __call__(self) -> None:
        self.count += 1


@pytest.fixture
def seen() -> Counter:
    return Counter()


@pytest.fixture
def store(seen: Counter) -> Store:
    return Store(seen)


def ingress(name: str = "web", **meta: object) -> Ingress:
    return Ingress(Meta(namespace="shop", name=name, **({"uid": "1", "resource_version": "7"} | meta)))  # type: ignore[arg-type]


def slice_of(service: str, name: str = "web-1", *addresses: str, **meta: object) -> EndpointSlice:
    endpoints = tuple(SliceEndpoint(address) for address in addresses)
    return EndpointSlice(Meta(namespace="shop", name=name, **meta), service=service, endpoints=endpoints)  # type: ignore[arg-type]


BASE = ingress(annotations={"a": "1"})

SAME: dict[str, tuple[ClusterObject, ClusterObject]] = {
    "only the resourceVersion": (BASE, replace(BASE, meta=replace(BASE.meta, resource_version="8"))),
    "only the generation": (BASE, replace(BASE, meta=replace(BASE.meta, generation=2))),
    "the status that we wrote": (BASE, replace(BASE, load_balancer=("192.0.2.1",))),
    "a slice's time stamp": (slice_of("web"), slice_of("web", annotations={"last-change": "now"}, labels={"x": "y"})),
}
DIFFERENT: dict[str, tuple[ClusterObject, ClusterObject]] = {
    "an annotation": (BASE, ingress(annotations={"a": "2"})),
    "another object of the same name": (BASE, ingress(annotations={"a": "1"}, uid="2")),
    "the class": (BASE, replace(BASE, class_name="other")),
    "an endpoint": (slice_of("web", "web-1", "10.0.0.1"), slice_of("web", "web-1", "10.0.0.2")),
    "a cluster-scoped object": (IngressClass(Meta(name="a")), IngressClass(Meta(name="a"), controller="us")),
}


@pytest.mark.parametrize(("old", "new"), SAME.values(), ids=SAME)
def test_a_version_that_tells_nothing_new_is_kept_but_is_no_change(
    store: Store, seen: Counter, old: ClusterObject, new: ClusterObject
) -> None:
    store.put(old)
    store.take_changes()
    assert not store.put(new)
    assert seen.count == 1
    assert store.take_changes() == frozenset()
    assert store.get(type(new).__name__, (new.meta.namespace, new.meta.name)) == new


@pytest.mark.parametrize(("old", "new"), DIFFERENT.values(), ids=DIFFERENT)
def test_a_version_that_says_something_else_is_a_change(
    store: Store, seen: Counter, old: ClusterObject, new: ClusterObject
) -> None:
    assert store.put(old)
    store.take_changes()
    assert store.put(new)
    assert seen.count == 2
    assert len(store.take_changes()) == 1


def test_the_same_key_many_times_is_one_change(store: Store) -> None:
    for number in range(1000):
        store.put(ingress(annotations={"n": str(number)}))
    assert store.take_changes() == {("Ingress", ("shop", "web"))}
    assert store.take_changes() == frozenset()


def test_a_slice_is_reported_by_its_service_and_by_the_one_it_left(store: Store) -> None:
    store.put(slice_of("old"))
    assert store.take_changes() == {("EndpointSlice", ("shop", "old"))}
    store.put(slice_of("new"))
    assert store.take_changes() == {("EndpointSlice", ("shop", "old")), ("EndpointSlice", ("shop", "new"))}
    assert set(store.freeze({}).slices) == {("shop", "new")}
    store.remove("EndpointSlice", ("shop", "web-1"))
    assert store.take_changes() == {("EndpointSlice", ("shop", "new"))}
    assert store.freeze({}).slices == {}


def test_slices_are_grouped_by_service_in_the_order_of_their_names(store: Store) -> None:
    second, first = slice_of("web", "web-2"), slice_of("web", "web-1")
    store.put(second)
    store.put(first)
    assert store.freeze({}).slices == {("shop", "web"): (first, second)}
    newer = slice_of("web", "web-1", "10.0.0.9")
    store.put(newer)
    assert store.freeze({}).slices == {("shop", "web"): (newer, second)}


def test_a_full_list_deletes_what_is_not_in_it(store: Store, seen: Counter) -> None:
    store.replace("Ingress", [ingress("a"), ingress("b")])
    store.take_changes()
    store.replace("Ingress", [ingress("b"), ingress("c")])
    assert store.keys("Ingress") == {("shop", "b"), ("shop", "c")}
    assert store.take_changes() == {("Ingress", ("shop", "a")), ("Ingress", ("shop", "c"))}
    assert seen.count == 2
    store.replace("Ingress", [ingress("b"), ingress("c")])
    assert seen.count == 2


def test_a_full_list_of_one_namespace_leaves_the_others_alone(store: Store) -> None:
    store.put(Ingress(Meta(namespace="other", name="a")))
    store.replace("Ingress", [ingress("a")], namespace="shop")
    store.replace("Ingress", [], namespace="shop")
    assert store.keys("Ingress") == {("other", "a")}


def test_an_unreadable_object_of_a_full_list_keeps_its_last_good_version(store: Store) -> None:
    store.replace("Ingress", [ingress("a"), ingress("b")])
    store.replace("Ingress", [ingress("b")], keep=[("shop", "a"), ("shop", "never-seen")])
    assert store.keys("Ingress") == {("shop", "a"), ("shop", "b")}


def test_recreated_between_two_lists_is_a_replacement(store: Store) -> None:
    store.replace("Ingress", [ingress(uid="1")])
    store.take_changes()
    store.replace("Ingress", [ingress(uid="2")])
    assert store.take_changes() == {("Ingress", ("shop", "web"))}


def test_removing_what_is_not_there_is_no_change(store: Store, seen: Counter) -> None:
    assert not store.remove("Ingress", ("shop", "web"))
    assert seen.count == 0
    store.put(ingress())
    assert store.remove("Ingress", ("shop", "web"))
    assert store.get("Ingress", ("shop", "web")) is None


def test_a_frozen_state_does_not_move(store: Store) -> None:
    store.put(ingress())
    store.put(slice_of("web"))
    frozen = store.freeze({"db.example.com": ("192.0.2.7",)})
    store.put(ingress("later"))
    store.put(slice_of("web", "web-2"))
    store.put(ConfigMap(Meta(namespace="shop", name="c")))
    assert set(frozen.ingresses) == {("shop", "web")}
    assert len(frozen.slices["shop", "web"]) == 1
    assert frozen.config_maps == {}
    assert frozen.resolved == {"db.example.com": ("192.0.2.7",)}


def test_what_did_not_change_is_handed_out_as_it_was(store: Store) -> None:
    store.put(BASE)
    store.put(slice_of("web", "web-1", "10.0.0.1"))
    first = store.freeze({})
    store.put(replace(BASE, load_balancer=("192.0.2.1",), meta=replace(BASE.meta, resource_version="8")))
    store.put(slice_of("web", "web-1", "10.0.0.1", annotations={"last-change": "now"}))
    store.put(ConfigMap(Meta(namespace="shop", name="c")))
    second = store.freeze({})
    assert second.ingresses is first.ingresses
    assert second.slices is first.slices
    assert set(second.config_maps) == {("shop", "c")}
    store.remove("ConfigMap", ("shop", "c"))
    store.put(slice_of("other", "web-1", "10.0.0.1"))
    third = store.freeze({})
    assert third.config_maps == {}
    assert list(third.slices) == [("shop", "other")]
    assert third.ingresses is first.ingresses


def test_findings_belong_to_their_source(store: Store, seen: Counter) -> None:
    one, two = Finding(kind="Ingress", name="a", reason="Bad"), Finding(kind="Service", name="b", reason="Bad")
    store.set_findings("a.yaml", [one])
    store.set_findings("b.yaml", [two, one])
    assert store.findings() == (one, two)
    assert seen.count == 2
    store.set_findings("b.yaml", [one, two])
    assert seen.count == 2
    store.set_findings("b.yaml", [])
    assert store.findings() == (one,)
    store.set_findings("never.yaml", [])
    assert seen.count == 3

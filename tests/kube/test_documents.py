"""One document of a manifest: its objects, or what is wrong with it. (Most wrong ones are in tests/bad_input.)"""

from typing import Any

import pytest

from ingressd.kube.documents import from_document

INGRESS: dict[str, Any] = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "Ingress",
    "metadata": {"name": "web", "namespace": "shop"},
}


def test_an_object() -> None:
    read = from_document(INGRESS, "a.yaml#2")
    [obj] = read.objects
    assert (obj.meta.namespace, obj.meta.name, obj.meta.source) == ("shop", "web", "a.yaml#2")
    assert (read.findings, read.undecodable) == ((), ())


def test_an_empty_document_is_nothing() -> None:
    read = from_document(None, "a.yaml#1")
    assert (read.objects, read.findings, read.undecodable) == ((), (), ())


def test_the_stand_in_for_a_resource_version_follows_the_content() -> None:
    versions = [
        from_document(document, "a.yaml#1").objects[0].meta.resource_version
        for document in (INGRESS, dict(INGRESS), {**INGRESS, "spec": {"rules": []}})
    ]
    assert versions[0] == versions[1] != versions[2]


def test_a_list_lends_its_kind() -> None:
    read = from_document(
        {"kind": "IngressList", "apiVersion": "networking.k8s.io/v1", "items": [{"metadata": {"name": "a"}}]}, "x"
    )
    assert [obj.meta.source for obj in read.objects] == ["x.items[0]"]


@pytest.mark.parametrize("items", [None, []])
def test_an_empty_list_is_nothing(items: Any) -> None:
    assert from_document({"kind": "List", "apiVersion": "v1", "items": items}, "x").findings == ()


def test_a_list_is_not_opened_twice() -> None:
    inner = {"kind": "List", "apiVersion": "v1", "items": [INGRESS]}
    read = from_document({"kind": "List", "apiVersion": "v1", "items": [inner, INGRESS]}, "x")
    assert [obj.meta.source for obj in read.objects] == ["x.items[1]"]
    assert [(finding.reason, finding.source) for finding in read.findings] == [("Ignored", "x.items[0]")]


@pytest.mark.parametrize(
    ("change", "undecodable"),
    [
        ({"spec": 3}, (("Ingress", ("shop", "web")),)),
        ({"apiVersion": "extensions/v1beta1"}, (("Ingress", ("shop", "web")),)),
        ({"metadata": {"name": "web", "labels": 3}}, (("Ingress", ("default", "web")),)),
        ({"metadata": {"labels": 3}}, ()),
        ({"apiVersion": "example.com/v1"}, ()),
        ({"kind": "IngressClass", "spec": 3}, (("IngressClass", ("", "web")),)),
    ],
)
def test_who_keeps_its_last_good_version(change: dict[str, Any], undecodable: Any) -> None:
    read = from_document({**INGRESS, **change}, "x")
    assert read.objects == ()
    assert read.undecodable == undecodable


def test_advice_for_the_old_version() -> None:
    [finding] = from_document({**INGRESS, "apiVersion": "networking.k8s.io/v1beta1"}, "x").findings
    for word in ("networking.k8s.io/v1,", "service.name", "service.port.number", "defaultBackend", "pathType"):
        assert word in finding.message


def test_findings_are_of_bounded_size() -> None:
    huge = "x" * 100_000
    for document in (
        {**INGRESS, "kind": huge},
        {**INGRESS, "apiVersion": huge},
        {**INGRESS, "metadata": {"name": huge, "namespace": huge}},
        {**INGRESS, "metadata": {"name": "a", "labels": {huge: 3}}},
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}, "data": {huge: "!"}},
    ):
        [finding] = from_document(document, "x").findings
        assert len(repr(finding)) < 3000

"""List pages and watch lines: what is an object, what is a finding, what is a broken answer."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingressd.kube.api import KINDS, DecodeError, Event, decode_event, decode_list
from ingressd.model.objects import EndpointSlice

SLICE = KINDS["EndpointSlice"]


def item(name: str = "web-1", **changes: Any) -> dict[str, Any]:
    metadata = {
        "namespace": "shop",
        "name": name,
        "resourceVersion": "5",
        "labels": {"kubernetes.io/service-name": "web"},
    }
    return {"metadata": metadata, "addressType": "IPv4", "endpoints": [{"addresses": ["192.0.2.1"]}], **changes}


def page(*items: Any, metadata: Any = None) -> bytes:
    return json.dumps({"kind": "EndpointSliceList", "metadata": metadata, "items": items}).encode()


def line(kind: str, obj: Any) -> bytes:
    return json.dumps({"type": kind, "object": obj}).encode()


def test_kinds_know_their_place() -> None:
    places = {name: f"{kind.path}/{kind.plural}" for name, kind in KINDS.items()}
    assert places == {
        "Ingress": "/apis/networking.k8s.io/v1/ingresses",
        "IngressClass": "/apis/networking.k8s.io/v1/ingressclasses",
        "Service": "/api/v1/services",
        "EndpointSlice": "/apis/discovery.k8s.io/v1/endpointslices",
        "Secret": "/api/v1/secrets",
        "ConfigMap": "/api/v1/configmaps",
        "Namespace": "/api/v1/namespaces",
    }
    assert {name for name, kind in KINDS.items() if not kind.namespaced} == {"IngressClass", "Namespace"}


def test_page() -> None:
    read = decode_list(SLICE, page(item("a"), item("b"), metadata={"resourceVersion": "9", "continue": "next"}))
    assert [one.meta.name for one in read.objects] == ["a", "b"]
    assert all(isinstance(one, EndpointSlice) and one.service == "web" for one in read.objects)
    assert (read.resource_version, read.continue_token) == ("9", "next")
    assert read.findings == ()


def test_items_null_is_an_empty_list() -> None:
    read = decode_list(SLICE, b'{"metadata": {"resourceVersion": "9", "continue": null}, "items": null}')
    assert (read.objects, read.resource_version, read.continue_token) == ((), "9", "")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"<html>Bad Gateway</html>",
        b'{"kind": "Status", "code": 500}',
        b'{"items": 3}',
        b'{"items": [], "metadata": {"resourceVersion": 7}}',
        b'{"items": [{}',
        b'{"items": []} more',
        b'{"items": ' + b"[" * 100_000,
    ],
)
def test_a_body_that_is_no_list_is_a_broken_answer(body: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_list(SLICE, body)


WRONG: dict[str, tuple[Any, str, str]] = {
    "address is a number": (item("bad", endpoints=[{}, {"addresses": [3]}]), "WrongType", "endpoints[1].addresses[0]"),
    "port is text": (item("bad", ports=[{"port": "80"}]), "WrongType", "ports[0].port"),
    "port out of range": (item("bad", ports=[{"port": 70000}]), "WrongType", "ports[0].port"),
    "ports is no list": (item("bad", ports={}), "WrongType", "ports"),
    "label is a number": (
        {"metadata": {"namespace": "shop", "name": "bad", "labels": {"a": "b", "c": None, "n": 1}}},
        "WrongType",
        "metadata.labels[n]",
    ),
    "condition is text": (
        item("bad", endpoints=[{"addresses": ["192.0.2.1"], "conditions": {"ready": "yes"}}]),
        "WrongType",
        "endpoints[0].conditions.ready",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_one_wrong_object_costs_itself_alone(case: str) -> None:
    wrong, reason, field = WRONG[case]
    read = decode_list(SLICE, page(item("a"), wrong, item("b"), metadata={"resourceVersion": "9"}))
    assert [one.meta.name for one in read.objects] == ["a", "b"]
    assert read.resource_version == "9"
    assert read.undecodable == (("shop", "bad"),)
    [finding] = read.findings
    assert (finding.kind, finding.namespace, finding.name) == ("EndpointSlice", "shop", "bad")
    assert (finding.level, finding.reason, finding.field) == ("error", reason, field)
    assert finding.message


@pytest.mark.parametrize("wrong", [None, 5, "text", [], {}, {"metadata": None}, {"metadata": {"name": 3}}])
def test_an_object_that_cannot_be_named_is_a_finding_all_the_same(wrong: Any) -> None:
    read = decode_list(SLICE, page(item("a"), wrong))
    assert [one.meta.name for one in read.objects] == ["a"]
    assert read.undecodable == ()
    assert [finding.level for finding in read.findings] == ["error"]


def test_bytes_that_are_not_utf8_cost_their_object_alone() -> None:
    body = page(item("a"), item("bad", addressType="XX"), item("b")).replace(b"XX", b"\xff\xfe")
    read = decode_list(SLICE, body)
    assert [one.meta.name for one in read.objects] == ["a", "b"]
    assert read.undecodable == (("shop", "bad"),)
    assert [finding.reason for finding in read.findings] == ["Undecodable"]


def test_a_bad_time_is_said_and_costs_nothing() -> None:
    metadata = {"namespace": "shop", "name": "a", "creationTimestamp": "yesterday"}
    read = decode_list(SLICE, page({"metadata": metadata}))
    assert [one.meta.created for one in read.objects] == [0.0]
    assert [(one.level, one.field) for one in read.findings] == [("warning", "metadata.creationTimestamp")]


def test_bad_base64_is_found_in_a_page() -> None:
    secret = {"metadata": {"namespace": "shop", "name": "pair"}, "data": {"tls.key": "hush hush!"}}
    read = decode_list(KINDS["Secret"], page(secret))
    assert (read.objects, read.undecodable) == ((), (("shop", "pair"),))
    assert [finding.field for finding in read.findings] == ["data[tls.key]"]
    assert "hush" not in repr(read)


@pytest.mark.parametrize("kind", ["ADDED", "MODIFIED", "DELETED"])
def test_event(kind: str) -> None:
    event = decode_event(SLICE, line(kind, {"kind": "EndpointSlice", **item()}))
    assert (event.type, event.key, event.resource_version) == (kind, ("shop", "web-1"), "5")
    assert isinstance(event.object, EndpointSlice)
    assert event.finding is None


def test_event_with_a_wrong_object_still_advances_the_version() -> None:
    event = decode_event(SLICE, line("MODIFIED", item(ports=3)))
    assert (event.object, event.key, event.resource_version) == (None, ("shop", "web-1"), "5")
    assert event.finding is not None
    assert event.finding.field == "ports"


def test_bookmark() -> None:
    event = decode_event(SLICE, line("BOOKMARK", {"metadata": {"resourceVersion": "12"}, "endpoints": None}))
    assert event == Event(type="BOOKMARK", resource_version="12")


def test_bookmark_that_ends_the_initial_events() -> None:
    metadata = {"resourceVersion": "12", "annotations": {"k8s.io/initial-events-end": "true"}}
    assert decode_event(SLICE, line("BOOKMARK", {"metadata": metadata})).initial_events_end


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        ({"code": 410, "reason": "Expired", "message": "too old resource version"}, 410, "too old resource version"),
        ({"code": 410, "reason": "Expired"}, 410, "Expired"),
        ({"code": None, "message": None}, 0, ""),
    ],
)
def test_error_event(status: Any, code: int, message: str) -> None:
    event = decode_event(SLICE, line("ERROR", {"kind": "Status", **status}))
    assert event == Event(type="ERROR", status_code=code, message=message)


def test_a_type_of_the_future_is_not_an_error() -> None:
    assert decode_event(SLICE, line("RESHARDED", {"anything": 1})) == Event(type="RESHARDED")


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"upstream connect error",
        b"[]",
        b"{}",
        b'{"type": "ADDED"}',
        b'{"type": "ADDED", "object": null}',
        b'{"type": "ADDED", "object": {"metadata": {"na',
        b'{"type": "ERROR", "object": null}',
        b'{"type": "ERROR", "object": {"code": "410"}}',
        b'{"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": 3}}}',
        b'{"type": 3, "object": {}}',
        b'{"type": "ADDED", "object": {}}{"type": "ADDED", "object": {}}',
        b'{"type": "ADDED", "object": ' + b"[" * 100_000,
    ],
)
def test_a_line_that_is_no_event_is_a_broken_answer(text: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_event(SLICE, text)


@given(st.integers(min_value=0, max_value=400))
def test_a_truncated_line_is_never_an_event(cut: int) -> None:
    whole = line("ADDED", item())
    with pytest.raises(DecodeError):
        decode_event(SLICE, whole[: min(cut, len(whole) - 1)])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["metadata", "name", "labels", "spec", "rules", "http", "paths", "endpoints", "data", "ports"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(st.sampled_from(sorted(KINDS)), JSON)
def test_any_object_is_read_or_a_finding(kind: str, anything: Any) -> None:
    good = {"metadata": {"name": "good"}}
    read = decode_list(KINDS[kind], page(good, anything))
    assert read.objects[0].meta.name == "good"
    assert (len(read.objects) == 2) != any(one.level == "error" for one in read.findings)

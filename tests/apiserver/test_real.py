"""The same interface on a real API server, and that the fixture and it agree on what tests rely on."""

from collections.abc import Iterator

import pytest

from tests.apiserver.objects import config_map, ingress, slice_of
from tests.support.apiserver.client import RefusedError
from tests.support.apiserver.real import RealApiServer, real_apiserver

pytestmark = pytest.mark.real_apiserver


@pytest.fixture(scope="module")
def real() -> Iterator[RealApiServer]:
    with real_apiserver() as server:
        yield server


def test_apply_get_list_delete(real: RealApiServer) -> None:
    real.apply(ingress(namespace="real"))

    assert real.get("ingresses", "web", "real")["metadata"]["generation"] == 1
    assert [obj["metadata"]["name"] for obj in real.list("ingresses", "real")] == ["web"]
    real.delete("ingresses", "web", "real")


@pytest.mark.parametrize("obj", [slice_of("127.0.0.1"), ingress(path="/a//b")], ids=["loopback", "path"])
def test_refusals_the_fixture_imitates(real: RealApiServer, obj: dict[str, object]) -> None:
    with pytest.raises(RefusedError) as caught:
        real.create(obj)

    assert (caught.value.code, caught.value.reason) == (422, "Invalid")


def test_a_write_without_change_makes_no_version(real: RealApiServer) -> None:
    created = real.create(config_map("unchanged"))

    assert real.replace(created)["metadata"]["resourceVersion"] == created["metadata"]["resourceVersion"]


def test_an_empty_slice_says_null(real: RealApiServer) -> None:
    real.create(slice_of())

    [listed] = real.list("endpointslices", "default", labelSelector="kubernetes.io/service-name=web")

    assert listed["endpoints"] is None

"""Point 10 of the informer check-list, credentials: what is rotated under us is read again."""

from collections.abc import Iterator

import pytest

from ingressd.kube.client import KubeClient
from ingressd.kube.credentials import ServiceAccount
from tests.support.api_objects import ingress
from tests.support.apiserver.harness import ApiServer, in_thread
from tests.support.informers import NEVER_AGAIN, watched


@pytest.fixture(scope="module")
def tls_api() -> Iterator[ApiServer]:
    with ApiServer(tls=True, token="first", token_file=True) as api:
        yield api


@pytest.fixture
def secured(tls_api: ApiServer) -> ApiServer:
    tls_api.reset()
    return tls_api


async def test_10_a_token_refused_once_is_read_again_and_the_request_repeated(secured: ApiServer) -> None:
    async with watched(secured, timing=NEVER_AGAIN) as it:
        await it.synced()
        await it.watching()
        token = await in_thread(secured.rotate_token)
        mark = await in_thread(secured.mark)
        await in_thread(secured.close_watches, "end_watch", "ingresses")
        await in_thread(secured.create, ingress("a"))
        refused, again = await it.asked_times(2, mark, resource="ingresses")
        await it.until(lambda: it.names() == {"a"})
    assert (refused.status, again.status) == (401, 200)
    assert again.headers["authorization"] == f"Bearer {token}"


async def test_10_credentials_refused_for_good_are_backed_off(secured: ApiServer) -> None:
    secured.fault("unauthorized", resource="ingresses", count=6)
    async with watched(secured) as it:
        await it.synced()
        assert not [finding for finding in it.store.findings() if finding.kind == "Ingress"]
    statuses = [request.status for request in secured.requests(resource="ingresses")]
    assert statuses == [401] * 6 + [200]


async def test_10_a_new_ca_is_trusted_once_it_is_published(secured: ApiServer) -> None:
    async with watched(secured) as it:
        await it.synced()
        await it.watching()
        await in_thread(secured.rotate_ca)
        await in_thread(secured.create, ingress("a"))
        await it.until(lambda: it.names() == {"a"})


async def test_10_a_server_with_an_unknown_ca_is_not_talked_to(secured: ApiServer) -> None:
    async with watched(secured) as it:
        await it.synced()
        await it.watching()
        restarts = it.observer.restarts["Ingress"]
        mark = await in_thread(secured.mark)
        await in_thread(secured.rotate_ca, publish=False)
        await it.until_restarted("Ingress", restarts + 3)
        assert secured.requests(mark) == []
        assert it.source.is_synced
        await in_thread(secured.rotate_ca)
        await it.asked(mark, resource="ingresses")


async def test_10_a_client_certificate_is_enough() -> None:
    async with ApiServer(tls=True, client_cert=True) as api:
        await in_thread(api.create, ingress("a"))
        async with watched(api) as it:
            await it.synced()
            assert it.names() == {"a"}
            # A new CA issues new client certificates too.
            await it.watching()
            await in_thread(api.rotate_ca)
            await in_thread(api.create, ingress("b"))
            await it.until(lambda: it.names() == {"a", "b"})


async def test_10_in_a_pod_the_service_account_is_what_we_are(
    secured: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    host, _, port = secured.url.removeprefix("https://").rpartition(":")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host)
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", port)
    async with KubeClient(ServiceAccount(secured.service_account)) as client:
        await client.get_json("/apis/networking.k8s.io/v1/ingresses")
        token = await in_thread(secured.rotate_token)
        await client.get_json("/apis/networking.k8s.io/v1/ingresses")
    assert secured.requests(resource="ingresses")[-1].headers["authorization"] == f"Bearer {token}"

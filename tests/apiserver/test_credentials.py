"""TLS, tokens, client certificates, their rotation, and the server going away."""

import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.apiserver.objects import config_map
from tests.support.apiserver.harness import ApiServer
from tests.support.apiserver.kubeconfig import decode_pair

SECRETS = "/api/v1/secrets"


@pytest.fixture(scope="module")
def _secure() -> Iterator[ApiServer]:
    with ApiServer(tls=True, token="first-token", client_cert=True) as server:
        yield server


@pytest.fixture
def secure(_secure: ApiServer) -> ApiServer:
    _secure.reset()
    return _secure


def user_of(api: ApiServer) -> Any:
    return yaml.safe_load(api.kubeconfig.read_text())["users"][0]["user"]


def authority_of(api: ApiServer) -> str:
    return (api.service_account / "ca.crt").read_text()


def get(api: ApiServer, context: ssl.SSLContext | None = None, token: str = "", path: str = SECRETS) -> int:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    request = urllib.request.Request(api.url + path, headers=headers)
    context = context or ssl.create_default_context(cadata=authority_of(api))
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    try:
        with opener.open(request, timeout=10) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def token_of(api: ApiServer) -> str:
    return (api.service_account / "token").read_text()


def test_who_may_read(secure: ApiServer) -> None:
    assert get(secure) == 401
    assert get(secure, token="wrong") == 401
    assert get(secure, token=token_of(secure)) == 200
    assert get(secure, path="/version") == 200


def test_a_client_certificate_is_enough(secure: ApiServer, tmp_path: Path) -> None:
    context = ssl.create_default_context(cadata=authority_of(secure))
    pair = tmp_path / "pair.pem"
    pair.write_bytes(decode_pair(user_of(secure)))
    context.load_cert_chain(pair)

    assert get(secure, context) == 200


def test_a_rotated_token(secure: ApiServer) -> None:
    old = token_of(secure)

    both = secure.rotate_token(keep_old=True)
    assert (get(secure, token=old), get(secure, token=both)) == (200, 200)

    secure.rotate_token()
    assert (get(secure, token=both), get(secure, token=token_of(secure))) == (401, 200)


def test_a_rotated_authority(secure: ApiServer) -> None:
    old = ssl.create_default_context(cadata=authority_of(secure))

    secure.rotate_ca()

    with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
        get(secure, old, token_of(secure))
    assert get(secure, token=token_of(secure)) == 200


def test_the_token_of_a_kubeconfig_may_be_a_file() -> None:
    with ApiServer(token="random", token_file=True) as api:
        assert Path(user_of(api)["tokenFile"]).read_text() == token_of(api)
        assert user_of(api).keys() == {"tokenFile"}


def test_down_and_up(api: ApiServer) -> None:
    api.create(config_map())
    api.down()
    with pytest.raises(urllib.error.URLError, match="refused"):
        get(api, ssl.create_default_context())

    api.up()
    assert get(api, ssl.create_default_context(), path="/api/v1/namespaces/default/configmaps/settings") == 200


def test_manifests_are_loaded_at_start(tmp_path: Path) -> None:
    (tmp_path / "objects.yaml").write_text(
        "apiVersion: v1\n"
        "kind: List\n"
        "items:\n"
        "- {apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: team}}\n"
        "---\n"
        "{apiVersion: v1, kind: ConfigMap, metadata: {name: b}}\n"
    )

    with ApiServer(arguments=["--load", str(tmp_path)]) as api:
        found = [(obj["metadata"]["namespace"], obj["metadata"]["name"]) for obj in api.list("configmaps")]

    assert found == [("default", "b"), ("team", "a")]


def test_the_directory_goes_with_the_process() -> None:
    with ApiServer() as api:
        assert api.kubeconfig.exists()

    assert not api.kubeconfig.exists()

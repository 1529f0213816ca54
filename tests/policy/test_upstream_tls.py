import msgspec
import pytest

from ingressd.policy.upstream_tls import BackendTls
from ingressd.proxy.upstream_tls import profile_of
from ingressd.tls.client import UpstreamTls

OTHERS = [
    BackendTls(verify=True),
    BackendTls(name="a"),
    BackendTls(server_name=True),
    BackendTls(protocols=("TLSv1.2",)),
    BackendTls(protocols=("TLSv1.2", "TLSv1.3")),
    BackendTls(ciphers="A"),
    BackendTls(verify_depth=2),
    BackendTls(material="tls:shop/backend"),
]


def test_each_setting_makes_another_backend() -> None:
    suffixes = [one.suffix() for one in (BackendTls(), *OTHERS)]
    assert len(set(suffixes)) == len(suffixes)
    assert BackendTls().suffix()
    assert OTHERS[0].suffix() == BackendTls(verify=True).suffix()


@pytest.mark.parametrize("settings", OTHERS)
def test_it_travels(settings: BackendTls) -> None:
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(settings), type=BackendTls) == settings


def test_the_profile_of_settings_and_material() -> None:
    assert profile_of(BackendTls()) == UpstreamTls()
    settings = BackendTls(True, "a", True, ("TLSv1.3",), "C", 3, "tls:shop/backend")
    assert profile_of(settings, ca_pem=b"ca", chain_pem=b"chain", key_pem=b"key") == UpstreamTls(
        verify=True,
        name="a",
        server_name=True,
        protocols=("TLSv1.3",),
        ciphers="C",
        verify_depth=3,
        ca_pem=b"ca",
        chain_pem=b"chain",
        key_pem=b"key",
    )
    # authorities that nobody asks do not keep connections apart
    assert profile_of(BackendTls(), ca_pem=b"ca") == UpstreamTls()

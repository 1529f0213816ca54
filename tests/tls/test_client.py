import gc
import ssl
from typing import Any

import pytest

from ingressd.tls.client import ProfileError, UpstreamTls, client_context, names_match
from tests.tls.authority import leaf, root

CA = root().pem
PAIR: dict[str, Any] = {"chain_pem": leaf().pem, "key_pem": leaf().key_pem}


def test_nothing_is_verified_and_no_name_sent_unless_asked_for() -> None:
    context = client_context(UpstreamTls())
    assert context.verify_mode is ssl.CERT_NONE
    assert not context.check_hostname
    assert UpstreamTls(name="shop.example").sent_name is None
    assert UpstreamTls(server_name=True).sent_name is None
    assert UpstreamTls(name="shop.example", server_name=True).sent_name == "shop.example"
    assert context.options & ssl.OP_NO_COMPRESSION
    assert context.options & ssl.OP_NO_RENEGOTIATION
    assert context.security_level == 1
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context.maximum_version is ssl.TLSVersion.TLSv1_3


def test_verification_is_openssls_where_it_can_be() -> None:
    sent = client_context(UpstreamTls(verify=True, name="shop.example", server_name=True, ca_pem=CA))
    assert sent.verify_mode is ssl.CERT_REQUIRED
    assert sent.check_hostname
    assert sent.cert_store_stats()["x509_ca"] == 1
    unsent = client_context(UpstreamTls(verify=True, name="shop.example", ca_pem=CA))
    assert unsent.verify_mode is ssl.CERT_REQUIRED
    assert not unsent.check_hostname


@pytest.mark.parametrize(
    ("protocols", "least", "most"),
    [
        (("TLSv1.2",), "TLSv1_2", "TLSv1_2"),
        (("TLSv1.3",), "TLSv1_3", "TLSv1_3"),
        (("TLSv1.3", "TLSv1.2"), "TLSv1_2", "TLSv1_3"),
    ],
)
def test_protocols(protocols: tuple[str, ...], least: str, most: str) -> None:
    context = client_context(UpstreamTls(protocols=protocols))
    assert context.minimum_version is ssl.TLSVersion[least]
    assert context.maximum_version is ssl.TLSVersion[most]


def test_ciphers() -> None:
    context = client_context(UpstreamTls(ciphers="ECDHE-RSA-AES128-GCM-SHA256"))
    names = {cipher["name"] for cipher in context.get_ciphers()}
    assert {name for name in names if not name.startswith("TLS_")} == {"ECDHE-RSA-AES128-GCM-SHA256"}


def test_one_context_for_all_who_have_the_profile_and_none_when_they_are_gone() -> None:
    first = client_context(UpstreamTls(**PAIR))
    assert client_context(UpstreamTls(**PAIR)) is first
    assert client_context(UpstreamTls(**PAIR, name="other")) is not first
    held = id(first)
    del first
    gc.collect()
    assert all(id(one) != held for one in gc.get_objects() if isinstance(one, ssl.SSLContext))


@pytest.mark.parametrize(
    ("profile", "message"),
    [
        (UpstreamTls(verify=True, ca_pem=CA), "name nobody"),
        (UpstreamTls(verify=True, name="a"), "trust nobody"),
        (UpstreamTls(verify=True, name="a", ca_pem=b"\xff"), "trust nobody"),
        (UpstreamTls(verify=True, name="a", ca_pem=b"-----BEGIN CERTIFICATE-----\nAAAA\n"), "trust nobody"),
        (UpstreamTls(protocols=("TLSv1.1",)), "TLSv1.1"),
        (UpstreamTls(ciphers="NO-SUCH-CIPHER"), "NO-SUCH-CIPHER"),
        (UpstreamTls(chain_pem=leaf().pem, key_pem=leaf("rsa").key_pem), "client certificate"),
        (UpstreamTls(chain_pem=b"x", key_pem=b"y"), "client certificate"),
    ],
)
def test_what_cannot_be_used_is_refused_and_no_key_quoted(profile: UpstreamTls, message: str) -> None:
    with pytest.raises(ProfileError, match=message) as caught:
        client_context(profile)
    assert "PRIVATE" not in str(caught.value)


def test_comments_in_a_bundle_may_be_in_any_language() -> None:
    profile = UpstreamTls(verify=True, name="a", ca_pem="# Zertifizierungsstelle für Läden\n".encode() + CA)
    assert client_context(profile).cert_store_stats()["x509_ca"] == 1


def test_keys_are_not_printed() -> None:
    assert "BEGIN" not in repr(UpstreamTls(ca_pem=CA, **PAIR))


def _dns(*names: str) -> dict[str, Any]:
    return {"subjectAltName": tuple(("DNS", name) for name in names)}


COMMON = {"subject": ((("organizationName", "x"),), (("commonName", "cn.example"),))}


@pytest.mark.parametrize(
    ("certificate", "name", "expected"),
    [
        (_dns("shop.example"), "shop.example", True),
        (_dns("SHOP.example"), "shop.EXAMPLE", True),
        (_dns("other", "shop.example"), "shop.example", True),
        (_dns("shop.example"), "cart.shop.example", False),
        (_dns("shop.example"), "", False),
        (_dns(""), "", False),
        (_dns("*.shop.example"), "cart.shop.example", True),
        (_dns("*.shop.example"), "shop.example", False),
        (_dns("*.shop.example"), "a.cart.shop.example", False),
        (_dns("*.shop.example"), ".shop.example", False),
        (_dns("*.example"), "shop.example", False),  # as OpenSSL: no wildcard for all of a top level
        (_dns("c*.shop.example"), "cart.shop.example", False),
        (_dns("*"), "shop", False),
        (COMMON, "cn.example", True),
        ({**COMMON, **_dns("shop.example")}, "cn.example", False),
        ({**COMMON, "subjectAltName": (("IP Address", "10.0.0.1"),)}, "10.0.0.1", True),
        ({**COMMON, "subjectAltName": (("IP Address", "10.0.0.1"),)}, "cn.example", True),
        ({"subjectAltName": (("IP Address", "FD00:0:0:0:0:0:0:1\n"),)}, "fd00::1", True),
        ({"subjectAltName": (("IP Address", "10.0.0.2"),)}, "10.0.0.1", False),
        ({"subjectAltName": (("IP Address", "nonsense"),)}, "10.0.0.1", False),
        (_dns("10.0.0.1"), "10.0.0.1", False),
        ({}, "shop.example", False),
    ],
)
def test_whose_certificate_it_is(certificate: dict[str, Any], name: str, expected: bool) -> None:
    assert names_match(certificate, name) is expected

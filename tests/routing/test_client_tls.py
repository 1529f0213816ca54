"""What annotations ask of a host's TLS, and what its owner is told of Secrets and lists that no worker could load."""

import pytest

from ingressd.model.objects import Secret
from ingressd.policy.client_certificate import Verify
from ingressd.routing.compile import Compiled, CompileMemo, RouteDefaults, compile_routes
from tests.support.objects import cluster, ingress, meta, path, rule, service
from tests.tls import clients

HOST = "a.example.com"
WEB = service("web", 80)
NOW = clients.NOW.timestamp()
BROKEN = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"


def run(data: dict[str, bytes], annotations: dict[str, str] | None = None, memo: CompileMemo | None = None) -> Compiled:
    """The host asks for certificates of a Secret with ``data``."""
    asked = {"auth-tls-secret": "default/ca", **(annotations or {})}
    named = {f"nginx.ingress.kubernetes.io/{key}": text for key, text in asked.items()}
    one = ingress("one", rule(HOST, path("Prefix", "/", "web:80")), annotations=named)
    objects = cluster(one, WEB, Secret(meta("ca"), data=data))
    return compile_routes(objects, RouteDefaults(), memo, now=NOW)


def told(compiled: Compiled) -> list[tuple[str, str]]:
    return [
        (one.reason, one.message) for one in compiled.findings if one.reason not in ("ServiceNotFound", "NoEndpoints")
    ]


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ({"ca.crt": BROKEN}, "authority certificate 1 cannot be read"),
        ({"ca.crt": BROKEN.replace(b"AAAA", b"?")}, "not base64"),
        ({"ca.crt": clients.root().pem, "ca.crl": b"none"}, "no X509 CRL block"),
    ],
)
def test_what_no_worker_could_load_is_told_and_closes_the_host(data: dict[str, bytes], sentence: str) -> None:
    compiled = run(data)
    [(reason, message)] = told(compiled)
    assert reason == "MaterialUnusable"
    assert sentence in message
    assert not compiled.snapshot.materials["trust:default/ca"].values


def test_authorities_that_let_nobody_in_any_more_are_told_as_often_as_one_looks() -> None:
    expired = clients.issue("root", is_ca=True, days=(-3, -1))
    memo = CompileMemo()
    for _ in range(2):
        compiled = run({"ca.crt": expired.pem}, memo=memo)
        [(reason, message)] = told(compiled)
        assert reason == "MaterialDoubtful"
        assert "every authority certificate has expired" in message
    assert compiled.snapshot.materials["trust:default/ca"].values


def test_a_bundle_of_many_authorities_is_taken() -> None:
    compiled = run({"ca.crt": clients.root().pem * 150})
    assert told(compiled) == []
    assert compiled.snapshot.materials["trust:default/ca"].values


@pytest.mark.parametrize(("depth", "means"), [("0", 1), ("-1", 1), ("1", 1), ("3", 3), ("three", 1)])
def test_the_depth_is_the_default_where_nginx_has_none(depth: str, means: int) -> None:
    tls = run({"ca.crt": clients.root().pem}, {"auth-tls-verify-depth": depth}).snapshot.hosts[HOST].tls
    assert tls is not None
    assert tls.verify_depth == means


def test_a_host_that_asks_for_none_still_says_so_to_its_upstream() -> None:
    compiled = run({"ca.crt": clients.root().pem}, {"auth-tls-verify-client": "off"})
    vhost = compiled.snapshot.hosts[HOST]
    settings = vhost.routes[0].policies
    assert settings is not None
    assert settings.client_certificates is not None
    assert settings.client_certificates.verify is Verify.OFF
    assert vhost.tls is None


@pytest.mark.parametrize("ciphers", ["NO-SUCH-CIPHER", "aNULL", "DEFAULT:@SECLEVEL=0"])
def test_ciphers_that_openssl_has_not_are_told_and_hold_for_nobody(ciphers: str) -> None:
    compiled = run({"ca.crt": clients.root().pem}, {"ssl-ciphers": ciphers})
    [(reason, message)] = told(compiled)
    assert reason == "BadAnnotation"
    assert message.endswith("the default is used")
    tls = compiled.snapshot.hosts[HOST].tls
    assert tls is not None
    assert tls.ciphers == ""


@pytest.mark.parametrize("annotations", [{"auth-tls-secret": "ca"}, {"auth-tls-secret": "else/ca"}])
def test_a_host_that_is_closed_is_said_to_be(annotations: dict[str, str]) -> None:
    compiled = run({"ca.crt": clients.root().pem}, annotations)
    [(_, message)] = told(compiled)
    assert message.endswith("; all of its host answers 403")
    settings = compiled.snapshot.hosts[HOST].routes[0].policies
    assert settings is not None
    assert settings.client_certificates is not None
    assert settings.client_certificates.trust == ""

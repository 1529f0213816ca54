"""What comes out of Secrets that annotations name, and what their owners are told of it."""

from collections.abc import Mapping

import pytest

from ingressd.model.finding import Finding
from ingressd.model.objects import Secret
from ingressd.routing.compile import compile_routes
from ingressd.routing.defaults import RouteDefaults
from tests.support.objects import cluster, config_map, ingress, meta, path, rule, service
from tests.tls import clients


def told(data: Mapping[str, bytes], form: str) -> list[Finding]:
    """Of the users of an Ingress that asks for a login."""
    asked = {"auth-type": "basic", "auth-secret": "users", "auth-secret-type": form}
    named = {f"nginx.ingress.kubernetes.io/{key}": text for key, text in asked.items()}
    one = ingress("one", rule("a.example.com", path("Prefix", "/", "web:80")), annotations=named)
    compiled = compile_routes(cluster(one, service("web", 80), Secret(meta("users"), data=data)), RouteDefaults())
    return [finding for finding in compiled.findings if finding.reason.startswith("Material")]


@pytest.mark.parametrize(
    ("data", "form", "sentence"),
    [
        ({"auth": b"ann:{PLAIN}x\nbob:$zz$hidden\n"}, "auth-file", "line 2 has a hash of a kind that is not known"),
        ({"auth": b"ann:{PLAIN}x\nann:{PLAIN}y\n"}, "auth-file", "line 2 names a user a second time"),
        ({"auth": b"# nobody\n"}, "auth-file", "nobody can log in"),
        ({"ann": b"{PLAIN}x", "bob": b""}, "auth-map", "key 'bob' has no password hash"),
    ],
)
def test_users_who_cannot_log_in_are_told_and_their_hashes_are_not(
    data: Mapping[str, bytes], form: str, sentence: str
) -> None:
    [finding] = told(data, form)
    assert (finding.level, finding.reason) == ("warning", "MaterialDoubtful")
    assert sentence in finding.message
    assert "hidden" not in finding.message


def test_good_users_are_not_worth_a_word() -> None:
    assert told({"auth": b"# all\nann:{PLAIN}x\n\nbob:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n"}, "auth-file") == []


def said(annotations: Mapping[str, str], data: Mapping[str, bytes] | None = None) -> list[tuple[str, str]]:
    """Of an Ingress with these annotations, and a Secret with ``data`` for what speaks TLS to its backend."""
    named = {f"nginx.ingress.kubernetes.io/{key}": text for key, text in annotations.items()}
    one = ingress("one", rule("a.example.com", path("Prefix", "/", "web:80")), annotations=named)
    objects = cluster(one, service("web", 80), Secret(meta("identity"), data=data or {"ca.crt": clients.root().pem}))
    compiled = compile_routes(objects, RouteDefaults(), now=clients.NOW.timestamp())
    return [(found.reason, found.message) for found in compiled.findings if found.reason != "NoEndpoints"]


TO_BACKEND = {"backend-protocol": "HTTPS", "proxy-ssl-secret": "default/identity"}
GOOD, OTHER = clients.issue("good", clients.root()), clients.issue("other", clients.root())


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ({"tls.crt": GOOD.pem, "tls.key": OTHER.key_pem}, "key"),
        ({"tls.crt": b"none", "tls.key": GOOD.key_pem}, "PEM"),
        ({"ca.crt": b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"}, "cannot be read"),
        (
            {"tls.crt": (old := clients.issue("old", clients.root(), days=(-3, -1))).pem, "tls.key": old.key_pem},
            "the certificate of tls.crt has expired",
        ),
    ],
)
def test_what_backends_will_not_take_is_told(data: Mapping[str, bytes], sentence: str) -> None:
    [(reason, message)] = said(TO_BACKEND, data)
    assert reason == "MaterialDoubtful"
    assert sentence in message


def test_what_backends_will_take_is_not_worth_a_word() -> None:
    data = {"tls.crt": GOOD.pem, "tls.key": GOOD.key_pem, "ca.crt": clients.root().pem}
    assert said({**TO_BACKEND, "proxy-ssl-verify": "on", "proxy-ssl-name": "web"}, data) == []


@pytest.mark.parametrize(
    ("annotations", "reason", "sentence"),
    [
        ({**TO_BACKEND, "proxy-ssl-ciphers": "NO-SUCH"}, "BadAnnotation", "names no cipher that OpenSSL knows"),
        ({**TO_BACKEND, "proxy-ssl-verify": "on"}, "IncompleteAnnotations", "proxy-ssl-name is missing"),
        ({"enable-cors": "true", "cors-allow-origin": "*.a.example, b"}, "NoOriginAllowed", "has a scheme"),
    ],
)
def test_half_a_protection_is_told(annotations: Mapping[str, str], reason: str, sentence: str) -> None:
    [(told_reason, message)] = said(annotations)
    assert told_reason == reason
    assert sentence in message


def test_ciphers_of_the_config_map_that_openssl_has_not_are_the_default() -> None:
    """A worker could take up no configuration at all with them."""
    settings = config_map("settings", {"ssl-ciphers": "NO-SUCH-CIPHER"})
    compiled = compile_routes(cluster(settings), RouteDefaults(config_map=("default", "settings")))
    [finding] = [one for one in compiled.findings if one.kind == "ConfigMap"]
    assert (finding.level, finding.field) == ("error", "data.ssl-ciphers")
    assert finding.message.endswith("; the default is used")
    assert "ECDHE" in compiled.snapshot.policies.tls.ciphers

"""What comes out of Secrets that annotations name, and what their owners are told of it."""

from collections.abc import Mapping

import pytest

from ingressd.model.finding import Finding
from ingressd.model.objects import Secret
from ingressd.routing.compile import compile_routes
from ingressd.routing.defaults import RouteDefaults
from tests.support.objects import cluster, config_map, ingress, meta, path, rule, service


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


def test_ciphers_of_the_config_map_that_openssl_has_not_are_the_default() -> None:
    """A worker could take up no configuration at all with them."""
    settings = config_map("settings", {"ssl-ciphers": "NO-SUCH-CIPHER"})
    compiled = compile_routes(cluster(settings), RouteDefaults(config_map=("default", "settings")))
    [finding] = [one for one in compiled.findings if one.kind == "ConfigMap"]
    assert (finding.level, finding.field) == ("error", "data.ssl-ciphers")
    assert finding.message.endswith("; the default is used")
    assert "ECDHE" in compiled.snapshot.policies.tls.ciphers

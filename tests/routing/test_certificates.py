"""Which certificate answers for which name."""

from collections.abc import Iterable
from functools import lru_cache

import pytest

from ingressd.model.objects import ClusterObject, Ingress, IngressTls, Secret
from ingressd.routing.compile import Compiled, CompileMemo, RouteDefaults, compile_routes
from ingressd.routing.snapshot import CertificatePair
from ingressd.tls.certificate import self_signed
from tests.support.objects import cluster, ingress, rule, secret, tls

NOW = 1_800_000_000.0
DAY = 86400.0


@lru_cache
def pair(*names: str, now: float = NOW) -> CertificatePair:
    made = self_signed(names, now=now, days=30)
    return CertificatePair("", made.chain_pem, made.key_pem, made.not_after, made.names)


def tls_secret(name: str, *names: str, namespace: str = "default", uid: str = "", now: float = NOW) -> Secret:
    made = pair(*names, now=now)
    return secret(name, made.chain_pem, made.key_pem, namespace, uid)


SELF_SIGNED = CertificatePair("default", b"chain", b"key")
DEFAULTS = RouteDefaults(self_signed=SELF_SIGNED)
A, B = tls_secret("a", "a.com"), tls_secret("b", "b.com")
WILD = tls_secret("wild", "*.foo.com")
GARBAGE = secret("a", b"garbage", b"garbage")


def site(
    name: str, *hosts: str, tls: Iterable[IngressTls] = (), created: float = 0.0, namespace: str = "default"
) -> Ingress:
    return ingress(name, *(rule(host) for host in hosts), tls=tls, created=created, namespace=namespace)


def run(*objects: ClusterObject, defaults: RouteDefaults = DEFAULTS, memo: CompileMemo | None = None) -> Compiled:
    return compile_routes(cluster(*objects), defaults, memo, now=NOW)


def names(compiled: Compiled) -> dict[str, str]:
    """Server name → certificate; each of them is really in the snapshot, and so is the default."""
    snapshot = compiled.snapshot
    assert {*snapshot.server_names.values(), snapshot.default_certificate} == set(snapshot.certificates)
    assert all(key == one.key for key, one in snapshot.certificates.items())
    return dict(snapshot.server_names)


def said(compiled: Compiled) -> list[tuple[str, str, str, str]]:
    return [(f.kind, f.name, f.reason, f.field) for f in compiled.findings]


def test_an_alias_is_served_with_a_certificate_that_is_good_for_it_however_it_is_spelled() -> None:
    aliases = {"nginx.ingress.kubernetes.io/server-alias": "Other.A.com., not_a_name"}
    one = ingress("one", rule("a.com"), tls=[tls("a", "a.com")], annotations=aliases)
    compiled = run(one, tls_secret("a", "a.com", "other.a.com"))
    assert names(compiled) == {"a.com": "default/a", "other.a.com": "default/a"}
    assert "other.a.com" in compiled.snapshot.hosts


def test_a_listed_host_is_served_with_its_secret() -> None:
    compiled = run(site("one", "a.com", tls=[tls("a", "A.com.")]), A)
    assert names(compiled) == {"a.com": "default/a"}
    assert compiled.findings == ()
    served = compiled.snapshot.certificates["default/a"]
    assert (served.names, served.not_after) == (("a.com",), NOW + 30 * DAY)
    assert compiled.snapshot.default_certificate == "default"


def test_a_listed_host_needs_no_rule() -> None:
    assert names(run(site("one", tls=[tls("a", "a.com")]), A)) == {"a.com": "default/a"}


def test_no_hosts_means_the_hosts_of_the_rules() -> None:
    compiled = run(site("one", "a.com", "b.com", tls=[tls("a"), tls("b")]), A, B)
    assert names(compiled) == {"a.com": "default/a", "b.com": "default/b"}
    assert compiled.findings == ()


def test_no_hosts_at_all() -> None:
    compiled = run(site("one", "", tls=[tls("a")]), A)
    assert names(compiled) == {}
    assert said(compiled) == [("Ingress", "one", "NoServerName", "spec.tls[0].secretName")]


def test_a_wildcard_is_served_as_such_and_for_a_host_under_it() -> None:
    compiled = run(site("one", "*.foo.com", "x.foo.com", tls=[tls("wild", "*.foo.com", "x.foo.com")]), WILD)
    assert names(compiled) == {"*.foo.com": "default/wild", "x.foo.com": "default/wild"}
    assert compiled.findings == ()


def test_a_host_that_no_entry_lists_is_served_by_a_secret_good_for_it() -> None:
    both = tls_secret("both", "foo.com", "*.foo.com")
    compiled = run(site("one", "foo.com", "other.com", tls=[tls("both", "*.foo.com")]), both)
    assert names(compiled) == {"*.foo.com": "default/both", "foo.com": "default/both"}
    assert compiled.findings == ()


def test_no_secret_name_means_the_default_certificate() -> None:
    compiled = run(site("one", "a.com", tls=[IngressTls(("a.com",))]))
    assert names(compiled) == {"a.com": "default"}
    assert compiled.findings == ()


def test_a_certificate_for_other_names_is_not_served() -> None:
    compiled = run(site("one", "b.com", tls=[tls("a", "b.com")]), A)
    assert names(compiled) == {"b.com": "default"}
    assert said(compiled) == [("Ingress", "one", "CertificateNotValidForHost", "spec.tls[0].hosts[0]")]


def test_a_name_that_failed_does_not_fall_to_the_wildcard_of_another() -> None:
    compiled = run(
        site("one", "x.foo.com", tls=[tls("gone", "x.foo.com")]), site("two", tls=[tls("wild", "*.foo.com")]), WILD
    )
    assert names(compiled) == {"*.foo.com": "default/wild", "x.foo.com": "default"}


def test_secrets_are_those_of_the_namespace_of_the_ingress() -> None:
    compiled = run(site("one", "a.com", tls=[tls("a", "a.com")], namespace="other"), A)
    assert names(compiled) == {"a.com": "default"}
    assert said(compiled) == [("Ingress", "one", "SecretNotFound", "spec.tls[0].hosts[0]")]


@pytest.mark.parametrize(
    ("chain", "key", "reason", "field"),
    [
        (b"garbage", b"garbage", None, None),
        (b"", b"", None, None),
        (pair("a.com").chain_pem, pair("b.com").key_pem, "KeyMismatch", "data[tls.key]"),
        (pair("a.com").chain_pem, b"", "NoPrivateKey", "data[tls.key]"),
        (b"", pair("a.com").key_pem, "NoCertificate", "data[tls.crt]"),
    ],
)
def test_an_unusable_secret_is_one_finding_about_the_secret(
    chain: bytes, key: bytes, reason: str | None, field: str | None
) -> None:
    compiled = run(site("one", "a.com", "b.com", tls=[tls("a", "a.com", "b.com")]), secret("a", chain, key))
    assert names(compiled) == {"a.com": "default", "b.com": "default"}
    [finding] = compiled.findings
    assert (finding.kind, finding.name, finding.level) == ("Secret", "a", "error")
    assert finding.message.endswith("; the default certificate is served instead")
    if reason:
        assert (finding.reason, finding.field) == (reason, field)


def test_the_last_good_certificate_outlives_bad_content_but_not_the_secret() -> None:
    memo, one = CompileMemo(), site("one", "a.com", tls=[tls("a", "a.com")])
    good = run(one, A, memo=memo).snapshot.certificates["default/a"]
    for _ in range(2):
        spoilt = run(one, GARBAGE, memo=memo)
        assert spoilt.snapshot.certificates["default/a"] == good
        [finding] = spoilt.findings
        assert finding.message.endswith("; the last good certificate is still served")
    assert names(run(one, memo=memo)) == {"a.com": "default"}
    assert names(run(one, GARBAGE, memo=memo)) == {"a.com": "default"}


def test_the_last_good_certificate_is_not_that_of_an_earlier_secret_of_the_name() -> None:
    memo, one = CompileMemo(), site("one", "a.com", tls=[tls("a", "a.com")])
    run(one, tls_secret("a", "a.com", uid="1"), memo=memo)
    assert names(run(one, secret("a", b"garbage", b"garbage", uid="2"), memo=memo)) == {"a.com": "default"}


def test_a_rotated_secret_is_served_at_once() -> None:
    memo, one = CompileMemo(), site("one", "a.com", tls=[tls("a", "a.com")])
    run(one, A, memo=memo)
    rotated = tls_secret("a", "a.com", "www.a.com")
    assert run(one, rotated, memo=memo).snapshot.certificates["default/a"].names == ("a.com", "www.a.com")


@pytest.mark.parametrize(
    ("made", "reason"), [(NOW - 40 * DAY, "CertificateExpired"), (NOW + 5 * DAY, "CertificateNotYetValid")]
)
def test_dates_are_said_and_the_certificate_is_served(made: float, reason: str) -> None:
    compiled = run(site("one", "a.com", tls=[tls("a", "a.com")]), tls_secret("a", "a.com", now=made))
    assert names(compiled) == {"a.com": "default/a"}
    assert said(compiled) == [("Secret", "a", reason, "data[tls.crt]")]
    assert compiled.findings[0].level == "warning"


def test_expiry_is_seen_by_the_clock_of_each_compile() -> None:
    memo, one = CompileMemo(), site("one", "a.com", tls=[tls("a", "a.com")])
    assert run(one, A, memo=memo).findings == ()
    later = compile_routes(cluster(one, A), DEFAULTS, memo, now=NOW + 31 * DAY)
    assert [finding.reason for finding in later.findings] == ["CertificateExpired"]


# ── conflicts ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_oldest_ingress_chooses_the_certificate_of_a_host() -> None:
    other = tls_secret("other", "a.com")
    old = site("old", "a.com", tls=[tls("a", "a.com")], created=1.0)
    new = site("new", "a.com", tls=[tls("other", "a.com")], created=2.0)
    compiled = run(new, old, A, other)
    assert names(compiled) == {"a.com": "default/a"}
    assert said(compiled) == [("Ingress", "new", "CertificateConflict", "spec.tls[0].hosts[0]")]
    assert "default/old" in compiled.findings[0].message


def test_the_oldest_chooses_even_when_its_secret_is_missing() -> None:
    """Nobody younger may slip a certificate of their own under a host whose owner made a mistake."""
    old = site("old", "a.com", tls=[tls("gone", "a.com")], created=1.0)
    new = site("new", "a.com", tls=[tls("a", "a.com")], created=2.0)
    compiled = run(new, old, A)
    assert names(compiled) == {"a.com": "default"}
    assert {finding.reason for finding in compiled.findings} == {"SecretNotFound", "CertificateConflict"}


def test_the_same_secret_named_by_several_ingresses_is_no_conflict() -> None:
    one, two = (site(name, "a.com", tls=[tls("a", "a.com")]) for name in ("one", "two"))
    assert run(one, two, A).findings == ()


def test_an_unlisted_host_yields_to_whoever_lists_it() -> None:
    old = site("old", "x.foo.com", "y.bar.com", tls=[tls("wild", "*.foo.com")], created=1.0)
    new = site("new", "y.bar.com", tls=[tls("y", "y.bar.com")], created=2.0)
    compiled = run(old, new, WILD, tls_secret("y", "y.bar.com"))
    assert names(compiled) == {"*.foo.com": "default/wild", "x.foo.com": "default/wild", "y.bar.com": "default/y"}
    assert compiled.findings == ()


def test_the_first_good_secret_within_one_ingress() -> None:
    compiled = run(site("one", "a.com", tls=[tls("b", "a.com"), tls("a", "a.com")]), A, B)
    assert names(compiled) == {"a.com": "default/a"}
    assert compiled.findings == ()


@pytest.mark.parametrize("host", ["10.0.0.1", "a_b.com", "*", "bücher.example"])
def test_a_bad_name_costs_itself_alone(host: str) -> None:
    compiled = run(site("one", "a.com", tls=[tls("a", host, "a.com")]), A)
    assert names(compiled) == {"a.com": "default/a"}
    assert said(compiled) == [("Ingress", "one", "InvalidHost", "spec.tls[0].hosts[0]")]


# ── the default certificate ─────────────────────────────────────────────────────────────────────────────────────────

GIVEN = RouteDefaults(self_signed=SELF_SIGNED, default_ssl_certificate=("system", "cert"))


def test_a_given_default_certificate() -> None:
    compiled = run(tls_secret("cert", "any.com", namespace="system"), defaults=GIVEN)
    assert compiled.snapshot.default_certificate == "system/cert"
    assert list(compiled.snapshot.certificates) == ["system/cert"]


def test_a_missing_or_unusable_default_certificate() -> None:
    missing = run(defaults=GIVEN)
    assert missing.snapshot.default_certificate == "default"
    assert said(missing) == [("Secret", "cert", "SecretNotFound", "--default-ssl-certificate")]
    bad = run(secret("cert", b"x", b"x", "system"), defaults=GIVEN)
    assert bad.snapshot.default_certificate == "default"
    assert [finding.kind for finding in bad.findings] == ["Secret"]


def test_without_any_default_certificate_names_are_left_unbound() -> None:
    compiled = run(site("one", "a.com", tls=[tls("gone", "a.com")]), defaults=RouteDefaults())
    assert compiled.snapshot.certificates == {}
    assert compiled.snapshot.server_names == {}
    assert compiled.snapshot.default_certificate == ""


def test_no_key_is_ever_shown() -> None:
    memo = CompileMemo()
    compiled = run(site("one", "a.com", tls=[tls("a", "a.com")]), A, memo=memo)
    assert "PRIVATE" not in repr((compiled, memo.judged, memo.good))

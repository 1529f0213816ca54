"""Annotations of an Ingress: which spelling wins, what is found, what freezes and what denies."""

import pytest

from ingressd.model.finding import Finding
from ingressd.model.objects import ConfigMap
from ingressd.routing.annotations import (
    BUILT_IN,
    PREFIX,
    AnnotationValues,
    GlobalValues,
    read_annotations,
    read_config_map,
)
from ingressd.routing.annotations.rows import access, backend, extras, limits, redirects
from tests.support.objects import meta


def config(**data: str) -> GlobalValues:
    return read_config_map(
        ConfigMap(meta("config", "ingress"), {key.replace("_", "-"): text for key, text in data.items()})
    )


SNIPPETS = config(allow_snippet_annotations="true", annotations_risk_level="Critical")


def read(annotations: dict[str, str], settings: GlobalValues = BUILT_IN, prefix: str = PREFIX) -> AnnotationValues:
    """Names without a slash get ingress-nginx's prefix."""
    whole = {name if "/" in name else f"{PREFIX}/{name}": text for name, text in annotations.items()}
    return read_annotations(meta("shop", annotations=whole), config=settings, prefix=prefix)


def found(values: AnnotationValues, reason: str) -> Finding:
    return next(one for one in values.findings if one.reason == reason)


def test_values_are_typed_and_fall_back_to_the_config_map_and_to_the_default() -> None:
    values = read({"proxy-read-timeout": "120"}, config(proxy_read_timeout="90", proxy_send_timeout="80"))
    read_timeout: int = values.get(backend.PROXY_READ_TIMEOUT)
    assert (read_timeout, values.is_set(backend.PROXY_READ_TIMEOUT)) == (120, True)
    assert (values.get(backend.PROXY_SEND_TIMEOUT), values.is_set(backend.PROXY_SEND_TIMEOUT)) == (80, False)
    assert values.get(backend.PROXY_CONNECT_TIMEOUT) == 5
    assert values.rows == (backend.PROXY_READ_TIMEOUT,)


def test_a_bad_value_falls_back_to_the_config_map() -> None:
    values = read({"proxy-body-size": "8mb"}, config(proxy_body_size="2m"))
    assert values.get(backend.PROXY_BODY_SIZE) == 2 << 20
    assert "is not a size" in found(values, "BadAnnotation").message


@pytest.mark.parametrize(
    ("annotations", "expected"),
    [
        ({"limit-rps": "1", "ingressd.io/limit-rps": "2"}, 2),
        ({"ingressd.io/limit-rps": "2", "limit-rps": "1"}, 2),
        ({"limit-rps": "1", "ingressd.io/limit-rps": " "}, 1),
        ({"limit-rps": ""}, 0),
        ({"limit-rps": " 7\n"}, 7),
        ({"nginx.org/limit-rps": "7"}, 0),
    ],
)
def test_our_spelling_wins_and_empty_is_absent(annotations: dict[str, str], expected: int) -> None:
    assert read(annotations).get(limits.LIMIT_RPS) == expected


@pytest.mark.parametrize(
    ("names", "winner"),
    [
        (("whitelist-source-range",), "whitelist-source-range"),
        (("whitelist-source-range", "allowlist-source-range"), "allowlist-source-range"),
        (("allowlist-source-range", "ingressd.io/whitelist-source-range"), "ingressd.io/whitelist-source-range"),
    ],
)
def test_aliases(names: tuple[str, ...], winner: str) -> None:
    values = read({name: "10.0.0.1" if name == winner else "10.0.0.2" for name in names})
    assert values.get(access.ALLOWLIST_SOURCE_RANGE) == ("10.0.0.1",)


def test_another_prefix() -> None:
    values = read({"acme.io/limit-rps": "3", "limit-rps": "4"}, prefix="acme.io")
    assert values.get(limits.LIMIT_RPS) == 3
    assert [one.field for one in values.findings if "nginx" in one.field] == []


def test_a_bad_winner_does_not_let_the_other_spelling_through() -> None:
    values = read({"ingressd.io/denylist-source-range": "all", "denylist-source-range": "10.0.0.1"})
    assert values.denied.startswith("ingressd.io/denylist-source-range: 'all' is neither")


def test_annotations_of_others_are_no_business_of_ours() -> None:
    values = read({"cert-manager.io/cluster-issuer": "x", "kubernetes.io/ingress.class": "y"})
    assert (values.findings, values.rows, values.frozen, values.denied) == ((), (), False, "")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("proxy-read-timout", "did you mean nginx.ingress.kubernetes.io/proxy-read-timeout?"),
        ("ingressd.io/regexscope", "did you mean ingressd.io/regex-scope?"),
        ("regex-scope", "did you mean ingressd.io/regex-scope?"),
        ("quite-something-else", "has no effect"),
        ("x" * 5000, "has no effect"),
    ],
)
def test_unknown_annotations(name: str, hint: str) -> None:
    finding = found(read({name: "1"}), "UnknownAnnotation")
    assert finding.message.endswith(hint)
    assert finding.level == "warning"


def test_many_unknown_annotations_are_counted() -> None:
    values = read({f"unheard-of-{number}": "1" for number in range(500)})
    assert len(values.findings) == 21
    assert values.findings[-1].message == "480 more annotations are not known"


def test_a_finding_names_the_object() -> None:
    finding = found(read({"limit-rps": "many"}), "BadAnnotation")
    assert (finding.kind, finding.namespace, finding.name) == ("Ingress", "default", "shop")
    assert finding.field == "metadata.annotations[nginx.ingress.kubernetes.io/limit-rps]"
    assert finding.message.endswith("this version of the Ingress is not used")


# ── risk, removed, lost ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("level", "name", "is_frozen"),
    [
        ("Critical", "configuration-snippet", False),
        ("Low", "configuration-snippet", False),
        ("High", "modsecurity-snippet", False),
        ("High", "server-alias", False),
        ("Medium", "server-alias", True),
        ("medium", "rewrite-target", False),
        ("Low", "rewrite-target", True),
        ("Low", "use-regex", False),
        ("nonsense", "rewrite-target", True),
        ("Low", "whitelist-source-range", True),
    ],
)
def test_an_annotation_above_the_risk_level_freezes(level: str, name: str, is_frozen: bool) -> None:
    text = {"use-regex": "true", "whitelist-source-range": "10.0.0.1"}.get(name, "a")
    values = read({name: text}, config(annotations_risk_level=level))
    assert values.frozen is is_frozen
    assert any(one.reason == "AnnotationTooRisky" for one in values.findings) is is_frozen


@pytest.mark.parametrize(
    ("name", "text", "reason", "level"),
    [
        ("secure-backends", "true", "AnnotationRemoved", "error"),
        ("session-cookie-hash", "sha1", "AnnotationRemoved", "warning"),
        ("enable-modsecurity", "true", "AnnotationLost", "error"),
        ("http2-push-preload", "true", "AnnotationIgnored", "info"),
        ("proxy-buffers-number", "8", "AnnotationIgnored", "info"),
    ],
)
def test_what_has_no_effect_is_said(name: str, text: str, reason: str, level: str) -> None:
    assert found(read({name: text}), reason).level == level


@pytest.mark.parametrize(("name", "text"), [("enable-modsecurity", "false"), ("proxy-buffers-number", "4")])
def test_what_asks_for_nothing_is_not_said(name: str, text: str) -> None:
    assert read({name: text}).findings == ()


# ── together ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_auth_type_without_a_secret_denies() -> None:
    assert read({"auth-type": "basic"}).denied
    assert read({"auth-type": "basic", "auth-secret": "a;b"}).denied
    assert not read({"auth-type": "basic", "auth-secret": "users"}).denied


@pytest.mark.parametrize(
    ("name", "text", "missing", "level"),
    [
        ("auth-secret", "users", "auth-type", "error"),
        ("auth-tls-match-cn", "CN=me", "auth-tls-secret", "error"),
        ("proxy-ssl-verify", "on", "proxy-ssl-secret", "error"),
        ("canary-weight", "10", "canary", "warning"),
        ("canary-by-header-value", "eu", "canary-by-header", "warning"),
        ("canary-by-header-pattern", "^eu", "canary-by-header", "warning"),
        ("upstream-hash-by-subset", "true", "upstream-hash-by", "warning"),
        ("x-forwarded-prefix", "/api", "rewrite-target", "warning"),
        ("permanent-redirect-code", "308", "permanent-redirect", "warning"),
        ("temporal-redirect-code", "307", "temporal-redirect", "warning"),
        ("cors-allow-origin", "https://a.com", "enable-cors", "warning"),
    ],
)
def test_half_a_setting_is_said(name: str, text: str, missing: str, level: str) -> None:
    values = read({name: text})
    finding = found(values, "IncompleteAnnotations")
    assert finding.message.startswith(f"{missing} is missing; ")
    assert (finding.level, values.frozen, values.denied) == (level, False, "")


def test_a_setting_whose_other_half_is_bad_is_said_once() -> None:
    values = read({"temporal-redirect": "ftp://a.com/", "temporal-redirect-code": "307"})
    assert [finding.reason for finding in values.findings] == ["BadAnnotation"]
    closed = read({"auth-type": "basic", "auth-secret": "a;b"})
    assert [finding.reason for finding in closed.findings] == ["BadAnnotation"]
    assert closed.denied


def test_a_guarding_config_map_value_that_is_bad_denies_unless_the_annotation_is_there() -> None:
    settings = config(whitelist_source_range="10.0.0.0/99")
    assert "whitelist-source-range" in read({}, settings).denied
    assert "whitelist-source-range" in read({"limit-rps": "1"}, settings).denied
    assert read({"whitelist-source-range": "10.0.0.1"}, settings).denied == ""


def test_who_opts_out_of_global_auth_is_not_denied_by_it() -> None:
    settings = config(global_auth_url="https://invalid..auth.url")
    assert "global-auth-url" in read({"limit-rps": "1"}, settings).denied
    assert read({"enable-global-auth": "false"}, settings).denied == ""


# ── snippets ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_snippet_is_lost_and_its_values_are_not_shown() -> None:
    values = read({"configuration-snippet": 'proxy_set_header Authorization "Basic c2VjcmV0";\ngzip on;'}, SNIPPETS)
    message = found(values, "SnippetLost").message
    assert "Write instead: ingressd.io/request-headers-set." in message
    assert message.endswith("Needs another way: gzip.")
    assert "c2VjcmV0" not in repr(values.findings)
    assert (values.frozen, values.denied) == (False, "")


@pytest.mark.parametrize(
    ("beside", "is_denied"),
    [
        ({}, True),
        ({"whitelist-source-range": "10.0.0.0/8"}, False),
        ({"allowlist-source-range": "10.0.0.0/8"}, False),
        ({"ingressd.io/allowlist-source-range": "10.0.0.0/8"}, False),
        ({"limit-rps": "1"}, True),
    ],
)
def test_a_snippet_that_kept_somebody_out_denies_until_it_is_replaced(beside: dict[str, str], is_denied: bool) -> None:
    snippet = {"configuration-snippet": "allow 10.0.0.0/8; deny all;"}
    assert bool(read({**snippet, **beside}, SNIPPETS).denied) is is_denied


def test_a_snippet_denies_whether_snippets_were_in_force_or_not() -> None:
    snippet = {"server-snippet": "deny all;"}
    assert read(snippet).denied
    assert read(snippet, SNIPPETS).denied


def test_our_own_rows_are_typed() -> None:
    values = read({"ingressd.io/response-headers-set": "X-A: 1\nX-B: 2", "ingressd.io/respond": "410 gone"})
    headers: tuple[tuple[str, str], ...] = values.get(extras.RESPONSE_HEADERS_SET)
    assert headers == (("X-A", "1"), ("X-B", "2"))
    answer = values.get(extras.RESPOND_WITH)
    assert answer is not None
    assert (answer.status, answer.text) == (410, "gone")


def test_temporal_redirect_of_another_scheme_is_ignored() -> None:
    values = read({"temporal-redirect": "ftp://a.com"})
    assert (values.frozen, values.get(redirects.TEMPORAL_REDIRECT)) == (False, "")

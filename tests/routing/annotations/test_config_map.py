"""The controller's ConfigMap: values, findings, and what a bad one leaves in force."""

import pytest

from ingressd.model.objects import ConfigMap
from ingressd.routing.annotations import BUILT_IN, BadValue, GlobalValues, read_config_map, reference
from ingressd.routing.annotations.rows import access, backend, clients, redirects, responses
from tests.support.objects import meta


def read(data: dict[str, str], previous: GlobalValues | None = None) -> GlobalValues:
    return read_config_map(ConfigMap(meta("config", "ingress"), data), previous)


def test_without_a_config_map_everything_is_built_in() -> None:
    assert BUILT_IN.get(clients.USE_FORWARDED_HEADERS) is False
    assert BUILT_IN.get(redirects.HTTP_REDIRECT_CODE) == 308
    assert BUILT_IN.get(clients.PROXY_REAL_IP_CIDR) == ("0.0.0.0/0",)
    assert (BUILT_IN.denied, BUILT_IN.findings) == ("", ())


def test_values_are_typed() -> None:
    config = read({"keep-alive": "30", "worker-shutdown-timeout": "5m", "large-client-header-buffers": "8 16k"})
    keep_alive: int = config.get(clients.KEEP_ALIVE)
    shutdown: float = config.get(clients.WORKER_SHUTDOWN_TIMEOUT)
    assert (keep_alive, shutdown) == (30, 300.0)
    assert config.get(clients.LARGE_CLIENT_HEADER_BUFFERS) == (8, 16384)
    assert config.is_set(clients.KEEP_ALIVE)
    assert not config.is_set(clients.USE_HTTP2)


def test_an_empty_list_is_a_value_and_other_empty_texts_are_absent() -> None:
    config = read({"no-tls-redirect-locations": "", "proxy-read-timeout": ""})
    assert config.get(redirects.NO_TLS_REDIRECT_LOCATIONS) == ()
    assert config.get(backend.PROXY_READ_TIMEOUT) == 60
    assert config.findings == ()


@pytest.mark.parametrize("text", ["10.0.0.0/8,192.0.2.1,", "10.0.0.0/8,\n  192.0.2.1\n", ",10.0.0.0/8 ,, 192.0.2.1"])
def test_lists_may_be_written_over_several_lines_and_with_commas_too_many(text: str) -> None:
    config = read({"whitelist-source-range": text, "block-user-agents": "~*bot,\n~*spider,", "hide-headers": "A,\nB"})
    assert config.get(access.ALLOWLIST_SOURCE_RANGE) == ("10.0.0.0/8", "192.0.2.1")
    assert config.get(access.BLOCK_USER_AGENTS) == ("~*bot", "~*spider")
    assert config.findings == ()


def test_nothing_but_commas_is_an_empty_list() -> None:
    assert read({"proxy-real-ip-cidr": " , "}).get(clients.PROXY_REAL_IP_CIDR) == ()


def test_a_bad_entry_leaves_the_others_of_its_list() -> None:
    config = read({"custom-http-errors": "404,abc, 502", "global-allowed-response-headers": "X-One,bad header,X-Two"})
    assert config.get(responses.CUSTOM_HTTP_ERRORS) == (404, 502)
    assert config.get(responses.GLOBAL_ALLOWED_RESPONSE_HEADERS) == ("X-One", "X-Two")
    assert [one.reason for one in config.findings] == ["BadConfigMapValue"] * 2
    assert all(one.message.endswith("; that entry is left out") for one in config.findings)


def test_a_list_of_bad_entries_only_and_one_that_guards_are_bad_as_a_whole() -> None:
    config = read({"custom-http-errors": "abc,def", "block-cidrs": "10.0.0.0/8,everybody"})
    assert config.get(responses.CUSTOM_HTTP_ERRORS) == ()
    assert config.denied.startswith("block-cidrs")


def test_one_bad_key_leaves_the_others() -> None:
    config = read({"keep-alive": "long", "proxy-read-timeout": "90"})
    assert (config.get(clients.KEEP_ALIVE), config.get(backend.PROXY_READ_TIMEOUT)) == (75, 90)
    bad = next(one for one in config.findings if one.reason == "BadConfigMapValue")
    assert bad.message.endswith("the default '75' is used")


def test_unknown_keys_are_named_with_a_guess_and_then_counted() -> None:
    config = read({"use-forwarded-header": "true", **{f"unheard-of-{number}": "1" for number in range(30)}})
    assert len(config.findings) == 21
    assert config.findings[-1].message == "11 more keys are not known"
    guess = read({"use-forwarded-header": "true"}).findings[0]
    assert guess.message == "this key is not known; did you mean use-forwarded-headers?"


def test_the_last_good_value_of_a_guard_stays() -> None:
    good = read({"whitelist-source-range": "10.0.0.0/8"})
    bad = read({"whitelist-source-range": "10.0.0.0/99"}, good)
    assert bad.get(access.ALLOWLIST_SOURCE_RANGE) == ("10.0.0.0/8",)
    assert bad.denied == ""
    assert read({"whitelist-source-range": "10.0.0.0/99"}, bad).get(access.ALLOWLIST_SOURCE_RANGE) == ("10.0.0.0/8",)


def test_a_guard_that_was_never_good_denies_until_it_is() -> None:
    bad = read({"block-cidrs": "everybody"})
    again = read({"block-cidrs": "everybody"}, bad)
    assert "block-cidrs" in bad.denied
    assert "block-cidrs" in again.denied
    assert read({"block-cidrs": "10.0.0.1"}, again).denied == ""
    assert read({}, again).denied == ""


@pytest.mark.parametrize(("level", "rank"), [("Low", 0), ("medium", 1), ("High", 2), ("CRITICAL", 3), ("whatever", 0)])
def test_risk_levels(level: str, rank: int) -> None:
    assert read({"annotations-risk-level": level}).risk == rank


# ── references ──────────────────────────────────────────────────────────────────────────────────────────────────────

ANYWHERE = read({"allow-cross-namespace-resources": "true"})
SHOP = meta("shop", "web")


@pytest.mark.parametrize(
    ("value", "config", "key"),
    [
        ("users", BUILT_IN, ("web", "users")),
        ("web/users", BUILT_IN, ("web", "users")),
        ("other/users", ANYWHERE, ("other", "users")),
    ],
)
def test_references(value: str, config: GlobalValues, key: tuple[str, str]) -> None:
    assert reference(SHOP, value, config) == key


def test_custom_headers_may_be_anywhere() -> None:
    assert reference(SHOP, "other/headers", BUILT_IN, any_namespace=True) == ("other", "headers")


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("other/users", "is in another namespace"),
        ("/users", "not a name or namespace/name"),
        ("web/", "not a name or namespace/name"),
        ("a/b/c", "not a name or namespace/name"),
    ],
)
def test_refused_references_deny(value: str, sentence: str) -> None:
    with pytest.raises(BadValue, match=sentence) as raised:
        reference(SHOP, value, BUILT_IN)
    assert raised.value.outcome == "deny"


def test_some_references_need_a_namespace() -> None:
    with pytest.raises(BadValue, match="write web/ca"):
        reference(SHOP, "ca", ANYWHERE, needs_namespace=True)

"""What annotations and the ConfigMap make of routes, where several objects or several versions are involved.

What one Ingress makes of one path is in the golden cases.
"""

from collections.abc import Mapping

import pytest
from msgspec.structs import replace

from ingressd.model.objects import ClusterObject, Ingress, IngressRule, Secret
from ingressd.policy.policies import RoutePolicies
from ingressd.routing.compile import Compiled, CompileMemo, RouteDefaults, compile_routes
from ingressd.routing.match import find_route
from ingressd.routing.snapshot import Route
from tests.support.objects import cluster, config_map, ingress, meta, path, rule, service, tls

CONFIGURED = RouteDefaults(config_map=("default", "settings"))
WEB = service("web", 80)
HOST = "a.example.com"


def annotated(
    annotations: Mapping[str, str], *paths: str, name: str = "one", created: float = 1.0, uid: str = "", **more: str
) -> Ingress:
    """An Ingress of the host; annotations are ingress-nginx's unless their name has a prefix."""
    named = {key if "/" in key else f"nginx.ingress.kubernetes.io/{key}": text for key, text in annotations.items()}
    declared = [path("Prefix", one, "web:80") for one in paths or ("/",)]
    made = ingress(name, rule(more.get("host", HOST), *declared), annotations=named, created=created)
    return replace(made, meta=replace(made.meta, uid=uid or name))


def run(*objects: ClusterObject, defaults: RouteDefaults = CONFIGURED, memo: CompileMemo | None = None) -> Compiled:
    return compile_routes(cluster(*objects, WEB), defaults, memo)


def route(compiled: Compiled, wanted: str = "/", host: str = HOST) -> Route:
    return next(one for one in compiled.snapshot.hosts[host].routes if one.path == wanted)


def policies(compiled: Compiled, wanted: str = "/", host: str = HOST) -> RoutePolicies:
    found = route(compiled, wanted, host).policies
    assert found is not None
    return found


def reasons(compiled: Compiled) -> set[str]:
    return {finding.reason for finding in compiled.findings}


def test_a_route_that_asks_for_nothing_has_no_policies() -> None:
    compiled = run(annotated({}))
    assert route(compiled).policies is None
    fallback = compiled.snapshot.hosts[HOST].fallback
    assert fallback is not None
    assert fallback.policies is None


def test_routes_that_a_certificate_alone_changes_share_one_value() -> None:
    one = replace(annotated({}, "/", "/a"), tls=(tls("", HOST),))
    other = replace(annotated({}, name="two", host="b.example.com"), tls=(tls("", "b.example.com"),))
    compiled = run(one, other)
    assert policies(compiled) is policies(compiled, "/a") is policies(compiled, host="b.example.com")


# ── versions ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_frozen_version_leaves_the_last_good_one() -> None:
    memo = CompileMemo()
    run(annotated({"permanent-redirect": "https://a.com"}), memo=memo)
    compiled = run(annotated({"permanent-redirect": "https://a b.com"}, "/new"), memo=memo)
    assert policies(compiled).redirect is not None
    assert "IngressFrozen" in reasons(compiled)
    again = run(annotated({"permanent-redirect": "https://a b.com"}, "/new"), memo=memo)
    assert again.snapshot == compiled.snapshot


def test_the_last_good_version_outlives_a_change_of_the_config_map() -> None:
    memo = CompileMemo()
    run(annotated({"limit-rps": "5"}), memo=memo)
    bad = annotated({"limit-rps": "five"})
    run(bad, memo=memo)
    limits = policies(run(bad, config_map("settings", {"limit-req-status-code": "429"}), memo=memo)).limits
    assert limits is not None
    assert (limits.per_second, limits.rate_status) == (5, 429)


def test_a_new_object_of_the_same_name_has_no_last_good_version() -> None:
    memo = CompileMemo()
    run(annotated({}, uid="first"), memo=memo)
    compiled = run(annotated({"upstream-vhost": "a b"}, uid="second"), memo=memo)
    assert HOST not in compiled.snapshot.hosts


def test_an_object_that_was_gone_has_no_last_good_version() -> None:
    """Also when meanwhile others came that were never good, as many as went."""
    memo = CompileMemo()
    run(annotated({}), memo=memo)
    run(annotated({"upstream-vhost": "a b"}, name="another"), memo=memo)
    compiled = run(annotated({"upstream-vhost": "a b"}), memo=memo)
    assert HOST not in compiled.snapshot.hosts


@pytest.mark.parametrize(
    "annotations",
    [
        {"auth-type": "none", "auth-secret": "users"},
        {"auth-url": "nowhere", "upstream-vhost": "a b"},
        {"limit-rps": "many"},
        {"whitelist-source-range": "10.0.0.0/8", "upstream-vhost": "a b"},
        {"ingressd.io/respond": "403", "upstream-vhost": "a b"},
    ],
    ids=lambda one: next(iter(one)),
)
def test_a_frozen_version_that_was_to_keep_somebody_out_closes_its_paths(annotations: dict[str, str]) -> None:
    wider = annotated({}, name="wider", created=0.0)
    compiled = run(wider, annotated(annotations, "/admin"))
    assert policies(compiled, "/admin").denied
    assert route(compiled).policies is None


def test_a_frozen_version_of_nothing_that_matters_is_not_served() -> None:
    compiled = run(annotated({"upstream-vhost": "a b"}))
    assert HOST not in compiled.snapshot.hosts
    assert "IngressFrozen" in reasons(compiled)


# ── the ConfigMap ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_change_of_the_config_map_reaches_all_ingresses() -> None:
    memo = CompileMemo()
    one = annotated({})
    assert route(run(one, memo=memo)).policies is None
    compiled = run(
        one, config_map("settings", {"whitelist-source-range": "10.0.0.0/8", "proxy-body-size": "2m"}), memo=memo
    )
    addresses = policies(compiled).addresses
    assert addresses is not None
    assert addresses.allow == ("10.0.0.0/8",)
    assert route(compiled).max_body_bytes == 2 << 20


def test_a_config_map_that_is_gone_opens_nothing() -> None:
    memo = CompileMemo()
    run(annotated({}), config_map("settings", {"denylist-source-range": "10.0.0.0/8"}), memo=memo)
    compiled = run(annotated({}), memo=memo)
    assert policies(compiled).addresses is not None
    assert "ConfigMapNotFound" in reasons(compiled)


def test_global_auth_with_its_exceptions() -> None:
    settings = config_map("settings", {"global-auth-url": "https://auth.example.com/"})
    open_one = annotated({"enable-global-auth": "false"}, "/open", name="open")
    compiled = run(annotated({}, "/", "/.well-known/acme-challenge/x"), open_one, settings)
    assert policies(compiled).external_auth is not None
    assert route(compiled, "/open").policies is None
    assert route(compiled, "/.well-known/acme-challenge/x").policies is None


def test_a_bad_guarding_value_that_was_never_good_denies_everything() -> None:
    compiled = run(annotated({}), config_map("settings", {"whitelist-source-range": "everybody"}))
    assert policies(compiled).denied


@pytest.mark.parametrize("more", [{"global-auth-cache-key": "$nothing_known"}, {"global-auth-signin": "https://$no.a"}])
def test_a_service_for_everybody_that_cannot_be_asked_is_told_once(more: dict[str, str]) -> None:
    settings = config_map("settings", {"global-auth-url": "http://auth.example/", **more})
    opted_out = annotated({"enable-global-auth": "false"}, "/open", name="three", created=3.0)
    compiled = run(annotated({}), annotated({}, "/b", name="two", created=2.0), opted_out, settings)
    [finding] = [one for one in compiled.findings if one.level == "error"]
    assert (finding.kind, finding.field) == ("ConfigMap", "data.global-auth-url")
    assert "is not known here; paths that do not opt out answer 503" in finding.message
    assert policies(compiled).denied
    assert policies(compiled, "/b").denied
    assert route(compiled, "/open").policies is None


def test_header_sets_come_out_of_config_maps() -> None:
    objects = (
        config_map("settings", {"proxy-set-headers": "default/up", "add-headers": "default/down"}),
        config_map("up", {"X-Up": "$host", "X-Odd": "$nothing_known"}),
        config_map("down", {"X-Down": "1"}),
    )
    memo = CompileMemo()
    compiled = run(annotated({}), *objects, memo=memo)
    found = policies(compiled)
    assert found.request is not None
    assert found.response is not None
    assert (found.request.fields, found.response.fields) == ((("X-Up", "$host"),), (("X-Down", "1"),))
    assert "BadHeader" in reasons(compiled)
    changed = policies(run(annotated({}), *objects[:2], config_map("down", {"X-Down": "2"}), memo=memo))
    assert changed.response is not None
    assert changed.response.fields == (("X-Down", "2"),)


def test_variables_that_stand_for_nothing_are_told() -> None:
    compiled = run(
        annotated({}),
        config_map("settings", {"proxy-set-headers": "default/up", "add-headers": "default/down"}),
        config_map("up", {"X-Start": "t=${msec}", "X-Took": "$upstream_response_time", "X-Of": "$service_name"}),
        config_map("down", {"X-Id": "$req_id", "X-Cost": "5 $"}),
    )
    told = {(one.reason, one.message.partition(":")[0]) for one in compiled.findings if one.kind == "ConfigMap"}
    assert told == {("EmptyVariable", "X-Took"), ("LiteralVariable", "X-Id")}


def test_custom_headers_must_be_allowed() -> None:
    one = annotated({"custom-headers": "default/headers"})
    allowed = config_map("settings", {"global-allowed-response-headers": "x-one"})
    memo = CompileMemo()
    missing = run(one, allowed, memo=memo)
    assert policies(missing).denied
    good = policies(run(one, allowed, config_map("headers", {"X-One": "1"}), memo=memo))
    assert good.response is not None
    assert good.response.fields == (("X-One", "1"),)
    refused = run(one, allowed, config_map("headers", {"X-One": "1", "X-Two": "2"}), memo=memo)
    assert policies(refused).denied
    assert "HeaderNotAllowed" in reasons(refused)


# ── materials ───────────────────────────────────────────────────────────────────────────────────────────────────────


def users(text: bytes = b"a:{PLAIN}b") -> Secret:
    return Secret(meta("users", "default"), "Opaque", {"auth": text, "more": b"not needed"})


def test_a_secret_alone_changes_its_material_alone() -> None:
    one = annotated({"auth-type": "basic", "auth-secret": "users"})
    memo = CompileMemo()
    missing = run(one, memo=memo)
    assert "does not exist" in missing.snapshot.materials["users:default/users"].problem
    first = run(one, users(), memo=memo)
    assert first.snapshot.materials["users:default/users"].values == {"auth": b"a:{PLAIN}b"}
    assert first.snapshot.hosts[HOST] is missing.snapshot.hosts[HOST]
    same = run(one, users(), memo=memo)
    assert same.snapshot.materials["users:default/users"] is first.snapshot.materials["users:default/users"]
    assert "a:{PLAIN}b" not in repr(first)


# ── hosts ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_patterns_of_a_beaten_path_do_not_spill() -> None:
    compiled = run(annotated({}, created=0.0), annotated({"use-regex": "true"}, name="younger"))
    assert not compiled.snapshot.hosts[HOST].regex


def test_a_rewrite_to_the_path_itself_makes_no_patterns() -> None:
    assert not run(annotated({"rewrite-target": "/"})).snapshot.hosts[HOST].regex
    assert run(annotated({"rewrite-target": "/"}, "/a")).snapshot.hosts[HOST].regex


def regex_host(*declared: tuple[str, str, str]) -> tuple[Ingress, ...]:
    """Ingresses one after the other: annotation or "", pathType and path of each; ``/[x]`` makes all of it patterns."""
    pattern = annotated({"use-regex": "true"}, "/[x]", name="pattern", created=9.0)
    return pattern, *(
        ingress(
            f"{number}-{text or 'plain'}",
            rule(HOST, path(kind, at, "web:80")),
            annotations={f"nginx.ingress.kubernetes.io/{text}": "true"} if text else {},
            created=float(number),
        )
        for number, (text, kind, at) in enumerate(declared)
    )


@pytest.mark.parametrize(
    ("declared", "asked", "winner"),
    [
        ([("", "Prefix", "/a"), ("", "Exact", "/a")], "/a/b", "0-plain"),
        ([("", "Prefix", "/a"), ("", "Exact", "/a")], "/a", "1-plain"),
        ([("", "Exact", "/a"), ("", "Prefix", "/a")], "/a/b", "0-plain"),
        ([("use-regex", "Prefix", "/a"), ("", "Exact", "/a")], "/a", "0-use-regex"),
        ([("", "Exact", "/a"), ("use-regex", "Prefix", "/a")], "/a/b", "0-plain"),
        ([("use-regex", "Exact", "/a"), ("use-regex", "Prefix", "/a")], "/a/b", "0-use-regex"),
        ([("", "Exact", "/")], "/", "0-plain"),
        ([("", "Exact", "/")], "/other", ""),
        ([("", "Exact", "/"), ("", "Prefix", "/")], "/", "1-plain"),
    ],
)
def test_equal_paths_of_a_host_of_patterns_are_asked_as_they_were_declared(
    declared: list[tuple[str, str, str]], asked: str, winner: str
) -> None:
    found = find_route(run(*regex_host(*declared)).snapshot.hosts.values(), HOST, asked)
    assert found is not None
    assert found.ingress == winner


@pytest.mark.parametrize("text", ["/api/(.*)", "/v[0-9]+", "/.*"])
def test_an_expression_that_is_taken_literally_is_said(text: str) -> None:
    [finding] = [one for one in run(annotated({}, text)).findings if one.reason == "PatternNotAsked"]
    assert (finding.level, finding.field) == ("warning", "spec.rules[0].http.paths[0].path")
    assert "PatternNotAsked" not in reasons(run(annotated({"use-regex": "true"}, text)))
    assert "PatternNotAsked" not in reasons(
        run(annotated({}, text), annotated({"use-regex": "true"}, "/x", name="two"))
    )


@pytest.mark.parametrize("text", ["/$metadata", "/a+b", "/Users(1", "/{id}", "/a*b"])
def test_what_paths_hold_too_is_no_expression(text: str) -> None:
    assert "PatternNotAsked" not in reasons(run(annotated({}, text)))


def test_an_expression_whose_path_type_a_webhook_would_refuse_is_said_where_nginx_is_replaced() -> None:
    defaults = replace(CONFIGURED, ingress_class="nginx", watch_ingress_without_class=True)

    def found(text: str, settings: dict[str, str] | None = None, kind: str = "Prefix") -> set[str]:
        made = ingress(
            "one",
            rule(HOST, path(kind, text, "web:80")),
            annotations={"nginx.ingress.kubernetes.io/use-regex": "true"},
            class_name=None,
        )
        return reasons(run(made, config_map("settings", settings or {}), defaults=defaults))

    assert "PatternPathType" in found("/a(/|$)(.*)")
    assert "PatternPathType" not in found("/a.b-c/")
    assert "PatternPathType" not in found("/a.*", kind="ImplementationSpecific")
    assert "PatternPathType" not in found("/a.*", {"strict-validate-path-type": "false"})


def test_a_canary_joins_a_pattern_of_its_path_type() -> None:
    main = annotated({"use-regex": "true"}, "/a.*")
    exact = canary({}, rule(HOST, path("Exact", "/a.*", "next:80")))
    assert route(run(main, exact, NEXT), "/a.*").policies is None
    prefix = canary({}, rule(HOST, path("ImplementationSpecific", "/a.*", "next:80")))
    assert policies(run(main, prefix, NEXT), "/a.*").canary is not None


def test_a_host_without_paths_carries_what_its_first_ingress_asks_for() -> None:
    bare = ingress("bare", rule(HOST), annotations={"nginx.ingress.kubernetes.io/permanent-redirect": "https://a.com"})
    fallback = run(bare).snapshot.hosts[HOST].fallback
    assert fallback is not None
    assert fallback.policies is not None
    assert fallback.policies.redirect is not None


def test_what_a_rule_without_host_asks_for_is_not_asked_of_all_other_names() -> None:
    annotations = {"nginx.ingress.kubernetes.io/permanent-redirect": "https://a.com"}
    compiled = run(ingress("bare", rule("", path("Prefix", "/mine", "web:80")), annotations=annotations))
    assert policies(compiled, "/mine", "*").redirect is not None
    fallback = compiled.snapshot.hosts["*"].fallback
    assert fallback is not None
    assert fallback.policies is None


def test_a_pattern_that_matches_the_root_leads_to_the_root_of_the_application() -> None:
    compiled = run(annotated({"use-regex": "true", "app-root": "/app"}, "/+", "/app"))
    assert policies(compiled, "/+").app_root is not None
    assert route(compiled, "/app").policies is None


def test_of_equally_old_ingresses_the_last_name_is_first_where_nginx_is_replaced() -> None:
    first, last = annotated({}, "/", "/a", name="first"), annotated({}, "/", "/b", name="last")
    assert route(run(first, last)).ingress == "first"
    defaults = RouteDefaults(ingress_class="nginx", watch_ingress_without_class=True)
    nginx = run(*(replace(one, class_name=None) for one in (first, last)), defaults=defaults)
    assert route(nginx).ingress == "last"
    assert [finding.name for finding in nginx.findings if finding.reason == "PathConflict"] == ["first"]


def test_probes_of_any_host_are_answered_where_nginx_is_replaced_and_nobody_else_answers() -> None:
    defaults = RouteDefaults(ingress_class="nginx", watch_ingress_without_class=True)
    own = replace(ingress("own", rule("", path("Prefix", "/healthz", "web:80"))), class_name=None)
    assert "*" not in run(annotated({})).snapshot.hosts
    assert [one.path for one in run(defaults=defaults).snapshot.hosts["*"].routes] == ["/healthz"]
    [found] = run(own, defaults=defaults).snapshot.hosts["*"].routes
    assert found.service == "web"


def test_a_slash_is_redirected_to_where_nginx_is_replaced() -> None:
    assert route(run(annotated({}, "/a/")), "/a").policies is None
    defaults = RouteDefaults(ingress_class="nginx", watch_ingress_without_class=True)
    one = replace(annotated({}, "/a/"), class_name=None)
    assert policies(run(one, defaults=defaults), "/a").trailing_slash is not None


def test_a_certificate_of_one_ingress_counts_for_all_of_the_host() -> None:
    late = replace(annotated({}, "/late", name="late", created=2.0), tls=(tls("", HOST),))
    compiled = run(annotated({"ssl-redirect": "false"}, "/mine"), annotated({}, "/", name="plain"), late)
    assert policies(compiled).https_redirect is not None
    assert policies(compiled, "/mine").https_redirect is None
    assert policies(compiled, "/mine").response is not None


# ── cookies ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("annotations", "paths", "said"),
    [
        ({"use-regex": "true"}, ("/a(/|$)(.*)", "/b.*"), ["CookieWithoutPath"]),
        ({"rewrite-target": "/$2"}, ("/a(/|$)(.*)",), ["CookieWithoutPath"]),
        ({"use-regex": "true", "session-cookie-path": "/"}, ("/a(/|$)(.*)",), []),
        ({"use-regex": "true"}, ("/plain",), []),
        ({}, ("/plain",), []),
    ],
)
def test_a_cookie_that_no_browser_sends_back_is_said_once(
    annotations: dict[str, str], paths: tuple[str, ...], said: list[str]
) -> None:
    compiled = run(annotated({"affinity": "cookie", **annotations}, *paths))
    assert [one.reason for one in compiled.findings if one.field.startswith("metadata")] == said


@pytest.mark.parametrize("name", ["session-cookie-name", "session-cookie-domain"])
def test_what_makes_no_cookie_is_named(name: str) -> None:
    compiled = run(annotated({"affinity": "cookie", name: "a/b"}))
    [finding] = [one for one in compiled.findings if one.reason == "BadAnnotation"]
    assert finding.field == f"metadata.annotations[nginx.ingress.kubernetes.io/{name}]"
    assert route(compiled).policies is None


# ── canaries ────────────────────────────────────────────────────────────────────────────────────────────────────────

NEXT = service("next", 80)


def canary(annotations: Mapping[str, str], *rules: IngressRule, default: str = "") -> Ingress:
    """Younger than all others, with all of the weight."""
    named = {f"nginx.ingress.kubernetes.io/{key}": text for key, text in annotations.items()}
    named |= {"nginx.ingress.kubernetes.io/canary": "true", "nginx.ingress.kubernetes.io/canary-weight": "100"}
    return ingress("canary", *rules, annotations=named, created=9.0, default=default)


SHARED = rule(HOST, path("Prefix", "/", "next:80"))


def test_a_canary_is_spoken_to_as_its_primary_is() -> None:
    compiled = run(annotated({"backend-protocol": "HTTPS"}), canary({}, SHARED), NEXT)
    chosen = policies(compiled).canary
    assert chosen is not None
    assert compiled.snapshot.backends[chosen.backend].tls is not None
    plain = run(annotated({}), canary({"backend-protocol": "HTTPS"}, SHARED), NEXT)
    chosen = policies(plain).canary
    assert chosen is not None
    assert plain.snapshot.backends[chosen.backend].tls is None


def test_a_canary_follows_the_client_where_its_primary_does() -> None:
    compiled = run(annotated({"backend-protocol": "AUTO_HTTP"}), canary({}, SHARED), NEXT)
    chosen = policies(compiled).canary
    assert chosen is not None
    assert compiled.snapshot.backends[chosen.backend].tls is None
    assert compiled.snapshot.backends[chosen.secure_backend].tls is not None


def test_a_canary_has_the_tls_settings_of_its_host() -> None:
    settings = {"backend-protocol": "HTTPS", "proxy-ssl-name": "web.internal", "proxy-ssl-server-name": "on"}
    chosen = policies(compiled := run(annotated(settings), canary({}, SHARED), NEXT)).canary
    assert chosen is not None
    tls = compiled.snapshot.backends[chosen.backend].tls
    assert tls is not None
    assert tls.name == "web.internal"


def test_what_a_canary_asks_for_beside_its_share_is_ignored_and_said_once() -> None:
    asked = {"auth-type": "basic", "allowlist-source-range": "nowhere", "permanent-redirect": "https://a.com"}
    compiled = run(annotated({}), canary(asked, SHARED), NEXT)
    assert policies(compiled).canary is not None
    assert policies(compiled).redirect is None
    [finding] = [one for one in compiled.findings if one.name == "canary" and one.reason != "NoEndpoints"]
    assert (finding.level, finding.reason) == ("info", "CanaryAnnotationsIgnored")
    assert all(name in finding.message for name in asked)


def test_the_default_backend_of_all_hosts_may_have_a_canary() -> None:
    compiled = run(ingress("all", default="web:80"), canary({}, default="next:80"), NEXT)
    fallback = compiled.snapshot.hosts["*"].fallback
    assert fallback is not None
    assert fallback.policies is not None
    assert fallback.policies.canary is not None


def test_a_canary_of_no_default_backend_is_told() -> None:
    some = rule("", path("Prefix", "/some", "web:80"))
    compiled = run(ingress("all", some), canary({}, default="next:80"), NEXT)
    [finding] = [one for one in compiled.findings if one.name == "canary"]
    assert (finding.reason, finding.field) == ("CanaryWithoutPath", "spec.defaultBackend")


def test_a_canary_finds_its_path_as_it_is_written_before_it_looks_past_a_slash() -> None:
    main = annotated({"use-regex": "true"}, "/a", "/a/")
    compiled = run(main, canary({}, rule(HOST, path("Prefix", "/a/", "next:80"))), NEXT)
    assert policies(compiled, "/a/").canary is not None
    assert route(compiled, "/a").policies is None

"""External authentication: the question, what each answer means, and what is kept."""

from typing import Any

import pytest

from ingressd.http.head import read_request_fields
from ingressd.policy.ask import Answer, Ask, Plan
from ingressd.policy.auth_cache import MAX_ANSWER_BYTES, AuthAnswer, AuthCache, CacheRule, lifetime_s
from ingressd.policy.external_auth import FAILED, Allowed, AuthError, AuthQuestion, AuthTarget, ExternalAuth
from ingressd.policy.variables import TemplateError

URL = "http://auth.default.svc:4180/oauth2/auth"


def ask_of(*lines: str, method: bytes = b"POST", path: str = "/a", query: str = "?b=c d", **other: Any) -> Ask:
    block = "".join(f"{line}\r\n" for line in ("Host: a.example:8080", *lines)) + "\r\n"
    fields = read_request_fields(block.encode("latin-1"), 100)
    given = {"client": "192.0.2.1", "scheme": b"https", "request_id": b"id1", **other}
    return Ask(method=method, path=path, query=query, fields=fields, **given)


def question(**settings: Any) -> AuthQuestion:
    return AuthQuestion(ExternalAuth(URL, **settings))


def head_of(asked: AuthQuestion, ask: Ask, **other: Any) -> list[str]:
    head = asked.head(ask, asked.target(ask), **other)
    assert head.endswith(b"\r\n\r\n")
    return head[:-4].decode("latin-1").split("\r\n")


def test_the_question() -> None:
    ask = ask_of("Cookie: s=1", "Authorization: Basic x", "Content-Length: 5", "X-Forwarded-Proto: http", "Accept: */*")
    assert head_of(question(), ask) == [
        "GET /oauth2/auth HTTP/1.1",
        "Host: auth.default.svc:4180",
        "Cookie: s=1",
        "Authorization: Basic x",
        "Accept: */*",
        "X-Request-ID: id1",
        "X-Original-URL: http://a.example:8080/a?b=c d",
        "X-Original-Method: POST",
        "X-Sent-From: nginx-ingress-controller",
        "X-Real-IP: 192.0.2.1",
        "X-Forwarded-For: 192.0.2.1",
        "X-Auth-Request-Redirect: /a?b=c d",
    ]


def test_a_client_cannot_speak_for_us() -> None:
    claims = ("X-Sent-From: me", "X-Auth-Request-Redirect: /x", "X-Original-URL: /x", "X-Real-IP: 1.1.1.1")
    lines = [line.lower() for line in head_of(question(), ask_of(*claims))]
    for name in ("x-sent-from", "x-auth-request-redirect", "x-original-url", "x-real-ip"):
        assert len([line for line in lines if line.startswith(name)]) == 1
    assert not [line for line in lines if line.endswith((": me", ": /x", ": 1.1.1.1"))]


def test_with_a_method_it_is_told_more() -> None:
    lines = head_of(question(method="HEAD"), ask_of(), forwarded_for=b"192.0.2.1, 10.0.0.1")
    assert lines[0] == "HEAD /oauth2/auth HTTP/1.1"
    assert lines[-2:] == ["X-Original-URI: /a?b=c d", "X-Scheme: https"]
    assert "X-Forwarded-For: 192.0.2.1, 10.0.0.1" in lines


def test_a_redirect_and_fields_of_its_own() -> None:
    settings = ExternalAuth(URL, request_redirect="https://$host/x")
    asked = AuthQuestion(settings, (("X-Team", "a $request_method"), ("Accept", ""), ("X-None", "$http_x_none")))
    lines = head_of(asked, ask_of("x-team: evil", "Accept: */*"))
    assert "X-Auth-Request-Redirect: https://a.example/x" in lines
    assert [line for line in lines if line.lower().startswith(("x-team", "accept", "x-none"))] == ["X-Team: a POST"]


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("http://auth.svc", AuthTarget("http", "auth.svc", 80, b"auth.svc", b"/")),
        ("HTTPS://Auth.svc/a?b", AuthTarget("https", "auth.svc", 443, b"Auth.svc", b"/a?b")),
        ("http://auth.svc?b", AuthTarget("http", "auth.svc", 80, b"auth.svc", b"/?b")),
        ("http://[::1]:81/", AuthTarget("http", "::1", 81, b"[::1]:81", b"/")),
        ("$pass_access_scheme://${host}/", AuthTarget("https", "a.example", 443, b"a.example", b"/")),
        ("http://$host/x?u=$arg_b", AuthTarget("http", "a.example", 80, b"a.example", b"/x?u=c%20d")),
    ],
)
def test_targets(url: str, target: AuthTarget) -> None:
    assert AuthQuestion(ExternalAuth(url)).target(ask_of()) == target


@pytest.mark.parametrize(
    "url",
    [
        "",
        "auth.svc",
        "ftp://a",
        "http://",
        "http://a b/",
        "http://u@a/",
        "https://in..valid",
        "http://a:0",
        "http://a/#f",
    ],
)
def test_urls_that_deny_the_route(url: str) -> None:
    with pytest.raises(AuthError):
        AuthQuestion(ExternalAuth(url))


def test_a_url_that_a_client_spoils_is_a_failure() -> None:
    asked = AuthQuestion(ExternalAuth("http://$http_x_tenant.svc/"))
    assert asked.target(ask_of("X-Tenant: a")).host == "a.svc"
    for tenant in ("evil@b", "a/b", "a b", "a..b", ""):
        with pytest.raises(AuthError):
            asked.target(ask_of(f"X-Tenant: {tenant}"))


@pytest.mark.parametrize(
    "settings",
    [
        ExternalAuth("http://$unknown_thing/"),
        ExternalAuth(URL, method="GET /x"),
        ExternalAuth(URL, response_headers=("a b",)),
        ExternalAuth(URL, cache_key="$no_such"),
        ExternalAuth(URL, sign_in="$no_such"),
    ],
)
def test_settings_that_deny_the_route(settings: ExternalAuth) -> None:
    with pytest.raises((AuthError, TemplateError)):
        AuthQuestion(settings)


def test_fields_for_the_service_may_not_frame_it() -> None:
    for name in ("Content-Length", "transfer-encoding", "Host", "Connection", "a b"):
        with pytest.raises(AuthError):
            AuthQuestion(ExternalAuth(URL), ((name, "1"),))


YES = AuthAnswer(204, b"X-User: jo\r\nX-Group: a\r\nx-group: b\r\nSet-Cookie: s=1\r\nset-cookie: t=2\r\nHost: evil\r\n")


def test_yes_copies_what_was_asked_for_and_nothing_else() -> None:
    headers = ("X-User", "x-group", "X-None", "Host", "Content-Length", "Set-Cookie")
    allowed = question(response_headers=headers).verdict(ask_of(), YES)
    assert isinstance(allowed, Allowed)
    plan = Plan()
    plan.without, plan.added = frozenset({b"x-other"}), b"X-Other: 1\r\n"
    allowed.apply(plan)
    assert plan.without == {b"x-other", b"x-user", b"x-group", b"x-none"}
    assert plan.added == b"X-Other: 1\r\nX-User: jo\r\nx-group: a, b\r\n"


def test_cookies_reach_the_client_with_the_statuses_of_the_list_or_always() -> None:
    allowed = question().verdict(ask_of(), YES)
    assert isinstance(allowed, Allowed)
    cookies = b"Set-Cookie: s=1\r\nset-cookie: t=2\r\n"
    with_cookies = {status for status in range(200, 600) if allowed.cookies_for(status) == cookies}
    assert with_cookies == {200, 201, 204, 206, 301, 302, 303, 304, 307, 308}
    always = question(always_set_cookie=True).verdict(ask_of(), YES)
    assert isinstance(always, Allowed)
    assert always.cookies_for(503) == cookies


@pytest.mark.parametrize("status", [100, 301, 302, 304, 400, 402, 404, 407, 500, 502, 503])
def test_anything_else_is_a_failure(status: int) -> None:
    assert question(sign_in="https://b/").verdict(ask_of(), AuthAnswer(status, b"WWW-Authenticate: x\r\n")) is FAILED
    assert FAILED.status == 500


NO = AuthAnswer(401, b'WWW-Authenticate: Basic realm="x"\r\nX-A: b\r\nwww-authenticate: Bearer\r\nSet-Cookie: s=1\r\n')


def test_no_keeps_its_challenges() -> None:
    challenges = b'WWW-Authenticate: Basic realm="x"\r\nwww-authenticate: Bearer\r\n'
    assert question().verdict(ask_of(), NO) == Answer(401, "external-auth-unauthorized", challenges)
    always = question(always_set_cookie=True).verdict(ask_of(), NO)
    assert always == Answer(401, "external-auth-unauthorized", challenges + b"Set-Cookie: s=1\r\n")
    forbidden = question(sign_in="https://b/").verdict(ask_of(), AuthAnswer(403, b"Set-Cookie: s=1\r\n"))
    assert forbidden == Answer(403, "external-auth-forbidden")


BACK = "https://a.example:8080%2Fa%3Fb%3Dc%20d"


@pytest.mark.parametrize(
    ("sign_in", "parameter", "location"),
    [
        ("https://sso/start", "rd", f"https://sso/start?rd={BACK}"),
        ("https://sso/start?x=1", "rd", f"https://sso/start?x=1&rd={BACK}"),
        ("https://sso/start", "next", f"https://sso/start?next={BACK}"),
        ("https://sso/start?rd=/home", "rd", "https://sso/start?rd=/home"),
        ("https://sso/start?rd=", "rd", f"https://sso/start?rd=&rd={BACK}"),
        ("https://$host/start?rd=$escaped_request_uri", "rd", "https://a.example/start?rd=%2Fa%3Fb%3Dc%20d"),
        ("https://sso/$http_x_odd", "rd", f"https://sso/a%20%3Cb?rd={BACK}"),
    ],
)
def test_sign_in(sign_in: str, parameter: str, location: str) -> None:
    asked = question(sign_in=sign_in, sign_in_parameter=parameter)
    answer = asked.verdict(ask_of("X-Odd: a <b"), NO)
    fields = f"Location: {location}\r\nSet-Cookie: s=1\r\n".encode()
    assert answer == Answer(302, "external-auth-sign-in", fields)


# ── what is kept ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_keys_tell_scopes_urls_and_values_apart_and_no_secret() -> None:
    one = question(scope="a.example/", cache_key="$http_authorization")
    other = question(scope="a.example/b", cache_key="$http_authorization")
    secret, ask = ask_of("Authorization: Basic secret"), ask_of()
    keys = [one.cache_key(secret), one.cache_key(ask), other.cache_key(secret)]
    assert len(set(keys)) == 3
    assert all(key is not None and len(key) == 16 for key in keys)
    assert one.cache_key(secret) == question(scope="a.example/", cache_key="$http_authorization").cache_key(secret)
    assert question().cache_key(secret) is None


RULES = (CacheRule((200, 202, 401), 300.0), CacheRule((), 5.0))


@pytest.mark.parametrize(
    ("status", "lines", "seconds"),
    [
        (200, b"", 300.0),
        (401, b"X-A: b\r\n", 300.0),
        (500, b"", 5.0),
        (200, b"Cache-Control: no-store\r\n", 0.0),
        (200, b"Cache-Control: public, No-Cache\r\n", 0.0),
        (200, b"Cache-Control: private=x\r\n", 0.0),
        (200, b"Cache-Control: max-age=7\r\n", 7.0),
        (200, b"Cache-Control: max-age=7, s-maxage=9\r\n", 9.0),
        (200, b"Cache-Control: max-age=0\r\n", 0.0),
        (200, b"Cache-Control: public\r\n", 300.0),
        (200, b"Expires: 0\r\n", 0.0),
        (200, b"Vary: Cookie\r\n", 0.0),
        (200, b"Vary: *\r\n", 0.0),
        (200, b"Vary: Accept-Encoding, Origin\r\n", 300.0),
        (200, b"set-cookie: s=1\r\n", 0.0),
        (200, b"Cache-Control: max-age=7\r\nSet-Cookie: s=1\r\n", 0.0),
    ],
)
def test_lifetimes(status: int, lines: bytes, seconds: float) -> None:
    assert lifetime_s(RULES, AuthAnswer(status, lines)) == seconds


def test_a_status_without_a_rule_is_not_kept_whatever_it_says() -> None:
    assert lifetime_s(RULES[:1], AuthAnswer(403, b"")) == 0.0
    assert lifetime_s(RULES[:1], AuthAnswer(403, b"Cache-Control: max-age=60\r\n")) == 0.0


def test_kept_answers_end_in_time() -> None:
    cache = AuthCache()
    cache.put(b"k", YES, 10.0, 100.0)
    assert cache.get(b"k", 109.9) == YES
    assert cache.get(b"k", 110.0) is None
    assert len(cache) == 0
    cache.put(b"k", YES, 0.0, 100.0)
    assert len(cache) == 0


def test_the_cache_is_bounded_and_forgets_what_was_not_used() -> None:
    cache = AuthCache(max_answers=2)
    for key in (b"a", b"b"):
        cache.put(key, YES, 10.0, 0.0)
    assert cache.get(b"a", 1.0) is not None
    cache.put(b"c", YES, 10.0, 1.0)
    assert (cache.get(b"b", 1.0), len(cache)) == (None, 2)
    cache.put(b"d", AuthAnswer(200, b"X: " + b"y" * MAX_ANSWER_BYTES + b"\r\n"), 10.0, 1.0)
    assert cache.get(b"d", 1.0) is None

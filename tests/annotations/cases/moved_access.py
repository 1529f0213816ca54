"""As ``moved``: logins and auth services, CORS, what proxies in front say, who is blocked, compression."""

from typing import Any

from tests.annotations.case import Ask, Case, Other, Path, Want, case
from tests.annotations.cases.access import ALLOW, AUTH, BASIC, FORBID, login

ECHO = Want(seen="echo")
DENIED, REFUSED, FORBIDDEN = (Want(status=status, seen=None) for status in (503, 401, 403))
SIGN_IN = {**AUTH, "auth-signin": "http://$host/auth/start"}
NO_LOGIN = {"status": 401}
KEPT = {**AUTH, "auth-cache-key": "fixed", "auth-cache-duration": "200 201 401 30m"}
COOKIE = {"headers": [["Set-Cookie", "alma=armud"]]}
GLOBAL = {"global-auth-url": "http://{auth}/global"}


def to_sign_in(parameter: str) -> Want:
    back = "http://{host}%2F%3Fa%3Db%26c%3Dd"
    return Want(status=302, headers={"location": f"http://{{host}}/auth/start?{parameter}={back}"}, seen=None)


_LOGINS: list[Case] = [
    case(
        "browsers are told of CORS with a refusal too",
        {**BASIC, "enable-cors": "true"},
        (Ask(), Want(status=401, headers={"access-control-allow-origin": "*"}, seen=None)),
    ),
    case(
        "a user without a password is nobody",
        {**BASIC, "auth-secret": "half-a-user"},
        (login("ann", "x"), REFUSED),
        (login("ann", ""), REFUSED),
    ),
    case("satisfy without anything to satisfy", {"satisfy": "any"}, (Ask(), ECHO)),
    case(
        "a login here or there",
        {**SIGN_IN, **BASIC, "satisfy": "any"},
        (Ask(headers=login("sha").headers, auth=NO_LOGIN), ECHO),
        (Ask(auth=ALLOW), ECHO),
        (Ask(path="/?a=b&c=d", auth=NO_LOGIN), to_sign_in("rd")),
    ),
    case(
        "to sign in by the name that was asked for",
        SIGN_IN,
        (Ask(path="/?a=b&c=d", auth=NO_LOGIN), to_sign_in("rd")),
        (Ask(auth=ALLOW), ECHO),
    ),
    case(
        "and back by another word",
        {**SIGN_IN, "auth-signin-redirect-param": "orig"},
        (Ask(path="/?a=b&c=d", auth=NO_LOGIN), to_sign_in("orig")),
    ),
    case(
        "users that are nowhere close what an auth service would open, and nothing else",
        {**AUTH, **BASIC, "auth-secret": "something"},
        (Ask(path="/a", auth=ALLOW), DENIED),
        (Ask(path="/b"), ECHO),
        path=Path(path="/a"),
        others=(Other(paths=(Path(path="/b"),)),),
    ),
    case(
        "what is kept of an answer is for one path of one host",
        KEPT,
        (Ask(path="/foo", auth=ALLOW), ECHO),
        (Ask(path="/foo", auth=FORBID), ECHO),
        (Ask(path="/bar", auth=FORBID), FORBIDDEN),
        (Ask(path="/foo", host="that.moved.example", auth=FORBID), FORBIDDEN),
        paths=(Path(path="/foo"), Path(path="/bar")),
        others=(Other(host="that.moved.example", annotations=KEPT, paths=(Path(path="/foo"),)),),
    ),
    case(
        "what is kept by a cookie is for that cookie's owner, however the key spells its name",
        {**KEPT, "auth-cache-key": "$cookie_sessionid$REQUEST_URI"},
        (Ask(headers={"Cookie": "SessionID=ann"}, auth=ALLOW), ECHO),
        (Ask(headers={"Cookie": "SessionID=ann"}, auth=FORBID), ECHO),
        (Ask(headers={"Cookie": "SessionID=bob"}, auth=FORBID), FORBIDDEN),
    ),
    case(
        "an answer with a cookie is not kept",
        KEPT,
        (Ask(auth=COOKIE), Want(seen="echo", headers={"set-cookie": "alma=armud"})),
        (Ask(auth=FORBID), FORBIDDEN),
    ),
    case(
        "the auth service of all: not for some paths, and an answer that is kept",
        {},
        (Ask(path="/foo", auth=ALLOW), Want(seen="echo", saw={"auth": {"x-auth-request-redirect": "Foo-Redirect"}})),
        (Ask(path="/foo", auth=FORBID), ECHO),
        (Ask(path="/bar", auth=FORBID), ECHO),
        (Ask(path="/baz", auth=FORBID), FORBIDDEN),
        paths=(Path(path="/foo"), Path(path="/bar"), Path(path="/baz")),
        config={
            **GLOBAL,
            "no-auth-locations": "/bar",
            "global-auth-cache-key": "foo",
            "global-auth-cache-duration": "200 201 401 30m",
            "global-auth-request-redirect": "Foo-Redirect",
        },
    ),
    case(
        "a bad entry of a list leaves the others",
        {"default-backend": "errors"},
        (Ask(auth={"headers": [["X-User", "ann"]]}), Want(seen="echo", sent={"x-user": "ann"})),
        (Ask(auth=ALLOW, answer={"status": 404}), Want(seen="errors", sent={"x-code": "404"})),
        config={**GLOBAL, "global-auth-response-headers": "X-User,bad header", "custom-http-errors": "404,abc,502"},
    ),
    case(
        "cookies of the auth service of all",
        {},
        (Ask(auth=COOKIE), Want(headers={"set-cookie": "alma=armud"})),
        (Ask(auth=COOKIE, answer={"status": 503}), Want(status=503, headers={"set-cookie": None})),
        config=GLOBAL,
    ),
    case(
        "always",
        {},
        (Ask(auth=COOKIE, answer={"status": 503}), Want(status=503, headers={"set-cookie": "alma=armud"})),
        config={**GLOBAL, "global-auth-always-set-cookie": "true"},
    ),
]


def origins(title: str, allowed: str, *pairs: tuple[str, str | None]) -> Case:
    """Pairs: Origin, and the origin that is allowed then."""
    steps = [
        (
            Ask(headers={"Origin": sent} if sent else {}),
            Want(seen="echo", headers={"access-control-allow-origin": told}),
        )
        for sent, told in pairs
    ]
    return case(title, {"enable-cors": "true", "cors-allow-origin": allowed}, *steps)


def same(origin: str) -> tuple[str, str]:
    return origin, origin


_ORIGINS: list[Case] = [
    origins("any origin, and more", "*, foo.bar.com", ("", "*"), ("http://x.example", "*")),
    origins("blanks are any origin", "      ", ("http://origin.com", "*"), ("test.origin.com", "*")),
    origins("no Origin, none allowed", "https://one.example:8080", same("https://one.example:8080"), ("", None)),
    origins(
        "what has no scheme is no origin",
        "one.example:8080, https://two.example, https://three.example",
        ("one.example:8080", None),
        same("https://two.example"),
        same("https://three.example"),
    ),
    origins("a dot is a dot", "https://foo.bar.com", ("https://fooxbar.com", None)),
    origins(
        "ports are part of an origin",
        "http://one.example:8080, http://two.example",
        same("http://one.example:8080"),
        ("http://one.example", None),
        ("http://two.example:8080", None),
    ),
    origins(
        "a star is for one label",
        "http://*.one.example, http://*.two.example:8080",
        same("http://foo.one.example"),
        same("http://bar-foo.one.example"),
        ("http://bar.foo.one.example", None),
        ("http://one.example", None),
        same("http://abc.two.example:8080"),
        ("http://abc.two.example", None),
    ),
    origins(
        "commas too many",
        "https://one.example:8080,   ,https://two.example:8080,",
        same("https://one.example:8080"),
        same("https://two.example:8080"),
        ("https://three.example:8080", None),
    ),
    origins(
        "other schemes",
        "test://localhost, tauri://localhost:3000",
        *map(same, ("test://localhost", "tauri://localhost:3000")),
    ),
]

_CHROME = "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/68.0.3440.106 Safari/537.36"


def of(address: str) -> Ask:
    return Ask(headers={"X-Forwarded-For": address})


def proxied(port: int, **more: Any) -> Ask:
    """A connection that says it came from 192.168.0.1 to this port."""
    return Ask(proxy_header=b"PROXY TCP4 192.168.0.1 192.168.0.11 56324 %d\r\n" % port, **more)


def seen_as(port: str, scheme: str) -> Want:
    return Want(
        sent={
            "x-forwarded-for": "192.168.0.1",
            "x-forwarded-port": port,
            "x-forwarded-proto": scheme,
            "x-forwarded-scheme": scheme,
            "x-scheme": scheme,
        }
    )


_CLIENTS: list[Case] = [
    case(
        "all but some, as a proxy in front names them",
        {"denylist-source-range": "18.0.0.0/8, 56.0.0.1"},
        (of("18.0.0.1"), FORBIDDEN),
        (of("56.0.0.1"), FORBIDDEN),
        (of("56.0.0.2"), ECHO),
        config={"use-forwarded-headers": "true"},
    ),
    case(
        "some, but not all of these",
        {"denylist-source-range": "18.1.0.0/16, 56.0.0.0/8", "whitelist-source-range": "18.0.0.0/8, 55.0.0.0/8"},
        (of("18.1.0.1"), FORBIDDEN),
        (of("10.10.10.10"), FORBIDDEN),
        (of("18.4.0.1"), ECHO),
        (of("55.55.55.55"), ECHO),
        config={"use-forwarded-headers": "true"},
    ),
    case(
        "a scheme that nobody knows",
        {},
        (
            Ask(headers={"X-Forwarded-Proto": "myproto", "X-Forwarded-Scheme": "theirs", "X-Forwarded-Port": "1234"}),
            Want(sent=dict.fromkeys(("x-forwarded-proto", "x-forwarded-scheme", "x-scheme"), "myproto")),
        ),
        config={"use-forwarded-headers": "true"},
    ),
    case(
        "the port of the PROXY protocol, and 443 is HTTPS",
        {"ssl-redirect": "false"},
        (proxied(1234), seen_as("1234", "http")),
        (proxied(443), seen_as("443", "https")),
        (proxied(1234, tls=True), seen_as("1234", "https")),
        tls=True,
        config={"use-proxy-protocol": "true"},
    ),
    case(
        "blocked by a whole name, and by expressions with escapes that are none",
        {},
        (Ask(headers={"User-Agent": _CHROME}), FORBIDDEN),
        (Ask(headers={"User-Agent": "AlphaBot"}), FORBIDDEN),
        (Ask(headers={"User-Agent": "AlphaBot/2"}), ECHO),
        (Ask(headers={"Referer": "example.com"}), FORBIDDEN),
        (Ask(headers={"Referer": "qwerty"}), FORBIDDEN),
        (Ask(headers={"Referer": "qwerty123"}), ECHO),
        config={
            "block-user-agents": r"~*chrome\/68\.0\.3440\.106\ safari\/537\.36,AlphaBot",
            "block-referers": r"~*example\.com,qwerty",
        },
    ),
    case(
        "a dollar in a header of ours is a dollar",
        {"custom-headers": "default/dollar-headers"},
        (Ask(), Want(headers={"x-dollar": "$remote_addr"})),
        config={"global-allowed-response-headers": "X-Dollar"},
    ),
]


def coded(length: int, media_type: str, coding: str | None) -> tuple[Ask, Want]:
    """An answer of so many bytes, for a client that reads both codings."""
    answer = {"headers": [["Content-Type", media_type]], "body": "x" * length}
    return Ask(headers={"Accept-Encoding": "gzip, br"}, answer=answer), Want(headers={"content-encoding": coding})


_CODINGS: list[Case] = [
    case(
        "gzip from a length on, of types that are listed",
        {},
        coded(99, "application/octet-stream", None),
        coded(100, "application/octet-stream", "gzip"),
        coded(3000, "application/xml", None),
        coded(3000, "text/html; charset=utf-8", "gzip"),
        config={"use-gzip": "true", "gzip-min-length": "100", "gzip-types": "application/octet-stream"},
    ),
    case(
        "brotli from a length on",
        {},
        coded(23, "application/octet-stream", None),
        coded(24, "application/octet-stream", "br"),
        config={"enable-brotli": "true", "brotli-types": "application/octet-stream", "brotli-min-length": "24"},
    ),
]

CASES: list[Case] = [*_LOGINS, *_ORIGINS, *_CLIENTS, *_CODINGS]

"""What those who come from ingress-nginx count on: its own end-to-end tests ask for it, and no other topic shows it.

Here paths, cookies, canaries, redirects and backends. Who may come in, and what browsers are told: ``moved_access``.
"""

import re
from typing import Any

from tests.annotations.case import Annotations, Ask, Case, Other, Path, Want, case
from tests.annotations.cases.affinity import canary

PAIR = Path(service="pair")
COOKIE = {"affinity": "cookie", "session-cookie-name": "SERVERID"}
BY_HEADER = {"canary-by-header": "X-Canary"}
ECHO, OTHER, CANARY = Want(seen="echo"), Want(seen="other"), Want(seen="canary")
NOWHERE = Want(status=404, seen=None)


def cookie(pattern: str) -> Want:
    return Want(headers={"set-cookie": re.compile(f"^SERVERID=.*{pattern}(;|$)")})


def pattern(title: str, path: str, matching: tuple[str, ...], others: tuple[str, ...]) -> Case:
    steps = [*((Ask(path=one), ECHO) for one in matching), *((Ask(path=one), NOWHERE) for one in others)]
    return case(title, {"use-regex": "true"}, *steps, path=Path(path=path, kind="ImplementationSpecific"))


def to(location: str, status: int = 308) -> Want:
    return Want(status=status, headers={"location": location}, seen=None)


def canaries(title: str, annotations: Annotations, *steps: tuple[str, str, Want]) -> Case:
    """Steps: X-Canary, the cookie ``preview``, who answers."""
    asks = [
        (Ask(headers={name: text for name, text in (("X-Canary", header), ("Cookie", sent)) if text}), want)
        for header, sent, want in steps
    ]
    return canary(title, BY_HEADER | dict(annotations), *asks)


_PATHS: list[Case] = [
    pattern("a pattern is open at its end", "/id/[0-9]+", ("/id/1", "/id/12", "/id/123a"), ("/id/a",)),
    pattern("unless it says so", "/id/[0-9]{3}$", ("/id/123",), ("/id/99", "/id/9999", "/id/123a")),
    pattern(
        "a pattern of several segments",
        "/id/[0-9]+/post/[a-zA-Z]+$",
        ("/id/123/post/abc",),
        ("/id/123/post/abc123", "/id/abc/post/abc"),
    ),
    case(
        "a Prefix ends where a segment does",
        {},
        *((Ask(path=path), ECHO) for path in ("/aaa", "/aaa/", "/aaa/cccc")),
        (Ask(path="/aaacccc"), NOWHERE),
        path=Path(path="/aaa"),
    ),
    case(
        "Exact and Prefix, of Ingresses of their own",
        {},
        (Ask(), ECHO),
        (Ask(path="/bar"), OTHER),
        (Ask(path="/foo"), CANARY),
        (Ask(path="/foo/bar"), Want(seen="pair")),
        (Ask(path="/foobar"), OTHER),
        path=Path(kind="Exact"),
        others=(
            Other(paths=(Path(service="other"),)),
            Other(paths=(Path(path="/foo", kind="Exact", service="canary"),)),
            Other(paths=(Path(path="/foo", service="pair"),)),
        ),
    ),
    case(
        "a path that is not rewritten beside one that is, and takes everything",
        {"rewrite-target": "/new/backend"},
        (Ask(path="/.well-known/acme/challenge"), Want(target="/.well-known/acme/challenge")),
        (Ask(path="/x"), Want(target="/new/backend")),
        others=(Other(paths=(Path(path="/.well-known/acme/challenge"),)),),
    ),
    case(
        "no prefix is told where none is named",
        {"x-forwarded-prefix": "", "rewrite-target": "/foo"},
        (Ask(), Want(target="/foo", sent={"x-forwarded-prefix": None})),
    ),
    case(
        "an alias is for all paths of the host, whoever names it",
        {},
        (Ask(path="/a", host="bar.moved.example"), Want(seen="echo", sent={"host": "bar.moved.example"})),
        (Ask(path="/b", host="bar.moved.example"), OTHER),
        path=Path(path="/a"),
        others=(Other(annotations={"server-alias": "bar.moved.example"}, paths=(Path(path="/b", service="other"),)),),
    ),
]

_COOKIES: list[Case] = [
    case(
        "a cookie is for the path of its route",
        COOKIE,
        (Ask(path="/something"), cookie("; Path=/something")),
        (Ask(path="/somewhere/else"), cookie("; Path=/somewhere")),
        paths=(Path(path="/something", service="pair"), Path(path="/somewhere", service="pair")),
    ),
    case(
        "a cookie for a path that is a pattern",
        {**COOKIE, "use-regex": "true", "session-cookie-path": "/foo/bar"},
        (Ask(path="/foo/bar"), cookie("; Path=/foo/bar")),
        path=Path(path="/foo/.*", kind="ImplementationSpecific", service="pair"),
    ),
    case(
        "no cookie of an Ingress that asked for none, though its neighbour of the same Service did",
        COOKIE,
        (Ask(path="/foo"), Want(headers={"set-cookie": None})),
        (Ask(path="/foo/bar"), cookie("; Path=/foo/bar")),
        path=Path(path="/foo/bar", service="pair"),
        others=(Other(paths=(Path(path="/foo", service="pair"),)),),
    ),
    case(
        "a cookie under every name of the host",
        {**COOKIE, "server-alias": "a1.moved.example,a2.moved.example"},
        *((Ask(host=host), cookie("; Path=/")) for host in ("a1.moved.example", "a2.moved.example")),
        path=PAIR,
    ),
    case(
        "Secure without TLS, when they say so",
        {**COOKIE, "session-cookie-secure": "true", "session-cookie-hash": "sha1"},
        (Ask(), cookie("; Secure")),
        path=PAIR,
    ),
    case("no Domain unless they name one", COOKIE, (Ask(), cookie("; Path=/; HttpOnly")), path=PAIR),
]

_CANARIES: list[Case] = [
    canaries(
        "a value goes before a pattern",
        {"canary-by-header-value": "DoCanary", "canary-by-header-pattern": "^Do[A-Z][a-z]+y$"},
        ("DoCanary", "", CANARY),
        ("DoCananry", "", ECHO),
    ),
    canaries(
        "a pattern looks at the case of letters",
        {"canary-by-header-pattern": "^Do[A-Z][a-z]+y$"},
        ("DoCanary", "", CANARY),
        ("Docanary", "", ECHO),
    ),
    canaries(
        "where the header is another, the cookie is asked",
        {"canary-by-header-value": "DoCanary", "canary-by-cookie": "preview"},
        ("another", "preview=always", CANARY),
        ("another", "preview=never", ECHO),
    ),
    canaries(
        "a pattern that is none keeps requests with the header, and only these",
        {"canary-by-header-pattern": "[][**da?$&*", "canary-by-cookie": "preview"},
        ("DoCanary", "preview=always", ECHO),
        ("", "preview=always", CANARY),
    ),
    case(
        "a canary of a path that nobody has serves nothing",
        {},
        (Ask(path="/info", headers={"X-Canary": "always"}), ECHO),
        (Ask(path="/foo", headers={"X-Canary": "always"}), NOWHERE),
        path=Path(path="/info"),
        others=(
            Other(
                annotations={"canary": "true", **BY_HEADER},
                paths=(Path(path="/foo", service="canary"), Path(path="/bar", service="canary")),
            ),
        ),
    ),
]


def forwarded(**fields: str) -> dict[str, Any]:
    """Headers of a proxy in front: ``For``, ``Proto`` and so on."""
    return {f"X-Forwarded-{name}": text for name, text in fields.items()}


_REDIRECTS: list[Case] = [
    case("to HTTPS, from the root", {"force-ssl-redirect": "true"}, (Ask(), to("https://{host}"))),
    case(
        "to HTTPS, from the root, with its slash",
        {"ssl-redirect": "true", "preserve-trailing-slash": "true"},
        (Ask(), to("https://{host}/")),
        tls=True,
    ),
    case(
        "to HTTPS, by the name that a proxy in front heard, less its port",
        {},
        (Ask(headers=forwarded(Host="example.com:80")), to("https://example.com")),
        tls=True,
        config={"use-forwarded-headers": "true"},
    ),
    case(
        "from www, over TLS as it came",
        {"from-to-www-redirect": "true"},
        (Ask(tls=True, host="www.bare.moved.example"), to("https://bare.moved.example:443")),
        (Ask(tls=True), Want(sent={"host": "bare.moved.example"})),
        host="bare.moved.example",
        tls=True,
    ),
    case(
        "from www, as a proxy in front says that it came",
        {"from-to-www-redirect": "true"},
        (
            Ask(path="/foo", host="www.front.moved.example", headers=forwarded(Proto="https", Port="443")),
            to("https://front.moved.example:443/foo"),
        ),
        host="front.moved.example",
        config={"use-forwarded-headers": "true"},
    ),
]

_EVERYWHERE: list[Case] = [
    case(
        "what holds for every request holds for the www sibling",
        {"from-to-www-redirect": "true"},
        (
            Ask(host="www.all.moved.example"),
            Want(status=308, headers={"x-set": "by us", "location": "http://all.moved.example:{http}"}),
        ),
        (Ask(host="www.all.moved.example", headers={"User-Agent": "bad"}), Want(status=403)),
        host="all.moved.example",
        config={"add-headers": "default/headers", "block-user-agents": "bad"},
    ),
    case(
        "and for paths that are closed",
        {"allowlist-source-range": "ten"},
        (Ask(), Want(status=503, headers={"x-set": "by us"}, seen=None)),
        (Ask(headers={"User-Agent": "bad"}), Want(status=403)),
        config={"add-headers": "default/headers", "block-user-agents": "bad"},
    ),
]

_BACKENDS: list[Case] = [
    case(
        "sizes and times that are none leave the defaults",
        {
            "proxy-body-size": "15r",
            "client-body-buffer-size": "1b",
            "proxy-connect-timeout": "50k",
            "proxy-read-timeout": "20k",
            "proxy-send-timeout": "20k",
        },
        (Ask(method="POST", body=b"x" * 10), ECHO),
        (Ask(method="POST", body=b"x" * ((1 << 20) + 1)), Want(status=413, seen=None)),
    ),
    case(
        "tries and times far beyond use",
        {
            "proxy-next-upstream": "error timeout http_502",
            "proxy-next-upstream-timeout": "999999",
            "proxy-next-upstream-tries": "888888",
        },
        (Ask(answer={"first": {"status": 502}}), Want(seen="pair", endpoints=2)),
        path=PAIR,
    ),
    case(
        "a Connection that stays",
        {"connection-proxy-header": "keep-alive"},
        (Ask(), Want(sent={"connection": "keep-alive"})),
    ),
    case(
        "endpoints of their own, where all others have the Service's address",
        {"service-upstream": "false"},
        (Ask(again=8), Want(seen="pair", endpoints=2)),
        path=PAIR,
        config={"service-upstream": "true"},
    ),
    case(
        "one endpoint for one client",
        {"upstream-hash-by": "$binary_remote_addr"},
        (Ask(path="/a", again=8), Want(seen="pair", endpoints=1)),
        path=PAIR,
    ),
    case(
        "one endpoint for what a text with braces stands for",
        {"upstream-hash-by": "${remote_addr}-text"},
        (Ask(path="/a", again=8), Want(seen="pair", endpoints=1)),
        path=PAIR,
    ),
    case(
        "another backend is told for whom it stands in, though there is no such Service",
        {"default-backend": "errors"},
        (
            Ask(path="/alma/armud", headers={"X-Request-ID": "something-unique"}),
            Want(
                seen="errors",
                target="/alma/armud",
                sent={
                    "x-code": "503",
                    "x-ingress-name": re.compile("^moved-"),
                    "x-service-name": "invalid",
                    "x-request-id": "something-unique",
                },
            ),
        ),
        path=Path(service="invalid"),
    ),
    case(
        "a copy for a host that is nowhere harms nobody",
        {"mirror-target": "https://nowhere.invalid/$request_uri"},
        (Ask(), ECHO),
    ),
    case(
        "ciphers as OpenSSL's users write them",
        {"ssl-ciphers": "ALL:!aNULL:!EXPORT56:RC4+RSA@STRENGTH:+HIGH@SECLEVEL=0:+MEDIUM:+LOW:+SSLv2:+EXP"},
        (Ask(tls=True), ECHO),
        tls=True,
    ),
    case(
        "a snippet that protects nothing is passed over",
        {"server-snippet": 'more_set_headers "Foo: Bar";', "configuration-snippet": 'more_set_headers "Xpto: Lalala";'},
        (Ask(), Want(seen="echo", headers={"foo": None, "xpto": None})),
        config={"annotations-risk-level": "Critical"},
    ),
]

CASES: list[Case] = [*_PATHS, *_COOKIES, *_CANARIES, *_REDIRECTS, *_EVERYWHERE, *_BACKENDS]

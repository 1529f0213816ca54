"""Cookies and canaries."""

import re
from typing import Any

from tests.annotations.case import Ask, Case, Other, Path, Want, case

PAIR = Path(service="pair")
CANARY = (Path(service="canary"),)


def cookie(*patterns: str) -> Want:
    """A Set-Cookie with all of these."""
    return Want(headers={"set-cookie": re.compile("".join(f"(?=.*{one})" for one in patterns))}, seen="pair")


def canary(title: str, annotations: dict[str, str], *steps: tuple[Ask, Want], **more: Any) -> Case:
    other = Other(annotations={"canary": "true"} | annotations, paths=CANARY)
    return case(title, {}, *steps, others=(other,), **more)


CASES: list[Case] = [
    case("nobody is stuck to", {}, (Ask(), Want(headers={"set-cookie": None})), path=PAIR),
    case(
        "a cookie",
        {"affinity": "cookie"},
        (Ask(), cookie(r"^INGRESSCOOKIE=[0-9a-f.]+\|[0-9a-f]{32}; ", "; Path=/(;|$)", "; HttpOnly")),
        path=PAIR,
    ),
    case(
        "a cookie by another name",
        {"affinity": "cookie", "session-cookie-name": "route"},
        (Ask(), cookie("^route=")),
        path=PAIR,
    ),
    case(
        "a cookie that is there gets no other",
        {"affinity": "cookie"},
        (
            Ask(headers={"Cookie": "INGRESSCOOKIE=1234|"}, again=8),
            Want(seen="pair", endpoints=1, headers={"set-cookie": None}),
        ),
        path=PAIR,
    ),
    case(
        "a cookie that names no endpoint gets another",
        {"affinity": "cookie", "affinity-mode": "persistent"},
        (Ask(headers={"Cookie": "INGRESSCOOKIE=1234"}), cookie("^INGRESSCOOKIE=[0-9a-f]{32}")),
        path=PAIR,
    ),
    case(
        "a path of its own",
        {"affinity": "cookie", "session-cookie-path": "/shop"},
        (Ask(), cookie("; Path=/shop(;|$)")),
        path=PAIR,
    ),
    case(
        "until when",
        {"affinity": "cookie", "session-cookie-expires": "3600", "session-cookie-max-age": "7200"},
        (Ask(), cookie("; Expires=[A-Z][a-z]{2}, [0-9]{2}-[A-Z][a-z]{2}-[0-9]{2} [0-9:]{8} GMT", "; Max-Age=7200")),
        path=PAIR,
    ),
    case(
        "for whom",
        {"affinity": "cookie", "session-cookie-domain": "example.com", "session-cookie-samesite": "Strict"},
        (Ask(), cookie("; Domain=example.com", "; SameSite=Strict")),
        path=PAIR,
    ),
    case(
        "SameSite=None not for those who do not know it",
        {
            "affinity": "cookie",
            "session-cookie-samesite": "None",
            "session-cookie-conditional-samesite-none": "true",
            "session-cookie-secure": "true",
        },
        (
            Ask(headers={"User-Agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 12_0 like Mac OS X) AppleWebKit/605"}),
            Want(headers={"set-cookie": re.compile("^(?!.*SameSite).*; Secure")}),
        ),
        (Ask(headers={"User-Agent": "curl/8.5.0"}), cookie("; SameSite=None")),
        path=PAIR,
    ),
    case(
        "Secure over TLS, whatever they say",
        {"affinity": "cookie", "session-cookie-secure": "false", "ssl-redirect": "false"},
        (Ask(tls=True), cookie("; Secure")),
        (Ask(), Want(headers={"set-cookie": re.compile("^(?!.*Secure)")})),
        path=PAIR,
        tls=True,
    ),
    case(
        "another endpoint after a failure",
        {
            "affinity": "cookie",
            "session-cookie-change-on-failure": "true",
            "proxy-next-upstream": "error http_503",
        },
        (Ask(answer={"first": {"status": 503}}), cookie("^INGRESSCOOKIE=")),
        path=PAIR,
    ),
    canary(
        "a canary by header",
        {"canary-by-header": "X-Canary"},
        (Ask(headers={"X-Canary": "always"}), Want(seen="canary")),
        (Ask(headers={"X-Canary": "never"}), Want(seen="echo")),
        (Ask(headers={"X-Canary": "perhaps"}), Want(seen="echo")),
        (Ask(), Want(seen="echo")),
    ),
    canary(
        "a canary by the value of a header",
        {"canary-by-header": "X-Canary", "canary-by-header-value": "eu"},
        (Ask(headers={"X-Canary": "eu"}), Want(seen="canary")),
        (Ask(headers={"X-Canary": "always"}), Want(seen="echo")),
    ),
    canary(
        "a canary by a pattern",
        {"canary-by-header": "X-Region", "canary-by-header-pattern": "^eu-"},
        (Ask(headers={"X-Region": "eu-west"}), Want(seen="canary")),
        (Ask(headers={"X-Region": "us-east"}), Want(seen="echo")),
    ),
    canary(
        "a canary by cookie",
        {"canary-by-cookie": "preview", "canary-weight": "0"},
        (Ask(headers={"Cookie": "preview=always"}), Want(seen="canary")),
        (Ask(headers={"Cookie": "preview=never"}), Want(seen="echo")),
        (Ask(headers={"Cookie": "preview=maybe"}), Want(seen="echo")),
    ),
    canary("a canary for all", {"canary-weight": "100"}, (Ask(again=5), Want(seen="canary"))),
    canary("a canary for nobody", {"canary-weight": "0"}, (Ask(again=5), Want(seen="echo"))),
    canary(
        "of another total",
        {"canary-weight": "1000", "canary-weight-total": "1000"},
        (Ask(again=5), Want(seen="canary")),
    ),
    canary(
        "a header goes before a cookie, a cookie before weight",
        {"canary-by-header": "X-Canary", "canary-by-cookie": "preview", "canary-weight": "100"},
        (Ask(headers={"X-Canary": "never", "Cookie": "preview=always"}), Want(seen="echo")),
        (Ask(headers={"Cookie": "preview=never"}), Want(seen="echo")),
        (Ask(), Want(seen="canary")),
    ),
    case(
        "a canary is spoken to as its primary is",
        {"backend-protocol": "HTTPS"},
        (Ask(path="/x"), Want(seen="secure", target="/x")),
        path=PAIR,
        others=(Other(annotations={"canary": "true", "canary-weight": "100"}, paths=(Path(service="secure"),)),),
        shows=("canary",),
    ),
    case(
        "what else a canary asks for is not looked at",
        {},
        (Ask(path="/x"), Want(seen="canary", target="/x")),
        others=(
            Other(
                annotations={
                    "canary": "true",
                    "canary-weight": "100",
                    "rewrite-target": "/elsewhere",
                    "auth-type": "basic",
                    "permanent-redirect": "https://there.example/",
                },
                paths=CANARY,
            ),
        ),
        shows=("canary",),
    ),
    case(
        "a canary alone serves nothing",
        {"canary": "true", "canary-weight": "100"},
        (Ask(), Want(status=404, seen=None)),
        is_served=False,
    ),
    case(
        "who is on the canary stays there",
        {"affinity": "cookie", "affinity-canary-behavior": "sticky"},
        (Ask(), Want(seen="canary", headers={"set-cookie": re.compile("^INGRESSCOOKIE=")})),
        path=PAIR,
        others=(Other(annotations={"canary": "true", "canary-weight": "100"}, paths=CANARY),),
    ),
]

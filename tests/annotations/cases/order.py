"""The order of phases: of two answers that apply, the one of the earlier row comes. See ``docs/request.md``."""

from typing import Any

from ingressd.policy.phases import Phase
from tests.annotations.case import Annotations, Ask, Case, Path, Want, case

_LISTED = {"denylist-source-range": "127.0.0.0/8"}
_CORS = {"enable-cors": "true"}
_TO = {"permanent-redirect": "https://there.example/"}
_SMALL = {"proxy-body-size": "1"}
_CLIENT = {"auth-tls-secret": "default/ca"}
_OPTIONS = Ask(method="OPTIONS", headers={"Origin": "https://app.example"})
_LARGE = Ask(method="OPTIONS", headers={"Origin": "https://app.example"}, body=b"xx")
_BLOCK = {"block-user-agents": "~badbot"}
_BOT = {"User-Agent": "badbot"}
_NONE = Path(service="none")


def wins(first: Phase, second: Phase, annotations: Annotations, ask: Ask, status: int, **more: Any) -> Case:
    title = f"{first.name} before {second.name}"
    return case(title, annotations, (ask, Want(status=status, seen=None)), **more)


CASES: list[Case] = [
    wins(Phase.CLIENT_CERTIFICATE, Phase.BLOCKED, _CLIENT, Ask(tls=True, headers=_BOT), 400, tls=True, config=_BLOCK),
    wins(
        Phase.BLOCKED,
        Phase.CERTIFICATE_NAME,
        {**_CLIENT, "auth-tls-match-cn": "CN=else", "auth-tls-verify-client": "optional"},
        Ask(tls=True, headers=_BOT, client="good"),
        403,
        tls=True,
        config=_BLOCK,
    ),
    wins(
        Phase.CERTIFICATE_NAME,
        Phase.APP_ROOT,
        {**_CLIENT, "auth-tls-match-cn": "CN=else", "app-root": "/app"},
        Ask(tls=True, client="good"),
        403,
        tls=True,
    ),
    wins(Phase.APP_ROOT, Phase.BODY_SIZE, {"app-root": "/app", **_SMALL}, Ask(method="POST", body=b"xx"), 302),
    wins(Phase.APP_ROOT, Phase.HTTPS_REDIRECT, {"app-root": "/app"}, Ask(), 302, tls=True),
    wins(Phase.BODY_SIZE, Phase.CORS_PREFLIGHT, {**_SMALL, **_CORS}, _LARGE, 413),
    wins(
        Phase.TRAILING_SLASH,
        Phase.REDIRECT,
        _TO,
        Ask(path="/foo"),
        301,
        path=Path(path="/foo/"),
    ),
    wins(Phase.CORS_PREFLIGHT, Phase.REDIRECT, {**_CORS, **_TO}, _OPTIONS, 204),
    wins(Phase.CORS_PREFLIGHT, Phase.DENIED, {**_CORS, "allowlist-source-range": "ten"}, _OPTIONS, 204),
    wins(Phase.CORS_PREFLIGHT, Phase.ACCESS, {**_CORS, **_LISTED}, _OPTIONS, 204),
    wins(Phase.REDIRECT, Phase.REWRITE, {**_TO, "rewrite-target": "https://new.example/"}, Ask(path="/x"), 301),
    wins(Phase.REDIRECT, Phase.HTTPS_REDIRECT, _TO, Ask(path="/x"), 301, tls=True),
    wins(Phase.REDIRECT, Phase.ACCESS, {**_TO, **_LISTED}, Ask(), 301),
    wins(Phase.DENIED, Phase.HTTPS_REDIRECT, {"allowlist-source-range": "ten"}, Ask(path="/x"), 503, tls=True),
    wins(
        Phase.REWRITE, Phase.HTTPS_REDIRECT, {"rewrite-target": "https://new.example/"}, Ask(path="/x"), 302, tls=True
    ),
    wins(Phase.HTTPS_REDIRECT, Phase.NO_ENDPOINTS, {}, Ask(path="/x"), 308, tls=True, path=_NONE),
    wins(Phase.HTTPS_REDIRECT, Phase.ACCESS, _LISTED, Ask(path="/x"), 308, tls=True),
    wins(Phase.NO_ENDPOINTS, Phase.ACCESS, _LISTED, Ask(), 503, path=_NONE),
    wins(
        Phase.NO_ENDPOINTS,
        Phase.LIMITS,
        {"limit-rpm": "1", "limit-burst-multiplier": "1"},
        Ask(again=4),
        503,
        path=_NONE,
        config={"limit-req-status-code": "429"},
    ),
    case(
        "LIMITS before ACCESS",
        {"limit-rpm": "1", "limit-burst-multiplier": "1", **_LISTED},
        (Ask(again=2), Want(status=403, seen=None)),
        (Ask(), Want(status=429, seen=None)),
        config={"limit-req-status-code": "429"},
    ),
    case(
        "addresses before a login before an auth service",
        {"auth-type": "basic", "auth-secret": "users", "auth-url": "http://{auth}/check"},
        (Ask(auth={"status": 403}), Want(status=401, seen=None)),
    ),
    case(
        "addresses before a login",
        {"auth-type": "basic", "auth-secret": "users", **_LISTED},
        (Ask(), Want(status=403, seen=None)),
    ),
    case(
        "ACCESS before UPSTREAM",
        {"auth-type": "basic", "auth-secret": "users", **_SMALL},
        (Ask(method="POST", body=b"xx", chunked=True), Want(status=401, seen=None)),
    ),
]

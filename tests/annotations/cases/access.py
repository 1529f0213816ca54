"""Who may: addresses, logins, an auth service, both and either; client certificates."""

import base64
import re

from tests.annotations.case import Ask, Case, Other, Path, Want, case
from tests.annotations.objects import HASHES

NEVER, ALWAYS = "10.0.0.0/8", "127.0.0.0/8"
NOBODY = Want(status=403, seen=None)
DENIED = Want(status=503, seen=None)
BASIC = {"auth-type": "basic", "auth-secret": "users"}


def login(user: str, password: str = "secret") -> Ask:
    token = base64.b64encode(f"{user}:{password}".encode()).decode()
    return Ask(headers={"Authorization": f"Basic {token}"})


CASES: list[Case] = [
    case("these alone", {"allowlist-source-range": ALWAYS}, (Ask(), Want(seen="echo"))),
    case(
        "others not",
        {"whitelist-source-range": f"{NEVER}, 2001:db8::/32"},
        (Ask(), NOBODY),
        shows=("allowlist-source-range",),
    ),
    case(
        "of two spellings the newer",
        {"allowlist-source-range": ALWAYS, "whitelist-source-range": NEVER},
        (Ask(), Want(seen="echo")),
    ),
    case("not these", {"denylist-source-range": "127.0.0.1"}, (Ask(), NOBODY)),
    case(
        "deny goes before allow",
        {"denylist-source-range": ALWAYS, "allowlist-source-range": ALWAYS},
        (Ask(), NOBODY),
    ),
    case("a list that is none denies", {"allowlist-source-range": "ten"}, (Ask(), DENIED)),
    case("these alone, everywhere", {}, (Ask(), NOBODY), config={"whitelist-source-range": NEVER}),
    case(
        "but for one",
        {"allowlist-source-range": ALWAYS},
        (Ask(), Want(seen="echo")),
        config={"whitelist-source-range": NEVER},
    ),
    case("not these, anywhere", {}, (Ask(), NOBODY), config={"denylist-source-range": ALWAYS}),
    case(
        "these connections nowhere",
        {},
        (Ask(), NOBODY),
        (Ask(host="nobody.example"), NOBODY),
        config={"block-cidrs": "127.0.0.1"},
    ),
    case(
        "agents that are blocked",
        {},
        (Ask(headers={"User-Agent": "BadBot/1.0"}), NOBODY),
        (Ask(headers={"User-Agent": "good"}), Want(seen="echo")),
        config={"block-user-agents": "~*badbot"},
    ),
    case(
        "referers that are blocked",
        {},
        (Ask(headers={"Referer": "https://spam.example/x"}), NOBODY),
        (Ask(headers={"Referer": "https://good.example/"}), Want(seen="echo")),
        config={"block-referers": "~spam\\.example"},
    ),
    case(
        "a login",
        {**BASIC, "auth-realm": "Members only"},
        (Ask(), Want(status=401, headers={"www-authenticate": 'Basic realm="Members only"'}, seen=None)),
        (login("bcrypt", "wrong"), Want(status=401, seen=None)),
        (login("nobody"), Want(status=401, seen=None)),
        *((login(user), Want(seen="echo", sent={"authorization": None})) for user in HASHES),
    ),
    case(
        "a login of a map",
        {"auth-type": "basic", "auth-secret": "user-map", "auth-secret-type": "auth-map"},
        *((login(user), Want(seen="echo")) for user in HASHES),
        (login("bcrypt", "wrong"), Want(status=401, seen=None)),
    ),
    case("users that are nowhere", {**BASIC, "auth-secret": "no-such"}, (login("bcrypt"), DENIED)),
    case("a Secret without users", {**BASIC, "auth-secret": "without-users"}, (login("bcrypt"), DENIED)),
    case("users of another namespace", {**BASIC, "auth-secret": "elsewhere/users"}, (login("bcrypt"), DENIED)),
    case(
        "users of another namespace, where that is allowed",
        {**BASIC, "auth-secret": "elsewhere/users"},
        (login("bcrypt"), Want(seen="echo")),
        config={"allow-cross-namespace-resources": "true"},
    ),
    case("half a login", {"auth-type": "basic"}, (Ask(), DENIED)),
    case(
        "certificates are ordered without a login",
        {**BASIC, "ssl-redirect": "false"},
        (Ask(path="/.well-known/acme-challenge/x"), Want(seen="echo")),
        path=Path(path="/.well-known/acme-challenge/x", kind="Exact"),
        shows=("no-auth-locations",),
    ),
    case(
        "other paths without a login",
        BASIC,
        (Ask(path="/open"), Want(seen="echo")),
        (Ask(path="/closed"), Want(status=401, seen=None)),
        paths=(Path(path="/open"), Path(path="/closed")),
        config={"no-auth-locations": "/open"},
    ),
    case(
        "a login or an address",
        {**BASIC, "satisfy": "any", "allowlist-source-range": ALWAYS},
        (Ask(), Want(seen="echo")),
    ),
    case(
        "a login in spite of an address",
        {**BASIC, "satisfy": "any", "allowlist-source-range": NEVER},
        (Ask(), Want(status=401, seen=None)),
        (login("sha"), Want(seen="echo")),
    ),
    case(
        "a login and an address",
        {**BASIC, "satisfy": "all", "allowlist-source-range": NEVER},
        (login("sha"), NOBODY),
    ),
    case(
        "a risk that is too high keeps an Ingress out",
        {"server-alias": "risky.example"},
        (Ask(), Want(status=404, seen=None)),
        is_served=False,
        config={"annotations-risk-level": "Medium"},
    ),
    case(
        "a snippet where they are off keeps an Ingress out, and its paths closed",
        {"configuration-snippet": "deny all;"},
        (Ask(), DENIED),
        shows=("allow-snippet-annotations",),
    ),
    case(
        "a snippet that kept somebody out denies",
        {"configuration-snippet": "deny all;"},
        (Ask(), DENIED),
        config={"allow-snippet-annotations": "true", "annotations-risk-level": "Critical"},
    ),
    case(
        "until it is written in another way",
        {"configuration-snippet": "deny 10.0.0.0/8;", "ingressd.io/denylist-source-range": "10.0.0.0/8"},
        (Ask(), Want(seen="echo")),
        config={"allow-snippet-annotations": "true", "annotations-risk-level": "Critical"},
    ),
    case(
        "what is denied hurts nobody else",
        {"allowlist-source-range": "ten"},
        (Ask(path="/a"), DENIED),
        (Ask(path="/b"), Want(seen="other")),
        path=Path(path="/a"),
        others=(Other(paths=(Path(path="/b", service="other"),)),),
    ),
]

AUTH = {"auth-url": "http://{auth}/check"}
ALLOW, FORBID = {"status": 200}, {"status": 403}

EXTERNAL: list[Case] = [
    case(
        "an auth service says yes",
        AUTH,
        (
            Ask(path="/x?a=1", method="POST", body=b"body", auth=ALLOW),
            Want(
                seen="echo",
                saw={
                    "auth": {
                        ":method": "GET",
                        ":target": "/check",
                        ":body": "",
                        "host": "{auth}",
                        "x-original-url": "http://{host}/x?a=1",
                        "x-original-method": "POST",
                        "x-real-ip": "127.0.0.1",
                        "x-auth-request-redirect": "/x?a=1",
                        "x-sent-from": "nginx-ingress-controller",
                        "content-length": None,
                    }
                },
            ),
        ),
    ),
    case("no", AUTH, (Ask(auth=FORBID), Want(status=403, seen=None))),
    case(
        "not without a login",
        AUTH,
        (
            Ask(auth={"status": 401, "headers": [["WWW-Authenticate", 'Basic realm="there"']]}),
            Want(status=401, headers={"www-authenticate": 'Basic realm="there"'}, seen=None),
        ),
    ),
    case("something else", AUTH, (Ask(auth={"status": 302}), Want(status=500, seen=None))),
    case(
        "nothing",
        {"auth-url": "http://127.0.0.1:1/"},
        (Ask(), Want(status=500, seen=None)),
    ),
    case("an address that is none", {"auth-url": "https://invalid..auth.url"}, (Ask(), DENIED)),
    case(
        "the way to sign in",
        {**AUTH, "auth-signin": "https://login.example/start"},
        (
            Ask(path="/x?a=1&b=2", auth={"status": 401}),
            Want(
                status=302,
                headers={"location": "https://login.example/start?rd=http://{host}%2Fx%3Fa%3D1%26b%3D2"},
                seen=None,
            ),
        ),
        (Ask(auth=FORBID), Want(status=403, seen=None)),
    ),
    case(
        "with a parameter of its own",
        {**AUTH, "auth-signin": "https://login.example/start?a=1", "auth-signin-redirect-param": "back"},
        (
            Ask(path="/x", auth={"status": 401}),
            Want(status=302, headers={"location": re.compile(r"^https://login\.example/start\?a=1&back=http")}),
        ),
    ),
    case(
        "what it says of a user goes upstream",
        {**AUTH, "auth-response-headers": "X-User, X-Email"},
        (
            Ask(headers={"X-User": "forged", "X-Email": "forged"}, auth={"headers": [["X-User", "ann"]]}),
            Want(seen="echo", sent={"x-user": "ann", "x-email": None}),
        ),
    ),
    case(
        "its cookies go to the client",
        AUTH,
        (Ask(auth={"headers": [["Set-Cookie", "session=1"]]}), Want(headers={"set-cookie": "session=1"})),
        (
            Ask(auth={"headers": [["Set-Cookie", "session=1"]]}, answer={"status": 404}),
            Want(status=404, headers={"set-cookie": None}),
        ),
    ),
    case(
        "always",
        {**AUTH, "auth-always-set-cookie": "true"},
        (
            Ask(auth={"headers": [["Set-Cookie", "session=1"]]}, answer={"status": 404}),
            Want(status=404, headers={"set-cookie": "session=1"}),
        ),
    ),
    case(
        "asked in another way",
        {
            **AUTH,
            "auth-method": "POST",
            "auth-request-redirect": "https://here.example/",
            "auth-proxy-set-headers": "default/headers",
        },
        (
            Ask(path="/x"),
            Want(
                seen="echo",
                saw={
                    "auth": {
                        ":method": "POST",
                        "x-auth-request-redirect": "https://here.example/",
                        "x-set": "by us",
                        "x-original-uri": "/x",
                        "x-scheme": "http",
                    }
                },
            ),
        ),
    ),
    case(
        "headers for it that are nowhere",
        {**AUTH, "auth-proxy-set-headers": "default/no-such"},
        (Ask(), DENIED),
    ),
    case(
        "an answer that is kept",
        {**AUTH, "auth-cache-key": "$remote_user$http_authorization", "auth-cache-duration": "200 401 10m"},
        (Ask(headers={"Authorization": "a"}, auth=ALLOW), Want(seen="echo")),
        (Ask(headers={"Authorization": "a"}, auth=FORBID), Want(seen="echo")),
        (Ask(headers={"Authorization": "b"}, auth=FORBID), Want(status=403, seen=None)),
    ),
    case(
        "one for everybody",
        {},
        (Ask(auth=ALLOW), Want(seen="echo")),
        (Ask(auth=FORBID), Want(status=403, seen=None)),
        (
            Ask(auth={"status": 401}),
            Want(status=302, headers={"location": re.compile(r"^https://login\.example/\?rd=")}, seen=None),
        ),
        (Ask(auth={"headers": [["X-User", "ann"]]}), Want(sent={"x-user": "ann"})),
        config={
            "global-auth-url": "http://{auth}/global",
            "global-auth-signin": "https://login.example/",
            "global-auth-response-headers": "X-User",
        },
    ),
    case(
        "one for everybody, asked in another way",
        {},
        (
            Ask(auth={"status": 401}),
            Want(
                status=302,
                headers={"location": re.compile(r"^https://login\.example/\?back=")},
                seen=None,
                saw={"auth": {":method": "POST", "x-auth-request-redirect": "https://here.example/"}},
            ),
        ),
        config={
            "global-auth-url": "http://{auth}/global",
            "global-auth-method": "POST",
            "global-auth-signin": "https://login.example/",
            "global-auth-signin-redirect-param": "back",
            "global-auth-request-redirect": "https://here.example/",
        },
    ),
    case(
        "but not for this one",
        {"enable-global-auth": "false"},
        (Ask(auth=FORBID), Want(seen="echo")),
        config={
            "global-auth-url": "http://{auth}/global",
            "global-auth-signin": "https://login.example/",
            "global-auth-response-headers": "X-User",
        },
    ),
]

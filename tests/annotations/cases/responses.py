"""What clients get: error pages, headers, HSTS; and copies for somebody else."""

import re

from tests.annotations.case import Ask, Case, Path, Want, case

ALLOWED = {"global-allowed-response-headers": "X-Set,X-Other"}
YEAR = "max-age=31536000; includeSubDomains"


def hsts(value: str | None) -> tuple[Ask, Want]:
    return Ask(tls=True), Want(headers={"strict-transport-security": value})


CASES: list[Case] = [
    case(
        "the Server of the upstream is hidden",
        {},
        (Ask(), Want(headers={"server": None})),
        (Ask(tls=True), Want(headers={"server": None})),
        shows=("server-tokens",),
    ),
    case(
        "a backend for when there is none",
        {"default-backend": "errors"},
        (
            Ask(path="/x"),
            Want(
                seen="errors",
                target="/x",
                sent={"x-code": "503", "x-namespace": "default", "x-service-name": "none", "x-service-port": "8080"},
            ),
        ),
        path=Path(service="none"),
    ),
    case(
        "errors are answered by another",
        {"custom-http-errors": "404,503", "default-backend": "errors"},
        (
            Ask(path="/x", answer={"status": 404}),
            Want(seen="errors", target="/", sent={"x-code": "404", "x-original-uri": "/x", "x-service-name": "echo"}),
        ),
        (Ask(path="/x", answer={"status": 500}), Want(status=500, seen="echo")),
    ),
    case(
        "no page stands for what is denied",
        {
            "custom-http-errors": "503",
            "default-backend": "errors",
            "auth-type": "basic",
            "auth-secret": "without-users",
        },
        (Ask(path="/x"), Want(status=503, seen=None)),
    ),
    case(
        "errors are left to the application",
        {"custom-http-errors": "404", "default-backend": "errors", "disable-proxy-intercept-errors": "true"},
        (Ask(path="/x", answer={"status": 404, "body": "mine"}), Want(status=404, body="mine")),
    ),
    case(
        "errors of everybody",
        {"default-backend": "errors"},
        (Ask(answer={"status": 418}), Want(seen="errors", sent={"x-code": "418"})),
        config={"custom-http-errors": "418"},
    ),
    case(
        "errors of everybody, but for this one",
        {"default-backend": "errors", "custom-http-errors": "500"},
        (Ask(answer={"status": 418}), Want(status=418)),
        config={"custom-http-errors": "418"},
    ),
    case(
        "headers of a ConfigMap",
        {"custom-headers": "default/headers"},
        (Ask(answer={"headers": [["X-Set", "by them"]]}), Want(headers={"x-set": "by us", "x-other": "too"})),
        config=ALLOWED,
    ),
    case(
        "headers that nobody allowed",
        {"custom-headers": "default/more-headers"},
        (Ask(), Want(status=503, seen=None)),
        config=ALLOWED,
    ),
    case(
        "headers that are nowhere",
        {"custom-headers": "default/no-such"},
        (Ask(), Want(status=503, seen=None)),
        config=ALLOWED,
    ),
    case(
        "headers for everybody",
        {},
        (Ask(), Want(headers={"x-set": "by us"})),
        (Ask(host="nobody.example"), Want(status=404, headers={"x-set": "by us"})),
        config={"add-headers": "default/headers"},
    ),
    case(
        "headers for nobody",
        {},
        (
            Ask(answer={"headers": [["X-Powered-By", "x"], ["X-Kept", "y"]]}),
            Want(headers={"x-powered-by": None, "x-kept": "y"}),
        ),
        config={"hide-headers": "X-Powered-By"},
    ),
    case(
        "or shown",
        {},
        (Ask(answer={"headers": [["Server", "mine"]]}), Want(headers={"server": re.compile("^mine")})),
        config={"allow-backend-server-header": "true"},
    ),
    case("HSTS for every host with TLS", {}, hsts(YEAR), tls=True, shows=("hsts",)),
    case(
        "HSTS for what no path answers, too",
        {},
        (Ask(path="/b", tls=True), Want(status=404, headers={"strict-transport-security": YEAR})),
        path=Path(path="/a"),
        tls=True,
        shows=("hsts",),
    ),
    case("no HSTS over plain HTTP", {}, (Ask(), Want(headers={"strict-transport-security": None})), shows=("hsts",)),
    case(
        "HSTS replaces the upstream's",
        {},
        (Ask(tls=True, answer={"headers": [["Strict-Transport-Security", "max-age=1"]]}), hsts(YEAR)[1]),
        tls=True,
        shows=("hsts",),
    ),
    case("no HSTS", {}, hsts(None), tls=True, config={"hsts": "false"}),
    case(
        "HSTS of one's own",
        {},
        hsts("max-age=60; preload"),
        tls=True,
        config={"hsts-max-age": "60", "hsts-include-subdomains": "false", "hsts-preload": "true"},
    ),
    case(
        "copies for another",
        {"mirror-target": "http://{mirror}$request_uri", "mirror-request-body": "on"},
        (
            Ask(path="/x?a=1", method="POST", body=b"copy"),
            Want(seen="echo", saw={"mirror": {":target": "/x?a=1", ":body": "copy", ":method": "POST"}}),
        ),
    ),
    case(
        "copies without bodies, to a name",
        {"mirror-target": "http://{mirror}/m", "mirror-request-body": "off", "mirror-host": "copy.example"},
        (
            Ask(path="/x", method="POST", body=b"copy"),
            Want(seen="echo", saw={"mirror": {":target": "/m", ":body": "", "host": "copy.example"}}),
        ),
    ),
    case(
        "our own headers",
        {
            "ingressd.io/request-headers-set": "X-Source: ingress",
            "ingressd.io/request-headers-remove": "X-Debug",
            "ingressd.io/response-headers-set": "X-Frame-Options: DENY",
            "ingressd.io/response-headers-remove": "X-Powered-By",
        },
        (
            Ask(headers={"X-Debug": "1", "X-Source": "client"}, answer={"headers": [["X-Powered-By", "x"]]}),
            Want(
                headers={"x-frame-options": "DENY", "x-powered-by": None},
                sent={"x-source": "ingress", "x-debug": None},
            ),
        ),
    ),
    case("our own answer", {"ingressd.io/respond": "403 closed"}, (Ask(), Want(status=403, body="closed", seen=None))),
    case(
        "agents nobody wants here",
        {"ingressd.io/deny-user-agents": "(?i)badbot"},
        (Ask(headers={"User-Agent": "BadBot/1"}), Want(status=403, seen=None)),
        (Ask(headers={"User-Agent": "curl"}), Want(seen="echo")),
    ),
]

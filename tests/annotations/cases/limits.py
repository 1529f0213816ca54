"""Rates, connections, bandwidth; CORS."""

import re

from tests.annotations.case import Ask, Case, Path, Want, case

FULL = Want(status=503, seen=None)
OK = Want(seen="echo")
ORIGIN = {"Origin": "https://app.example"}
METHODS = "GET, PUT, POST, DELETE, PATCH, OPTIONS"
FIELDS = "DNT,Keep-Alive,User-Agent,X-Requested-With,If-Modified-Since,Cache-Control,Content-Type,Range,Authorization"


def preflight(**headers: str) -> Ask:
    return Ask(method="OPTIONS", headers=ORIGIN | {"Access-Control-Request-Method": "PUT"} | headers)


CASES: list[Case] = [
    case("one a minute, and five at once", {"limit-rpm": "1"}, (Ask(again=6), OK), (Ask(), FULL)),
    case(
        "another burst",
        {"limit-rpm": "1", "limit-burst-multiplier": "2"},
        (Ask(again=3), OK),
        (Ask(again=2), FULL),
    ),
    case("a second's worth", {"limit-rps": "1", "limit-burst-multiplier": "100"}, (Ask(again=20), OK)),
    case(
        "one count for all paths of an Ingress",
        {"limit-rpm": "1", "limit-burst-multiplier": "1"},
        (Ask(path="/a"), OK),
        (Ask(path="/b"), OK),
        (Ask(path="/a"), FULL),
        paths=(Path(path="/a"), Path(path="/b")),
    ),
    case(
        "not for those on a list",
        {"limit-rpm": "1", "limit-burst-multiplier": "1", "limit-allowlist": "127.0.0.0/8"},
        (Ask(again=8), OK),
    ),
    case(
        "the list by its old name",
        {"limit-rpm": "1", "limit-burst-multiplier": "1", "limit-whitelist": "10.0.0.0/8"},
        (Ask(again=2), OK),
        (Ask(), FULL),
        shows=("limit-allowlist",),
    ),
    case("connections, one after the other", {"limit-connections": "1"}, (Ask(again=3), OK)),
    case(
        "another status",
        {"limit-rpm": "1", "limit-burst-multiplier": "1"},
        (Ask(again=2), OK),
        (Ask(), Want(status=429, seen=None)),
        config={"limit-req-status-code": "429", "limit-conn-status-code": "429"},
    ),
    case(
        "bandwidth",
        {"limit-rate": "1024", "limit-rate-after": "64"},
        (Ask(answer={"body": "x" * 6000}), Want(body="x" * 6000)),
    ),
    case(
        "CORS on every answer",
        {"enable-cors": "true"},
        (
            Ask(headers=ORIGIN, answer={"headers": [["Access-Control-Allow-Origin", "theirs"]]}),
            Want(
                seen="echo",
                headers={
                    "access-control-allow-origin": "*",
                    "access-control-allow-credentials": "true",
                    "access-control-allow-methods": METHODS,
                    "access-control-allow-headers": FIELDS,
                    "access-control-max-age": "1728000",
                },
            ),
        ),
    ),
    case(
        "CORS asked before",
        {"enable-cors": "true"},
        (
            preflight(),
            Want(
                status=204,
                seen=None,
                headers={
                    "access-control-allow-origin": "*",
                    "access-control-allow-methods": METHODS,
                    "access-control-max-age": "1728000",
                    "content-type": re.compile("^text/plain"),
                },
            ),
        ),
    ),
    case(
        "all of it said",
        {
            "enable-cors": "true",
            "cors-allow-origin": "https://*.sub.example, https://two.example:8443",
            "cors-allow-methods": "GET, PUT",
            "cors-allow-headers": "X-One, X-Two",
            "cors-expose-headers": "X-Three",
            "cors-allow-credentials": "false",
            "cors-max-age": "60",
        },
        (
            preflight(Origin="https://one.sub.example"),
            Want(
                status=204,
                seen=None,
                headers={
                    "access-control-allow-origin": "https://one.sub.example",
                    "access-control-allow-methods": "GET, PUT",
                    "access-control-allow-headers": "X-One, X-Two",
                    "access-control-expose-headers": "X-Three",
                    "access-control-allow-credentials": None,
                    "access-control-max-age": "60",
                },
            ),
        ),
        (
            Ask(headers={"Origin": "https://two.example:8443"}),
            Want(headers={"access-control-allow-origin": "https://two.example:8443"}),
        ),
        (
            Ask(method="OPTIONS", headers={"Origin": "https://two.example"}),
            Want(seen="echo", method="OPTIONS", headers={"access-control-allow-origin": None}),
        ),
    ),
    case(
        "no CORS unless asked for",
        {},
        (preflight(), Want(seen="echo", headers={"access-control-allow-origin": None})),
        shows=("enable-cors",),
    ),
]

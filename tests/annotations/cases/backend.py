"""Traffic to the backend: protocol, timeouts, sizes, retries, who gets a request."""

import re

from tests.annotations.case import Ask, Case, Other, Path, Want, case

PAIR, SECURE = Path(service="pair"), Path(service="secure")
STALL = {"stall": True}
ONCE_503 = {"first": {"status": 503}}

CASES: list[Case] = [
    case(
        "plain HTTP, whatever the case of the word",
        {"backend-protocol": "http"},
        (Ask(path="/x"), Want(seen="echo", target="/x")),
    ),
    case(
        "TLS to the backend, without a name and without looking at its certificate",
        {"backend-protocol": "HTTPS"},
        (Ask(path="/x"), Want(seen="secure", target="/x")),
        path=SECURE,
    ),
    case(
        "the scheme of the client",
        {"backend-protocol": "AUTO_HTTP", "ssl-redirect": "false"},
        (Ask(path="/x"), Want(seen="echo")),
        (Ask(path="/s", tls=True), Want(seen="secure")),
        paths=(Path(path="/x"), Path(path="/s", service="secure")),
        tls=True,
    ),
    case("an endpoint that says nothing", {"proxy-read-timeout": "1"}, (Ask(answer=STALL), Want(status=504))),
    case(
        "an address where nobody is",
        {"proxy-connect-timeout": "1", "proxy-next-upstream-tries": "1"},
        (Ask(path="/x"), Want(seen="echo")),
    ),
    case("a time to write", {"proxy-send-timeout": "5"}, (Ask(method="POST", body=b"x" * 9), Want(seen="echo"))),
    case(
        "a timeout for everybody",
        {},
        (Ask(answer=STALL), Want(status=504)),
        config={"proxy-read-timeout": "1"},
    ),
    case(
        "timeouts of the ConfigMap are defaults",
        {"proxy-read-timeout": "30"},
        (Ask(answer={"first": {"drop": True}}), Want()),
        config={"proxy-read-timeout": "1", "proxy-connect-timeout": "2", "proxy-send-timeout": "3"},
    ),
    case(
        "a small body only",
        {"proxy-body-size": "1k"},
        (Ask(method="POST", body=b"x" * 1024), Want(seen="echo")),
        (Ask(method="POST", body=b"x" * 1025), Want(status=413, seen=None)),
        (Ask(method="POST", body=b"x" * 1025, chunked=True), Want(status=413)),
    ),
    case(
        "no limit",
        {"proxy-body-size": "0"},
        (Ask(method="POST", body=b"x" * (2 << 20)), Want(seen="echo")),
    ),
    case(
        "1 MiB when nobody says anything",
        {},
        (Ask(method="POST", body=b"x" * (1 << 20)), Want(seen="echo")),
        (Ask(method="POST", body=b"x" * ((1 << 20) + 1)), Want(status=413, seen=None)),
        shows=("proxy-body-size",),
    ),
    case(
        "a body size for everybody",
        {},
        (Ask(method="POST", body=b"x" * 2049), Want(status=413, seen=None)),
        config={"proxy-body-size": "2k"},
    ),
    case(
        "a body read whole",
        {"proxy-request-buffering": "on"},
        (Ask(method="POST", body=b"x" * 9000, chunked=True), Want(seen="echo", saw={"echo": {":body": "x" * 9000}})),
    ),
    case(
        "a body streamed",
        {"proxy-request-buffering": "off"},
        (Ask(method="POST", body=b"x" * 9000, chunked=True), Want(saw={"echo": {":body": "x" * 9000}})),
    ),
    case(
        "large headers of an answer",
        {"proxy-buffer-size": "32k"},
        (Ask(answer={"headers": [["X-Large", "y" * 7000]]}), Want(headers={"x-large": re.compile("y{7000}")})),
    ),
    case(
        "the oldest HTTP",
        {"proxy-http-version": "1.0"},
        (Ask(path="/x"), Want(target="/x", sent={"transfer-encoding": None})),
    ),
    case(
        "the Host of somebody else",
        {"upstream-vhost": "internal.example"},
        (Ask(), Want(sent={"host": "internal.example", "x-forwarded-host": "{host}"})),
    ),
    case(
        "the address of the Service",
        {"service-upstream": "true"},
        (Ask(again=6), Want(seen="pair", endpoints=1)),
        path=PAIR,
    ),
    case(
        "the address of the Service, for all",
        {},
        (Ask(), Want(seen="pair")),
        path=PAIR,
        config={"service-upstream": "true"},
    ),
    case("round robin", {"load-balance": "round_robin"}, (Ask(again=8), Want(seen="pair", endpoints=2)), path=PAIR),
    case("the least latency", {"load-balance": "ewma"}, (Ask(again=4), Want(seen="pair")), path=PAIR),
    case(
        "the least latency for all", {}, (Ask(again=4), Want(seen="pair")), path=PAIR, config={"load-balance": "ewma"}
    ),
    case(
        "one endpoint for one URI",
        {"upstream-hash-by": "$request_uri"},
        (Ask(path="/x", again=8), Want(seen="pair", endpoints=1)),
        path=PAIR,
    ),
    case(
        "a subset for one URI",
        {"upstream-hash-by": "$arg_k", "upstream-hash-by-subset": "true", "upstream-hash-by-subset-size": "1"},
        (Ask(path="/?k=7", again=8), Want(seen="pair", endpoints=1)),
        path=PAIR,
    ),
    case(
        "another endpoint after a 503",
        {"proxy-next-upstream": "error http_503"},
        (Ask(answer=ONCE_503), Want(seen="pair", endpoints=2)),
        path=PAIR,
    ),
    case(
        "no other endpoint for what may not be sent twice",
        {"proxy-next-upstream": "error http_503"},
        (Ask(method="POST", body=b"x", answer=ONCE_503), Want(status=503)),
        path=PAIR,
    ),
    case(
        "unless they say so",
        {"proxy-next-upstream": "error http_503 non_idempotent"},
        (Ask(method="POST", body=b"x", answer=ONCE_503), Want()),
        path=PAIR,
    ),
    case(
        "one try",
        {"proxy-next-upstream": "error http_503", "proxy-next-upstream-tries": "1"},
        (Ask(answer=ONCE_503), Want(status=503)),
        path=PAIR,
    ),
    case(
        "no other endpoint at all",
        {"proxy-next-upstream": "off"},
        (Ask(answer=ONCE_503), Want(status=503)),
        path=PAIR,
    ),
    case(
        "another endpoint after a 503, for everybody",
        {},
        (Ask(answer=ONCE_503), Want()),
        path=PAIR,
        config={"proxy-next-upstream": "http_503", "proxy-next-upstream-tries": "2"},
    ),
    case(
        "what may not be sent twice, sent twice for everybody",
        {"proxy-next-upstream": "http_503"},
        (Ask(method="POST", body=b"x", answer=ONCE_503), Want()),
        path=PAIR,
        config={"retry-non-idempotent": "true"},
    ),
    case(
        "cookies of another domain",
        {"proxy-cookie-domain": "internal www.example.com"},
        (
            Ask(answer={"headers": [["Set-Cookie", "a=1; Domain=internal; Path=/x"]]}),
            Want(headers={"set-cookie": "a=1; Domain=www.example.com; Path=/x"}),
        ),
    ),
    case(
        "cookies of another path",
        {"proxy-cookie-path": "/one/ /"},
        (
            Ask(answer={"headers": [["Set-Cookie", "a=1; Path=/one/two"]]}),
            Want(headers={"set-cookie": "a=1; Path=/two"}),
        ),
    ),
    case(
        "a Connection of one's own",
        {"connection-proxy-header": "close"},
        (Ask(), Want(seen="echo", sent={"connection": re.compile("^close$", re.IGNORECASE)})),
    ),
    case("nobody is there", {}, (Ask(), Want(status=503)), path=Path(service="none"), shows=("no-endpoints",)),
    case(
        "a Service of another is left alone",
        {"upstream-vhost": "one.example"},
        (Ask(path="/a"), Want(sent={"host": "one.example"})),
        (Ask(path="/b"), Want(sent={"host": "{host}"})),
        path=Path(path="/a"),
        others=(Other(paths=(Path(path="/b"),)),),
    ),
]

"""Redirects: to HTTPS, to somewhere else, between www and not."""

from tests.annotations.case import Ask, Case, Other, Path, Want, case

OFF = {"ssl-redirect": "false"}


def to(location: str, status: int = 308) -> Want:
    return Want(status=status, headers={"location": location}, seen=None)


CASES: list[Case] = [
    case(
        "hosts with TLS redirect to it",
        {},
        (Ask(path="/x?a=1"), to("https://{host}/x?a=1")),
        (Ask(path="/"), to("https://{host}")),
        (Ask(path="/x/"), to("https://{host}/x")),
        (Ask(path="/x", tls=True), Want(sent={"x-forwarded-proto": "https"})),
        tls=True,
        shows=("ssl-redirect",),
    ),
    case("unless they say no", OFF, (Ask(path="/x"), Want(target="/x")), tls=True),
    case("hosts without TLS do not", {}, (Ask(path="/x"), Want(target="/x")), shows=("ssl-redirect",)),
    case("unless forced", {"force-ssl-redirect": "true"}, (Ask(path="/x"), to("https://{host}/x"))),
    case(
        "certificates are still ordered over HTTP",
        {"force-ssl-redirect": "true"},
        (Ask(path="/.well-known/acme-challenge/token"), Want(target="/.well-known/acme-challenge/token")),
        path=Path(path="/.well-known/acme-challenge/token", kind="Exact"),
        shows=("no-tls-redirect-locations",),
    ),
    case(
        "the closing slash is kept when asked to",
        {"force-ssl-redirect": "true", "preserve-trailing-slash": "true"},
        (Ask(path="/x/"), to("https://{host}/x/")),
    ),
    case(
        "the port is named when asked to",
        {"force-ssl-redirect": "true", "use-port-in-redirects": "true"},
        (Ask(path="/x"), to("https://{host}:{https}/x")),
    ),
    case(
        "another status for redirects to HTTPS",
        {"force-ssl-redirect": "true"},
        (Ask(path="/x"), to("https://{host}/x", 301)),
        config={"http-redirect-code": "301"},
    ),
    case(
        "HTTPS for everybody",
        {},
        (Ask(path="/x"), to("https://{host}/x")),
        config={"force-ssl-redirect": "true"},
    ),
    case(
        "no redirect to HTTPS for anybody",
        {},
        (Ask(path="/x"), Want(target="/x")),
        config={"ssl-redirect": "false"},
        tls=True,
    ),
    case(
        "other paths that never redirect",
        {"force-ssl-redirect": "true"},
        (Ask(path="/plain/x"), Want(target="/plain/x")),
        (Ask(path="/other"), to("https://{host}/other")),
        paths=(Path(path="/plain/x"), Path(path="/other")),
        config={"no-tls-redirect-locations": "/plain"},
    ),
    case(
        "a permanent redirect, whatever is asked",
        {"permanent-redirect": "https://new.example/here"},
        (Ask(path="/x?a=1"), to("https://new.example/here", 301)),
    ),
    case(
        "with another status",
        {"permanent-redirect": "https://new.example/", "permanent-redirect-code": "308"},
        (Ask(), to("https://new.example/", 308)),
    ),
    case(
        "a status that is none of redirects is 301",
        {"permanent-redirect": "https://new.example/", "permanent-redirect-code": "200"},
        (Ask(), to("https://new.example/", 301)),
    ),
    case(
        "a permanent redirect to a path is made absolute",
        {"permanent-redirect": "/here"},
        (Ask(path="/x"), to("http://{host}/here", 301)),
    ),
    case(
        "or stays relative",
        {"permanent-redirect": "/here", "relative-redirects": "true"},
        (Ask(path="/x"), to("/here", 301)),
    ),
    case(
        "relative for everybody",
        {"permanent-redirect": "/here"},
        (Ask(path="/x"), to("/here", 301)),
        config={"relative-redirects": "true"},
    ),
    case(
        "a temporal redirect wins over a permanent one",
        {"temporal-redirect": "https://new.example/t", "permanent-redirect": "https://new.example/p"},
        (Ask(), to("https://new.example/t", 302)),
    ),
    case(
        "with another status too",
        {"temporal-redirect": "https://new.example/t", "temporal-redirect-code": "307"},
        (Ask(), to("https://new.example/t", 307)),
    ),
    case(
        "from www",
        {"from-to-www-redirect": "true"},
        (Ask(host="www.bare-two.example", path="/x?a=1"), to("http://bare-two.example:{http}/x?a=1")),
        (Ask(path="/x"), Want(target="/x")),
        host="bare-two.example",
    ),
    case(
        "to www",
        {"from-to-www-redirect": "true"},
        (Ask(host="bare.example", path="/x/"), to("http://www.bare.example:{http}/x")),
        host="www.bare.example",
    ),
    case(
        "www that is somebody's own is left alone",
        {"from-to-www-redirect": "true"},
        (Ask(host="www.taken.example"), Want(seen="other")),
        host="taken.example",
        others=(Other(host="www.taken.example", paths=(Path(service="other"),)),),
    ),
    case(
        "Location of the upstream passes unchanged",
        {},
        (
            Ask(answer={"status": 302, "headers": [["Location", "http://internal/x"]]}),
            Want(status=302, headers={"location": "http://internal/x"}),
        ),
        shows=("proxy-redirect-from", "proxy-redirect-to"),
    ),
    case(
        "or rewritten",
        {"proxy-redirect-from": "http://internal/", "proxy-redirect-to": "https://outside.example/"},
        (
            Ask(answer={"status": 302, "headers": [["Location", "http://internal/x"]]}),
            Want(status=302, headers={"location": "https://outside.example/x"}),
        ),
    ),
]

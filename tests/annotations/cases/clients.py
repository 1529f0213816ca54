"""What clients and proxies in front say of themselves; compression; all of it by ConfigMap."""

import re

from tests.annotations.case import Ask, Case, Other, Path, Want, case

FORWARDED = {
    "X-Forwarded-For": "203.0.113.7, 198.51.100.1",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "outside.example",
    "X-Forwarded-Port": "8443",
}
FORWARDED_BY_ONE = {"X-Forwarded-For": "198.51.100.9", "X-Forwarded-Proto": "https"}
BEHIND_BOTH = {"use-proxy-protocol": "true", "proxy-real-ip-cidr": "127.0.0.0/8,203.0.113.0/24"}
TRUSTED = {"use-forwarded-headers": "true", "proxy-real-ip-cidr": "127.0.0.0/8,198.51.100.0/24"}
LONG = "a" * 2000
TEXT = {"headers": [["Content-Type", "text/plain"]], "body": LONG}

CASES: list[Case] = [
    case(
        "what a client says of itself is not believed",
        {},
        (
            Ask(headers=FORWARDED),
            Want(
                sent={
                    "x-forwarded-for": "127.0.0.1",
                    "x-real-ip": "127.0.0.1",
                    "x-forwarded-proto": "http",
                    "x-forwarded-scheme": "http",
                    "x-scheme": "http",
                    "x-forwarded-host": "{host}",
                    "x-forwarded-port": "{http}",
                    "x-request-id": re.compile("^[0-9a-f]{32}$"),
                    "x-original-forwarded-for": "203.0.113.7, 198.51.100.1",
                    "x-original-forwarded-host": "outside.example",
                }
            ),
        ),
        shows=("use-forwarded-headers", "compute-full-forwarded-for"),
    ),
    case(
        "what a proxy in front says is",
        {},
        (
            Ask(headers=FORWARDED),
            Want(
                sent={
                    "x-forwarded-for": "203.0.113.7",
                    "x-real-ip": "203.0.113.7",
                    "x-forwarded-proto": "https",
                    "x-forwarded-host": "outside.example",
                    "x-forwarded-port": "8443",
                }
            ),
        ),
        config=TRUSTED,
    ),
    case(
        "not of anybody's",
        {},
        (Ask(headers=FORWARDED), Want(sent={"x-forwarded-for": "127.0.0.1", "x-forwarded-proto": "http"})),
        config={"use-forwarded-headers": "true", "proxy-real-ip-cidr": "10.0.0.0/8"},
    ),
    case(
        "the host in front is the upstream's Host, unless the route names another",
        {"custom-http-errors": "404", "default-backend": "errors"},
        (
            Ask(path="/x", headers={"X-Forwarded-Host": "first.example, second.example,third.example"}),
            Want(seen="echo", sent={"host": "first.example", "x-forwarded-host": "first.example"}),
        ),
        (
            Ask(path="/x", headers={"X-Forwarded-Host": "no host"}),
            Want(seen="echo", sent={"host": "{host}", "x-forwarded-host": "{host}"}),
        ),
        (
            Ask(path="/x", headers={"X-Forwarded-Host": "first.example"}, answer={"status": 404}),
            Want(seen="errors", sent={"host": "first.example"}),
        ),
        (
            Ask(path="/named", headers={"X-Forwarded-Host": "first.example"}),
            Want(sent={"host": "named.example", "x-forwarded-host": "first.example"}),
        ),
        (
            Ask(path="/plain", headers={"X-Forwarded-Host": "first.example"}),
            Want(sent={"host": "first.example", "x-forwarded-host": "first.example"}),
        ),
        path=Path(path="/x"),
        others=(
            Other(annotations={"upstream-vhost": "named.example"}, paths=(Path(path="/named"),)),
            Other(paths=(Path(path="/plain"),)),
        ),
        config=TRUSTED,
    ),
    case(
        "what nobody in front says is not the upstream's Host",
        {},
        (Ask(headers={"X-Forwarded-Host": "first.example"}), Want(sent={"host": "{host}"})),
        config={"use-forwarded-headers": "true", "proxy-real-ip-cidr": "10.0.0.0/8"},
    ),
    case(
        "https in front needs no redirect",
        {"force-ssl-redirect": "true"},
        (Ask(path="/x", headers={"X-Forwarded-Proto": "https"}), Want(seen="echo")),
        (Ask(path="/x"), Want(status=308, headers={"location": "https://{host}/x"})),
        config=TRUSTED,
    ),
    case(
        "the address in front is who is limited",
        {"allowlist-source-range": "203.0.113.0/24"},
        (Ask(headers=FORWARDED), Want(seen="echo")),
        (Ask(), Want(status=403, seen=None)),
        config=TRUSTED,
    ),
    case(
        "the whole way",
        {},
        (Ask(headers=FORWARDED), Want(sent={"x-forwarded-for": "203.0.113.7, 198.51.100.1, 127.0.0.1"})),
        config={**TRUSTED, "compute-full-forwarded-for": "true"},
    ),
    case(
        "in another field",
        {},
        (Ask(headers={"CF-Connecting-IP": "203.0.113.9"}), Want(sent={"x-real-ip": "203.0.113.9"})),
        config={**TRUSTED, "forwarded-for-header": "CF-Connecting-IP"},
    ),
    case(
        "the host in another field",
        {},
        (Ask(headers={"X-Outside": "outside.example"}), Want(sent={"x-forwarded-host": "outside.example"})),
        config={**TRUSTED, "forwarded-host-header": "X-Outside"},
    ),
    case(
        "gzip of some types only",
        {},
        (Ask(headers={"Accept-Encoding": "gzip"}, answer=TEXT), Want(headers={"content-encoding": None})),
        config={"use-gzip": "true", "gzip-types": "text/css"},
    ),
    case(
        "the address alone",
        {},
        (
            Ask(headers=FORWARDED),
            Want(sent={"x-real-ip": "203.0.113.7", "x-forwarded-proto": "http", "x-forwarded-host": "{host}"}),
        ),
        config={"enable-real-ip": "true", "proxy-real-ip-cidr": "127.0.0.0/8,198.51.100.0/24"},
    ),
    case(
        "the PROXY protocol, first version",
        {},
        (
            Ask(proxy_header=b"PROXY TCP4 203.0.113.5 192.0.2.1 56324 443\r\n"),
            Want(sent={"x-real-ip": "203.0.113.5"}),
        ),
        config={"use-proxy-protocol": "true", "proxy-real-ip-cidr": "127.0.0.0/8"},
    ),
    case(
        "the PROXY protocol, second version",
        {},
        (
            Ask(
                proxy_header=b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c"
                + bytes((203, 0, 113, 6, 192, 0, 2, 1))
                + (56324).to_bytes(2, "big")
                + (80).to_bytes(2, "big")
            ),
            Want(sent={"x-real-ip": "203.0.113.6"}),
        ),
        config={"use-proxy-protocol": "true", "proxy-real-ip-cidr": "127.0.0.0/8"},
    ),
    case(
        "the PROXY protocol names a proxy, which names the client",
        {},
        (
            Ask(proxy_header=b"PROXY TCP4 203.0.113.5 192.0.2.1 56324 80\r\n", headers=FORWARDED_BY_ONE),
            Want(sent={"x-real-ip": "198.51.100.9", "x-forwarded-proto": "https"}),
        ),
        (
            Ask(proxy_header=b"PROXY TCP4 192.0.2.77 192.0.2.1 56324 80\r\n", headers=FORWARDED_BY_ONE),
            Want(sent={"x-real-ip": "192.0.2.77", "x-forwarded-proto": "http"}),
        ),
        (
            Ask(proxy_header=b"PROXY TCP4 203.0.113.5 192.0.2.1 56324 80\r\n"),
            Want(sent={"x-real-ip": "203.0.113.5"}),
        ),
        config={**BEHIND_BOTH, "use-forwarded-headers": "true"},
    ),
    case(
        "the PROXY protocol names the client, whatever a header says",
        {},
        (
            Ask(proxy_header=b"PROXY TCP4 203.0.113.5 192.0.2.1 56324 80\r\n", headers=FORWARDED_BY_ONE),
            Want(sent={"x-real-ip": "203.0.113.5"}),
        ),
        config={**BEHIND_BOTH, "enable-real-ip": "true"},
    ),
    case(
        "buffers too small for anything are as large as the first one",
        {},
        (Ask(), Want(seen="echo")),
        (Ask(path="/" + "x" * 2000), Want(status=414, seen=None)),
        config={"large-client-header-buffers": "1 1"},
    ),
    case(
        "more for upstreams",
        {},
        (Ask(), Want(sent={"x-set": "by us"})),
        config={"proxy-set-headers": "default/headers"},
    ),
    case(
        "what begins a request's time upstream",
        {"ingressd.io/request-headers-set": "X-Request-Start: t=${msec}\nX-From: $hostname"},
        (
            Ask(),
            Want(sent={"x-request-start": re.compile(r"^t=[0-9]{10}\.[0-9]{3}$"), "x-from": re.compile(".")}),
        ),
    ),
    case(
        "the target as it was",
        {},
        (Ask(path="/x?a=1"), Want(sent={"x-original-uri": "/x?a=1"})),
        config={"proxy-add-original-uri-header": "true"},
    ),
    case(
        "underscores are dropped",
        {},
        (Ask(headers={"X_Under": "1"}), Want(sent={"x_under": None})),
        shows=("enable-underscores-in-headers",),
    ),
    case(
        "underscores are passed on, but for twins",
        {},
        (
            Ask(headers={"X_Under": "1", "X-Real_IP": "192.0.2.9", "X_Twin": "2", "X-Twin": "3", "X.Dot": "4"}),
            Want(
                sent={
                    "x_under": "1",
                    "x-real_ip": None,
                    "x-real-ip": "127.0.0.1",
                    "x_twin": None,
                    "x-twin": "3",
                    "x.dot": None,
                }
            ),
        ),
        config={"enable-underscores-in-headers": "true"},
    ),
    case(
        "underscores are passed on, but for twins of what the route sets",
        {
            "auth-url": "http://{auth}/",
            "auth-response-headers": "X-User-Name",
            "ingressd.io/request-headers-set": "X-Set-Here: ours\nX-Copy: $http_x_under",
            "ingressd.io/request-headers-remove": "X-Taken-Away",
        },
        (
            Ask(
                headers={
                    "X_Under": "1",
                    "X_User_Name": "root",
                    "X_Set_Here": "theirs",
                    "X_Taken_Away": "theirs",
                    "X_Auth_Request_Redirect": "/theirs",
                },
                auth={"headers": [["X-User-Name", "ann"]]},
            ),
            Want(
                sent={
                    "x_under": "1",
                    "x-user-name": "ann",
                    "x_user_name": None,
                    "x-set-here": "ours",
                    "x-copy": "1",
                    "x_set_here": None,
                    "x_taken_away": None,
                },
                saw={"auth": {"x_under": "1", "x_auth_request_redirect": None}},
            ),
        ),
        config={"enable-underscores-in-headers": "true"},
    ),
    case(
        "names with other characters are passed on",
        {},
        (
            Ask(headers={"X.Dot": "4", "X_Under": "1", "X.Real.IP": "192.0.2.9"}),
            Want(sent={"x.dot": "4", "x_under": "1", "x.real.ip": None, "x-real-ip": "127.0.0.1"}),
        ),
        config={"ignore-invalid-headers": "false"},
    ),
    case(
        "a request id of the client",
        {},
        (Ask(headers={"X-Request-ID": "mine-1"}), Want(sent={"x-request-id": "mine-1"})),
        shows=("generate-request-id",),
    ),
    case(
        "no request id of ours",
        {},
        (Ask(), Want(sent={"x-request-id": None, "x-real-ip": "127.0.0.1"})),
        (Ask(headers={"X-Request-ID": "mine-1"}), Want(sent={"x-request-id": "mine-1"})),
        (Ask(headers={"X-Request-ID": "not well formed"}), Want(sent={"x-request-id": None})),
        config={"generate-request-id": "false"},
    ),
    case(
        "no request id of ours where policies look, nor for who is asked on the way",
        {"auth-url": "http://{auth}/", "default-backend": "errors", "custom-http-errors": "404"},
        (
            Ask(),
            Want(
                sent={"x-request-id": None, "x-real-ip": "127.0.0.1"},
                saw={"auth": {"x-request-id": None, "x-original-method": "GET"}},
            ),
        ),
        (
            Ask(headers={"X-Request-ID": "mine-1"}, answer={"status": 404}),
            Want(saw={"errors": {"x-request-id": "mine-1", "x-code": "404"}, "auth": {"x-request-id": "mine-1"}}),
        ),
        (
            Ask(answer={"status": 404}),
            Want(saw={"errors": {"x-request-id": None, "x-code": "404"}}),
        ),
        config={"generate-request-id": "false"},
    ),
    case(
        "plain when nobody says otherwise",
        {},
        (Ask(headers={"Accept-Encoding": "gzip, br"}, answer=TEXT), Want(headers={"content-encoding": None})),
        shows=("use-gzip", "enable-brotli"),
    ),
    case(
        "gzip",
        {},
        (
            Ask(headers={"Accept-Encoding": "gzip"}, answer=TEXT),
            Want(headers={"content-encoding": "gzip", "vary": re.compile("Accept-Encoding")}),
        ),
        (Ask(answer=TEXT), Want(headers={"content-encoding": None}, body=LONG)),
        config={"use-gzip": "true", "gzip-level": "6", "gzip-min-length": "1000"},
    ),
    case(
        "brotli",
        {},
        (Ask(headers={"Accept-Encoding": "gzip, br"}, answer=TEXT), Want(headers={"content-encoding": "br"})),
        config={"enable-brotli": "true", "brotli-level": "4", "brotli-min-length": "100"},
    ),
    case("HTTP/2 or not", {}, (Ask(), Want(seen="echo")), config={"use-http2": "false"}),
]

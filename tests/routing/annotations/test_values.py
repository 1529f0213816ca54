"""Parsers: the text of an annotation → a value, or a sentence for its owner."""

from collections.abc import Callable

import pytest

from ingressd.routing.annotations import texts, values
from ingressd.routing.annotations.row import BadValue
from ingressd.routing.annotations.texts import Respond
from ingressd.routing.annotations.values import CacheRule

GOOD: list[tuple[Callable[[str], object], str, object]] = [
    *((values.boolean, text, True) for text in ("1", "t", "T", "TRUE", "true", "True")),
    *((values.boolean, text, False) for text in ("0", "f", "F", "FALSE", "false", "False")),
    (values.on_off, "on", True),
    (values.on_off, "off", False),
    (values.integer, "-5", -5),
    (values.integer, "+5", 5),
    (values.integer, "0010", 10),
    (values.integer, "9223372036854775807", 2**63 - 1),
    (values.natural, "0", 0),
    (values.between(300, 308), "308", 308),
    (values.fraction, "0.01", 0.01),
    (values.one_of("Lax", "None", fold=True), "lax", "Lax"),
    (values.size, "0", 0),
    (values.size, "1000", 1000),
    (values.size, "8k", 8 << 10),
    (values.size, "8M", 8 << 20),
    (values.size, "1G", 1 << 30),
    (values.size, "7b", 7),
    (values.size, "1 m", 1 << 20),
    (values.sizes, "4 8k", (4, 8192)),
    (values.nginx_time, "90", 90.0),
    (values.nginx_time, "240s", 240.0),
    (values.nginx_time, "1h 30m", 5400.0),
    (values.nginx_time, "1h30m", 5400.0),
    (values.nginx_time, "500ms", 0.5),
    (values.nginx_time, "2M", 60 * 86400.0),
    (values.go_duration, "1m30s", 90.0),
    (values.go_duration, "1.5s", 1.5),
    (values.go_duration, "0", 0.0),
    (values.error_statuses, "404, 503,404,", (404, 503)),
    (
        values.cache_rules,
        "200 202 401 5m, any 1m,10s",
        (CacheRule((200, 202, 401), 300.0), CacheRule((), 60.0), CacheRule((200, 301, 302), 10.0)),
    ),
    (texts.networks, "10.1.2.3/8, 192.0.2.1,2001:DB8::1", ("10.0.0.0/8", "192.0.2.1", "2001:db8::1")),
    (texts.networks, "::/0,0.0.0.0/0", ("0.0.0.0/0", "::/0")),
    (texts.header_names, "X-A, X_B,,X-A", ("X-A", "X_B")),
    (texts.origins, "https://a.com, https://*.b.com:8443,null", ("https://a.com", "https://*.b.com:8443", "null")),
    (texts.origins, "https://a.com,*", ("*",)),
    (texts.origins, "origin.com:8080,https://a.com", ("https://a.com",)),
    (texts.origins, "tauri://localhost", ("tauri://localhost",)),
    (texts.server_names, "b.com,*.a.com,~^c[0-9]+$,b.com", ("*.a.com", "b.com", "~^c[0-9]+$")),
    (texts.upstream_conditions, "error  timeout error http_502", ("error", "timeout", "http_502")),
    (texts.pair, "off", None),
    (texts.pair, "/app/  /", ("/app/", "/")),
    (texts.protocols, "TLSv1.3 TLSv1.2", ("TLSv1.2", "TLSv1.3")),
    (texts.curves, "auto", ""),
    (texts.curves, "secp384r1:X25519:P-384", "P-384:X25519"),
    (texts.common_name, "CN=^client-[0-9]+$", "CN=^client-[0-9]+$"),
    (texts.http_url, "HTTPS://a.com/x?a=b", "HTTPS://a.com/x?a=b"),
    (texts.app_root, "/app", "/app"),
    (texts.header_lines, "X-A: 1\n\n  X-B:two: 2 \n", (("X-A", "1"), ("X-B", "two: 2"))),
    (texts.removable_names, "X-A, X-B\nX-C", ("X-A", "X-B", "X-C")),
    (texts.respond, "403", Respond(403)),
    (texts.respond, "200 all is well", Respond(200, "all is well")),
    (texts.respond, "301 https://a.com/", Respond(301, "https://a.com/")),
    (texts.expressions, "(?i)bot\n^curl/", ("(?i)bot", "^curl/")),
    (texts.listed_expressions, "~*bot, exact", ("~*bot", "exact")),
    (texts.listed_expressions, r"~\p{Lu}bot,~*^(?!.*good).*bot", (r"~\p{Lu}bot", "~*^(?!.*good).*bot")),
    (texts.listed_expressions, """"~*Bad Bot/[0-9]+",'An Agent', "half""", ("~*Bad Bot/[0-9]+", "An Agent", '"half')),
]

BAD: list[tuple[Callable[[str], object], str, str]] = [
    *((values.boolean, text, "true") for text in ("yes", "on", "tRUE", "2")),
    (values.on_off, "ON", "neither"),
    (values.integer, "1_000", "digits only"),
    (values.integer, "٣", "digits only"),
    (values.integer, "9223372036854775808", "digits only"),
    (values.integer, "9" * 5000, "digits only"),
    (values.natural, "-1", "negative"),
    (values.size, "8mb", "such as 8m"),
    (values.size, "-1", "such as 8m"),
    (values.sizes, "8k", "digits only"),
    (values.nginx_time, "90x", "such as 90s"),
    (values.nginx_time, "s", "such as 90s"),
    (values.go_duration, "5", "such as 5s"),
    (values.go_duration, "5 s", "such as 5s"),
    (values.error_statuses, "404,302", "400 to 599"),
    (values.cache_rules, "200 202", "with its unit"),
    (values.cache_rules, "2000 5m", "statuses and a time"),
    (texts.text, "a\nb", "line break"),
    (texts.networks, "10.0.0.0/33", "neither an IP address"),
    (texts.networks, "10.0.0.0/255.0.0.0", "neither an IP address"),
    (texts.networks, "fe80::1%eth0", "neither an IP address"),
    (texts.networks, "010.0.0.1", "neither an IP address"),
    (texts.networks, "10.0.0.0/8,", "a comma too many"),
    (texts.networks, "10.0.0.0/8 192.0.2.1", "neither an IP address"),
    (texts.header_names, "X A", "not a header name"),
    (texts.server_names, "~(", "regular expression"),
    (texts.server_names, "a;b", "not allowed here"),
    (texts.upstream_conditions, "error,timeout", "no condition"),
    (texts.pair, "/a /b /c", "two words"),
    (texts.common_name, "CN=(", "regular expression"),
    (texts.listed_expressions, "good,~*(a)\\1", "regular expression"),
    (texts.expressions, "(?P<x>a)(?P=x)", "regular expression"),
    (texts.app_root, "app", "absolute path"),
    (texts.header_lines, "no colon", "not a header"),
    (texts.header_lines, "X-A: caf\u00e9", "printable ASCII"),
    (texts.header_lines, "Transfer-Encoding: chunked", "frames the message"),
    (texts.header_lines, "Host: a.com", "frames the message"),
    (texts.header_lines, "X-A : 1", "not a header name"),
    (texts.removable_names, "Content-Length", "frames the message"),
    (texts.respond, "100", "200 to 599"),
    (texts.respond, "301", "where to"),
    (texts.respond, "302 javascript:1", "where to"),
    (texts.respond, "200 a\nX-B: c", "line break"),
]


@pytest.mark.parametrize(("parse", "text", "value"), GOOD)
def test_good_text(parse: Callable[[str], object], text: str, value: object) -> None:
    assert parse(text) == value


@pytest.mark.parametrize(("parse", "text", "sentence"), BAD)
def test_bad_text_is_explained(parse: Callable[[str], object], text: str, sentence: str) -> None:
    with pytest.raises(BadValue, match=sentence) as raised:
        parse(text)
    assert len(str(raised.value)) < 250


@pytest.mark.parametrize(
    ("parse", "text", "outcome"),
    [
        (values.between(300, 308, "default"), "200", "default"),  # out of range: the usual code
        (values.between(300, 308, "default"), "moved", None),  # no number: the row's
        (texts.http_url, "ftp://a.com", "default"),  # ignored there
        (texts.http_url, "https://a.com/;", None),
        (texts.url(texts.URL_WITH_VARIABLES, "deny"), "https://invalid..auth.url", "deny"),
        (texts.url(texts.URL_WITH_VARIABLES, "deny"), "auth.example.com", "deny"),
        (texts.url(texts.URL_WITH_VARIABLES, "deny"), "http://[::1/", None),
        (texts.url(texts.URL_WITH_VARIABLES, "deny"), 'https://a.com/"', None),
    ],
)
def test_some_bad_values_have_an_outcome_of_their_own(
    parse: Callable[[str], object], text: str, outcome: str | None
) -> None:
    with pytest.raises(BadValue) as raised:
        parse(text)
    assert raised.value.outcome == outcome


def test_a_finding_shows_no_credentials_and_is_short() -> None:
    assert values.shown("https://user:secret@a.com/") == "'https://…@a.com/'"
    assert len(values.shown("x" * 10_000)) < 70

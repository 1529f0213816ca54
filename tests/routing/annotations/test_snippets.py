"""Snippets as people write them: what is recognised, what is named, and that hostile text costs little."""

from dataclasses import dataclass

import pytest

from ingressd.routing.annotations.nginx_text import Directive, Unreadable, read_directives
from ingressd.routing.annotations.snippets import Suggestion, read_snippet
from ingressd.routing.annotations.table import ANNOTATIONS


@dataclass(frozen=True)
class Case:
    text: str
    suggestions: dict[str, str]
    others: tuple[str, ...] = ()
    protects: bool = False


CASES = {
    "security headers": Case(
        """
        more_set_headers "X-Frame-Options: DENY" 'X-Content-Type-Options: nosniff';
        add_header Content-Security-Policy "default-src 'self'; img-src *" always;  # reviewed
        more_clear_headers Server X-Powered-By;
        """,
        {
            "response-headers-set": "X-Frame-Options: DENY\nX-Content-Type-Options: nosniff\n"
            "Content-Security-Policy: default-src 'self'; img-src *",
            "response-headers-remove": "Server\nX-Powered-By",
        },
    ),
    "clearing by an empty value": Case(
        'more_set_headers "X-Powered-By:"; proxy_set_header X-Debug ""; proxy_hide_header X-Runtime;',
        {"response-headers-remove": "X-Powered-By\nX-Runtime", "request-headers-remove": "X-Debug"},
    ),
    "request headers, some of them set anyway": Case(
        """proxy_set_header Host $host; proxy_set_header X-Real-IP $remote_addr;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade";
        proxy_set_header X-Tenant acme; more_set_input_headers "X-Env: prod";""",
        {"request-headers-set": "X-Tenant: acme\nX-Env: prod"},
    ),
    "another host upstream": Case("proxy_set_header Host backend.internal;", {"upstream-vhost": "backend.internal"}),
    "a variable has no equivalent": Case("proxy_set_header X-User $remote_user;", {}, ("proxy_set_header",)),
    "conditions and wildcards have none": Case(
        'more_set_headers -s 404 "X: y"; more_clear_input_headers "X-*";',
        {},
        ("more_set_headers", "more_clear_input_headers"),
    ),
    "framing is not for owners": Case("proxy_set_header Transfer-Encoding chunked;", {}, ("proxy_set_header",)),
    "bad bots": Case(
        """if ($http_user_agent ~* "(semrush|ahrefs)bot") { return 403; }
        if ($http_user_agent ~ ^Wget) { return 444; }""",
        {"deny-user-agents": "(?i)(semrush|ahrefs)bot\n^Wget"},
        protects=True,
    ),
    "allow list": Case(
        "allow 10.0.0.0/8;\nallow 192.168.0.0/16;\ndeny all;",
        {"allowlist-source-range": "10.0.0.0/8,192.168.0.0/16"},
        protects=True,
    ),
    "deny list": Case("deny 192.0.2.1; allow all;", {"denylist-source-range": "192.0.2.1"}, protects=True),
    "both": Case(
        "deny 10.0.0.9; allow 10.0.0.0/8; deny all;",
        {"denylist-source-range": "10.0.0.9", "allowlist-source-range": "10.0.0.0/8"},
        protects=True,
    ),
    "an order our lists do not have": Case(
        "allow 10.0.0.9; deny 10.0.0.0/8; allow all;", {}, ("allow", "deny"), protects=True
    ),
    "closed": Case("deny all;", {"respond": "403"}, protects=True),
    "www": Case(
        "if ($host = 'example.com') { return 301 https://www.example.com$request_uri; }",
        {"from-to-www-redirect": "true"},
    ),
    "another host is not www": Case(
        "if ($host = old.com) { return 301 https://new.com$request_uri; }", {}, ("if ($host…",)
    ),
    "https": Case(
        "if ($http_x_forwarded_proto = 'http') { return 301 https://$host$request_uri; }",
        {"force-ssl-redirect": "true"},
    ),
    "https, the other way round": Case(
        "if ($scheme != https) { return 308 https://$host$request_uri; }", {"force-ssl-redirect": "true"}
    ),
    "moved": Case("return 301 https://new.example.com/;", {"permanent-redirect": "https://new.example.com/"}),
    "moved for now": Case("return https://new.example.com/;", {"temporal-redirect": "https://new.example.com/"}),
    "moved with the path": Case("return 301 https://new.example.com$request_uri;", {}, ("return",)),
    "fixed answer": Case('return 200 "ok";', {"respond": "200 ok"}),
    "forbidden": Case("return 403;", {"respond": "403"}, protects=True),
    "methods": Case("limit_except GET POST { deny all; }", {}, ("limit_except",), protects=True),
    "methods by if": Case("if ($request_method = POST) { return 405; }", {}, ("if ($request_method…",), protects=True),
    "settings": Case(
        "client_max_body_size 50m; proxy_read_timeout 5m; proxy_connect_timeout 5; "
        "proxy_send_timeout 500ms; satisfy any;",
        {
            "proxy-body-size": "50m",
            "proxy-read-timeout": "300",
            "proxy-connect-timeout": "5",
            "proxy-send-timeout": "1",
            "satisfy": "any",
        },
        protects=True,
    ),
    "a location of its own": Case(r"location ~ /\.git { deny all; }", {}, ("location",), protects=True),
    "lua": Case("access_by_lua_block { return ngx.exit(403) }", {}, ("access_by_lua_block",), protects=True),
    "the rest is named once": Case(
        "gzip on; gzip on; rewrite ^/a$ /b permanent; sub_filter a b;", {}, ("gzip", "rewrite", "sub_filter")
    ),
    "nothing": Case("  # nothing\n", {}),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_snippets(case: Case) -> None:
    report = read_snippet(case.text)
    suggested = {one.annotation.removeprefix("ingressd.io/"): one.value for one in report.suggestions}
    assert (suggested, report.others, report.protects) == (case.suggestions, case.others, case.protects)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_what_is_suggested_can_be_read(case: Case) -> None:
    for one in read_snippet(case.text).suggestions:
        row = ANNOTATIONS[one.annotation.removeprefix("ingressd.io/")]
        row.kind.parse(one.value)


def test_an_auth_snippet_is_about_the_auth_service() -> None:
    report = read_snippet("proxy_set_header X-Tenant acme;", is_auth=True)
    assert (report.suggestions, report.others) == ((), ("proxy_set_header",))


def test_a_long_value_is_shown_in_part() -> None:
    assert len(str(Suggestion("ingressd.io/respond", "x" * 10_000))) < 200


@pytest.mark.parametrize(
    "text",
    ["}", "{", "a { b;", 'a "b;', "it's;", "{" * 60_000, "a" * 70_000, "if (" * 10_000 + "{", '"\\' * 30_000],
    ids=lambda text: text[:8],
)
def test_text_that_cannot_be_read_counts_as_protecting(text: str) -> None:
    report = read_snippet(text)
    assert report.suggestions == ()
    assert report.others[0].startswith("the whole text")
    assert report.protects


def test_directives() -> None:
    text = """a "b \\"c\\" d" 'e;f' ${g}h; # i
    if ($j ~* \\.php$) { k; } l {}"""
    assert read_directives(text) == (
        Directive("a", ('b "c" d', "e;f", "${g}h")),
        Directive("if", ("($j", "~*", "\\.php$)"), (Directive("k"),)),
        Directive("l"),
    )
    with pytest.raises(Unreadable, match="brace"):
        read_directives("a { b;")

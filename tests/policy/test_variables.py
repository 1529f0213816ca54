"""Texts with variables, filled in from a request."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingressd.policy.variables import EXTRA, MAX_TEMPLATE_CHARACTERS, TemplateError, compile_template
from tests.policy.asks import ask

FIELDS = (
    b"User-Agent: curl/8\r\nX-Real-User: \xc3\xa9\r\nCookie: a=1; sid=xyz\r\nX-Two: 1\r\nX-Two: 2\r\n"
    b"Content-Type: text/x\r\n"
)
REQUEST = ask(
    "/a/b%20c?q=x%20y&Q2=z&empty=&flag",
    method=b"POST",
    host=b"Shop.Example:8080",
    fields=FIELDS,
    scheme=b"https",
    port=b"8443",
    client_verdict="SUCCESS",
    client_name="CN=me",
)
BARE = ask("/", host=None, client="2001:db8::1", is_tls=True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", b""),
        ("no variables: 100%", b"no variables: 100%"),
        ("$request_uri", b"/a/b%20c?q=x%20y&Q2=z&empty=&flag"),
        ("${request_uri}x", b"/a/b%20c?q=x%20y&Q2=z&empty=&flagx"),
        ("$uri$is_args$args", b"/a/b%20c?q=x%20y&Q2=z&empty=&flag"),
        ("$document_uri|$query_string", b"/a/b%20c|q=x%20y&Q2=z&empty=&flag"),
        ("$escaped_request_uri", b"%2Fa%2Fb%2520c%3Fq%3Dx%2520y%26Q2%3Dz%26empty%3D%26flag"),
        (
            "$host|$server_name|$best_http_host|$http_host",
            b"shop.example|shop.example|Shop.Example:8080|Shop.Example:8080",
        ),
        ("$http_user_agent", b"curl/8"),
        ("$http_x_real_user", b"\xc3\xa9"),
        ("$http_x_two", b"1, 2"),
        ("$http_not_there", b""),
        ("$cookie_sid$cookie_b", b"xyz"),
        ("$cookie_SID|$request_URI|${HOST}", b"xyz|/a/b%20c?q=x%20y&Q2=z&empty=&flag|shop.example"),
        ("$arg_q|$arg_q2|$arg_Q2|$arg_empty|$arg_flag|$arg_none", b"x%20y|z|z|||"),
        ("$remote_addr,$the_real_ip,$binary_remote_addr", b"192.0.2.7,192.0.2.7,192.0.2.7"),
        ("$proxy_add_x_forwarded_for|$full_x_forwarded_for|$realip_remote_addr", b"192.0.2.7|192.0.2.7|192.0.2.7"),
        ("$scheme $pass_access_scheme $https", b"http https "),
        ("$server_port $pass_port $pass_server_port", b"8443 8443 8443"),
        ("$request_method $server_protocol", b"POST HTTP/1.1"),
        ("$request", b"POST /a/b%20c?q=x%20y&Q2=z&empty=&flag HTTP/1.1"),
        ("$request_id-$req_id", b"abc-abc"),
        ("$content_type,$content_length", b"text/x,"),
        ("$ssl_client_verify $ssl_client_s_dn", b"SUCCESS CN=me"),
        (
            "https://auth.example/check?u=$request_uri",
            b"https://auth.example/check?u=/a/b%20c?q=x%20y&Q2=z&empty=&flag",
        ),
        ("$namespace/$ingress_name", b"/"),
        ("é$uri", b"\xc3\xa9/a/b%20c"),
    ],
)
def test_expand(text: str, expected: bytes) -> None:
    assert compile_template(text).expand(REQUEST) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$http_host$best_http_host$host", b""),
        ("$scheme$https", b"httpson"),
        ("$args$is_args$arg_q$cookie_x", b""),
        ("[$remote_addr]", b"[2001:db8::1]"),
    ],
)
def test_expand_of_a_bare_request(text: str, expected: bytes) -> None:
    assert compile_template(text).expand(BARE) == expected


def test_content_length() -> None:
    request = ask("/")
    request.fields.content_length = 12
    assert compile_template("$content_length").expand(request) == b"12"


def test_the_caller_s_values_go_first() -> None:
    template = compile_template("$namespace $proxy_add_x_forwarded_for $status $http_x $uri")
    extra = {"namespace": b"shop", "proxy_add_x_forwarded_for": b"1.2.3.4, 5.6.7.8", "http_x": b"overridden"}
    assert template.expand(REQUEST, extra) == b"shop 1.2.3.4, 5.6.7.8  overridden /a/b%20c"
    assert template.variables == {"namespace", "proxy_add_x_forwarded_for", "status", "http_x", "uri"}


@pytest.mark.parametrize("name", sorted(EXTRA))
def test_what_only_the_caller_knows(name: str) -> None:
    template = compile_template(f"<${name}>")
    assert template.expand(REQUEST) == b"<>"
    assert template.expand(REQUEST, {name: b"value"}) == b"<value>"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("$nonsense", "$nonsense is not known"),
        ("a${geoip_country}", "$geoip_country is not known"),
        ("$http_", "$http_ is not known"),
        ("$1", "no variable's name follows"),
        ("cost: 5$", "no variable's name follows"),
        ("${uri", "no variable's name follows"),
        ("$$uri", "no variable's name follows"),
        ("a\r\nX-Evil: 1", "control character"),
        ("\x00", "control character"),
        ("a" * (MAX_TEMPLATE_CHARACTERS + 1), "longer than"),
    ],
)
def test_refused(text: str, why: str) -> None:
    with pytest.raises(TemplateError) as caught:
        compile_template(text)
    assert why in str(caught.value)


@given(st.text("${}uri_a\r ", max_size=10))
def test_a_template_or_an_error(text: str) -> None:
    try:
        template = compile_template(text)
    except TemplateError:
        return
    assert b"\r" not in template.expand(REQUEST)
    assert repr(template) == f"Template({text!r})"


def test_fields_may_have_underscores_of_their_own() -> None:
    template = compile_template("$http_sm_user $http_x_dashed $http_sm")
    asked = ask(fields=b"SM_User: jo\r\nX-Dashed: 1\r\nX_Dashed: never both\r\n")
    assert template.expand(asked) == b"jo 1 "

from hashlib import md5
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingressd.http.head import read_request_fields
from ingressd.policy.affinity import (
    Affinity,
    Balanced,
    Keyed,
    Persistent,
    Sticky,
    backend_id,
    choose,
    problem_of,
)
from ingressd.policy.ask import Ask
from ingressd.policy.hashing import Ring
from tests.policy.heads import asked

ENDPOINTS = ["10.0.0.1:80", "10.0.0.2:80", "[fd00::3]:80"]
NOW = 1795233600.0  # Sat, 21 Nov 2026 04:00:00 GMT
NAME = "default-echo-80"
ID = md5((md5(NAME.encode()).hexdigest() + NAME).encode()).hexdigest()


def balanced(endpoints: list[str] = ENDPOINTS) -> Keyed[str]:
    return Balanced(Ring(endpoints, endpoints))


def persistent(endpoints: list[str] = ENDPOINTS) -> Keyed[str]:
    return Persistent(endpoints, endpoints, NAME)


def pick(
    request: Ask, endpoints: Keyed[str], *failed: str, bits: int = 7, now: float = NOW, **settings: Any
) -> tuple[str, str]:
    made = choose(Sticky(Affinity(NAME, **settings)), request, endpoints, failed, bits, now)
    assert made is not None
    return made[0], made[1].decode()


def attributes(request: Ask | None = None, **settings: Any) -> str:
    """What follows the value."""
    line = pick(request or asked(), balanced(), **settings)[1]
    assert line.startswith("Set-Cookie: INGRESSCOOKIE=")
    assert line.endswith("\r\n")
    return line.partition(f"|{ID}")[2].rstrip()


def cookie(value: str, name: str = "INGRESSCOOKIE") -> Ask:
    return asked("/", f"Cookie: first=1; {name}={value}; last=2")


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, "; Path=/; HttpOnly"),
        ({"path": "/shop"}, "; Path=/shop; HttpOnly"),
        ({"path": "/a;b\r\nc/ä"}, "; Path=/a%3Bb%0D%0Ac/%C3%A4; HttpOnly"),
        ({"path": r"/a(/|$)(.*)"}, r"; Path=/a(/|$)(.*); HttpOnly"),
        ({"path": ""}, "; HttpOnly"),
        ({"domain": "shop.example"}, "; Domain=shop.example; Path=/; HttpOnly"),
        ({"secure": True}, "; Path=/; Secure; HttpOnly"),
        ({"max_age_s": 60}, "; Max-Age=60; Path=/; HttpOnly"),
        ({"max_age_s": 0}, "; Max-Age=0; Path=/; HttpOnly"),
        ({"expires_s": 90}, "; Expires=Sat, 21-Nov-26 04:01:30 GMT; Path=/; HttpOnly"),
        ({"expires_s": -86400}, "; Expires=Fri, 20-Nov-26 04:00:00 GMT; Path=/; HttpOnly"),
        ({"expires_s": 400_000_000}, "; Expires=Mon, 25-Jul-2039 19:06:40 GMT; Path=/; HttpOnly"),
        ({"expires_s": 10**30}, "; Expires=Mon, 29-Nov-2060 17:37:04 GMT; Path=/; HttpOnly"),
        ({"samesite": "Lax"}, "; Path=/; HttpOnly; SameSite=Lax"),
        ({"samesite": "None"}, "; Path=/; HttpOnly; SameSite=None"),
        (
            {"expires_s": 1, "max_age_s": 1, "domain": "d", "path": "/p", "secure": True, "samesite": "Strict"},
            "; Expires=Sat, 21-Nov-26 04:00:01 GMT; Max-Age=1; Domain=d; Path=/p; Secure; HttpOnly; SameSite=Strict",
        ),
    ],
)
def test_attributes(settings: dict[str, Any], expected: str) -> None:
    assert attributes(**settings) == expected


@pytest.mark.parametrize("secure", [True, False])
def test_over_tls_the_cookie_is_secure_whatever_the_settings(secure: bool) -> None:
    assert attributes(asked(is_tls=True), secure=secure) == "; Path=/; Secure; HttpOnly"


SAFARI_ON_MOJAVE = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_14_6) AppleWebKit/605.1.15 Version/12.1.2 Safari/605.1.15"


@pytest.mark.parametrize(
    ("agent", "compatible"),
    [
        ("", True),
        ("curl/8", True),
        ("Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko) Chrome/51.0.2704.84 Safari/537.36", False),
        ("Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko) Chrome/66.0.3359.181 Safari/537.36", False),
        ("Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko) Chrome/80.0.3987.106 Safari/537.36", True),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 12_0 like Mac OS X) Safari/604.1", False),
        ("Mozilla/5.0 (iPad; CPU OS 12_0 like Mac OS X) Safari/604.1", False),
        (SAFARI_ON_MOJAVE, False),
        (SAFARI_ON_MOJAVE.replace("10_14_6", "10_15_1"), True),
        (SAFARI_ON_MOJAVE.replace("Version/12.1.2", "Chrome/90.0"), True),
    ],
)
def test_samesite_none_is_left_out_for_browsers_that_misread_it(agent: str, compatible: bool) -> None:
    request = asked("/", f"User-Agent: {agent}")
    left = attributes(request, samesite="None", conditional_samesite_none=True)
    assert ("SameSite=None" in left) is compatible
    assert "SameSite=None" in attributes(request, samesite="None")
    assert "SameSite=Lax" in attributes(request, samesite="Lax", conditional_samesite_none=True)


@pytest.mark.parametrize("endpoints", [balanced(), persistent()], ids=["balanced", "persistent"])
@pytest.mark.parametrize("bits", [0, 1, 2, 2**128 - 1])
def test_a_cookie_leads_to_where_it_was_given(endpoints: Keyed[str], bits: int) -> None:
    endpoint, line = pick(asked(), endpoints, bits=bits)
    value = line.partition("=")[2].partition(";")[0]
    assert value.endswith("|" + ID)
    assert pick(cookie(value), endpoints, bits=bits + 1) == (endpoint, "")
    assert pick(cookie(value.partition("|")[0]), endpoints) == (endpoint, "")


def test_cookies_that_ingress_nginx_issued_in_persistent_mode_lead_to_their_endpoint() -> None:
    issued = md5(b"default-echo-80" + b"10.0.0.2:80").hexdigest()
    assert pick(cookie(f"{issued}|{ID}"), persistent()) == ("10.0.0.2:80", "")
    assert backend_id(NAME).decode() == ID


def test_an_unknown_key_is_a_new_pick_in_persistent_mode_only() -> None:
    endpoint, line = pick(cookie("1445455680.123|" + ID), persistent(), bits=1)
    assert endpoint == ENDPOINTS[1]
    assert line
    assert pick(cookie("1445455680.123|" + ID), balanced())[1] == ""


def test_clients_are_spread() -> None:
    assert {pick(asked(), persistent(), bits=bits)[0] for bits in range(3)} == set(ENDPOINTS)
    assert {pick(asked(), balanced(), bits=bits)[0] for bits in range(30)} == set(ENDPOINTS)


@pytest.mark.parametrize("endpoints", [balanced(), persistent()], ids=["balanced", "persistent"])
def test_after_a_failure(endpoints: Keyed[str]) -> None:
    first, line = pick(asked(), endpoints)
    sent = cookie(line.partition("=")[2].partition(";")[0])
    assert pick(sent, endpoints, first) == (first, "")
    second, line = pick(sent, endpoints, first, change_on_failure=True)
    assert second != first
    assert pick(cookie(line.partition("=")[2].partition(";")[0]), endpoints)[0] == second
    # and who has no cookie yet is sent elsewhere in any case
    assert pick(asked(), endpoints, first)[0] != first
    assert pick(asked(), endpoints, *ENDPOINTS)[0] in ENDPOINTS


def test_an_endpoint_that_is_gone_takes_its_key_with_it() -> None:
    gone, line = pick(asked(), persistent(), bits=0)
    sent = cookie(line.partition("=")[2].partition(";")[0])
    endpoint, line = pick(sent, persistent([one for one in ENDPOINTS if one != gone]))
    assert endpoint != gone
    assert line


def test_nobody_there() -> None:
    sticky = Sticky(Affinity(NAME))
    assert choose(sticky, asked(), balanced([]), (), 1, NOW) is None
    assert choose(sticky, asked(), persistent([]), (), 1, NOW) is None
    assert choose(sticky, cookie("key"), balanced([]), (), 1, NOW) is None


def test_a_route_may_follow_cookies_and_give_out_none() -> None:
    assert pick(asked(), balanced(), issues=False)[1] == ""


@pytest.mark.parametrize(
    "value",
    ["", "|", "|" + ID, "a" * 129, "a b", '"quoted"', "a,b", "a\tb", "é", "a=b", "../..", "%0d%0aSet-Cookie:x"],
)
def test_what_cannot_be_a_key_is_no_cookie(value: str) -> None:
    line = pick(cookie(value), balanced())[1]
    assert line.startswith("Set-Cookie: INGRESSCOOKIE=0000")


@given(st.binary(max_size=300).filter(lambda value: not set(value) & set(b"\r\n\0")))
def test_whatever_a_client_sends_the_answer_is_one_sound_line(value: bytes) -> None:
    block = b"Host: a\r\nCookie: INGRESSCOOKIE=" + value + b"\r\n\r\n"
    try:
        fields = read_request_fields(block, 100)
    except Exception:  # noqa: BLE001 - refused before any policy is asked
        return
    request = Ask(method=b"GET", path="/", query="", fields=fields)
    for endpoints in (balanced(), persistent()):
        endpoint, line = pick(request, endpoints)
        assert endpoint in ENDPOINTS
        assert line == "" or (line.count("\r\n") == 1 and line.isascii() and f"|{ID}; Path=/; HttpOnly" in line)


def test_whose_cookie_it_is() -> None:
    sticky = Sticky(Affinity(NAME))
    assert sticky.id.decode() == ID
    assert sticky.sent(cookie(f"key|{ID}")) == (b"key", ID.encode())
    assert sticky.sent(cookie(f"key|{ID}|more")) == (b"key", ID.encode())
    assert sticky.sent(cookie("key")) == (b"key", b"")
    assert sticky.sent(cookie(f"key|{ID}", name="other")) == (b"", b"")


@pytest.mark.parametrize(
    "settings",
    [{"name": ""}, {"name": "a b"}, {"name": "a;b"}, {"name": "a\r\n"}, {"domain": "a;b"}, {"samesite": "Sometimes"}],
)
def test_settings_that_cannot_be_a_cookie_are_refused(settings: dict[str, str]) -> None:
    affinity = Affinity(NAME, **settings)  # type: ignore[arg-type]
    assert problem_of(affinity)
    with pytest.raises(ValueError, match=r"no cookie name|no domain|none of"):
        Sticky(affinity)
    assert problem_of(Affinity(NAME)) == ""

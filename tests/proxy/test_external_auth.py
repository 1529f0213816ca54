"""External authentication over real sockets: verdicts, what is remembered, one question for many, failing closed."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from ingressd.http.head import read_request_fields
from ingressd.policy.ask import Answer, Ask
from ingressd.policy.external_auth import FAILED, Allowed, AuthQuestion, ExternalAuth
from ingressd.proxy.external_auth import AuthAsker
from ingressd.proxy.subrequest import Fetcher
from ingressd.routing.snapshot import Snapshot
from tests.support.gateway import check_counts, make_gateway
from tests.support.origin import Origin, Seen, origin

YES = b"HTTP/1.1 200 OK\r\nX-User: jo\r\nContent-Length: 0\r\n\r\n"
YES_WITH_COOKIE = b"HTTP/1.1 200 OK\r\nX-User: jo\r\nSet-Cookie: s=1\r\nContent-Length: 0\r\n\r\n"
NO = b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\nContent-Length: 2\r\n\r\nno"


def ask_of(authorization: str = "Bearer t") -> Ask:
    fields = read_request_fields(f"Host: a\r\nAuthorization: {authorization}\r\n\r\n".encode(), 100)
    return Ask(method=b"GET", path="/", query="", fields=fields, client="192.0.2.1", request_id=b"id")


def question(auth: Origin, path: str = "/auth", **settings: Any) -> AuthQuestion:
    return AuthQuestion(ExternalAuth(f"http://127.0.0.1:{auth.port}{path}", response_headers=("X-User",), **settings))


@pytest.fixture
async def asker() -> AsyncIterator[AuthAsker]:
    local = make_gateway(asyncio.get_running_loop(), Snapshot())
    fetcher = Fetcher(local.gateway)
    yield AuthAsker(fetcher)
    fetcher.close()
    check_counts(local)


async def by_token(seen: Seen) -> None:
    """Yes to Bearer t, with a cookie for who wants a session."""
    while head := await seen.head():
        yes = YES_WITH_COOKIE if head.startswith(b"GET /session") else YES
        await seen.say(yes if b"Bearer t\r\n" in head else NO)


async def test_yes_and_no(asker: AuthAsker) -> None:
    async with origin(by_token) as auth:
        allowed = await asker.verdict(question(auth, "/session"), ask_of(), b"192.0.2.1, 10.0.0.1")
        assert allowed == Allowed(frozenset({b"x-user"}), b"X-User: jo\r\n", b"Set-Cookie: s=1\r\n", always=False)
        refused = await asker.verdict(question(auth), ask_of("Basic x"))
        assert refused == Answer(401, "external-auth-unauthorized", b"WWW-Authenticate: Basic\r\n")
        assert b"X-Forwarded-For: 192.0.2.1, 10.0.0.1\r\n" in auth.received
        assert asker.remembered(question(auth), ask_of()) is None
        assert auth.heads == 2


async def test_what_is_remembered_outlives_the_service_and_is_for_the_same_key_only(asker: AuthAsker) -> None:
    async with origin(by_token) as auth:
        asked = question(auth, cache_key="$http_authorization")
        first = await asker.verdict(asked, ask_of())
    assert isinstance(first, Allowed)
    assert asker.remembered(asked, ask_of()) == await asker.verdict(asked, ask_of()) == first
    assert asker.remembered(asked, ask_of("Bearer u")) is None
    assert await asker.verdict(asked, ask_of("Bearer u")) is FAILED


async def test_many_with_one_key_are_one_question(asker: AuthAsker) -> None:
    heard, may_answer = asyncio.Event(), asyncio.Event()

    async def script(seen: Seen) -> None:
        while await seen.head():
            heard.set()
            await may_answer.wait()
            await seen.say(YES)

    loop = asyncio.get_running_loop()
    async with origin(script) as auth:
        asked = question(auth, cache_key="$http_authorization")
        asking = [loop.create_task(asker.verdict(asked, ask_of())) for _ in range(5)]
        await heard.wait()
        may_answer.set()
        verdicts = await asyncio.gather(*asking)
        assert auth.heads == 1
    assert all(isinstance(one, Allowed) for one in verdicts)


async def test_when_who_asked_leaves_the_next_one_asks(asker: AuthAsker) -> None:
    heard, may_answer = asyncio.Event(), asyncio.Event()

    async def script(seen: Seen) -> None:
        while await seen.head():
            heard.set()
            await may_answer.wait()
            await seen.say(YES)

    loop = asyncio.get_running_loop()
    async with origin(script) as auth:
        asked = question(auth, cache_key="$http_authorization")
        asking = [loop.create_task(asker.verdict(asked, ask_of())) for _ in range(3)]
        await heard.wait()
        asking[0].cancel()
        may_answer.set()
        verdicts = await asyncio.gather(*asking[1:])
        assert all(isinstance(one, Allowed) for one in verdicts)


async def test_an_answer_that_is_not_kept_is_for_one_only(asker: AuthAsker) -> None:
    async with origin(by_token) as auth:
        asked = question(auth, cache_key="$http_authorization", cache_rules=())
        verdicts = await asyncio.gather(*[asker.verdict(asked, ask_of()) for _ in range(3)])
        assert auth.heads == 3
    assert all(isinstance(one, Allowed) for one in verdicts)


async def test_an_answer_with_a_cookie_is_for_one_only(asker: AuthAsker) -> None:
    async with origin(by_token) as auth:
        asked = question(auth, "/session", cache_key="$http_authorization")
        together = await asyncio.gather(*[asker.verdict(asked, ask_of()) for _ in range(3)])
        after = await asker.verdict(asked, ask_of())
        assert auth.heads == 4
    assert [isinstance(one, Allowed) and one.cookies for one in (*together, after)] == [b"Set-Cookie: s=1\r\n"] * 4


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nX: y",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nx",
    ],
)
async def test_whatever_goes_wrong_refuses(asker: AuthAsker, answer: bytes) -> None:
    async def script(seen: Seen) -> None:
        await seen.head()
        await seen.say(answer)

    async with origin(script) as auth:
        assert await asker.verdict(question(auth), ask_of()) is FAILED
        assert await asker.verdict(question(auth, cache_key="k"), ask_of()) is FAILED
    assert await asker.verdict(question(auth), ask_of()) is FAILED  # nobody there
    assert await asker.verdict(AuthQuestion(ExternalAuth("http://$http_x_none/")), ask_of()) is FAILED
    assert await asker.verdict(AuthQuestion(ExternalAuth("http://no-such.invalid/", timeout_s=5.0)), ask_of()) is FAILED


async def test_a_service_that_is_gone_does_not_fill_the_log(asker: AuthAsker, caplog: pytest.LogCaptureFixture) -> None:
    async with origin() as auth:
        one, other = question(auth, scope="a/"), question(auth, scope="b/")
    for asked in (one, one, other, one):
        assert await asker.verdict(asked, ask_of()) is FAILED
    said = [record.getMessage().split(" failed: ")[0] for record in caplog.records]
    assert said == ["external authentication of a/", "external authentication of b/"]

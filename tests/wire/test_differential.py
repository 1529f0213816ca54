"""Two readers, the same bytes: ingressd and h11 must find the same requests, or the difference is on a written list.

That what ingressd forwards is exactly one request with the same meaning is part of it: what h11 reads from the wire
behind ingressd is compared with what h11 reads from the wire in front of it.
"""

import re
from collections.abc import Iterator
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.wire.corpus.case import FOLLOWER, may_offer_h2c
from tests.wire.corpus.reading import Seen
from tests.wire.corpus.requests import REQUESTS
from tests.wire.corpus.wires import Wires, two_routes
from tests.wire.disagreements import DISAGREEMENTS, Difference, explanation
from tests.wire.verdicts import Verdict, ours, theirs

_WIRES = Wires(two_routes())
_SEEDS = [case.raw for case in REQUESTS if len(case.raw) < 600]
# Where readers have disagreed before
_TOKENS = [
    *(bytes([byte]) for byte in b"\x00\x01\t\n\x0b\x0c\r\x1f !#%*+,-./0:;=?@[\\]_~\x7f\x80\x85\xa0\xff"),
    b"\r\n",
    b"\n\n",
    b"\r\n\r\n",
    b"\r\n ",
    b"\r\n\t",
    b"\r\r\n",
    b"0\r\n\r\n",
    b"5\r\nhello\r\n",
    b"0x",
    b"00",
    b"..",
    b"//",
    b"%2f",
    b"%2e",
    b"%00",
    b"%25",
    b"%3b",
    b"\xc0\xaf",
    b"http://a.example",
    b"https://",
    b"HTTP/1.0",
    b"HTTP/1.1",
    b"GET ",
    b"POST ",
    b"CONNECT ",
    b"HEAD ",
    b"Host: a.example\r\n",
    b"Host: b.example\r\n",
    b"Content-Length: 5\r\n",
    b"Content-Length: 0\r\n",
    b"Content-Length: 6\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: x\r\n",
    b"Connection: close\r\n",
    b"Connection: keep-alive\r\n",
    b"Connection: x-a, upgrade\r\n",
    b"Upgrade: websocket\r\n",
    b"Expect: 100-continue\r\n",
    b"X-A: a\r\n",
    b"X_A: a\r\n",
    b"chunked",
    b", ",
    FOLLOWER,
]
_OURS_TO_WRITE = re.compile(
    rb"host|connection|content-length|transfer-encoding|expect|upgrade|te|trailer|keep-alive|proxy-connection"
    rb"|proxy-authenticate|proxy-authorization|http2-settings|proxy|forwarded|x-forwarded|x-forwarded-.*|x-original-.*"
    rb"|x-real-ip|x-rewrite-url|x-scheme|x-request-id"
)
_NO_FIELDS = {b"close", b"keep-alive", b"upgrade", b"te"}


@pytest.fixture(scope="module", autouse=True)
def _books_in_order() -> Iterator[None]:
    yield
    _WIRES.close()


@pytest.mark.parametrize("raw", [pytest.param(case.raw, id=case.name) for case in REQUESTS])
def test_corpus(raw: bytes) -> None:
    _compare(raw)
    _compare(raw + FOLLOWER)


@st.composite
def _mutants(draw: st.DrawFn) -> bytes:
    """A case of the corpus, changed in a few places."""
    data = draw(st.sampled_from(_SEEDS))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.sampled_from((0, 0, 0, 1, 1, 2, 8, 30))))
        new = draw(st.one_of(st.sampled_from(_TOKENS), st.just(b""), st.binary(min_size=1, max_size=3), _parts()))
        data = data[:start] + new + data[end:]
    return data


def _parts() -> st.SearchStrategy[bytes]:
    return st.builds(
        lambda raw, start, size: raw[start : start + size],
        st.sampled_from(_SEEDS),
        st.integers(0, 80),
        st.integers(1, 60),
    )


@settings(max_examples=1500)
@given(_mutants(), st.floats(0, 1))
def test_mutants(raw: bytes, cut: float) -> None:
    verdict = _compare(raw)
    at = int(len(raw) * cut)
    in_two = ours(_WIRES, [raw[:at], raw[at:]])
    if may_offer_h2c(raw):
        assert len(in_two.requests) >= len(verdict.requests)
        return
    assert (in_two.requests, in_two.ending) == (verdict.requests, verdict.ending), "the cut changes what is read"


def test_every_disagreement_is_real() -> None:
    """An entry that explains nothing in the corpus is one nobody needs."""
    used = set()
    for case in REQUESTS:
        found = _difference(case.raw, ours(_WIRES, [case.raw]), theirs(case.raw))
        if found is not None and (entry := explanation(found)) is not None:
            used.add(entry.name)
    assert used == {entry.name for entry in DISAGREEMENTS}


def _compare(raw: bytes) -> Verdict:
    verdict, other = ours(_WIRES, [raw]), theirs(raw)
    found = _difference(raw, verdict, other)
    if found is not None:
        assert explanation(found) is not None, f"an unlisted disagreement: {found}"
    return verdict


def _difference(raw: bytes, verdict: Verdict, other: Verdict) -> Difference | None:
    for at in range(max(len(verdict.requests), len(other.requests))):
        if at >= len(verdict.requests):
            return Difference(raw, verdict, other, at, other.requests[at])
        if at >= len(other.requests):
            return Difference(raw, verdict, other, at, other.head)
        _assert_same(verdict.requests[at], other.requests[at])
    if verdict.ending == other.ending:
        return None
    return Difference(raw, verdict, other, len(verdict.requests), other.head)


def _assert_same(forwarded: Seen, received: Seen) -> None:
    """Both accept: then with one meaning. There is no exception to this."""
    assert (forwarded.method, forwarded.body) == (received.method, received.body)
    assert forwarded.host == (received.host or b"192.0.2.1:80")
    assert _resolve(forwarded.target) == _resolve(received.target)
    assert _end_to_end(forwarded) == _end_to_end(received)


def _resolve(target: bytes) -> tuple[list[bytes], bytes]:
    """Segments of the path and the query, decoded."""
    origin_form = re.sub(rb"^(?i:https?)://[^/?]*", b"", target)
    path, mark, query = origin_form.partition(b"?")
    kept: list[bytes] = []
    for segment in re.sub(rb"/+", b"/", re.sub(rb"%2[eE]", b".", path)).split(b"/")[1:] or [b""]:
        if segment in (b".", b".."):
            kept = kept[:-1] if segment == b".." else kept
            continue
        kept.append(unquote_to_bytes(segment))
    return [segment for segment in kept if segment], mark + unquote_to_bytes(query)


def _end_to_end(seen: Seen) -> list[tuple[bytes, bytes]]:
    """Fields that pass as they are: not ours to write, not named by Connection, spelled without doubt."""
    named = {
        option.strip().lower() for value in seen.values(b"connection") for option in value.split(b",")
    } - _NO_FIELDS
    return [
        (name, value)
        for name, value in seen.fields
        if re.fullmatch(rb"[a-z0-9-]+", name) and not _OURS_TO_WRITE.fullmatch(name) and name not in named
    ]

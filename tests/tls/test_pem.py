import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingressd.tls import pem

BLOCK = b"-----BEGIN THING-----\nAAEC\n-----END THING-----\n"


@pytest.mark.parametrize(
    "text",
    [
        BLOCK,
        BLOCK.replace(b"\n", b"\r\n"),
        b"\xef\xbb\xbf" + BLOCK,  # the mark that some Windows editors put first
        b"Bag Attributes\n  friendlyName: x\n" + BLOCK + b"\ntrailing words",
        b"-----BEGIN THING-----\nA A\n\nEC  \n-----END THING-----",
        BLOCK.rstrip(),
    ],
)
def test_one_block(text: bytes) -> None:
    assert pem.blocks(text) == [pem.Block("THING", b"\x00\x01\x02")]


def test_blocks_keep_their_order_and_armor_is_canonical() -> None:
    blocks = pem.blocks(b"x" + BLOCK + BLOCK.replace(b"THING", b"OTHER"))
    assert [block.label for block in blocks] == ["THING", "OTHER"]
    assert pem.armor(blocks[0]) == BLOCK


@pytest.mark.parametrize(
    "text",
    [
        b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAEC\n-----END ENCRYPTED PRIVATE KEY-----\n",
        b"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAA==\n"
        b"-----END RSA PRIVATE KEY-----\n",
        b"-----BEGIN RSA PRIVATE KEY-----\r\nProc-Type: 4,ENCRYPTED\r\nDEK-Info: AES-128-CBC,00\r\n\r\nAA==\r\n"
        b"-----END RSA PRIVATE KEY-----\r\n",
    ],
)
def test_encrypted_blocks_are_recognised(text: bytes) -> None:
    assert pem.blocks(text)[0].is_encrypted


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"-----BEGIN THING-----\nAAEC\n", "MalformedPEM"),
        (b"-----BEGIN THING-----\nAAEC\n-----END OTHER-----\n", "MalformedPEM"),
        (b"-----BEGIN THING-----\n!!!!\n-----END THING-----\n", "MalformedPEM"),
        (b"-----BEGIN THING-----\nAAE\n-----END THING-----\n", "MalformedPEM"),
        (b"-----BEGIN " + b"X" * 500, "MalformedPEM"),
        (b"-----BEGIN \xff-----\nAAEC\n-----END \xff-----\n", "MalformedPEM"),
        (BLOCK * (pem.MAX_BLOCKS + 1), "TooLarge"),
        (b" " * (pem.MAX_TEXT_BYTES + 1), "TooLarge"),
    ],
)
def test_what_begins_as_pem_and_is_not(text: bytes, reason: str) -> None:
    with pytest.raises(pem.PemError) as caught:
        pem.blocks(text)
    assert caught.value.reason == reason


@given(st.binary(max_size=300))
def test_any_bytes_survive_armor(der: bytes) -> None:
    block = pem.Block("PRIVATE KEY", der)
    assert pem.blocks(pem.armor(block)) == [block]


@given(st.lists(st.sampled_from([b"-----BEGIN ", b"-----END ", b"A", b"-----", b"\n", b"AAEC", b"=", b"\xff"])))
def test_blocks_or_a_documented_error(pieces: list[bytes]) -> None:
    with contextlib.suppress(pem.PemError):
        assert all(block.label.isascii() for block in pem.blocks(b"".join(pieces)))


def test_repr_shows_no_content() -> None:
    assert "x00" not in repr(pem.blocks(BLOCK))

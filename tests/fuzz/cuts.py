"""How an input is cut into reads. Cuts follow from the bytes alone, so that a finding can be replayed from its file."""

from collections.abc import Iterator
from random import Random
from zlib import crc32

_EVERY_CUT_BYTES = 40
_SOME_CUTS = 8


def random_cut(data: bytes) -> list[bytes]:
    """Up to eight pieces."""
    chance = Random(crc32(data))
    places = sorted({chance.randrange(len(data) + 1) for _ in range(chance.randrange(1, 8))}) if data else []
    return [piece for piece in pieces_at(data, places) if piece]


def many_cuts(data: bytes) -> Iterator[list[bytes]]:
    """Byte by byte, at random, and in two: a short one at every byte, a longer one at some."""
    yield [data[at : at + 1] for at in range(len(data))]
    yield random_cut(data)
    if len(data) <= _EVERY_CUT_BYTES:
        for at in range(1, len(data)):
            yield [data[:at], data[at:]]
    else:
        chance = Random(crc32(data))
        for _ in range(_SOME_CUTS):
            at = chance.randrange(1, len(data))
            yield [data[:at], data[at:]]


def pieces_at(data: bytes, places: list[int]) -> list[bytes]:
    return [data[start:end] for start, end in zip([0, *places], [*places, len(data)], strict=True)]

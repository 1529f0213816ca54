"""Where the reads of a response end, when it comes in pieces."""

from collections.abc import Iterable


def end_of_heads(raw: bytes) -> int:
    """Where the final head of ``raw`` ends, behind interim ones."""
    at = 0
    while raw.startswith(b"HTTP/1.1 1", at):
        at = raw.index(b"\r\n\r\n", at) + 4
    return raw.index(b"\r\n\r\n", at) + 4


def end_of_read_with_head(raw: bytes, pieces: Iterable[bytes]) -> int:
    """Where the read ends that brings the last byte of the final head."""
    heads, end = end_of_heads(raw), 0
    for piece in pieces:
        end += len(piece)
        if end >= heads:
            break
    return end

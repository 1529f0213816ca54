"""PEM blocks (RFC 7468, and RFC 1421 as far as to see that a key is encrypted)."""

import base64
import binascii
from dataclasses import dataclass, field

MAX_TEXT_BYTES = 512 * 1024  # a Secret holds at most 1 MiB; comments are allowed for
MAX_BLOCKS = 64

CERTIFICATE_LABELS = ("CERTIFICATE", "X509 CERTIFICATE")

_BEGIN, _END, _DASHES = b"-----BEGIN ", b"-----END ", b"-----"


class PemError(ValueError):
    """Text that begins as PEM and is not. The message completes a sentence ("the key …") and quotes nothing."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Block:
    """One block; ``der`` is empty when it is encrypted in the old manner (headers inside the block)."""

    label: str
    der: bytes = field(repr=False)
    is_encrypted: bool = False


def blocks(text: bytes, max_blocks: int = MAX_BLOCKS) -> list[Block]:
    """All blocks in order, text around them ignored. Raises PemError."""
    if len(text) > MAX_TEXT_BYTES:
        raise PemError("TooLarge", f"is larger than {MAX_TEXT_BYTES // 1024} KiB")
    found: list[Block] = []
    start = text.find(_BEGIN)
    while start >= 0:
        if len(found) == max_blocks:
            raise PemError("TooLarge", f"has more than {max_blocks} PEM blocks")
        block, end = _block_at(text, start + len(_BEGIN))
        found.append(block)
        start = text.find(_BEGIN, end)
    return found


def armor(block: Block) -> bytes:
    """The block as text, in the one canonical form."""
    label = block.label.encode()
    encoded = base64.b64encode(block.der)
    lines = [encoded[i : i + 64] for i in range(0, len(encoded), 64)]
    return b"\n".join([_BEGIN + label + _DASHES, *lines, _END + label + _DASHES, b""])


def _block_at(text: bytes, position: int) -> tuple[Block, int]:
    """The block whose label starts at position, and where it ends."""
    label_end = text.find(_DASHES, position, position + 80)
    if label_end < 0:
        raise PemError("MalformedPEM", "has a BEGIN line without an end")
    label = text[position:label_end]
    ending = _END + label + _DASHES
    body_start = label_end + len(_DASHES)
    body_end = text.find(ending, body_start)
    if body_end < 0 or not label.isascii():
        raise PemError("MalformedPEM", "has a PEM block without its END line")
    block = _decoded(label.decode("ascii"), text[body_start:body_end])
    return block, body_end + len(ending)


def _decoded(label: str, body: bytes) -> Block:
    if label == "ENCRYPTED PRIVATE KEY" or (b"ENCRYPTED" in body.partition(b"\n\n")[0] and b"Proc-Type:" in body):
        return Block(label, b"", is_encrypted=True)
    try:
        der = base64.b64decode(b"".join(body.split()), validate=True)
    except binascii.Error:
        raise PemError("MalformedPEM", "has a PEM block that is not base64") from None
    return Block(label, der)

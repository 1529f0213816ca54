"""The program that checks passwords against costly hashes, one at a time, when nobody else wants the CPU.

A worker starts it by its path, writes questions to its standard input and reads a byte for each from its standard
output (``ingressd/proxy/password_checks.py``). It ends when its input ends, so it never outlives the worker by more
than one check. It imports nothing of ingressd's, and the libraries only when a hash needs them.

    python -P passwords.py [DESCRIPTOR BYTE]

With arguments it takes turns with the programs of other workers: it checks while it has a record lock on that byte.
"""

import contextlib
import fcntl
import os
import struct
import sys
from collections.abc import Iterator

HEAD = struct.Struct(">HH")
"""Bytes of the hash and of the password that follow."""
WRONG, RIGHT = b"\x00", b"\x01"
NICENESS = 19
_BCRYPT_LOOKS_AT = 72


def is_right(hashed: bytes, password: bytes) -> bool:
    """Whether the password is the hash's. A hash that cannot be read has none."""
    try:
        if hashed.startswith(b"$2"):
            import bcrypt

            return bcrypt.checkpw(password[:_BCRYPT_LOOKS_AT], hashed)  # crypt(3) ignores the rest too
        return _crypt(hashed, password)
    except ValueError:
        return False


def _crypt(hashed: bytes, password: bytes) -> bool:
    from passlib import hash as kinds

    by_start = {
        b"$apr1$": "apr_md5_crypt",
        b"$1$": "md5_crypt",
        b"$5$": "sha256_crypt",
        b"$6$": "sha512_crypt",
    }
    name = next((name for start, name in by_start.items() if hashed.startswith(start)), "des_crypt")
    return bool(getattr(kinds, name).verify(password, hashed))


@contextlib.contextmanager
def turn(arguments: list[str]) -> Iterator[None]:
    """While it is ours. The kernel passes it on when its holder dies."""
    if not arguments:
        yield
        return
    descriptor, byte = map(int, arguments)
    fcntl.lockf(descriptor, fcntl.LOCK_EX, 1, byte)
    try:
        yield
    finally:
        fcntl.lockf(descriptor, fcntl.LOCK_UN, 1, byte)


def main() -> None:
    os.nice(NICENESS)
    questions, answers = sys.stdin.buffer, sys.stdout.buffer
    while head := questions.read(HEAD.size):
        of_hash, of_password = HEAD.unpack(head)
        body = questions.read(of_hash + of_password)
        with turn(sys.argv[1:]):
            verdict = RIGHT if is_right(body[:of_hash], body[of_hash:]) else WRONG
        answers.write(verdict)
        answers.flush()


if __name__ == "__main__":
    main()

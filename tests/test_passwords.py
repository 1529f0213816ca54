"""The program that checks passwords: every kind of hash, and its manners."""

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ingressd.passwords import HEAD, NICENESS, is_right
from tests.support.eventually import eventually

PASSWORD = b"open sesame"
# Made by other programs: openssl passwd, htpasswd, crypt(3).
HASHES = {
    "bcrypt 2b": b"$2b$04$CrGt7DOjh.tnELgtyK5huelMYJyt0EZqQmhhRczFCKhRkBYs0SYnW",
    "bcrypt 2y": b"$2y$04$CrGt7DOjh.tnELgtyK5huelMYJyt0EZqQmhhRczFCKhRkBYs0SYnW",
    "bcrypt 2a": b"$2a$04$CrGt7DOjh.tnELgtyK5huelMYJyt0EZqQmhhRczFCKhRkBYs0SYnW",
    "apr1": b"$apr1$abcdefgh$T64oOxnD8c28.dQa.2Lty1",
    "MD5": b"$1$abcdefgh$9qMkHazuSy1Q8myEum7yb/",
    "SHA-256": b"$5$abcdefgh$FWXdh6oXOJQkX7oAcP02d0Gnxjct6ra8Fwv29U9RIN2",
    "SHA-256, rounds": b"$5$rounds=1000$aCX/4w/iUCDvN9f4$O3Tn3yrqzY/sicpIzMj9uFw7fTCod3lrcVeX8G010a6",
    "SHA-512": b"$6$abcdefgh$CkjGkP7IIgZVUCNlt.Vi53LOYJLXZ5KzdpzEYCj01XGruA1hxZYJqccTU2zz68oJwAGsd1iPty5F7dHIatUTy/",
    "DES": b"tE60JnXqXC962",
}
UNREADABLE = (b"", b"*", b"$2y$04$short", b"$apr1$", b"$6$salt$", b"open sesame", b"\xff" * 13, b"$2y$99$" + b"a" * 53)


@pytest.mark.parametrize("hashed", HASHES.values(), ids=HASHES)
def test_kinds(hashed: bytes) -> None:
    assert is_right(hashed, PASSWORD)
    assert not is_right(hashed, b"open the door")
    assert not is_right(hashed, b"")


@pytest.mark.parametrize("hashed", UNREADABLE)
def test_a_hash_that_cannot_be_read_has_no_password(hashed: bytes) -> None:
    assert not is_right(hashed, PASSWORD)


def test_bcrypt_looks_at_72_bytes() -> None:
    import bcrypt

    hashed = bcrypt.hashpw(b"x" * 72, bcrypt.gensalt(4))
    assert is_right(hashed, b"x" * 100)
    assert not is_right(hashed, b"x" * 71 + b"y" * 29)


def test_des_looks_at_8_bytes() -> None:
    assert is_right(HASHES["DES"], PASSWORD[:8])
    assert not is_right(HASHES["DES"], PASSWORD[:7])


def question(hashed: bytes, password: bytes) -> bytes:
    return HEAD.pack(len(hashed), len(password)) + hashed + password


def test_as_a_program(checkout: Path) -> None:
    questions = b"".join(question(HASHES["MD5"], word) for word in (PASSWORD, b"wrong", PASSWORD))
    command = [sys.executable, "-P", str(checkout / "ingressd/passwords.py")]
    run = subprocess.run(command, input=questions, capture_output=True, check=True)
    assert (run.stdout, run.stderr) == (b"\x01\x00\x01", b"")


def test_it_waits_for_its_turn(checkout: Path) -> None:
    fd = os.memfd_create("turns")
    fcntl.lockf(fd, fcntl.LOCK_EX, 1, 7)
    command = [sys.executable, "-P", str(checkout / "ingressd/passwords.py"), str(fd)]
    with (
        subprocess.Popen([*command, "7"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=[fd]) as waits,
        subprocess.Popen([*command, "8"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=[fd]) as goes,
    ):
        assert waits.stdin is not None
        waits.stdin.write(question(HASHES["MD5"], PASSWORD))
        waits.stdin.flush()
        eventually(lambda: "POSIX" in (blocked := _blocked_locks()) and str(waits.pid) in blocked)
        assert goes.communicate(question(HASHES["MD5"], PASSWORD))[0] == b"\x01"
        fcntl.lockf(fd, fcntl.LOCK_UN, 1, 7)
        assert waits.communicate()[0] == b"\x01"
    os.close(fd)


def _blocked_locks() -> str:
    """Lines of those who wait for a record lock."""
    return "".join(line for line in Path("/proc/locks").read_text().splitlines(keepends=True) if "->" in line)


def test_it_gives_way_to_everybody(checkout: Path) -> None:
    program = "import os, runpy, sys; runpy.run_path(sys.argv[1], run_name='__main__'); print(os.nice(0))"
    command = [sys.executable, "-P", "-c", program, str(checkout / "ingressd/passwords.py")]
    run = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=True, text=True)
    assert int(run.stdout) == NICENESS


def test_a_worker_loads_no_hashing_library(checkout: Path) -> None:
    program = "import sys, ingressd.runtime.worker, ingressd.proxy.password_checks as _; "
    program += "print({'bcrypt', 'passlib'} & {*sys.modules})"
    run = subprocess.run([sys.executable, "-c", program], cwd=checkout, capture_output=True, check=True, text=True)
    assert run.stdout == "set()\n"

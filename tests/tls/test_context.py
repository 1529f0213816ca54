import errno
import os
import ssl
from pathlib import Path

import pytest

from ingressd.tls import context as module
from ingressd.tls.context import certificate_context, listener_context
from tests.tls.authority import leaf


def open_descriptors() -> set[str]:
    return {os.readlink(link) for link in Path("/proc/self/fd").iterdir() if link.is_symlink() and link.exists()}


def test_listener_speaks_only_what_is_sound() -> None:
    context = listener_context()
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context.options & ssl.OP_NO_COMPRESSION
    assert context.options & ssl.OP_NO_RENEGOTIATION
    assert context.security_level == 2
    names = [cipher["name"] for cipher in context.get_ciphers()]
    assert all(name.startswith(("TLS_", "ECDHE-")) for name in names)
    assert all("GCM" in name or "CHACHA20" in name for name in names)
    assert any("RSA" in name for name in names)
    assert any("ECDSA" in name for name in names)


@pytest.mark.parametrize("kind", ["rsa", "p256", "ed25519"])
def test_certificates_load_and_leave_nothing_open(kind: str) -> None:
    before = open_descriptors()
    context = certificate_context(leaf(kind).pem, leaf(kind).key_pem)
    assert context.cert_store_stats()["x509"] == 0
    assert open_descriptors() == before


def test_a_refused_pair_leaves_nothing_open_and_never_asks_for_a_password() -> None:
    before = open_descriptors()
    encrypted = (
        b"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,"
        + b"0" * 32
        + b"\n\nAA==\n-----END RSA PRIVATE KEY-----\n"
    )
    for key in (encrypted, leaf("rsa").key_pem, b"", b"garbage"):
        with pytest.raises(ssl.SSLError):
            certificate_context(leaf().pem, key)
    assert open_descriptors() == before


def test_kernels_that_do_not_know_the_noexec_flag(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    real = os.memfd_create

    def create(name: str, flags: int) -> int:
        asked.append(flags)
        if flags & module._MFD_NOEXEC_SEAL:
            raise OSError(errno.EINVAL, "unknown flag")
        return real(name, flags)

    monkeypatch.setattr(os, "memfd_create", create)
    certificate_context(leaf().pem, leaf().key_pem)
    assert [bool(flags & os.MFD_CLOEXEC) for flags in asked] == [True, True]


def test_the_memory_file_is_closed_when_writing_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def write(descriptor: int, content: memoryview) -> int:
        raise OSError(errno.ENOSPC, "no memory")

    before = open_descriptors()
    monkeypatch.setattr(os, "write", write)
    with pytest.raises(OSError, match="no memory"):
        certificate_context(leaf().pem, leaf().key_pem)
    monkeypatch.undo()
    assert open_descriptors() == before

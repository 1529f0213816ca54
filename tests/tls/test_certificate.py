import contextlib
import random
import ssl
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st

from ingressd.tls import certificate as module
from ingressd.tls import pem
from ingressd.tls.certificate import CertificateError, CheckedPair, check_pair, covers, self_signed
from ingressd.tls.context import certificate_context
from tests.tls.authority import NOW, intermediate, issue, key_pem, leaf, new_key, root


def refusal(chain_pem: bytes, key: bytes) -> CertificateError:
    with pytest.raises(CertificateError) as caught:
        check_pair(chain_pem, key, now=NOW)
    return caught.value


@pytest.mark.parametrize("kind", ["rsa", "p256", "p384", "p521", "ed25519", "ed448"])
def test_every_kind_of_key_is_checked_and_loads(kind: str) -> None:
    good = leaf(kind)
    checked = check_pair(good.pem + intermediate().pem, good.key_pem, now=NOW)
    assert checked.chain_pem == good.pem + intermediate().pem
    assert checked.key_pem == good.key_pem
    assert checked.names == ("shop.example",)
    assert checked.not_before == NOW - 86_400
    assert checked.not_after == NOW + 90 * 86_400
    assert not checked.expired
    assert not checked.not_yet_valid
    assert not checked.was_reordered
    certificate_context(checked.chain_pem, checked.key_pem)


@pytest.mark.parametrize("kind", ["rsa", "p256"])
def test_traditional_key_formats(kind: str) -> None:
    good = leaf(kind)
    traditional = key_pem(good.key, serialization.PrivateFormat.TraditionalOpenSSL)
    parameters = b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
    checked = check_pair(good.pem, parameters + traditional, now=NOW)
    assert checked.key_pem == traditional


def test_a_combined_file_serves_as_both() -> None:
    good = leaf()
    both = good.key_pem + good.pem + intermediate().pem
    checked = check_pair(both, both, now=NOW)
    assert checked.chain_pem == good.pem + intermediate().pem
    assert checked.key_pem == good.key_pem


@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1), (1, 0, 2), (2, 1, 0), (1, 2, 0), (2, 0, 1)])
def test_a_chain_in_any_order_is_served_leaf_first(order: tuple[int, int, int]) -> None:
    ordered = [leaf().pem, intermediate().pem, root().pem]
    checked = check_pair(b"".join(ordered[i] for i in order), leaf().key_pem, now=NOW)
    assert checked.chain_pem == b"".join(ordered)
    assert checked.was_reordered == (order != (0, 1, 2))


def test_a_repeated_certificate_is_sent_once_and_a_stranger_last() -> None:
    stranger = issue("stranger", new_key("p256", 9), ca=True)
    given_chain = leaf().pem + stranger.pem + leaf().pem + intermediate().pem
    assert check_pair(given_chain, leaf().key_pem, now=NOW).chain_pem == leaf().pem + intermediate().pem + stranger.pem


def test_validity_is_a_fact_and_not_an_error() -> None:
    old = issue("old", new_key("p256"), days=(-90, -1))
    new = issue("new", new_key("p256"), days=(1, 90))
    assert check_pair(old.pem, old.key_pem, now=NOW).expired
    assert check_pair(new.pem, new.key_pem, now=NOW).not_yet_valid


def test_common_name_counts_only_without_alternative_names() -> None:
    bare = issue("Bare.Example", new_key("p256"))
    named = issue("bare.example", new_key("p256"), names=("A.example", "a.example", "*.B.example"))
    assert check_pair(bare.pem, bare.key_pem, now=NOW).names == ("bare.example",)
    assert check_pair(named.pem, named.key_pem, now=NOW).names == ("a.example", "*.b.example")


def _damaged_rsa_key() -> bytes:
    numbers = leaf("rsa").key.private_numbers()
    wrong = rsa.RSAPrivateNumbers(
        numbers.p, numbers.q, numbers.d + 2, numbers.dmp1 + 2, numbers.dmq1 + 2, numbers.iqmp, numbers.public_numbers
    )
    return key_pem(wrong.private_key(unsafe_skip_rsa_key_validation=True))


def _sha1_signed() -> bytes:
    """cryptography signs nothing with SHA-1 any more, so the algorithm is renamed: sha256WithRSA to sha1WithRSA."""
    signer = issue("old authority", new_key("rsa", 5), ca=True)
    der = issue("leaf", new_key("p256", 3), issuer=signer).certificate.public_bytes(serialization.Encoding.DER)
    rsa_signatures = bytes.fromhex("2a864886f70d0101")
    renamed = der.replace(rsa_signatures + b"\x0b", rsa_signatures + b"\x05")
    return pem.armor(pem.Block("CERTIFICATE", renamed))


GARBAGE = b"\x00\x01 no certificate \xff"
BROKEN = b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"
BROKEN_KEY = BROKEN.replace(b"CERTIFICATE", b"PRIVATE KEY")

WRONG: dict[str, tuple[Callable[[], bytes], Callable[[], bytes], str, str]] = {
    "no certificate": (lambda: b"", lambda: leaf().key_pem, "NoCertificate", "the certificate is empty"),
    "blank certificate": (lambda: b" \n", lambda: leaf().key_pem, "NoCertificate", "the certificate is empty"),
    "no key": (lambda: leaf().pem, lambda: b"", "NoPrivateKey", "the key is empty"),
    "garbage": (lambda: GARBAGE, lambda: leaf().key_pem, "NotPEM", "the certificate is not PEM"),
    "garbage key": (lambda: leaf().pem, lambda: GARBAGE, "NotPEM", "the key is not PEM"),
    "DER": (
        lambda: leaf().certificate.public_bytes(serialization.Encoding.DER),
        lambda: leaf().key_pem,
        "NotPEM",
        "DER or PKCS#12",
    ),
    "cut off": (lambda: leaf().pem[:200], lambda: leaf().key_pem, "MalformedPEM", "without its END line"),
    "not base64": (
        lambda: leaf().pem.replace(b"A", b"!"),
        lambda: leaf().key_pem,
        "MalformedPEM",
        "the certificate has a PEM block that is not base64",
    ),
    "not a certificate": (lambda: BROKEN, lambda: leaf().key_pem, "InvalidCertificate", "certificate 1"),
    "second of chain broken": (
        lambda: leaf().pem + BROKEN,
        lambda: leaf().key_pem,
        "InvalidCertificate",
        "certificate 2",
    ),
    "not a key": (lambda: leaf().pem, lambda: BROKEN_KEY, "InvalidKey", "cannot be read"),
    "swapped": (lambda: leaf().key_pem, lambda: leaf().pem, "NoPrivateKey", "no PRIVATE KEY block"),
    "key instead of certificate": (
        lambda: leaf().key_pem,
        lambda: leaf().key_pem,
        "NoCertificate",
        "no CERTIFICATE block",
    ),
    "two keys": (
        lambda: leaf().pem,
        lambda: leaf().key_pem + leaf("rsa").key_pem,
        "SeveralPrivateKeys",
        "2 private keys",
    ),
    "encrypted key": (
        lambda: leaf().pem,
        lambda: key_pem(leaf().key, passphrase=b"secret"),
        "EncryptedKey",
        "passphrase",
    ),
    "encrypted key, old format": (
        lambda: leaf("rsa").pem,
        lambda: key_pem(leaf("rsa").key, serialization.PrivateFormat.TraditionalOpenSSL, b"secret"),
        "EncryptedKey",
        "passphrase",
    ),
    "key of another certificate": (
        lambda: leaf().pem,
        lambda: key_pem(new_key("p256", 8)),
        "KeyMismatch",
        "does not belong",
    ),
    "key of another kind": (lambda: leaf().pem, lambda: leaf("rsa").key_pem, "KeyMismatch", "does not belong"),
    "damaged key": (lambda: leaf("rsa").pem, _damaged_rsa_key, "InvalidKey", "damaged"),
    "small RSA key": (
        lambda: leaf("rsa1024").pem,
        lambda: leaf("rsa1024").key_pem,
        "WeakKey",
        "RSA of 1024 bits",
    ),
    "small RSA key in the chain": (
        lambda: leaf().pem + issue("weak", new_key("rsa1024"), ca=True).pem,
        lambda: leaf().key_pem,
        "WeakKey",
        "the key of certificate 2",
    ),
    "curve that TLS has not": (
        lambda: leaf("secp256k1").pem,
        lambda: leaf("secp256k1").key_pem,
        "UnsupportedKey",
        "secp256k1",
    ),
    "DSA": (lambda: leaf("dsa").pem, lambda: leaf("dsa").key_pem, "UnsupportedKey", "neither RSA"),
    "SHA-1": (_sha1_signed, lambda: leaf().key_pem, "WeakSignature", "SHA1"),
    "too many": (
        lambda: b"".join(issue(str(i), leaf().key).pem for i in range(module.MAX_CERTIFICATES + 1)),
        lambda: leaf().key_pem,
        "TooLarge",
        "17 certificates",
    ),
    "too large": (
        lambda: b"".join(
            issue("x", leaf().key, names=[f"{'n' * 60}{i}.{j}" for i in range(400)]).pem for j in range(4)
        ),
        lambda: leaf().key_pem,
        "TooLarge",
        "96 KiB",
    ),
    "much too large": (lambda: b"#" * 600_000, lambda: leaf().key_pem, "TooLarge", "512 KiB"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_pairs_are_refused_with_a_reason(case: str) -> None:
    chain, key, reason, words = WRONG[case]
    error = refusal(chain(), key())
    assert error.reason == reason
    assert words in error.message
    assert error.__cause__ is None
    assert str(error) == f"{reason}: {error.message}"


def test_openssl_would_have_refused_sha1_too() -> None:
    with pytest.raises(ssl.SSLError, match="too weak"):
        certificate_context(_sha1_signed(), leaf().key_pem)


def test_what_only_openssl_refuses_is_refused_here(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(chain: bytes, key: bytes) -> ssl.SSLContext:
        raise ssl.SSLError(1, "[SSL: EE_KEY_TOO_SMALL] ee key too small (_ssl.c:1)")

    monkeypatch.setattr(module, "certificate_context", refuse)
    error = refusal(leaf().pem, leaf().key_pem)
    assert error.reason == "Refused"


def test_no_key_material_in_reprs_and_messages() -> None:
    good = leaf("rsa")
    body = good.key_pem.split(b"\n")[3].decode()
    assert body not in repr(check_pair(good.pem, good.key_pem, now=NOW))
    error = refusal(good.pem, good.key_pem.replace(b"A", b"!"))
    assert body[:8] not in f"{error}{error!r}{error.__context__!r}"


@given(st.integers(), st.integers(1, 40))
def test_mutated_pairs_are_refused_or_load(seed: int, changes: int) -> None:
    chain, key = bytearray(leaf().pem + intermediate().pem), bytearray(leaf().key_pem)
    choose = random.Random(seed)
    for _ in range(changes):
        text = choose.choice((chain, key))
        text[choose.randrange(len(text))] = choose.choice(b"ABCabc019+/=-\n ")
    with contextlib.suppress(CertificateError):
        checked = check_pair(bytes(chain), bytes(key), now=NOW)
        certificate_context(checked.chain_pem, checked.key_pem)


@pytest.mark.parametrize(
    ("names", "host", "expected"),
    [
        (("shop.example",), "shop.example", True),
        (("shop.example",), "SHOP.Example.", True),
        (("Shop.Example.",), "shop.example", True),
        (("shop.example",), "www.shop.example", False),
        (("*.shop.example",), "www.shop.example", True),
        (("*.Shop.example",), "WWW.shop.example", True),
        (("*.shop.example",), "shop.example", False),
        (("*.shop.example",), "a.www.shop.example", False),
        (("*.shop.example",), "*.shop.example", True),
        (("www.shop.example",), "*.shop.example", False),
        (("*.example",), "*.shop.example", False),
        (("a", "b"), "b", True),
        (("*.",), "localhost", False),
        ((), "shop.example", False),
        (("shop.example",), "", False),
    ],
)
def test_covers(names: tuple[str, ...], host: str, expected: bool) -> None:
    assert covers(names, host) is expected


def test_self_signed_is_checked_and_new_each_time() -> None:
    one, two = self_signed(now=NOW, days=30), self_signed(("a.example", "*.a.example"), now=NOW)
    assert one.names == ("ingress.local",)
    assert two.names == ("a.example", "*.a.example")
    assert one.key_pem != two.key_pem
    assert one.not_before == NOW - 3600
    assert one.not_after == NOW + 30 * 86_400
    assert isinstance(one, CheckedPair)
    assert not one.expired
    assert not one.not_yet_valid

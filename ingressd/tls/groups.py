"""Which key-exchange groups a listener accepts: the ones that cost little.

OpenSSL before 3.5 accepts every group it knows, and ffdhe8192 takes it 250 ms of CPU a handshake: four strangers a
second would stall a worker (D(HE)at, CVE-2022-40735). Cipher strings do not reach TLS 1.3's groups, and Python has
``SSLContext.set_groups`` only since 3.15. Before, the call is made through ``ctypes``, on the OpenSSL of ``_ssl``.
"""

import ctypes
import importlib
import ssl

_GROUPS = "X25519:P-256:P-384"
_HYBRID = "X25519MLKEM768:"  # post-quantum; OpenSSL has it since 3.5

_SSL_CTRL_SET_GROUPS_LIST = 92  # openssl/ssl.h: SSL_CTX_set1_groups_list is a macro for SSL_CTX_ctrl with this


def limit_groups(context: ssl.SSLContext, wanted: str = "") -> None:
    """Accept ``wanted``, or X25519, P-256 and P-384, in this order; where no way leads there, P-256 alone, which costs
    most clients a round trip.

    ``wanted`` is a list as in ``_GROUPS``, of cheap ones. One that this OpenSSL does not have is left out.
    """
    has_hybrid = ssl.OPENSSL_VERSION_INFO >= (3, 5)
    if not has_hybrid:
        wanted = ":".join(one for one in wanted.split(":") if one + ":" != _HYBRID)
    if wanted and _set_groups(context, wanted):
        return
    if not _set_groups(context, _HYBRID + _GROUPS if has_hybrid else _GROUPS):
        context.set_ecdh_curve("prime256v1")


def _set_groups(context: ssl.SSLContext, groups: str) -> bool:
    if hasattr(context, "set_groups"):
        try:
            context.set_groups(groups)
        except ssl.SSLError:  # OpenSSL in FIPS mode
            return False
        return True
    try:
        control = ctypes.CDLL(importlib.import_module("_ssl").__file__).SSL_CTX_ctrl  # in libssl, which _ssl needs
    except (AttributeError, OSError):  # linked statically, its symbols hidden
        return False
    control.argtypes = (ctypes.c_void_p, ctypes.c_int, ctypes.c_long, ctypes.c_char_p)
    control.restype = ctypes.c_long
    # The first field of a context object, after what every object begins with, is its SSL_CTX pointer: so in every
    # CPython from 3.11 to 3.14, and later ones do not come here.
    pointer = ctypes.c_void_p.from_address(id(context) + object.__basicsize__)
    return bool(control(pointer, _SSL_CTRL_SET_GROUPS_LIST, 0, groups.encode()) == 1)

"""Whether and how TLS is spoken to a backend, as a snapshot says it: what is secret is named, not held."""

from msgspec import Struct


class BackendTls(Struct, frozen=True, gc=False, array_like=True):
    """``verify``: the backend's certificate must be for ``name`` and lead to an authority of ``material``.

    ``server_name``: ``name`` is sent (SNI). ``protocols`` (``TLSv1.2``, ``TLSv1.3``; none: both) and ``ciphers``
    (OpenSSL's list, "": its default) limit what is offered. ``verify_depth`` certificates may stand between the
    backend's and an authority's. ``material`` is the key of authorities and of our own certificate, "" for neither.
    """

    verify: bool = False
    name: str = ""
    server_name: bool = False
    protocols: tuple[str, ...] = ()
    ciphers: str = ""
    verify_depth: int = 1
    material: str = ""

    def suffix(self) -> str:
        """What makes the key of a backend with these settings another than that of the same backend without TLS.

        Backends that differ in it have their own endpoints in a pool: a connection is never used under other settings
        than those it was opened with.
        """
        flags = ("v" if self.verify else "") + ("s" if self.server_name else "")
        versions = "+".join(self.protocols)
        return f"|tls:{flags}:{self.name}:{versions}:{self.ciphers}:{self.verify_depth}:{self.material}"

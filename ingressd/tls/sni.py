"""Server name (SNI) to certificate: exact, then one label of wildcard, then the default."""

import ssl
import sys
from collections.abc import Callable, Container, Iterable, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

T = TypeVar("T")

NOTHING: Mapping[str, Any] = MappingProxyType({})


class ServerNames:
    """Which certificate context answers which server name. Immutable in use: ``with_changes`` makes the next one.

    Two maps, name → certificate key and certificate key → context, so that a rotated certificate is one new context
    however many names it serves. Names are lower case without a trailing dot, or ``*.parent``.

    ``own``: contexts of names that have more than a certificate of their own, whatever ``names`` say. None there means
    none of their own, and must be there for each host that a wildcard in ``own`` would otherwise cover; "*" in it is
    for whatever nothing else covers.

    ``rejects_unknown``: no default for a name that is neither in ``names`` nor in ``known`` (as ``*.parent``, too), nor
    for a client without one.
    """

    __slots__ = ("_contexts", "_default", "_known", "_names", "_own", "_rejects_unknown")

    def __init__(
        self,
        contexts: Mapping[str, ssl.SSLContext] = NOTHING,
        names: Mapping[str, str] = NOTHING,
        default: str = "",
        *,
        own: Mapping[str, ssl.SSLContext | None] = NOTHING,
        known: Container[str] = (),
        rejects_unknown: bool = False,
    ) -> None:
        self._contexts = contexts
        self._names = names
        self._default = default
        self._own = own
        self._known = known
        self._rejects_unknown = rejects_unknown

    def with_changes(
        self,
        *,
        contexts: Mapping[str, ssl.SSLContext] = NOTHING,
        contexts_removed: Iterable[str] = (),
        names: Mapping[str, str] = NOTHING,
        names_removed: Iterable[str] = (),
        default: str | None = None,
        own: Mapping[str, ssl.SSLContext | None] | None = None,
        known: Container[str] | None = None,
        rejects_unknown: bool | None = None,
    ) -> "ServerNames":
        """A copy with these added or replaced and those removed; contexts that did not change are shared."""
        return ServerNames(
            _changed(self._contexts, contexts, contexts_removed),
            _changed(self._names, names, names_removed),
            self._default if default is None else default,
            own=self._own if own is None else own,
            known=self._known if known is None else known,
            rejects_unknown=self._rejects_unknown if rejects_unknown is None else rejects_unknown,
        )

    def context(self, key: str) -> ssl.SSLContext | None:
        """The context of a certificate by its key."""
        return self._contexts.get(key)

    def key(self, server_name: str) -> str:
        """The key of the certificate that a name is answered with; ``*.parent`` is a name too."""
        return self._names.get(server_name) or self._names.get(_wildcard(server_name)) or self._default

    def choose(self, server_name: str | None) -> ssl.SSLContext | None:
        """The context for a name as the client sent it (or did not: None).

        None when there is not even a default, or none for unknown names.
        """
        name = server_name.lower() if server_name else ""
        if name.endswith("."):  # not allowed (RFC 6066 section 3), sent by some all the same
            name = name[:-1]
        if self._own:
            own = self._own_context(name)
            if own is not None:
                return own
        key = (self._names.get(name) or self._names.get(_wildcard(name))) if name else None
        if key is None:
            return None if self._rejects_unknown and not self._is_known(name) else self._contexts.get(self._default)
        return self._contexts.get(key) or self._contexts.get(self._default)

    def _own_context(self, name: str) -> ssl.SSLContext | None:
        for each in (name, _wildcard(name)):
            if each in self._own:
                return self._own[each]
        if self._rejects_unknown and not self._is_known(name):
            return None
        return self._own.get("*")

    def _is_known(self, name: str) -> bool:
        return name in self._known or _wildcard(name) in self._known


def _wildcard(name: str) -> str:
    return "*." + name.partition(".")[2]


class CertificateSwitch:
    """The listener context's server-name callback. Assign ``names`` to change what the next handshake sees."""

    __slots__ = ("names",)

    def __init__(self, names: ServerNames) -> None:
        self.names = names

    def install(self, listener: ssl.SSLContext) -> None:
        """Answer for this listener context, in this process."""
        listener.sni_callback = self

    def __call__(self, connection: ssl.SSLObject, server_name: str | None, _: ssl.SSLContext) -> int | None:
        """What OpenSSL asks in the middle of a handshake: None goes on, a number is the alert to send."""
        context = self.names.choose(server_name)
        if context is None:
            return int(ssl.AlertDescription.ALERT_DESCRIPTION_UNRECOGNIZED_NAME)
        connection.context = context
        return None


def silence_unreadable_names() -> None:
    """Keep ``ssl`` from printing a traceback whenever a client sends a server name that is not ASCII.

    The handshake fails with an alert anyway, before our callback is asked; but the message goes to standard error
    through ``sys.unraisablehook``, and strangers should not be able to fill a log. Everything else is still printed.
    """
    previous: Callable[[sys.UnraisableHookArgs], object] = sys.unraisablehook

    def hook(unraisable: "sys.UnraisableHookArgs") -> None:
        if not (isinstance(unraisable.exc_value, UnicodeDecodeError) and isinstance(unraisable.object, bytes)):
            previous(unraisable)

    sys.unraisablehook = hook


def _changed(old: Mapping[str, T], upserts: Mapping[str, T], removed: Iterable[str]) -> Mapping[str, T]:
    gone = tuple(removed)
    if not upserts and not gone:
        return old
    new = dict(old)
    for name in gone:
        new.pop(name, None)
    new.update(upserts)
    return new

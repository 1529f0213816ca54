"""Where the API server is and how we prove who we are: read through kubernetes-asyncio, kept fresh here.

The library refreshes only some kinds of credentials and only if asked in its own way. Here there is one rule for all:
everything is read again when it is due and when the server refuses it. A reading that fails leaves the last one in
force. kubernetes-asyncio is imported when first used: importing it costs 40 MB.
"""

import asyncio
import contextlib
import hashlib
import logging
import os
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from ingressd.errors import IngressdError

log = logging.getLogger(__name__)

REREAD_S = 60.0
"""How often files are read again: what the in-cluster token's rotation asks for. Also tokenFile, OIDC, certificates."""
READ_TIMEOUT_S = 30.0
"""How long a credential program or an identity provider may take; the library waits for ever."""
SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


class CredentialError(IngressdError):
    """No usable kubeconfig or service account. The text is one line for people."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """One reading. ``authorization`` is the value of that header, "" when a client certificate does it.

    ``good_for_s``: read again after so many seconds.
    """

    host: str
    authorization: str = field(default="", repr=False)
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    verify: bool = True
    server_name: str | None = None
    proxy: str | None = None
    good_for_s: float = REREAD_S


class CredentialSource(Protocol):
    """Reads everything anew. Raises CredentialError."""

    async def read(self) -> Credentials: ...


class Kubeconfig:
    """A kubeconfig file, or with ``path`` None those of the usual rules ($KUBECONFIG, then ~/.kube/config).

    The context is settled by the first reading: somebody's ``kubectl config use-context`` must not move a running
    controller to another cluster.
    """

    def __init__(self, path: str | None = None, context: str | None = None) -> None:
        self._path = path or os.environ.get("KUBECONFIG") or "~/.kube/config"
        self._context = context

    async def read(self) -> Credentials:
        from kubernetes_asyncio.client import Configuration
        from kubernetes_asyncio.config import ConfigException, load_kube_config

        files = self._files()
        # Not the library's shared default: a plain new one.
        configuration = type.__call__(Configuration)
        try:
            loader = await load_kube_config(
                config_file=os.pathsep.join(files),
                context=self._context,
                client_configuration=configuration,
                # Refreshed OIDC tokens go back into the file, as kubectl does, because an issuer may take each refresh
                # token only once. Not if we cannot write it: the library would lose the new token over that.
                persist_config=all(os.access(one, os.W_OK) for one in files),
            )
        except (ConfigException, OSError, ValueError, TypeError, AttributeError, KeyError, AssertionError) as error:
            raise CredentialError(f"kubeconfig {', '.join(files)}: {_one_line(error)}") from error
        except Exception as error:  # the library lets YAML's and aiohttp's own errors through
            log.debug("reading the kubeconfig failed", exc_info=True)
            raise CredentialError(f"kubeconfig {', '.join(files)}: {_one_line(error)}") from error
        current = loader.current_context or {}
        self._context = current.get("name", self._context)
        return _from_configuration(configuration, good_for_s=_good_for_s(loader))

    def _files(self) -> list[str]:
        files = [os.path.expanduser(one) for one in self._path.split(os.pathsep) if one]
        readable = [one for one in files if os.path.isfile(one)]
        if not readable:
            raise CredentialError(f"no such kubeconfig file: {', '.join(files) or self._path!r}")
        return readable


class ServiceAccount:
    """What Kubernetes mounts into every pod."""

    def __init__(self, directory: Path = SERVICE_ACCOUNT) -> None:
        self._directory = directory

    async def read(self) -> Credentials:
        from kubernetes_asyncio.client import Configuration
        from kubernetes_asyncio.config import ConfigException, load_incluster_config

        configuration = type.__call__(Configuration)
        try:
            load_incluster_config(
                configuration,
                token_filename=str(self._directory / "token"),
                cert_filename=str(self._directory / "ca.crt"),
            )
        except (ConfigException, OSError, ValueError) as error:
            raise CredentialError(f"in-cluster service account: {_one_line(error)}") from error
        return _from_configuration(configuration, good_for_s=REREAD_S)


def is_in_cluster(directory: Path = SERVICE_ACCOUNT) -> bool:
    """True inside a pod that has a service account token."""
    return bool(os.environ.get("KUBERNETES_SERVICE_HOST")) and (directory / "token").is_file()


def own_namespace(directory: Path = SERVICE_ACCOUNT) -> str | None:
    """The namespace this pod runs in; None outside a cluster."""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        return (directory / "namespace").read_text().strip() or None
    return None


def _from_configuration(configuration: Any, *, good_for_s: float) -> Credentials:
    host = configuration.host or ""
    if not host.startswith(("http://", "https://")):
        raise CredentialError(f"the address of the API server is not a URL: {host!r}")
    return Credentials(
        host=host.rstrip("/"),
        # Token files end in a newline, which is no part of a header.
        authorization=" ".join(configuration.api_key.get("BearerToken", "").split()),
        ca_file=configuration.ssl_ca_cert,
        cert_file=configuration.cert_file,
        key_file=configuration.key_file,
        verify=configuration.verify_ssl,
        server_name=configuration.tls_server_name,
        proxy=configuration.proxy,
        good_for_s=good_for_s,
    )


def _good_for_s(loader: Any) -> float:
    """Files are read again each minute. A program (exec) runs again a minute before what it gave expires; when it says
    nothing of that, only once the server refuses the token."""
    user = loader._user  # the library tells its kind of user nowhere else
    if user is None or "exec" not in user:
        return REREAD_S
    expiry = getattr(loader, "exec_plugin_expiry", None)
    if expiry is None:
        return float("inf")
    return float(max(expiry.timestamp() - time.time() - 60.0, 10.0))


@dataclass(frozen=True, slots=True)
class Access:
    """Credentials with the TLS context that goes with them."""

    credentials: Credentials
    context: ssl.SSLContext


class FreshCredentials:
    """The access to use now; what was read last, read again when due."""

    def __init__(
        self,
        source: CredentialSource,
        *,
        strict_x509: bool = True,
        read_timeout_s: float = READ_TIMEOUT_S,
        clock: Callable[[], float],
    ) -> None:
        self._source = source
        self._read_timeout_s = read_timeout_s
        self._strict_x509 = strict_x509
        self._clock = clock
        self._current: Access | None = None
        self._due = 0.0
        self._context_made_of = b""
        self._reading = asyncio.Lock()

    async def get(self) -> Access:
        """Raises CredentialError only when there never was a good reading."""
        if (current := self._in_force()) is not None:
            return current
        async with self._reading:
            return self._in_force() or await self._read()

    async def renew(self, refused: Access) -> Access:
        """The server did not take this one: read again, unless somebody just did."""
        async with self._reading:
            if self._current is not None and self._current is not refused:
                return self._current
            return await self._read()

    def _in_force(self) -> Access | None:
        return self._current if self._clock() < self._due else None

    async def _read(self) -> Access:
        try:
            async with asyncio.timeout(self._read_timeout_s):
                read = await self._source.read()
            access = Access(read, self._context_for(read))
        except (CredentialError, TimeoutError) as error:
            if isinstance(error, TimeoutError):
                error = CredentialError(f"credentials for the API server did not come within {self._read_timeout_s} s")
            if self._current is None:
                raise error from None
            log.warning("credentials not read again, the last ones stay in use: %s", error)
            self._due = self._clock() + REREAD_S
            return self._current
        self._current = access
        self._due = self._clock() + read.good_for_s
        return access

    def _context_for(self, credentials: Credentials) -> ssl.SSLContext:
        """A TLS context costs 18 ms and forgets TLS sessions: a new one only when what it is made of has changed."""
        try:
            made_of = _fingerprint(credentials)
            if self._current is not None and made_of == self._context_made_of:
                return self._current.context
            context = _tls_context(credentials, self._strict_x509)
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            raise CredentialError(f"certificates for the API server: {_one_line(error)}") from error
        self._context_made_of = made_of
        return context


def _fingerprint(credentials: Credentials) -> bytes:
    digest = hashlib.sha256(str(credentials.verify).encode())
    for name in (credentials.ca_file, credentials.cert_file, credentials.key_file):
        content = Path(name).read_bytes() if name else b""
        digest.update(f"{len(content)}:".encode() + content)
    return digest.digest()


def _tls_context(credentials: Credentials, strict_x509: bool) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=credentials.ca_file)
    if credentials.cert_file:
        context.load_cert_chain(credentials.cert_file, credentials.key_file)
    if not credentials.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if not strict_x509:
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__

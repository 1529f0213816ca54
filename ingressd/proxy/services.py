"""What routes with policies ask beside their endpoints: made when the first of them is bound, one of each a worker."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ingressd.proxy.encoding import Encoders
from ingressd.proxy.external_auth import AuthAsker
from ingressd.proxy.mirroring import Mirrors
from ingressd.proxy.password_checks import PasswordChecks
from ingressd.proxy.splicing import Splices
from ingressd.proxy.subrequest import Fetcher

if TYPE_CHECKING:
    from ingressd.proxy.gateway import Gateway


class Services:
    """To be closed when the worker ends."""

    __slots__ = ("_asker", "_fetcher", "_gateway", "_passwords", "encoders", "mirrors", "splices")

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._fetcher: Fetcher | None = None
        self._asker: AuthAsker | None = None
        self._passwords: PasswordChecks | None = None
        self.encoders = Encoders()
        self.mirrors = Mirrors(gateway)
        self.splices = Splices(gateway.loop)

    @property
    def fetcher(self) -> Fetcher:
        if self._fetcher is None:
            self._fetcher = Fetcher(self._gateway)
        return self._fetcher

    @property
    def asker(self) -> AuthAsker:
        """For external authentication."""
        if self._asker is None:
            self._asker = AuthAsker(self.fetcher)
        return self._asker

    @property
    def passwords(self) -> PasswordChecks:
        """To be asked for on the event loop."""
        if self._passwords is None:
            limits = self._gateway.shared_limits
            self._passwords = PasswordChecks(turn=None if limits is None else limits.turn)
        return self._passwords

    def close(self) -> None:
        if self._passwords is not None:
            self._passwords.close()
        if self._fetcher is not None:
            self._fetcher.close()

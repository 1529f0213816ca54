"""What each host wants of TLS beside its certificate, made for one worker: contexts, and who looks into hellos.

Everything is made aside, a step at a time (a context costs about a millisecond), and kept as long as what it was made
of does not change. Private keys are at hand only during a change that may need them: see
``channel.certificates_to_send``.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, cast

from msgspec import Struct

from ingressd.policy.policies import HostTls, ListenerTls
from ingressd.proxy.materials import Materials, Trust
from ingressd.proxy.passthrough import PassThrough
from ingressd.proxy.verified_tls import Choice, HelloChoices, Verifying
from ingressd.routing.snapshot import ANY_HOST, CertificatePair
from ingressd.tls.client import VERSIONS
from ingressd.tls.client_certificate import trust_key
from ingressd.tls.context import CIPHERS, TlsParameters, certificate_context, whole_context
from ingressd.tls.sni import NOTHING

if TYPE_CHECKING:
    from ingressd.proxy.gateway import Gateway

log = logging.getLogger(__name__)

_HOSTS_A_STEP = 200
_NAMES_A_STEP = 2000


class HeldPair(NamedTuple):
    """A certificate that is served: which one, and itself while a change is under way that brought it."""

    digest: bytes
    pair: CertificatePair | None


class _Recipe(NamedTuple):
    """What a context is made of; equal recipes make the same. ``is_whole``: connections begin with it."""

    certificate: bytes
    parameters: TlsParameters
    is_whole: bool = False
    trust: Trust | None = None
    depth: int = 1


class HostTlsState(Struct, frozen=True):
    """What the gateway and the certificate switch get with a commit."""

    hellos: HelloChoices | None = None
    own: Mapping[str, ssl.SSLContext | None] = NOTHING
    client_trust: Mapping[str, str] = NOTHING


_Made = Verifying | ssl.SSLContext | None  # None: it cannot be made


def parameters_of(settings: ListenerTls) -> TlsParameters:
    """What a listener offers, of settings that were looked at by ``tls/checks``."""
    versions = sorted(VERSIONS[name] for name in settings.protocols if name in VERSIONS)
    default = TlsParameters()
    return TlsParameters(
        settings.ciphers or CIPHERS,
        settings.prefers_server_order,
        versions[0] if versions else default.minimum_version,
        versions[-1] if versions else default.maximum_version,
        settings.sends_tickets,
        settings.groups,
    )


class HostContexts:
    """Contexts of one worker's hosts with TLS of their own."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._made: dict[_Recipe, _Made] = {}
        self._making: dict[_Recipe, _Made] = {}
        self._state: HostTlsState | None = None

    def build(
        self,
        wanted: Mapping[str, HostTls],
        names: Callable[[], Iterable[str]],
        held: Callable[[str], HeldPair | None],
        parameters: TlsParameters,
        endpoint: Callable[[str], tuple[str, int]],
    ) -> Iterator[None]:
        """Steps; what they make is for ``commit``. Each costs a millisecond or two.

        ``names`` are those of all hosts; ``held`` is the certificate that a host is served with, ``endpoint`` address
        and port of a backend's only endpoint, or an empty address.
        """
        self.abandon()
        choices: dict[str, Choice | None] = {}
        own: dict[str, ssl.SSLContext | None] = {}
        trusts: dict[str, str] = {}
        for count, (name, tls) in enumerate(wanted.items(), 1):
            if count % _HOSTS_A_STEP == 0:
                yield
            if tls.passthrough:
                choices[name] = PassThrough(self._gateway, *endpoint(tls.passthrough))
                continue
            recipe = self._recipe(tls, held(name), parameters)
            if recipe is None:
                continue
            if recipe not in self._making and recipe not in self._made:
                yield
            made = self._make(name, recipe, held(name))
            if recipe.trust is not None and made is not None:
                choices[name] = cast("Verifying", made)
                trusts[name] = trust_key(recipe.trust.ca_pem, recipe.trust.crl_pem, recipe.depth)
            elif recipe.is_whole:
                choices[name] = cast("ssl.SSLContext | None", made)
            elif recipe.trust is None:
                own[name] = cast("ssl.SSLContext | None", made)
        yield from _shadow(choices, names)
        yield from _shadow(own, names)
        found = HelloChoices(choices, choices.pop(ANY_HOST, None))
        self._state = HostTlsState(None if found.is_empty else found, own, trusts)

    def abandon(self) -> None:
        """Forget what was built."""
        self._making = {}
        self._state = None

    def commit(self) -> HostTlsState | None:
        """What was built; contexts that it is not made of are let go. None: nothing was."""
        state, self._state = self._state, None
        if state is not None:
            self._made, self._making = self._making, {}
        return state

    def _recipe(self, tls: HostTls, held: HeldPair | None, parameters: TlsParameters) -> _Recipe | None:
        """None: the host's certificate alone will do, or there is nothing to make a context of."""
        if held is None:
            return None
        order = parameters.prefers_server_order if tls.prefers_server_order is None else tls.prefers_server_order
        mine = replace(parameters, ciphers=tls.ciphers or parameters.ciphers, prefers_server_order=order)
        if tls.trust:
            trust = _newest_trust(self._gateway.materials, tls.trust)
            return None if trust is None else _Recipe(held.digest, mine, False, trust, tls.verify_depth)
        if order != parameters.prefers_server_order:
            return _Recipe(held.digest, mine, True)
        return None if mine == parameters else _Recipe(held.digest, mine)

    def _make(self, name: str, recipe: _Recipe, held: HeldPair | None) -> _Made:
        if recipe in self._making:
            return self._making[recipe]
        pair = None if held is None else held.pair
        made = self._made.get(recipe)
        if made is None and (pair is not None or recipe not in self._made):  # what failed is tried anew with a new pair
            made = _context(name, recipe, pair)
        self._making[recipe] = made
        return made


def _newest_trust(materials: Materials, key: str) -> Trust | None:
    ready = materials.newest(key)
    return ready if isinstance(ready, Trust) else None


def _context(name: str, recipe: _Recipe, pair: CertificatePair | None) -> _Made:
    """Never fails: what cannot be made is told, and is not there. Who needed it to verify clients is closed (403)."""
    try:
        if pair is None:
            raise ValueError("its certificate is not at hand")
        if recipe.trust is not None:
            from ingressd.tls.verify import VerifyingContext  # 11 MiB, for those who need it

            ca_pem, crl_pem = recipe.trust
            return VerifyingContext(
                pair.chain_pem,
                pair.key_pem,
                ca_pem=ca_pem,
                crl_pem=crl_pem,
                depth=recipe.depth,
                parameters=recipe.parameters,
            )
        if recipe.is_whole:
            return whole_context(pair.chain_pem, pair.key_pem, recipe.parameters)
        return certificate_context(pair.chain_pem, pair.key_pem, ciphers=recipe.parameters.ciphers)
    except (ValueError, OSError) as error:  # ssl.SSLError is one
        lost = "closed (403)" if recipe.trust is not None else "served with the parameters of all others"
        log.error("the TLS settings of host %s cannot be used, it is %s: %s", name, lost, error)
        return None


def _shadow(chosen: dict[str, Choice | None] | dict[str, ssl.SSLContext | None],
            names: Callable[[], Iterable[str]]) -> Iterator[None]:  # fmt: skip
    """An exact host that a wildcard would cover, and that wants nothing, must be in the map to want nothing.

    The catch-all host is one such wildcard for ``HelloChoices``: with it, every host is listed.
    """
    parents = {name[1:] for name, choice in chosen.items() if choice is not None and name.startswith("*.")}
    everything = chosen.get(ANY_HOST) is not None
    if not parents and not everything:
        return
    for count, name in enumerate(list(names()), 1):
        if name != ANY_HOST and (everything or "." + name.partition(".")[2] in parents):
            chosen.setdefault(name, None)
        if count % _NAMES_A_STEP == 0:
            yield

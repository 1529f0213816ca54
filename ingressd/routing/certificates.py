"""Which certificate answers for which server name.

Per name the oldest Ingress that claims it decides. Its offers are tried in order; the first Secret that is usable and
good for the name serves it, else the default certificate does. A name whose claim fails is bound to the default
certificate explicitly, so that it does not fall to the wildcard of somebody else.
"""

from collections.abc import Iterable

from msgspec import Struct

from ingressd.model.finding import Finding
from ingressd.routing.claims import ReadIngress, ServerNameClaim
from ingressd.routing.defaults import RouteDefaults
from ingressd.routing.place import Place
from ingressd.routing.snapshot import CertificatePair
from ingressd.routing.tls_secrets import SecretShelf
from ingressd.tls.certificate import covers


class TlsChoice(Struct, frozen=True, gc=False):
    """The TLS part of a snapshot."""

    certificates: dict[str, CertificatePair]
    server_names: dict[str, str]
    default_certificate: str
    findings: tuple[Finding, ...]


def choose_certificates(reads: Iterable[ReadIngress], shelf: SecretShelf, defaults: RouteDefaults) -> TlsChoice:
    """Grant the claims on server names; ``reads`` come in order of seniority."""
    chooser = _Chooser(shelf, _default_pair(shelf, defaults))
    for read in reads:
        for claim in read.server_names:
            chooser.grant(claim)
    return chooser.choice()


def _default_pair(shelf: SecretShelf, defaults: RouteDefaults) -> CertificatePair | None:
    key = defaults.default_ssl_certificate
    if key is None:
        return defaults.self_signed
    offer = shelf.offer(key)
    if not offer.exists:
        place = Place("Secret", *key, "--default-ssl-certificate")
        message = "the Secret of the default certificate does not exist; a self-signed one is served"
        shelf.findings.append(place.finding("error", "SecretNotFound", message))
    return offer.pair or defaults.self_signed


class _Chooser:
    def __init__(self, shelf: SecretShelf, default: CertificatePair | None) -> None:
        self._shelf = shelf
        self._default = default
        self._holders: dict[str, tuple[Place, CertificatePair | None]] = {}
        self._findings: list[Finding] = []

    def grant(self, claim: ServerNameClaim) -> None:
        holder = self._holders.get(claim.host)
        if holder is not None:
            if claim.listed:
                self._beaten(claim, holder)
            return
        found = self._first_good(claim)
        if found is not None:
            self._holders[claim.host] = found
        elif claim.listed:
            self._holders[claim.host] = (claim.offers[0][1], self._default)
            self._explain(claim)

    def _first_good(self, claim: ServerNameClaim) -> tuple[Place, CertificatePair] | None:
        for secret_name, place in claim.offers:
            pair = self._shelf.offer((place.namespace, secret_name)).pair if secret_name else None
            if pair is not None and covers(pair.names, claim.host):
                return place, pair
        return None

    def _explain(self, claim: ServerNameClaim) -> None:
        """Why each offer is not served. What is wrong inside a Secret is said of the Secret, once."""
        for secret_name, place in claim.offers:
            if not secret_name:
                continue
            offer = self._shelf.offer((place.namespace, secret_name))
            if not offer.exists:
                reason, why = "SecretNotFound", f"Secret {secret_name!r} does not exist"
            elif offer.pair is not None:
                good_for = ", ".join(offer.pair.names[:5]) or "no DNS name"
                reason, why = "CertificateNotValidForHost", f"Secret {secret_name!r} is good for {good_for} only"
            else:
                continue
            message = f"{why}; {claim.host} is served with the default certificate"
            self._findings.append(place.finding("error", reason, message))

    def _beaten(self, claim: ServerNameClaim, holder: tuple[Place, CertificatePair | None]) -> None:
        """Offering what is served anyway, as Ingresses of one application do, is no conflict."""
        winner, pair = holder
        served = "" if pair is None or pair is self._default else pair.key
        offered = {f"{place.namespace}/{secret_name}" if secret_name else "" for secret_name, place in claim.offers}
        if served in offered:
            return
        place = claim.offers[0][1]
        message = f"the certificate of {claim.host} is chosen by Ingress {winner.namespace}/{winner.name}"
        self._findings.append(place.finding("warning", "CertificateConflict", f"{message} ({winner.field})"))

    def choice(self) -> TlsChoice:
        pairs = {pair.key: pair for _, pair in self._holders.values() if pair is not None}
        if self._default is not None:
            pairs[self._default.key] = self._default
        names = {host: pair.key for host, (_, pair) in sorted(self._holders.items()) if pair is not None}
        return TlsChoice(
            dict(sorted(pairs.items())),
            names,
            self._default.key if self._default is not None else "",
            (*self._findings, *self._shelf.findings),
        )

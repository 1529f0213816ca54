"""TLS Secrets → certificate pairs, with the last good one of each Secret when its new content is unusable."""

from msgspec import Struct

from ingressd.model.cluster import ClusterState, Key
from ingressd.model.finding import Finding, Level
from ingressd.model.objects import Secret
from ingressd.routing.memo import CompileMemo, GoodPair, JudgedPair
from ingressd.routing.place import place_of
from ingressd.routing.snapshot import CertificatePair
from ingressd.tls.certificate import CertificateError, check_pair


class Offer(Struct, frozen=True, gc=False):
    """What a Secret is good for now: ``pair`` None when nothing of it can be served; ``exists`` or was never there."""

    exists: bool
    pair: CertificatePair | None = None


class SecretShelf:
    """Looks up the Secrets that one compile asks for, each once, and gathers what is wrong with them."""

    def __init__(self, cluster: ClusterState, memo: CompileMemo, now: float) -> None:
        self.findings: list[Finding] = []
        self._cluster = cluster
        self._memo = memo
        self._now = now
        self._offers: dict[Key, Offer] = {}
        self._judged: dict[Key, JudgedPair] = {}
        self._good: dict[Key, GoodPair] = {}

    def offer(self, key: Key) -> Offer:
        offer = self._offers.get(key)
        if offer is None:
            secret = self._cluster.secrets.get(key)
            offer = Offer(False) if secret is None else Offer(True, self._usable(key, secret))
            self._offers[key] = offer
        return offer

    def close(self) -> None:
        """Keep what was learnt for the next compile, and forget Secrets that nobody asks for any more."""
        self._memo.judged = self._judged
        self._memo.good = self._good

    def _usable(self, key: Key, secret: Secret) -> CertificatePair | None:
        judged = self._judge(key, secret)
        self._judged[key] = judged
        if judged.pair is not None:
            self._good[key] = GoodPair(secret.meta.uid, judged.pair)
            self._check_dates(secret, judged)
            return judged.pair
        last = self._memo.good.get(key)
        if last is None or last.uid != secret.meta.uid:  # deleted and made anew: the old one is not its last good one
            self._say(secret, "error", judged, "the default certificate is served instead")
            return None
        self._good[key] = last
        self._say(secret, "error", judged, "the last good certificate is still served")
        return last.pair

    def _judge(self, key: Key, secret: Secret) -> JudgedPair:
        """The verdict on these very bytes; checking a pair costs a millisecond or two, comparing bytes nothing."""
        chain, private = secret.data.get("tls.crt", b""), secret.data.get("tls.key", b"")
        known = self._memo.judged.get(key)
        if known is not None and known.chain == chain and known.private == private:
            return known
        try:
            checked = check_pair(chain, private, now=self._now)
        except CertificateError as error:
            return JudgedPair(chain, private, reason=error.reason, message=error.message)
        name = f"{key[0]}/{key[1]}"
        pair = CertificatePair(name, checked.chain_pem, checked.key_pem, checked.not_after, checked.names)
        return JudgedPair(chain, private, pair=pair, not_before=checked.not_before)

    def _check_dates(self, secret: Secret, judged: JudgedPair) -> None:
        if judged.pair is not None and self._now > judged.pair.not_after:
            self._date_finding(secret, "CertificateExpired", "the certificate has expired; it is still served")
        if self._now and self._now < judged.not_before:
            self._date_finding(secret, "CertificateNotYetValid", "the certificate is not valid yet; it is served")

    def _date_finding(self, secret: Secret, reason: str, message: str) -> None:
        self.findings.append(place_of(secret.meta, "data[tls.crt]", "Secret").finding("warning", reason, message))

    def _say(self, secret: Secret, level: Level, judged: JudgedPair, consequence: str) -> None:
        # ``check_pair`` begins with what it is about; one reason (NotPEM, TooLarge …) may be about either.
        field = "data[tls.key]" if judged.message.startswith("the key ") else "data[tls.crt]"
        place = place_of(secret.meta, field, "Secret")
        self.findings.append(place.finding(level, judged.reason, f"{judged.message}; {consequence}"))

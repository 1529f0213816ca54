"""Sticky sessions: a cookie that says which endpoint a client began with.

Its value is ``<key>|<backend id>``. *Balanced*: the key is random and hashed onto the endpoints, so every key leads
somewhere, and some clients move when endpoints come or go. *Persistent*: the key is the endpoint's own digest, so a
client stays for as long as its endpoint does. Keys and ids are made as ingress-nginx makes them, so that cookies it has
issued in persistent mode keep their meaning.

A client may send anything: its value is looked up or hashed, and never repeated to anybody.
"""

import re
from collections.abc import Collection, Sequence
from email.utils import formatdate
from functools import lru_cache
from hashlib import md5
from typing import Generic, Protocol, TypeVar
from urllib.parse import quote

from msgspec import Struct

from ingressd.policy.ask import Ask, cookie_value
from ingressd.policy.hashing import Ring

T = TypeVar("T")

NEW_KEYS = 20
"""Keys tried to find one that leads past failed endpoints: with one good endpoint of two, enough but for one in 10⁶."""
_MAX_REMEMBERED = 512
_MAX_LINES_TO_REMEMBER = 2048  # together: 1 MiB for each worker at the very most
LONGEST_EXPIRY_S = 1 << 30  # 34 years; what is beyond may be beyond the calendar too

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+\-.^_`|~]{1,128}")  # RFC 6265 §4.1.1 cookie-name
_DOMAIN = re.compile(r"[A-Za-z0-9.\-_]{1,255}")
_KEY = re.compile(rb"[A-Za-z0-9._\-]{1,128}")
_PATH_CHARACTERS = "".join(map(chr, range(0x20, 0x7F))).replace(";", "")  # RFC 6265 §4.1.1 path-value
_REFUSE_SAMESITE_NONE = re.compile(
    # https://www.chromium.org/updates/same-site/incompatible-clients, as coarse as in ingress-nginx
    rb"Chrome/[456]|CPU iPhone OS 12|iPad; CPU OS 12|Macintosh(?!.*Chrome)(?=.*Intel Mac OS X 10_14)(?=.*Safari)"
)

_LONGEST_AGENT = 512  # looked at: the expression above may look ahead from many places


class Affinity(Struct, frozen=True, gc=False, array_like=True):
    """What the cookie is to be. Seconds; None: the attribute is absent.

    ``backend`` is a name that salts keys and gives the backend's id (ingress-nginx: ``namespace-service-port``).
    ``issues`` False: cookies of this backend are followed on this route, but none is given out.
    """

    backend: str
    name: str = "INGRESSCOOKIE"
    path: str = "/"
    domain: str = ""
    expires_s: int | None = None
    max_age_s: int | None = None
    samesite: str = ""
    conditional_samesite_none: bool = False
    secure: bool = False
    persistent: bool = False
    change_on_failure: bool = False
    issues: bool = True


def problem_of(settings: Affinity) -> str:
    """What of ``settings`` cannot be a cookie, for their owner; "" when all is well."""
    if not _TOKEN.fullmatch(settings.name):
        return f"{settings.name!r} is no cookie name: letters, digits and !#$%&'*+-.^_`|~, at most 128"
    if settings.domain and not _DOMAIN.fullmatch(settings.domain):
        return f"{settings.domain!r} is no domain: letters, digits, dots and hyphens, at most 255"
    if settings.samesite not in ("", "None", "Lax", "Strict"):
        return f"SameSite {settings.samesite!r} is none of None, Lax, Strict"
    return ""


class Keyed(Protocol[T]):
    """Endpoints of one backend by cookie keys."""

    def find(self, key: bytes) -> T | None:
        """The endpoint that ``key`` leads to, None when it leads nowhere."""

    def new(self, bits: int, avoided: Collection[T]) -> tuple[T, bytes] | None:
        """An endpoint, if possible not in ``avoided``, and a key that leads there, by 128 random ``bits``."""


class Balanced(Generic[T]):
    """Any key leads somewhere. Costs what a ``Ring`` does."""

    __slots__ = ("_ring",)

    def __init__(self, ring: Ring[T]) -> None:
        self._ring = ring

    def find(self, key: bytes) -> T | None:
        return self._ring.pick(key)

    def new(self, bits: int, avoided: Collection[T]) -> tuple[T, bytes] | None:
        made: tuple[T, bytes] | None = None
        for number in range(NEW_KEYS):
            key = b"%032x" % ((bits + number) % (1 << 128))
            endpoint = self._ring.pick(key)
            if endpoint is None:
                return None
            made = endpoint, key
            if endpoint not in avoided:
                break
        return made


class Persistent(Generic[T]):
    """Each endpoint has its one key. Costs 1 µs an endpoint."""

    __slots__ = ("_by_key", "_keys")

    def __init__(self, endpoints: Sequence[T], names: Sequence[str], backend: str) -> None:
        """``names`` are ``address:port``, with brackets around an IPv6 address."""
        self._keys = tuple(_hex_digest(f"{backend}{name}") for name in names)
        self._by_key = dict(zip(self._keys, endpoints, strict=True))

    def find(self, key: bytes) -> T | None:
        return self._by_key.get(key)

    def new(self, bits: int, avoided: Collection[T]) -> tuple[T, bytes] | None:
        keys: Sequence[bytes] = self._keys
        if avoided:
            keys = [key for key in keys if self._by_key[key] not in avoided] or keys
        if not keys:
            return None
        key = keys[bits % len(keys)]
        return self._by_key[key], key


class Sticky:
    """Settings made ready for requests. Raises ValueError when ``problem_of`` has something to say."""

    __slots__ = ("_after_samesite", "_before", "_expires_s", "_name", "_refused", "_tail", "change_on_failure", "id")

    def __init__(self, settings: Affinity) -> None:
        if problem := problem_of(settings):
            raise ValueError(problem)
        self._name = settings.name.encode()
        self.id = backend_id(settings.backend)
        self.change_on_failure = settings.change_on_failure
        self._before = b"Set-Cookie: %b=" % self._name if settings.issues else b""
        self._expires_s = settings.expires_s
        path = quote(settings.path, safe=_PATH_CHARACTERS)
        tail = f"; Max-Age={settings.max_age_s}" if settings.max_age_s is not None else ""
        tail += f"; Domain={settings.domain}" if settings.domain else ""
        tail += f"; Path={path}" if path else ""
        self._tail = tail.encode() + (b"; Secure" if settings.secure else b"")
        self._after_samesite = f"; SameSite={settings.samesite}".encode() if settings.samesite else b""
        conditional = settings.samesite == "None" and settings.conditional_samesite_none
        self._refused = _REFUSE_SAMESITE_NONE if conditional else None

    def sent(self, ask: Ask) -> tuple[bytes, bytes]:
        """Key and backend id of the client's cookie; empty when it sent none, or one that is not ours."""
        lines = ask.fields.onward
        return _remembered(self._name, lines) if len(lines) <= _MAX_LINES_TO_REMEMBER else sent_in(self._name, lines)

    def line(self, key: bytes, ask: Ask, now: float) -> bytes:
        """The Set-Cookie line for ``key``, which must be one of ours; ``now`` is in seconds since the epoch.

        Attributes are spelled, and follow each other, as in ingress-nginx. Over TLS the cookie is always Secure.
        """
        expires = b"" if self._expires_s is None else b"; Expires=" + _cookie_date(now, self._expires_s)
        secure = b"; Secure" if ask.is_tls and not self._tail.endswith(b"; Secure") else b""
        samesite = self._after_samesite
        if self._refused is not None and self._refused.search(ask.fields.agent[:_LONGEST_AGENT]):
            samesite = b""
        return b"%b%b|%b%b%b%b; HttpOnly%b\r\n" % (self._before, key, self.id, expires, self._tail, secure, samesite)

    @property
    def issues(self) -> bool:
        return bool(self._before)


def sent_in(name: bytes, lines: bytes) -> tuple[bytes, bytes]:
    """``Sticky.sent`` for whole field lines and a cookie's name."""
    value = cookie_value(lines, name)
    if value is None:
        return b"", b""
    key, _, backend = value.partition(b"|")
    return (key, backend.partition(b"|")[0]) if _KEY.fullmatch(key) else (b"", b"")


_remembered = lru_cache(maxsize=_MAX_REMEMBERED)(sent_in)


def choose(
    sticky: Sticky, ask: Ask, endpoints: Keyed[T], failed: Collection[T], bits: int, now: float
) -> tuple[T, bytes] | None:
    """The endpoint for the next attempt, and the Set-Cookie line that goes with it or b"".

    ``failed`` are the endpoints this request has tried, and others in bad standing. A client with a cookie is sent
    where it leads even so, unless ``change_on_failure`` is set: its session is nowhere else. ``bits`` are 128 random
    bits, ``now`` seconds since the epoch; both are used for a new cookie only. None when there are no endpoints.
    """
    key = sticky.sent(ask)[0]
    if key:
        known = endpoints.find(key)
        if known is not None and not (sticky.change_on_failure and known in failed):
            return known, b""
    made = endpoints.new(bits, failed)
    if made is None:
        return None
    endpoint, key = made
    return endpoint, sticky.line(key, ask, now) if sticky.issues else b""


def backend_id(name: str) -> bytes:
    """Tells a cookie of one backend from another's: a release from its canary."""
    return _hex_digest(_hex_digest(name).decode() + name)


def _hex_digest(text: str) -> bytes:
    return md5(text.encode(), usedforsecurity=False).hexdigest().encode()


def _cookie_date(now: float, in_s: int) -> bytes:
    """nginx's spelling, in which years up to 2037 have two digits (RFC 6265 §5.1.1 reads them as this century's)."""
    seconds = now + max(-LONGEST_EXPIRY_S, min(in_s, LONGEST_EXPIRY_S))
    weekday, day, month, year, time, zone = formatdate(seconds, usegmt=True).split(" ")
    return f"{weekday} {day}-{month}-{year[2:] if year <= '2037' else year} {time} {zone}".encode()

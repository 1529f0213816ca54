"""What a client says about itself is not believed: such fields are ours to write, or nobody's."""

from tests.wire.corpus.case import Case, Want, passed, request

_OURS = "replaced: the endpoint trusts what we write"
_NOBODY = "an endpoint may believe it, and nobody vouches for it: dropped"
_KETTLE = "Cracking the Lens (Kettle 2017)"
_SYMFONY = "CVE-2018-14773 (Symfony)"


def _replaced(name: bytes, claim: bytes, truth: bytes, source: str = _KETTLE) -> Case:
    want = Want(has=(name.lower() + b": " + truth,))
    return passed(f"{name.decode()} claimed", request(name + b": " + claim), _OURS, source, want)


def _dropped(name: bytes, claim: bytes, source: str = _KETTLE) -> Case:
    return passed(
        f"{name.decode()} claimed", request(name + b": " + claim), _NOBODY, source, Want(lacks=(name.lower(),))
    )


CASES: tuple[Case, ...] = (
    _replaced(b"X-Real-IP", b"127.0.0.1", b"192.0.2.7"),
    _replaced(b"x-rEAL-iP", b"127.0.0.1", b"192.0.2.7"),
    _replaced(b"X-Forwarded-For", b"127.0.0.1, 10.0.0.1", b"192.0.2.7"),
    _replaced(b"X-Forwarded-Host", b"b.example", b"a.example"),
    _replaced(b"X-Forwarded-Port", b"443", b"80"),
    _replaced(b"X-Forwarded-Proto", b"https", b"http"),
    _replaced(b"X-Forwarded-Scheme", b"https", b"http", "Web Cache Entanglement (Kettle 2020)"),
    _replaced(b"X-Scheme", b"https", b"http"),
    passed(
        "X-Forwarded-For claimed twice",
        request(b"X-Forwarded-For: 1.1.1.1", b"x-forwarded-for: 2.2.2.2"),
        _OURS,
        _KETTLE,
        Want(has=(b"x-forwarded-for: 192.0.2.7",)),
    ),
    _dropped(b"Forwarded", b"for=127.0.0.1;host=b.example;proto=https", "RFC 7239 §8.1"),
    _dropped(b"X-Forwarded", b"for=127.0.0.1"),
    _dropped(b"X-Forwarded-Prefix", b"/admin", "Spring's ForwardedHeaderFilter"),
    _dropped(b"X-Forwarded-Server", b"b.example"),
    _dropped(b"X-Forwarded-Uri", b"/admin", "Traefik forward auth"),
    _dropped(b"X-Forwarded-User", b"root"),
    _dropped(b"X-Forwarded-Client-Cert", b"By=x", "Envoy XFCC"),
    _dropped(b"X-Forwarded-Ssl", b"on"),
    _dropped(b"X-Forwarded-Anything", b"1"),
    _dropped(b"X-Original-URL", b"/admin", _SYMFONY),
    _dropped(b"X-Original-URI", b"/admin", "ingress-nginx external auth"),
    _dropped(b"X-Original-Host", b"b.example"),
    _dropped(b"X-Original-Method", b"DELETE", "ingress-nginx external auth"),
    _dropped(b"X-Original-Forwarded-For", b"127.0.0.1", "ingress-nginx"),
    _dropped(b"X-Rewrite-URL", b"/admin", _SYMFONY),
    passed(
        "well-formed request id",
        request(b"X-Request-ID: abc-123"),
        "kept, so that a trace goes on",
        "interface of ingress-nginx",
        Want(has=(b"x-request-id: abc-123",)),
    ),
    passed(
        "request id that is none",
        request(b"X-Request-ID: <script>"),
        "replaced by one of ours",
        "log injection",
        Want(has=(b"x-request-id: " + b"0" * 32,)),
    ),
    passed(
        "two request ids",
        request(b"X-Request-ID: a", b"X-Request-Id: b"),
        "two opinions are none",
        "RFC 9110 §5.3",
        Want(has=(b"x-request-id: " + b"0" * 32,)),
    ),
    passed(
        "three request ids",
        request(b"X-Request-ID: a", b"X-Request-Id: b", b"X-Request-ID: c"),
        "three opinions are none either",
        "RFC 9110 §5.3",
        Want(has=(b"x-request-id: " + b"0" * 32,)),
    ),
    passed(
        "Authorization and Cookie",
        request(b"Authorization: Basic eDp5", b"Cookie: a=b"),
        "the client's own business with the endpoint",
        "RFC 9110 §11.6.2",
        Want(has=(b"authorization: Basic eDp5", b"cookie: a=b")),
    ),
)

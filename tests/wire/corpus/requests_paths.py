"""Paths: two routes, / open and /admin guarded. No spelling of the second may reach the backend of the first.

Every case that does reach the open backend is held to ``path_readings``: none of the ways in which common servers
resolve what we forward may lead to /admin.
"""

from tests.wire.corpus.case import Case, Want, passed, refused, request

_SLASH = "an encoded slash is a slash to some servers"
_BACKSLASH = "a backslash is a slash to some servers"
_CLIMBS = "climbs above the root; servers differ in what they make of that"
_PARAMETERS = "servlet containers cut path parameters off before they resolve"
_TWICE = "decoded once more it is another path"
_LONG = "over-long UTF-8: lenient decoders make ASCII of it"
_TSAI = "Breaking Parser Logic (Tsai 2018)"
_ENVOY = "CVE-2021-29492 (Envoy)"


def _get(path: bytes) -> bytes:
    return request(first=b"GET " + path + b" HTTP/1.1")


def _no(path: bytes, reason: str, source: str) -> Case:
    return refused(f"path {path.decode('latin-1')!r}", _get(path), reason, source)


def _admin(path: bytes, onward: bytes, reason: str, source: str = "RFC 3986 §6.2.2") -> Case:
    want = Want(target=onward, backend="admin")
    return passed(f"path {path.decode('latin-1')!r}", _get(path), reason, source, want)


def _open(path: bytes, onward: bytes, reason: str, source: str = "RFC 3986 §6.2.2") -> Case:
    return passed(f"path {path.decode('latin-1')!r}", _get(path), reason, source, Want(target=onward))


CASES: tuple[Case, ...] = (
    _admin(b"/admin", b"/admin", "the guarded path itself"),
    _admin(b"/admin/", b"/admin/", "below it by elements"),
    _admin(b"/admin/x?y=/z", b"/admin/x?y=/z", "below it by elements"),
    _admin(b"/%61dmin", b"/admin", "an encoded letter is the letter", "RFC 3986 §6.2.2.2"),
    _admin(b"/%61%64%6D%69%6e", b"/admin", "all letters encoded", "RFC 3986 §6.2.2.2"),
    _admin(b"//admin", b"/admin", "merged before matching and before forwarding", "nginx merge_slashes; " + _ENVOY),
    _admin(b"///admin//x", b"/admin/x", "merged, everywhere", "nginx merge_slashes"),
    _admin(b"/./admin", b"/admin", "dot segments go", "RFC 3986 §5.2.4"),
    _admin(b"/x/../admin", b"/admin", "dot segments go", "RFC 3986 §5.2.4; CVE-2021-41773 (Apache)"),
    _admin(b"/x/%2e%2e/admin", b"/admin", "encoded dots are dots", "RFC 3986 §6.2.2.2; CVE-2021-41773 (Apache)"),
    _admin(b"/x/.%2E/admin", b"/admin", "half-encoded dots are dots", "CVE-2021-41773 (Apache)"),
    _admin(b"/%2e/admin", b"/admin", "an encoded dot is a dot"),
    _admin(b"/x//../admin", b"/admin", "what is forwarded has one reading, whichever way slashes are merged", _ENVOY),
    _admin(b"/x/y/../../admin/.", b"/admin/", "dot segments go, the last one too", "RFC 3986 §5.2.4"),
    _admin(b"/admin/x/..", b"/admin/", "stays below", "RFC 3986 §5.2.4"),
    _admin(b"/x;a=b/../admin", b"/admin", "a segment goes with its parameters", _TSAI),
    _admin(b"/admin/x%2Fy", b"/admin/x%2Fy", "both readings meet the same route", "RFC 3986 §2.2"),
    _admin(b"/admin/x;y=z", b"/admin/x;y=z", "both readings meet the same route", "RFC 3986 §3.3"),
    _admin(b"/admin?/../x", b"/admin?/../x", "a query has no segments", "RFC 3986 §3.4"),
    _open(b"/", b"/", "the open path"),
    _open(b"/adminx", b"/adminx", "a prefix by elements, not by letters", "Kubernetes Ingress pathType Prefix"),
    _open(b"/admin-x", b"/admin-x", "a prefix by elements", "Kubernetes Ingress pathType Prefix"),
    _open(b"/x/admin", b"/x/admin", "not at its beginning"),
    _open(
        b"/ADMIN",
        b"/ADMIN",
        "paths have case, and so have Kubernetes' rules",
        "RFC 3986 §6.2.2.1; Kubernetes Ingress pathType Prefix",
    ),
    _open(b"/%41dmin", b"/Admin", "an encoded capital is a capital", "RFC 3986 §6.2.2.2"),
    _open(b"/admin/..", b"/", "resolves to the root", "RFC 3986 §5.2.4"),
    _open(b"/admin/../x", b"/x", "resolves to something else", "RFC 3986 §5.2.4"),
    _open(b"/.../admin", b"/.../admin", "three dots are a name", "RFC 3986 §5.2.4"),
    _open(b"/.admin", b"/.admin", "a name that begins with a dot", "RFC 3986 §5.2.4"),
    _open(b"/x%2fy", b"/x%2Fy", "both readings meet the same route; digits in capitals", "RFC 3986 §6.2.2.1"),
    _open(b"/x\\y", b"/x%5Cy", "both readings meet the same route; a backslash is encoded", "RFC 3986 §2"),
    _open(b"/x;a=b/y;c", b"/x;a=b/y;c", "both readings meet the same route", "RFC 3986 §3.3"),
    _open(b"/100%25", b"/100%25", "an encoded percent sign is a percent sign", "RFC 3986 §2.4"),
    _open(b"/caf\xc3\xa9", b"/caf%C3%A9", "bytes above ASCII are encoded", "RFC 3986 §2.1"),
    _open(b"/caf%c3%a9", b"/caf%C3%A9", "the same, in capitals", "RFC 3986 §6.2.2.1"),
    _open(
        b"/admin\xa0",
        b"/admin%A0",
        "raw it would be stripped as white space; encoded it is not",
        "Exploiting HTTP Parsers Inconsistencies (da Costa 2023)",
    ),
    _open(
        b"/admin\x85",
        b"/admin%85",
        "raw it would be stripped as white space; encoded it is not",
        "Exploiting HTTP Parsers Inconsistencies (da Costa 2023)",
    ),
    _open(b"/admin%3fx", b"/admin%3Fx", "an encoded question mark is part of a name", "RFC 3986 §2.2"),
    _open(b"/admin%23x", b"/admin%23x", "an encoded hash is part of a name", "RFC 3986 §2.2; CVE-2021-32779 (Envoy)"),
    _open(
        b"/x%0d%0aX-A:%20b", b"/x%0D%0AX-A:%20b", "stays encoded: no line ends on the wire", "CVE-2023-25690 (Apache)"
    ),
    _open(b"/x?/admin", b"/x?/admin", "a query is not a path", "RFC 3986 §3.4"),
    _open(b"/[x]^{y}|`", b"/[x]^{y}|`", "not URI characters, but with one reading", "RFC 3986 §2"),
    _no(b"/../admin", _CLIMBS, "RFC 3986 §5.2.4; CVE-2021-41773 (Apache)"),
    _no(b"/..//admin", _CLIMBS, "RFC 3986 §5.2.4"),
    _no(b"/%2e%2e/admin", _CLIMBS, "CVE-2021-41773 (Apache)"),
    _no(b"/x/../../admin", _CLIMBS, "RFC 3986 §5.2.4"),
    _no(b"/..", _CLIMBS, "RFC 3986 §5.2.4"),
    _no(b"/%2fadmin", _SLASH, _ENVOY),
    _no(b"/%2Fadmin", _SLASH, _ENVOY),
    _no(b"/x/..%2fadmin", _SLASH, _ENVOY),
    _no(b"/x%2f..%2fadmin", _SLASH, _ENVOY),
    _no(b"/x%2f%2e%2e%2fadmin", _SLASH, _ENVOY),
    _no(b"/.%2fadmin", _SLASH, _ENVOY),
    _no(b"/admin%2f", _SLASH, _ENVOY),
    _no(b"/admin%2fx", _SLASH, _ENVOY),
    _no(b"/admin/..%2fx", "guarded or open, depending on the server", _ENVOY),
    _no(b"/..%2fadmin", _CLIMBS, _ENVOY),
    _no(b"/\\admin", _BACKSLASH, "CVE-2007-0450 (Tomcat)"),
    _no(b"/%5cadmin", _BACKSLASH, "CVE-2007-0450 (Tomcat)"),
    _no(b"/x\\..\\admin", _BACKSLASH, "CVE-2007-0450 (Tomcat)"),
    _no(b"/x/..\\admin", _BACKSLASH, "CVE-2007-0450 (Tomcat)"),
    _no(b"/x%5c..%5Cadmin", _BACKSLASH, "CVE-2007-0450 (Tomcat)"),
    _no(b"/admin\\", _BACKSLASH, "WHATWG URL: \\ is / in http URLs"),
    _no(b"/admin%5cx", _BACKSLASH, "CVE-2007-0450 (Tomcat)"),
    _no(b"/x/..;/admin", _PARAMETERS, _TSAI + "; CVE-2020-5902 (F5)"),
    _no(b"/x/..;a=b/admin", _PARAMETERS, _TSAI),
    _no(b"/x/.;/admin", _PARAMETERS, _TSAI),
    _no(b"/x/%2e%2e;/admin", _PARAMETERS, _TSAI),
    _no(b"/x/..%3b/admin", _PARAMETERS + ", some after decoding", _TSAI),
    _no(b"/x/..%2f..;/admin", _SLASH, _TSAI),
    _no(b"/admin;", _PARAMETERS, "CVE-2020-1957 (Shiro)"),
    _no(b"/admin;a=b", _PARAMETERS, "CVE-2020-1957 (Shiro)"),
    _no(b"/admin;a=b/x", _PARAMETERS, "CVE-2020-1957 (Shiro)"),
    _no(b"/admin%3ba", _PARAMETERS + ", some after decoding", "CVE-2020-11989 (Shiro)"),
    _no(b"/;/admin", _PARAMETERS, "CVE-2020-1957 (Shiro)"),
    _no(b"/;a=b/admin", _PARAMETERS, _TSAI),
    _no(b"/x%2f..%2fadmin;a", _PARAMETERS, "both tricks at once"),
    _no(b"/%2561dmin", _TWICE, "CVE-2001-0333 (IIS), CVE-2020-11989 (Shiro)"),
    _no(b"/x/%252e%252e/admin", _TWICE, "CVE-2021-42013 (Apache)"),
    _no(b"/x/%25%32%65%25%32%65/admin", _TWICE, "CVE-2021-42013 (Apache)"),
    _no(b"/%252fadmin", _TWICE, "CVE-2001-0333 (IIS)"),
    _no(b"/x%255c..%255cadmin", _TWICE, "CVE-2001-0333 (IIS)"),
    _no(b"/admin%252fx", _TWICE, "CVE-2020-11989 (Shiro)"),
    _no(b"/admin%00", "a string ends at NUL for C programs", "RFC 3986 §7.3"),
    _no(b"/x%00/admin", "a string ends at NUL for C programs", "RFC 3986 §7.3"),
    _no(b"/admin%2500", _TWICE, "CVE-2001-0333 family"),
    _no(b"/%c0%afadmin", _LONG, "CVE-2000-0884 (IIS), CVE-2008-2938 (Tomcat)"),
    _no(b"/\xc0\xafadmin", _LONG, "CVE-2008-2938 (Tomcat)"),
    _no(b"/x/%c0%ae%c0%ae/admin", _LONG, "CVE-2008-2938 (Tomcat)"),
    _no(b"/%c1%a1dmin", _LONG, "over-long a"),
    _no(b"/%e0%80%afadmin", _LONG, "RFC 3629 §10"),
    _no(b"/%f0%80%80%afadmin", _LONG, "RFC 3629 §10"),
    _no(b"/%f8%80%80%80%afadmin", _LONG, "RFC 3629 §10"),
    _no(b"/admin%c0%80", _LONG, "modified UTF-8 writes NUL so"),
    _no(b"/%25c0%25afadmin", _TWICE, "CVE-2000-0884 with CVE-2001-0333"),
    _no(b"/%u0061dmin", "not an escape; IIS reads one", "RFC 3986 §2.1; %u of IIS"),
    _no(b"/%", "not an escape", "RFC 3986 §2.1"),
    _no(b"/%6", "not an escape", "RFC 3986 §2.1"),
    _no(b"/%zz", "not an escape", "RFC 3986 §2.1"),
    _no(b"/%%36%31dmin", "not an escape; decoded twice it is a letter", "CVE-2021-42013 (Apache)"),
    _no(b"/%+61dmin", "not an escape, for all that int() says", "int() of Python"),
    _no(b"/% 61dmin", "a space, and not an escape", "strtol leniency"),
)

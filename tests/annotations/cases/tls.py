"""TLS on both sides: client certificates, certificates of backends, what is offered."""

import re
from dataclasses import replace

from tests.annotations.case import Ask, Case, Path, Want, case

CA = {"auth-tls-secret": "default/ca", "ssl-redirect": "false"}
GOOD, STRANGER, NONE = (Ask(tls=True, client=kind) for kind in ("good", "stranger's", ""))
REFUSED = Want(status=400, seen=None)
SECURE = Path(service="secure")
HTTPS = {"backend-protocol": "HTTPS"}

CASES: list[Case] = [
    case(
        "a client certificate",
        CA,
        (
            GOOD,
            Want(
                seen="echo",
                sent={
                    "ssl-client-verify": "SUCCESS",
                    "ssl-client-subject-dn": re.compile("CN=good"),
                    "ssl-client-issuer-dn": re.compile("CN=root"),
                    "ssl-client-cert": None,
                },
            ),
        ),
        (STRANGER, REFUSED),
        (NONE, REFUSED),
        tls=True,
    ),
    case(
        "sent on",
        {**CA, "auth-tls-pass-certificate-to-upstream": "true", "auth-tls-verify-depth": "2"},
        (GOOD, Want(sent={"ssl-client-cert": re.compile("^-----BEGIN%20CERTIFICATE-----%0A")})),
        tls=True,
    ),
    case(
        "one may have a certificate",
        {**CA, "auth-tls-verify-client": "optional"},
        (GOOD, Want(sent={"ssl-client-verify": "SUCCESS"})),
        (NONE, Want(sent={"ssl-client-verify": "NONE"})),
        (STRANGER, REFUSED),
        tls=True,
    ),
    case(
        "anybody's certificate",
        {**CA, "auth-tls-verify-client": "optional_no_ca"},
        (STRANGER, Want(sent={"ssl-client-verify": re.compile("^FAILED:")})),
        tls=True,
    ),
    case(
        "no certificate asked for",
        {**CA, "auth-tls-verify-client": "off"},
        (NONE, Want(seen="echo", sent={"ssl-client-verify": "NONE"})),
        (
            Ask(headers={"ssl-client-verify": "SUCCESS", "ssl-client-subject-dn": "CN=forged"}),
            Want(seen="echo", sent={"ssl-client-verify": None, "ssl-client-subject-dn": None}),
        ),
        tls=True,
    ),
    case(
        "nobody says of a certificate what only we may, with underscores either",
        {**CA, "auth-tls-verify-client": "optional", "auth-url": "http://{auth}/check"},
        (
            replace(NONE, headers={"ssl_client_verify": "SUCCESS", "ssl-client_subject_dn": "CN=forged", "x_y": "1"}),
            Want(
                seen="echo",
                sent={
                    "ssl-client-verify": "NONE",
                    "ssl_client_verify": None,
                    "ssl-client_subject_dn": None,
                    "x_y": "1",
                },
                saw={"auth": {"ssl-client-verify": "NONE", "ssl_client_verify": None, "ssl-client_subject_dn": None}},
            ),
        ),
        tls=True,
        config={"enable-underscores-in-headers": "true"},
    ),
    case(
        "an auth service hears of the certificate what the upstream does",
        {**CA, "auth-tls-verify-client": "optional", "auth-url": "http://{auth}/check"},
        (
            replace(GOOD, headers={"ssl-client-subject-dn": "CN=forged"}),
            Want(
                saw={"auth": {"ssl-client-verify": "SUCCESS", "ssl-client-subject-dn": re.compile("^CN=good,")}},
            ),
        ),
        (
            replace(NONE, headers={"ssl-client-verify": "SUCCESS", "ssl-client-cert": "forged"}),
            Want(saw={"auth": {"ssl-client-verify": "NONE", "ssl-client-cert": None}}),
        ),
        (
            Ask(headers={"ssl-client-verify": "SUCCESS"}),
            Want(saw={"auth": {"ssl-client-verify": None}}),
        ),
        tls=True,
    ),
    case(
        "no depth is the usual depth",
        {**CA, "auth-tls-verify-depth": "0"},
        (Ask(tls=True, client="one between"), Want(sent={"ssl-client-verify": "SUCCESS"})),
        (Ask(tls=True, client="two between"), REFUSED),
        tls=True,
    ),
    case(
        "a page for those without",
        {**CA, "auth-tls-error-page": "https://a.example/no-certificate"},
        (NONE, Want(status=302, headers={"location": "https://a.example/no-certificate"}, seen=None)),
        tls=True,
    ),
    case(
        "a name that must match",
        {**CA, "auth-tls-match-cn": "CN=^else$"},
        (GOOD, Want(status=403, seen=None)),
        tls=True,
    ),
    case(
        "an authority that is nowhere",
        {**CA, "auth-tls-secret": "default/no-such"},
        (GOOD, Want(status=403, seen=None)),
        (NONE, Want(status=403, seen=None)),
        tls=True,
    ),
    case(
        "a backend's certificate, looked at",
        {
            **HTTPS,
            "proxy-ssl-secret": "default/identity",
            "proxy-ssl-verify": "on",
            "proxy-ssl-name": "secure.internal",
            "proxy-ssl-server-name": "on",
        },
        (Ask(), Want(seen="secure")),
        path=SECURE,
    ),
    case(
        "a backend's certificate that is not trusted",
        {
            **HTTPS,
            "proxy-ssl-secret": "default/wrong-ca",
            "proxy-ssl-verify": "on",
            "proxy-ssl-name": "secure.internal",
        },
        (Ask(), Want(status=502, seen=None)),
        path=SECURE,
    ),
    case(
        "a backend's certificate for another name",
        {**HTTPS, "proxy-ssl-secret": "default/identity", "proxy-ssl-verify": "on", "proxy-ssl-name": "else.internal"},
        (Ask(), Want(status=502, seen=None)),
        path=SECURE,
    ),
    case(
        "our certificate for a backend, that is nowhere",
        {**HTTPS, "proxy-ssl-secret": "default/no-such"},
        (Ask(), Want(status=503, seen=None)),
        path=SECURE,
    ),
    case(
        "parameters of TLS to a backend",
        {
            **HTTPS,
            "proxy-ssl-secret": "default/identity",
            "proxy-ssl-protocols": "TLSv1.3",
            "proxy-ssl-ciphers": "DEFAULT",
            "proxy-ssl-verify-depth": "2",
        },
        (Ask(), Want(seen="secure")),
        path=SECURE,
    ),
    case(
        "TLS passed through",
        {"ssl-passthrough": "true"},
        (Ask(tls=True), Want(seen="secure", sent={"x-real-ip": None, "x-request-id": None})),
        path=SECURE,
    ),
    case(
        "ciphers of a host",
        {"ssl-ciphers": "ECDHE-ECDSA-AES256-GCM-SHA384", "ssl-prefer-server-ciphers": "true"},
        (Ask(tls=True), Want(seen="echo")),
        tls=True,
    ),
    case("versions of TLS", {}, (Ask(tls=True), Want(seen="echo")), tls=True, config={"ssl-protocols": "TLSv1.3"}),
]

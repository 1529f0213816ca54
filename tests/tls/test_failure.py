import ssl

import pytest

from ingressd.tls.failure import failure_reason


def ssl_error(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, "text")
    error.reason = reason
    return error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ssl_error("UNSUPPORTED_PROTOCOL"), "protocol_version"),
        (ssl_error("NO_SHARED_CIPHER"), "no_shared_cipher"),
        (ssl_error("CALLBACK_FAILED"), "no_certificate"),
        (ssl_error("SSLV3_ALERT_CERTIFICATE_UNKNOWN"), "peer_alert"),
        (ssl_error("TLSV1_ALERT_UNKNOWN_CA"), "peer_alert"),
        (ssl_error("BAD_SIGNATURE"), "protocol_error"),
        (ssl.SSLError(1, "no reason"), "protocol_error"),
        (OSError(0, "Error"), "protocol_error"),
    ],
)
def test_reasons_are_few(error: OSError, expected: str) -> None:
    assert failure_reason(error) == expected

"""Why a handshake failed, in a handful of words that can be a metric label."""

# OpenSSL's reason → ours. Whatever is missing here is a breach of protocol, or noise that was never TLS.
_REASONS = {
    "UNSUPPORTED_PROTOCOL": "protocol_version",
    "VERSION_TOO_LOW": "protocol_version",
    "WRONG_VERSION_NUMBER": "protocol_version",
    "WRONG_SSL_VERSION": "protocol_version",
    "NO_SHARED_CIPHER": "no_shared_cipher",
    "NO_SUITABLE_KEY_SHARE": "no_shared_cipher",
    "NO_SUITABLE_GROUPS": "no_shared_cipher",
    "NO_SUITABLE_SIGNATURE_ALGORITHM": "no_shared_cipher",
    "NO_SHARED_SIGNATURE_ALGORITHMS": "no_shared_cipher",
    "NO_SHARED_SIGATURE_ALGORITHMS": "no_shared_cipher",  # spelled so by OpenSSL 1.1 and 3.0
    "CALLBACK_FAILED": "no_certificate",
}


def failure_reason(error: OSError) -> str:
    """One of no_certificate, no_shared_cipher, peer_alert, protocol_error, protocol_version."""
    reason = getattr(error, "reason", None) or ""  # not every SSLError has one
    if "_ALERT_" in reason:
        return "peer_alert"
    return _REASONS.get(reason, "protocol_error")

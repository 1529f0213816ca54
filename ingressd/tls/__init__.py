"""Certificates: PEM to a checked pair, server name to certificate, certificate to an OpenSSL context."""

"""Certificates: PEM to a checked pair, server name to certificate, certificate to an OpenSSL context.

Control process only: ``certificate``, ``checks``. In workers: ``client_hello`` and ``sni`` choose, ``context`` and
``groups`` are what listeners use, ``verify`` and ``client_certificate`` are for clients that show one, ``client`` is
for connections to backends; ``failure`` names what went wrong.
"""

"""Who is asking: bearer tokens and client certificates. Authorization is left to the `forbidden` fault."""

from __future__ import annotations

import secrets

from aiohttp import web

from tests.support.apiserver.errors import unauthorized

ANONYMOUS = "system:anonymous"
_PUBLIC = ("/healthz", "/livez", "/readyz", "/version")


class Authentication:
    def __init__(self, *, required: bool, token: str = "") -> None:
        self.required = required
        self.tokens = {token} if token else set[str]()

    def user_of(self, request: web.Request) -> str:
        """Raises 401 for wrong credentials always, and for missing ones if they are required."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self.required:
            if token.strip() not in self.tokens:
                raise unauthorized()
            return "fixture-token-user"
        if user := _certificate_user(request):
            return user
        if self.required and not request.path.startswith(_PUBLIC):
            raise unauthorized()
        return ANONYMOUS

    def rotate_token(self, keep_old: bool) -> str:
        token = secrets.token_urlsafe(24)
        self.tokens = self.tokens | {token} if keep_old else {token}
        return token


def _certificate_user(request: web.Request) -> str:
    transport = request.transport
    certificate = transport.get_extra_info("peercert") if transport else None
    for relative_name in (certificate or {}).get("subject", ()):
        for field, value in relative_name:
            if field == "commonName":
                return str(value)
    return ""

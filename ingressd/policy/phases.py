"""The order in which a route's policies are asked: the first that answers ends the request.

It is ingress-nginx's, and decides which of two applicable answers wins. ``docs/request.md`` explains it; the data path
binds each route's policies in this order, and a test holds every neighbouring pair to it.
"""

from enum import IntEnum


class Phase(IntEnum):
    """When a policy is asked. A route has at most one step in each."""

    CLIENT_CERTIFICATE = 1  # required but missing or not trusted: 400 (or 302 to an error page)
    BLOCKED = 2  # user agents and referers nobody here wants: 403
    CERTIFICATE_NAME = 3  # the client certificate's subject does not match: 403
    APP_ROOT = 4  # GET / of the host: 302
    BODY_SIZE = 5  # Content-Length over the limit: 413
    TRAILING_SLASH = 6  # /foo where only Prefix /foo/ is declared: 301
    CORS_PREFLIGHT = 7  # OPTIONS of an allowed origin: 204
    REDIRECT = 8  # permanent-redirect, temporal-redirect, from-to-www: 30x
    DENIED = 9  # the object asked for protection that could not be built: 503
    REWRITE = 10  # the target changes; an absolute one answers 302
    HTTPS_REDIRECT = 11  # 308
    NO_ENDPOINTS = 12  # 503, before anybody is asked who they are
    LIMITS = 13  # requests and connections: 503
    ACCESS = 14  # deny and allow lists, basic, external, as ``satisfy`` combines them: 403, 401, 500
    UPSTREAM = 15  # which endpoint, and what is said to it

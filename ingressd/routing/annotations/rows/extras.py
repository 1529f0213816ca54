"""Our own annotations, ``ingressd.io/…`` only: what people wrote snippets for, typed and safe."""

from ingressd.routing.annotations.kinds import EXPRESSIONS, HEADER_LINES, REMOVED_NAMES, RESPOND, choice
from ingressd.routing.annotations.row import Row

REGEX_SCOPE = Row(
    "regex-scope",
    choice("host", "path"),
    "host",
    "T3",
    "With `path`, use-regex and rewrite-target change how this Ingress's paths match, and no others of the host.",
    support="same",
    on_bad="freeze",
    is_ours=True,
)
REQUEST_HEADERS_SET = Row(
    "request-headers-set",
    HEADER_LINES,
    "",
    "T3",
    "Headers that the upstream gets, whatever the client sent.",
    support="same",
    on_bad="deny",
    is_ours=True,
    example="X-Source: ingress",
)
REQUEST_HEADERS_REMOVE = Row(
    "request-headers-remove",
    REMOVED_NAMES,
    "",
    "T3",
    "Headers of the client that the upstream does not get.",
    support="same",
    on_bad="deny",
    is_ours=True,
    example="X-Debug",
)
RESPONSE_HEADERS_SET = Row(
    "response-headers-set",
    HEADER_LINES,
    "",
    "T3",
    "Headers that the client gets, whatever the upstream sent.",
    support="same",
    on_bad="freeze",
    is_ours=True,
)
RESPONSE_HEADERS_REMOVE = Row(
    "response-headers-remove",
    REMOVED_NAMES,
    "",
    "T3",
    "Headers of the upstream that the client does not get.",
    support="same",
    on_bad="freeze",
    is_ours=True,
)
RESPOND_WITH = Row(
    "respond",
    RESPOND,
    "",
    "T3",
    "Every request of these paths gets this answer: a status, and a text or where to.",
    support="same",
    on_bad="deny",
    is_ours=True,
)
DENY_USER_AGENTS = Row(
    "deny-user-agents",
    EXPRESSIONS,
    "",
    "T3",
    "Requests whose User-Agent matches one of these get 403.",
    support="same",
    on_bad="deny",
    is_ours=True,
)

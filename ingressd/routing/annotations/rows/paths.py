"""Paths: matching, rewriting, names a host is known by."""

from ingressd.routing.annotations.kinds import ABSOLUTE_PATH, BOOL, PATH, SERVER_NAMES
from ingressd.routing.annotations.row import Row

REWRITE_TARGET = Row(
    "rewrite-target",
    PATH,
    "",
    "T1",
    "The request path is replaced by this where it matches the Ingress's path; an absolute URL answers 302. "
    "A request that would put a dot segment into the new path answers 400.",
    support="same",
    risk="Medium",
    example="/$2",
)
USE_REGEX = Row(
    "use-regex",
    BOOL,
    "false",
    "T1",
    "All paths of the host become case-insensitive expressions anchored at their start.",
    support="differs",
    difference="Patterns run in linear time: back-references, and lookarounds whose place is not known, are "
    "refused, and what begins like such a path answers 503. `ingressd.io/regex-scope: path` keeps "
    "patterns to the Ingress.",
    scope="host",
)
APP_ROOT = Row(
    "app-root",
    ABSOLUTE_PATH,
    "",
    "T2",
    "GET / of the host answers 302 to this path.",
    support="same",
    scope="host",
    risk="Medium",
)
X_FORWARDED_PREFIX = Row(
    "x-forwarded-prefix",
    PATH,
    "",
    "T2",
    "X-Forwarded-Prefix for the upstream where rewrite-target rewrites.",
    support="same",
    on_bad="freeze",
    risk="Medium",
    example="/shop",
)
ENABLE_REWRITE_LOG = Row(
    "enable-rewrite-log",
    BOOL,
    "false",
    "X",
    "Writes rewrites to nginx's error log.",
    support="harmless",
    difference="There is no such log: `ingressd explain` shows what becomes of a path.",
)
SERVER_ALIAS = Row(
    "server-alias",
    SERVER_NAMES,
    "",
    "T2",
    "More names that this host answers to, unless an Ingress declares them.",
    support="differs",
    difference="Names by expressions (`~`) are not served, which is said.",
    scope="host",
    on_bad="freeze",
    risk="High",
)
STRICT_VALIDATE_PATH_TYPE = Row(
    "strict-validate-path-type",
    BOOL,
    "true",
    "T3",
    "The admission webhook refuses expressions in Exact and Prefix paths.",
    support="harmless",
    scope="global",
    config_key="strict-validate-path-type",
    difference="There is no webhook: `ingressd check` reports such paths.",
)

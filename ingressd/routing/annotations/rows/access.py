"""Who may come in: addresses, users, what the object and the controller allow."""

from ingressd.routing.annotations.kinds import BLOCKED, BOOL, LIST, NETWORKS, REFERENCE, WORDS, choice
from ingressd.routing.annotations.row import Row

ALLOWLIST_SOURCE_RANGE = Row(
    "allowlist-source-range",
    NETWORKS,
    "",
    "T1",
    "Only these clients; others get 403.",
    support="same",
    config_key="whitelist-source-range",
    aliases=("whitelist-source-range",),
    on_bad="deny",
    risk="Medium",
    guards=True,
)
DENYLIST_SOURCE_RANGE = Row(
    "denylist-source-range",
    NETWORKS,
    "",
    "T2",
    "These clients get 403, whatever the allow list says.",
    support="same",
    config_key="denylist-source-range",
    on_bad="deny",
    risk="Medium",
    guards=True,
)
AUTH_TYPE = Row(
    "auth-type",
    choice("basic", "digest"),
    "",
    "T1",
    "Clients must log in; auth-secret holds the users.",
    support="differs",
    difference="Digest is not done: its paths answer 503.",
    on_bad="freeze",
    example="basic",
)
AUTH_SECRET = Row(
    "auth-secret",
    REFERENCE,
    "",
    "T1",
    "Secret with the users. Without it, or without its content, the answer is 503.",
    support="same",
    on_bad="deny",
    risk="Medium",
)
AUTH_SECRET_TYPE = Row(
    "auth-secret-type",
    choice("auth-file", "auth-map"),
    "auth-file",
    "T1",
    "auth-file: key `auth` holds htpasswd lines; auth-map: each key is a user.",
    support="same",
    on_bad="freeze",
)
AUTH_REALM = Row(
    "auth-realm",
    WORDS,
    "",
    "T1",
    "Realm that the client shows.",
    support="differs",
    difference="`off` is a realm like any other; in nginx it turns the login off.",
    on_bad="freeze",
    risk="Medium",
)
SATISFY = Row(
    "satisfy",
    choice("all", "any"),
    "all",
    "T2",
    "Whether all of addresses, basic and external auth must pass, or one.",
    support="same",
)
NO_AUTH_LOCATIONS = Row(
    "no-auth-locations",
    LIST,
    "/.well-known/acme-challenge",
    "T1",
    "Paths that begin so need no login.",
    support="same",
    scope="global",
    config_key="no-auth-locations",
    example="/.well-known/acme-challenge,/health",
)
BLOCK_CIDRS = Row(
    "block-cidrs",
    NETWORKS,
    "",
    "T3",
    "These clients get 403 everywhere.",
    support="same",
    scope="global",
    config_key="block-cidrs",
    guards=True,
)
BLOCK_USER_AGENTS = Row(
    "block-user-agents",
    BLOCKED,
    "",
    "T3",
    "Requests of these user agents get 403.",
    support="same",
    scope="global",
    config_key="block-user-agents",
    guards=True,
)
BLOCK_REFERERS = Row(
    "block-referers",
    BLOCKED,
    "",
    "T3",
    "Requests from these pages get 403.",
    support="same",
    scope="global",
    config_key="block-referers",
    guards=True,
    example="~*spam",
)
ALLOW_CROSS_NAMESPACE_RESOURCES = Row(
    "allow-cross-namespace-resources",
    BOOL,
    "false",
    "T2",
    "Annotations may name Secrets and ConfigMaps elsewhere.",
    support="same",
    scope="global",
    config_key="allow-cross-namespace-resources",
)
ANNOTATIONS_RISK_LEVEL = Row(
    "annotations-risk-level",
    choice("Low", "Medium", "High", "Critical", fold=True),
    "High",
    "T2",
    "An Ingress with an annotation above this level is not updated.",
    support="same",
    scope="global",
    config_key="annotations-risk-level",
)
ALLOW_SNIPPET_ANNOTATIONS = Row(
    "allow-snippet-annotations",
    BOOL,
    "false",
    "T2",
    "Whether snippets count. None is ever executed here.",
    support="same",
    scope="global",
    config_key="allow-snippet-annotations",
    difference="No snippet is executed, and none makes its Ingress invalid. Paths whose snippet protects "
    "something answer "
    "503 until the typed annotations that do the same are set, whatever this key says.",
)
ANNOTATION_VALUE_WORD_BLOCKLIST = Row(
    "annotation-value-word-blocklist",
    LIST,
    "",
    "T3",
    "Words that the admission webhook refuses in values.",
    support="harmless",
    scope="global",
    config_key="annotation-value-word-blocklist",
    example="load_module,_by_lua",
    difference="There is no webhook, and no value becomes configuration text, which is what the list guards there.",
)

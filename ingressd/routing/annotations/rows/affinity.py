"""Which endpoint or which release a client stays with: cookies and canaries."""

from ingressd.routing.annotations.kinds import BOOL, EXPRESSION, INT, OPTIONAL_INT, PLAIN, URL, choice
from ingressd.routing.annotations.row import Row

AFFINITY = Row(
    "affinity",
    choice("cookie"),
    "",
    "T1",
    "Clients stay with an endpoint, by a cookie.",
    support="differs",
    difference="Holds for the paths of the Ingress that says it; there the oldest Ingress of the Service "
    "decides for all of them.",
    scope="upstream",
)
AFFINITY_MODE = Row(
    "affinity-mode",
    choice("balanced", "persistent"),
    "balanced",
    "T2",
    "Whether clients may move when pods come and go.",
    support="differs",
    difference="Keys of balanced cookies that ingress-nginx gave out may lead to another endpoint, once.",
    scope="upstream",
    risk="Medium",
)
AFFINITY_CANARY_BEHAVIOR = Row(
    "affinity-canary-behavior",
    choice("sticky", "legacy"),
    "sticky",
    "T3",
    "Whether clients stay on the canary too.",
    support="same",
    scope="upstream",
)
SESSION_COOKIE_NAME = Row(
    "session-cookie-name",
    PLAIN,
    "INGRESSCOOKIE",
    "T1",
    "Name of the cookie.",
    support="same",
    risk="Medium",
    example="route",
)
SESSION_COOKIE_PATH = Row(
    "session-cookie-path",
    URL,
    "",
    "T2",
    "Its Path; else the path of the Ingress.",
    support="same",
    risk="Medium",
    example="/",
)
SESSION_COOKIE_EXPIRES = Row(
    "session-cookie-expires",
    OPTIONAL_INT,
    "",
    "T2",
    "Its Expires, seconds from now.",
    support="same",
    risk="Medium",
)
SESSION_COOKIE_MAX_AGE = Row(
    "session-cookie-max-age",
    OPTIONAL_INT,
    "",
    "T2",
    "Its Max-Age, seconds.",
    support="same",
    risk="Medium",
)
SESSION_COOKIE_DOMAIN = Row(
    "session-cookie-domain",
    PLAIN,
    "",
    "T3",
    "Its Domain.",
    support="same",
    risk="Medium",
    example="example.com",
)
SESSION_COOKIE_SAMESITE = Row(
    "session-cookie-samesite",
    choice("None", "Lax", "Strict", fold=True),
    "",
    "T2",
    "Its SameSite.",
    support="same",
)
SESSION_COOKIE_CONDITIONAL_SAMESITE_NONE = Row(
    "session-cookie-conditional-samesite-none",
    BOOL,
    "false",
    "T3",
    "No SameSite=None for browsers that misread it.",
    support="same",
)
SESSION_COOKIE_SECURE = Row(
    "session-cookie-secure",
    BOOL,
    "false",
    "T3",
    "Secure even over plain HTTP; over HTTPS it is always set.",
    support="same",
)
SESSION_COOKIE_CHANGE_ON_FAILURE = Row(
    "session-cookie-change-on-failure",
    BOOL,
    "false",
    "T2",
    "After a failed attempt the client gets a new cookie.",
    support="same",
)

CANARY = Row(
    "canary",
    BOOL,
    "false",
    "T2",
    "This Ingress is the canary of another's paths.",
    support="differs",
    difference="A Service that is the primary of another path may be a canary too; a closing slash of the path makes "
    "no difference; load-balance and upstream-hash-by of the canary's Ingress do nothing.",
)
CANARY_BY_HEADER = Row(
    "canary-by-header",
    PLAIN,
    "",
    "T2",
    "Header whose `always` and `never` decide.",
    support="same",
    risk="Medium",
    example="X-Canary",
)
CANARY_BY_HEADER_VALUE = Row(
    "canary-by-header-value",
    PLAIN,
    "",
    "T2",
    "Value of that header that means the canary.",
    support="same",
    risk="Medium",
    example="tester",
)
CANARY_BY_HEADER_PATTERN = Row(
    "canary-by-header-pattern",
    EXPRESSION,
    "",
    "T3",
    "Expression for values that mean the canary.",
    support="differs",
    difference="Patterns run in linear time; one that cannot counts as invalid.",
    risk="Medium",
)
CANARY_BY_COOKIE = Row(
    "canary-by-cookie",
    PLAIN,
    "",
    "T2",
    "Cookie whose `always` and `never` decide.",
    support="same",
    risk="Medium",
    example="canary",
)
CANARY_WEIGHT = Row(
    "canary-weight",
    INT,
    "0",
    "T2",
    "Share of the requests that go to the canary.",
    support="same",
)
CANARY_WEIGHT_TOTAL = Row(
    "canary-weight-total",
    INT,
    "100",
    "T3",
    "What the weight is a share of, when above 100.",
    support="same",
    example="1000",
)

"""Which endpoint or which release a client stays with: cookies and canaries."""

from ingressd.routing.annotations.kinds import BOOL, EXPRESSION, INT, OPTIONAL_INT, PLAIN, URL, choice
from ingressd.routing.annotations.row import Row

AFFINITY = Row(
    "affinity",
    choice("cookie"),
    "",
    "T1",
    "Clients stay with an endpoint, by a cookie.",
    support="not yet",
    scope="upstream",
)
AFFINITY_MODE = Row(
    "affinity-mode",
    choice("balanced", "persistent"),
    "balanced",
    "T2",
    "Whether clients may move when pods come and go.",
    support="not yet",
    scope="upstream",
    risk="Medium",
)
AFFINITY_CANARY_BEHAVIOR = Row(
    "affinity-canary-behavior",
    choice("sticky", "legacy"),
    "sticky",
    "T3",
    "Whether clients stay on the canary too.",
    support="not yet",
    scope="upstream",
)
SESSION_COOKIE_NAME = Row(
    "session-cookie-name",
    PLAIN,
    "INGRESSCOOKIE",
    "T1",
    "Name of the cookie.",
    support="not yet",
    risk="Medium",
    example="route",
)
SESSION_COOKIE_PATH = Row(
    "session-cookie-path",
    URL,
    "",
    "T2",
    "Its Path; else the path of the Ingress.",
    support="not yet",
    risk="Medium",
    example="/",
)
SESSION_COOKIE_EXPIRES = Row(
    "session-cookie-expires",
    OPTIONAL_INT,
    "",
    "T2",
    "Its Expires, seconds from now.",
    support="not yet",
    risk="Medium",
)
SESSION_COOKIE_MAX_AGE = Row(
    "session-cookie-max-age",
    OPTIONAL_INT,
    "",
    "T2",
    "Its Max-Age, seconds.",
    support="not yet",
    risk="Medium",
)
SESSION_COOKIE_DOMAIN = Row(
    "session-cookie-domain",
    PLAIN,
    "",
    "T3",
    "Its Domain.",
    support="not yet",
    risk="Medium",
    example="example.com",
)
SESSION_COOKIE_SAMESITE = Row(
    "session-cookie-samesite",
    choice("None", "Lax", "Strict", fold=True),
    "",
    "T2",
    "Its SameSite.",
    support="not yet",
)
SESSION_COOKIE_CONDITIONAL_SAMESITE_NONE = Row(
    "session-cookie-conditional-samesite-none",
    BOOL,
    "false",
    "T3",
    "No SameSite=None for browsers that misread it.",
    support="not yet",
)
SESSION_COOKIE_SECURE = Row(
    "session-cookie-secure",
    BOOL,
    "false",
    "T3",
    "Secure even over plain HTTP; over HTTPS it is always set.",
    support="not yet",
)
SESSION_COOKIE_CHANGE_ON_FAILURE = Row(
    "session-cookie-change-on-failure",
    BOOL,
    "false",
    "T2",
    "After a failed attempt the client gets a new cookie.",
    support="not yet",
)

CANARY = Row(
    "canary",
    BOOL,
    "false",
    "T2",
    "This Ingress is the canary of another's paths.",
    support="not yet",
)
CANARY_BY_HEADER = Row(
    "canary-by-header",
    PLAIN,
    "",
    "T2",
    "Header whose `always` and `never` decide.",
    support="not yet",
    risk="Medium",
    example="X-Canary",
)
CANARY_BY_HEADER_VALUE = Row(
    "canary-by-header-value",
    PLAIN,
    "",
    "T2",
    "Value of that header that means the canary.",
    support="not yet",
    risk="Medium",
    example="tester",
)
CANARY_BY_HEADER_PATTERN = Row(
    "canary-by-header-pattern",
    EXPRESSION,
    "",
    "T3",
    "Expression for values that mean the canary.",
    support="not yet",
    risk="Medium",
)
CANARY_BY_COOKIE = Row(
    "canary-by-cookie",
    PLAIN,
    "",
    "T2",
    "Cookie whose `always` and `never` decide.",
    support="not yet",
    risk="Medium",
    example="canary",
)
CANARY_WEIGHT = Row(
    "canary-weight",
    INT,
    "0",
    "T2",
    "Share of the requests that go to the canary.",
    support="not yet",
)
CANARY_WEIGHT_TOTAL = Row(
    "canary-weight-total",
    INT,
    "100",
    "T3",
    "What the weight is a share of, when above 100.",
    support="not yet",
    example="1000",
)

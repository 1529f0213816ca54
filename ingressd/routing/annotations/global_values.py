"""GlobalValues: what the controller's ConfigMap says, and with it the defaults of all annotations.

A bad value of one key leaves the others alone. Where the built-in default would open what was meant to be closed
(``Row.guards``), the last good value stays; without one, every path that depends on it is denied.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, TypeVar

from ingressd.model.finding import Finding, Level
from ingressd.model.objects import ConfigMap
from ingressd.routing.annotations.row import RISKS, BadValue, Outcome, Row
from ingressd.routing.annotations.rows import access
from ingressd.routing.annotations.similar import did_you_mean
from ingressd.routing.annotations.table import CONFIG_KEYS, ROWS
from ingressd.routing.place import place_of

T = TypeVar("T")

MAX_CACHED_CHARACTERS = 512  # of a value whose reading is remembered: 16,384 of them stay below 20 MB
MAX_UNKNOWN = 20  # findings for unknown names in one object: the rest is counted


_DEFAULTS: dict[Row[Any], Any] = {row: row.default for row in ROWS}


class GlobalValues:
    """Values by row: the ConfigMap's, else the built-in default. Immutable.

    ``findings`` are about the ConfigMap. ``denied`` is why every path answers 503 ("" as a rule). ``risk`` is the rank
    of the highest risk that annotations may have. ``all`` has a value for every row there is.
    """

    __slots__ = ("_problems", "_values", "all", "denied", "findings", "risk")

    def __init__(
        self, values: Mapping[Row[object], object], problems: Mapping[Row[object], str], findings: tuple[Finding, ...]
    ) -> None:
        self._values: Mapping[Row[Any], Any] = values
        self._problems = problems
        self.all: Mapping[Row[Any], Any] = {**_DEFAULTS, **self._values} if values else _DEFAULTS
        self.findings = findings
        self.denied = next(iter(problems.values()), "")
        # ingress-nginx reads a level it does not know as Low; a bad one is closed here too.
        level = self.get(access.ANNOTATIONS_RISK_LEVEL)
        self.risk = RISKS.index(level) if level in RISKS else 0

    def get(self, row: Row[T]) -> T:
        value: T = self.all[row]
        return value

    def is_set(self, row: Row[Any]) -> bool:
        return row in self._values

    @property
    def problems(self) -> Mapping[Row[object], str]:
        """Guarding rows whose value is unusable and was never good, with the reason. Mostly empty."""
        return self._problems


def read_config_map(config_map: ConfigMap | None, previous: GlobalValues | None = None) -> GlobalValues:
    """The values of the controller's ConfigMap; None: all built-in. ``previous`` is what was in force before."""
    return _Reader(config_map, previous).read() if config_map is not None else GlobalValues({}, {}, ())


def read_value(row: Row[object], text: str) -> tuple[object, str, Outcome]:
    """The value of a text; or None, why it is bad, and what that does. Remembered, since most values repeat."""
    return _remembered(row, text) if len(text) <= MAX_CACHED_CHARACTERS else _parse(row, text)


def _parse(row: Row[object], text: str) -> tuple[object, str, Outcome]:
    try:
        return row.kind.parse(text), "", row.on_bad
    except BadValue as error:
        return None, str(error), error.outcome or row.on_bad


_remembered = lru_cache(maxsize=16384)(_parse)


def _tidied(listed: str) -> str:
    """A list of the ConfigMap may be written over several lines and have a comma too many, as there; an annotation's
    may not.
    """
    return ",".join(item for one in listed.split(",") if (item := one.strip()))


def _good_entries(row: Row[object], listed: str) -> str:
    """A list without its bad entries, as ingress-nginx reads it; "" where there is no other, or where one that is left
    out might let somebody in.
    """
    if not row.kind.is_list or row.guards:
        return ""
    good = ",".join(entry for entry in listed.split(",") if not read_value(row, entry)[1])
    return good if good and not read_value(row, good)[1] else ""


class _Reader:
    def __init__(self, config_map: ConfigMap, previous: GlobalValues | None) -> None:
        self._config_map = config_map
        self._previous = previous
        self._values: dict[Row[object], object] = {}
        self._problems: dict[Row[object], str] = {}
        self._findings: list[Finding] = []

    def read(self) -> GlobalValues:
        unknown: list[str] = []
        for key, text in sorted(self._config_map.data.items()):
            row = CONFIG_KEYS.get(key)
            if row is None:
                unknown.append(key)
            else:
                self._read(row, key, text.strip())
        self._say_unknown(unknown)
        return GlobalValues(self._values, self._problems, tuple(self._findings))

    def _read(self, row: Row[object], key: str, text: str) -> None:
        if row.kind.is_list:
            text = _tidied(text)
        if not text:
            if row.kind.is_list:
                self._values[row] = row.kind.empty
            return
        value, problem, _ = read_value(row, text)
        if problem:
            good = _good_entries(row, text)
            instead = "that entry is left out" if good else self._instead(row, key, problem)
            self._say(key, "error", "BadConfigMapValue", f"{problem}; {instead}")
            if not good:
                return
            value = row.kind.parse(good)
        self._values[row] = value
        if row.support in ("harmless", "lost", "not yet") and value != row.default:
            self._say_unsupported(row, key)

    def _instead(self, row: Row[object], key: str, problem: str) -> str:
        """What is done with a bad value, and said of it."""
        if row is access.ANNOTATIONS_RISK_LEVEL:
            self._values[row] = "Low"
            return "the level is Low"
        if not row.guards:
            return f"the default {row.default_text!r} is used"
        if self._previous is not None and row not in self._previous.problems:
            if self._previous.is_set(row):
                self._values[row] = self._previous.get(row)
            return "the last good value stays"
        self._problems[row] = f"{key} in the controller's ConfigMap is unusable: {problem}"
        return "paths that depend on it answer 503"

    def _say_unsupported(self, row: Row[object], key: str) -> None:
        if row.support == "harmless":
            self._say(key, "info", "ConfigMapKeyIgnored", row.difference)
        elif row.support == "lost":
            self._say(key, "error", "ConfigMapKeyLost", row.difference)
        else:
            self._say(key, "warning", "ConfigMapKeyNotYet", "this key is known and not implemented yet")

    def _say_unknown(self, keys: list[str]) -> None:
        for key in keys[:MAX_UNKNOWN]:
            near = did_you_mean(key, CONFIG_KEYS)
            hint = f"; did you mean {near}?" if near else ""
            self._say(key, "warning", "UnknownConfigMapKey", f"this key is not known{hint}")
        if len(keys) > MAX_UNKNOWN:
            self._say("", "warning", "UnknownConfigMapKey", f"{len(keys) - MAX_UNKNOWN} more keys are not known")

    def _say(self, key: str, level: Level, reason: str, message: str) -> None:
        place = place_of(self._config_map.meta, f"data.{key}" if key else "data", "ConfigMap")
        self._findings.append(place.finding(level, reason, message))


BUILT_IN = read_config_map(None)
"""Values without a ConfigMap."""

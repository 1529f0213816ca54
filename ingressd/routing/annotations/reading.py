"""The annotations of one Ingress → typed values, what is wrong with them, and what that does. Pure.

``ingressd.io/<name>`` wins over ``<prefix>/<name>``, a name over its aliases. An empty value counts as absent, as in
ingress-nginx. A bad value has its row's outcome and never falls back to another spelling.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, TypeVar

from ingressd.model.finding import Finding, Level
from ingressd.model.objects import Meta
from ingressd.routing.annotations.global_values import MAX_UNKNOWN, GlobalValues, read_value
from ingressd.routing.annotations.row import RISKS, Outcome, Row
from ingressd.routing.annotations.rows import access, external_auth, nginx_only
from ingressd.routing.annotations.similar import did_you_mean
from ingressd.routing.annotations.snippets import SnippetReport, read_snippet
from ingressd.routing.annotations.table import ANNOTATIONS
from ingressd.routing.annotations.together import NEEDS
from ingressd.routing.place import place_of

T = TypeVar("T")

PREFIX = "nginx.ingress.kubernetes.io"
OUR_PREFIX = "ingressd.io"

_OUTCOMES: dict[Outcome, str] = {
    "default": "the default is used",
    "freeze": "this version of the Ingress is not used",
    "deny": "its paths answer 503",
}
_SNIPPETS = frozenset({nginx_only.CONFIGURATION_SNIPPET, nginx_only.SERVER_SNIPPET, nginx_only.AUTH_SNIPPET})
_NEVER_EXECUTED = _SNIPPETS | {nginx_only.STREAM_SNIPPET, nginx_only.MODSECURITY_SNIPPET}
"""No risk level is about what has no effect: an Ingress is not lost for a header that its snippet would have set."""


class AnnotationValues:
    """Values by row: the Ingress's, else the ConfigMap's, else the built-in default. Immutable.

    ``frozen``: this version of the Ingress is not to be used; its last good one stays, and without one it is not
    served, whatever ``denied`` says. ``denied``: why its paths answer 503 ("": they do not).
    """

    __slots__ = ("_otherwise", "_values", "denied", "findings", "frozen")

    def __init__(
        self,
        config: GlobalValues,
        values: Mapping[Row[object], object],
        findings: tuple[Finding, ...] = (),
        *,
        frozen: bool = False,
        denied: str = "",
    ) -> None:
        self._otherwise = config.all
        self._values: Mapping[Row[Any], Any] = values
        self.findings = findings
        self.frozen = frozen
        self.denied = denied

    def get(self, row: Row[T]) -> T:
        values = self._values
        value: T = values[row] if row in values else self._otherwise[row]
        return value

    def is_set(self, row: Row[Any]) -> bool:
        """The Ingress itself says it, and usably."""
        return row in self._values

    @property
    def rows(self) -> tuple[Row[object], ...]:
        """Those the Ingress itself sets: what a migration report goes through."""
        return tuple(self._values)


def read_annotations(meta: Meta, *, prefix: str = PREFIX, config: GlobalValues) -> AnnotationValues:
    """What the annotations of an Ingress say. Never raises: what is wrong is in ``findings``."""
    annotations = meta.annotations
    if annotations:
        starts = _starts(prefix)
        ours = [name for name in annotations if name.startswith(starts)]
        if ours:
            return _Reader(meta, prefix, config).read(ours)
    return AnnotationValues(config, {}, denied=config.denied)


@lru_cache(maxsize=8)
def _starts(prefix: str) -> tuple[str, str]:
    return f"{OUR_PREFIX}/", f"{prefix}/"


@lru_cache(maxsize=8)
def _spellings(prefix: str) -> dict[str, tuple[int, Row[object]]]:
    """Row by whole annotation name, with the rank of this spelling: the lowest that is there wins."""
    spellings: dict[str, tuple[int, Row[object]]] = {}
    for row in ANNOTATIONS.values():
        names = (row.name, *row.aliases)
        whole = [f"{OUR_PREFIX}/{name}" for name in names]
        if not row.is_ours:
            whole += [f"{prefix}/{name}" for name in names]
        for rank, name in enumerate(whole):
            spellings.setdefault(name, (rank, row))
    return spellings


class _Reader:
    def __init__(self, meta: Meta, prefix: str, config: GlobalValues) -> None:
        self._meta = meta
        self._prefix = prefix
        self._config = config
        self._values: dict[Row[object], object] = {}
        self._findings: list[Finding] = []
        self._protecting: list[tuple[str, SnippetReport]] = []
        self._unusable: set[Row[object]] = set()
        self._frozen = False
        self._denied = ""

    def read(self, names: list[str]) -> AnnotationValues:
        for row, (name, text) in self._chosen(names).items():
            self._read(row, name, text)
        self._check_together()
        self._check_guards()
        return AnnotationValues(
            self._config, self._values, tuple(self._findings), frozen=self._frozen, denied=self._denied
        )

    def _chosen(self, names: list[str]) -> dict[Row[object], tuple[str, str]]:
        """The spelling of each row that counts, with its text."""
        spellings = _spellings(self._prefix)
        chosen: dict[Row[object], tuple[int, str, str]] = {}
        unknown = []
        for name in names:
            spelling = spellings.get(name)
            if spelling is None:
                unknown.append(name)
                continue
            rank, row = spelling
            text = self._meta.annotations[name].strip()
            if text and (row not in chosen or rank < chosen[row][0]):
                chosen[row] = (rank, name, text)
        if unknown:
            self._say_unknown(sorted(unknown))
        return {row: (name, text) for row, (_, name, text) in chosen.items()}

    def _read(self, row: Row[object], name: str, text: str) -> None:
        if row.risk != "Low" and row not in _NEVER_EXECUTED and RISKS.index(row.risk) > self._config.risk:
            self._frozen = True
            level = self._config.get(access.ANNOTATIONS_RISK_LEVEL)
            self._say(
                name,
                "error",
                "AnnotationTooRisky",
                f"its risk is {row.risk} and annotations-risk-level of the controller's ConfigMap is {level}; "
                + _OUTCOMES["freeze"],
            )
        value, problem, outcome = read_value(row, text)
        if problem:
            self._bad(row, name, problem, outcome)
            return
        self._values[row] = value
        if row.support not in ("same", "differs") and value != row.default:
            self._say_unsupported(row, name, text)

    def _bad(self, row: Row[object], name: str, problem: str, outcome: Outcome) -> None:
        self._unusable.add(row)
        self._say(
            name, "warning" if outcome == "default" else "error", "BadAnnotation", f"{problem}; {_OUTCOMES[outcome]}"
        )
        if outcome == "freeze":
            self._frozen = True
        elif outcome == "deny":
            self._deny(f"{name}: {problem}")

    def _deny(self, why: str) -> None:
        self._denied = self._denied or why

    def _say_unsupported(self, row: Row[object], name: str, text: str) -> None:
        if row in _SNIPPETS:
            self._say_snippet(row, name, text)
        elif row.is_removed:
            level: Level = "error" if row.support == "lost" else "warning"
            self._say(name, level, "AnnotationRemoved", f"ingress-nginx itself dropped it. {row.difference}")
        elif row.support == "lost":
            self._say(name, "error", "AnnotationLost", row.difference)
        elif row.support == "harmless":
            self._say(name, "info", "AnnotationIgnored", row.difference)
        else:
            self._say(name, "warning", "AnnotationNotYet", "this annotation is known and not implemented yet")

    def _say_snippet(self, row: Row[object], name: str, text: str) -> None:
        """Where a snippet was to keep somebody out, the paths are denied until typed annotations do the same.

        That is so whether ingress-nginx would have obeyed it or not: who wrote it did not mean the paths to be open.
        The finding names annotations without values: a header in a snippet may hold a password.
        """
        report = read_snippet(text, is_auth=row is nginx_only.AUTH_SNIPPET)
        message = "snippets are never executed."
        if report.suggestions:
            message += f" Write instead: {', '.join(one.annotation for one in report.suggestions)}."
        if report.others:
            message += f" Needs another way: {', '.join(report.others[:MAX_UNKNOWN])}."
        self._say(name, "error", "SnippetLost", message)
        if report.protects:
            self._protecting.append((name, report))

    def _is_replaced(self, report: SnippetReport) -> bool:
        """All that a snippet did is said by typed annotations beside it."""
        suggested = (one.annotation.removeprefix(f"{OUR_PREFIX}/") for one in report.suggestions)
        return not report.others and all(ANNOTATIONS[name] in self._values for name in suggested)

    def _check_together(self) -> None:
        values = self._values
        for row in values:
            need = NEEDS.get(row)
            if need is not None and need.row not in values:
                name = f"{self._prefix}/{row.name}"
                if need.row not in self._unusable:  # or that has been said already
                    missing = f"{need.row.name} is missing; {need.without}"
                    self._say(name, need.level, "IncompleteAnnotations", missing)
                if need.denies:
                    self._deny(f"{row.name} without a usable {need.row.name}")
        for name, report in self._protecting:
            if not self._is_replaced(report):
                self._deny(f"{name} restricts access and is not executed: write the typed annotations instead")

    def _check_guards(self) -> None:
        """What the ConfigMap meant to protect, and cannot, is denied unless the Ingress says what holds for it."""
        opts_out = self._values.get(external_auth.ENABLE_GLOBAL_AUTH) is False
        for row, why in self._config.problems.items():
            if row not in self._values and not (opts_out and row is external_auth.GLOBAL_AUTH_URL):
                self._deny(why)

    def _say_unknown(self, names: list[str]) -> None:
        for name in names[:MAX_UNKNOWN]:
            prefix, _, bare = name.partition("/")
            near = did_you_mean(bare, ANNOTATIONS)
            if near:
                near = f"{OUR_PREFIX if ANNOTATIONS[near].is_ours else prefix}/{near}"
            hint = f"; did you mean {near}?" if near else ""
            self._say(name, "warning", "UnknownAnnotation", f"this annotation is not known and has no effect{hint}")
        if len(names) > MAX_UNKNOWN:
            self._say("", "warning", "UnknownAnnotation", f"{len(names) - MAX_UNKNOWN} more annotations are not known")

    def _say(self, name: str, level: Level, reason: str, message: str) -> None:
        place = place_of(self._meta, f"metadata.annotations[{name}]" if name else "metadata.annotations")
        self._findings.append(place.finding(level, reason, message))

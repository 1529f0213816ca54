"""What changes for each Ingress that was written for ingress-nginx: the values of the migration report. Pure.

    report = migration_report(cluster, compiled, config, prefix="nginx.ingress.kubernetes.io")

Per setting and per Ingress one of: same; ignored, harmless; same with a named difference; not implemented yet; lost,
which matters for security. The verdicts are the registry's; what is wrong with values is in findings, as everywhere.
"""

from collections.abc import Iterable, Iterator
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from ingressd.model.cluster import ClusterState
from ingressd.model.finding import Finding
from ingressd.model.objects import ConfigMap, Ingress, Meta
from ingressd.routing.annotations.global_values import GlobalValues
from ingressd.routing.annotations.reading import OUR_PREFIX, PREFIX, AnnotationValues, read_annotations
from ingressd.routing.annotations.row import Row, Support
from ingressd.routing.annotations.rows import nginx_only
from ingressd.routing.annotations.snippets import Suggestion, read_snippet
from ingressd.routing.annotations.table import ANNOTATIONS, CONFIG_KEYS
from ingressd.routing.compile import Compiled
from ingressd.routing.spill import PatternHost, pattern_hosts

Verdict = Literal["same", "ignored", "differs", "not yet", "lost"]
VERDICTS: tuple[Verdict, ...] = ("same", "ignored", "differs", "not yet", "lost")
"""From what nobody notices to what somebody must look at: an Ingress has the last of its settings."""

_OF_SUPPORT: dict[Support, Verdict] = {
    "same": "same",
    "harmless": "ignored",
    "differs": "differs",
    "not yet": "not yet",
    "lost": "lost",
}
_SNIPPETS = frozenset({nginx_only.CONFIGURATION_SNIPPET, nginx_only.SERVER_SNIPPET, nginx_only.AUTH_SNIPPET})
_TOLD_BY_NOTE = frozenset(
    {"AnnotationLost", "AnnotationIgnored", "AnnotationNotYet", "SnippetLost"}
    | {"ConfigMapKeyLost", "ConfigMapKeyIgnored", "ConfigMapKeyNotYet"}
)
_CONFLICTS = frozenset({"PathConflict", "DefaultBackendConflict", "ServerAliasConflict", "CanaryConflict"})


class Setting(Struct, frozen=True, kw_only=True):
    """One annotation of an Ingress, or one key of the ConfigMap, by the name that was written.

    ``note`` says what differs; ``problem`` what is wrong with the value. ``write`` are annotations that do what a
    snippet did.
    """

    name: str
    verdict: Verdict
    note: str = ""
    problem: str = ""
    write: tuple[Suggestion, ...] = ()


class IngressReport(Struct, frozen=True, kw_only=True):
    """``answers``: "" as a rule; ``503``: its paths are denied; ``nothing``: this version is not served at all."""

    namespace: str
    name: str
    source: str
    verdict: Verdict
    settings: tuple[Setting, ...] = ()
    answers: Literal["", "503", "nothing"] = ""
    why: str = ""


class MigrationReport(Struct, frozen=True, kw_only=True):
    """``others`` counts Ingresses of other controllers. ``findings`` are all there are; ``conflicts``,
    ``certificates`` and ``rest`` are those of them that no setting's ``problem`` or ``note`` tells.
    """

    ingresses: tuple[IngressReport, ...]
    others: int
    config: tuple[Setting, ...]
    pattern_hosts: tuple[PatternHost, ...]
    conflicts: tuple[Finding, ...]
    certificates: tuple[Finding, ...]
    rest: tuple[Finding, ...]
    findings: tuple[Finding, ...]

    def count(self, verdict: Verdict) -> int:
        return sum(one.verdict == verdict for one in self.ingresses)

    @property
    def has_errors(self) -> bool:
        return any(finding.level == "error" for finding in self.findings)


def migration_report(
    cluster: ClusterState,
    compiled: Compiled,
    config: GlobalValues,
    *,
    prefix: str = PREFIX,
    config_map: ConfigMap | None = None,
    more_findings: Iterable[Finding] = (),
) -> MigrationReport:
    """Everything the report says, sorted. ``more_findings`` are the source's own: files that do not parse."""
    served = {key: cluster.ingresses[key] for key in sorted(compiled.served)}
    values = {key: read_annotations(one.meta, prefix=prefix, config=config) for key, one in served.items()}
    said = (finding for one in values.values() for finding in one.findings)
    findings = tuple(sorted({*compiled.findings, *config.findings, *said, *more_findings}))
    problems = _Problems(findings)
    hosts = compiled.snapshot.hosts.values()
    routed = {(route.namespace, route.ingress) for vhost in hosts for route in vhost.routes}
    ingresses = tuple(
        _ingress(one, values[key], prefix, problems, has_routes=key in routed) for key, one in served.items()
    )
    settings = _config(config_map, problems) if config_map is not None else ()
    loose = [finding for finding in findings if finding not in problems.told]
    conflicts = tuple(finding for finding in loose if finding.reason in _CONFLICTS)
    certificates = tuple(finding for finding in loose if _is_about_certificate(finding))
    apart = {*conflicts, *certificates}
    return MigrationReport(
        ingresses=ingresses,
        others=len(cluster.ingresses) - len(served),
        config=settings,
        pattern_hosts=pattern_hosts(hosts, values),
        conflicts=conflicts,
        certificates=certificates,
        rest=tuple(finding for finding in loose if finding not in apart),
        findings=findings,
    )


def _is_about_certificate(finding: Finding) -> bool:
    return finding.field.startswith("spec.tls") or finding.reason.startswith("Certificate") or finding.kind == "Secret"


class _Problems:
    """What is wrong with values, by where they stand. ``told`` gathers the findings that were asked for."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.told: set[Finding] = set()
        self._by_place: dict[tuple[str, str, str, str], list[Finding]] = {}
        for finding in findings:
            place = finding.kind, finding.namespace, finding.name, finding.field
            self._by_place.setdefault(place, []).append(finding)

    def at(self, kind: str, meta: Meta, field: str) -> str:
        found = self._by_place.get((kind, meta.namespace, meta.name, field), ())
        self.told.update(found)
        return "; ".join(one.message for one in found if one.reason not in _TOLD_BY_NOTE)


def _ingress(
    ingress: Ingress, values: AnnotationValues, prefix: str, problems: _Problems, *, has_routes: bool
) -> IngressReport:
    meta = ingress.meta
    settings = tuple(_settings(meta, prefix, problems))
    report = IngressReport(
        namespace=meta.namespace,
        name=meta.name,
        source=meta.source,
        verdict=_worst(one.verdict for one in settings),
        settings=settings,
    )
    if values.frozen:
        why = "a bad value keeps this version out; a daemon that served an earlier one goes on with it"
        return replace(report, answers="503" if has_routes else "nothing", why=why)
    return replace(report, answers="503", why=values.denied) if values.denied else report


def _worst(verdicts: Iterable[Verdict]) -> Verdict:
    return max(verdicts, key=VERDICTS.index, default=VERDICTS[0])


def _settings(meta: Meta, prefix: str, problems: _Problems) -> Iterator[Setting]:
    for name in sorted(meta.annotations):
        start, _, bare = name.partition("/")
        text = meta.annotations[name].strip()
        if start not in (prefix, OUR_PREFIX) or not text:
            continue
        problem = problems.at("Ingress", meta, f"metadata.annotations[{name}]")
        row = _BY_NAME.get(bare)
        if row is None or (row.is_ours and start != OUR_PREFIX):
            # Nothing is done with a name that ingress-nginx does not know either.
            yield Setting(name=name, verdict="ignored", problem=problem)
        else:
            yield _setting(name, row, text, problem)


_BY_NAME = {name: row for row in ANNOTATIONS.values() for name in (row.name, *row.aliases)}


def _setting(name: str, row: Row[object], text: str, problem: str) -> Setting:
    verdict = _verdict(row, text)
    if row in _SNIPPETS:
        return _snippet(name, row, text, problem)
    return Setting(name=name, verdict=verdict, note=row.difference if verdict != "same" else "", problem=problem)


def _verdict(row: Row[object], text: str) -> Verdict:
    """What does nothing when it says what is so anyway is the same: ``enable-modsecurity: "false"``."""
    verdict = _OF_SUPPORT[row.support]
    if verdict not in ("ignored", "not yet", "lost"):
        return verdict
    try:
        value = row.kind.parse(text)
    except ValueError:
        return verdict
    return "same" if value == row.default and not row.is_removed else verdict


def _snippet(name: str, row: Row[object], text: str, problem: str) -> Setting:
    read = read_snippet(text, is_auth=row is nginx_only.AUTH_SNIPPET)
    note = "Never executed."
    if read.others:
        note += f" Without an equivalent: {', '.join(read.others)}."
    if read.protects:
        note += " It keeps somebody out: see to it before anything else."
    return Setting(name=name, verdict="lost", note=note, problem=problem, write=read.suggestions)


def _config(config_map: ConfigMap, problems: _Problems) -> tuple[Setting, ...]:
    meta = config_map.meta
    found = []
    for key, text in sorted(config_map.data.items()):
        if not text.strip():
            continue
        problem = problems.at("ConfigMap", meta, f"data.{key}")
        row = CONFIG_KEYS.get(key)
        if row is None:
            found.append(Setting(name=key, verdict="ignored", problem=problem))
        else:
            verdict = _verdict(row, text.strip())
            found.append(
                Setting(name=key, verdict=verdict, note=row.difference if verdict != "same" else "", problem=problem)
            )
    return tuple(found)

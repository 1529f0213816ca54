"""The migration report as people read it, and as JSON."""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from ingressd.routing.annotations.snippets import Suggestion
from ingressd.routing.migration import VERDICTS, IngressReport, MigrationReport, Setting, Verdict
from ingressd.routing.spill import PatternHost
from ingressd.runtime import view

WORDS: Final[dict[Verdict, str]] = {
    "same": "same",
    "ignored": "ignored, harmless",
    "differs": "same with a named difference",
    "not yet": "not implemented yet",
    "lost": "lost, matters for security",
}
_WIDTH: Final = 118
_SECRET: Final = re.compile(r"auth|cookie|key|pass|secret|token|credential|session", re.IGNORECASE)


def text(report: MigrationReport) -> str:
    """The whole report, ending in a line of totals."""
    parts = [*_ingresses(report), *_config(report), *_pattern_hosts(report), *_findings(report), *_totals(report)]
    return "\n".join(parts) + "\n"


def as_json(report: MigrationReport) -> dict[str, Any]:
    """Plain values; names are those of ``routing/migration``."""
    return {
        "summary": {
            "ingresses": len(report.ingresses),
            "others": report.others,
            **{verdict: report.count(verdict) for verdict in VERDICTS},
            "errors": _count(report, "error"),
            "warnings": _count(report, "warning"),
        },
        "ingresses": [_ingress_json(one) for one in report.ingresses],
        "config": [_setting_json(one) for one in report.config],
        "pattern_hosts": [_pattern_host_json(one) for one in report.pattern_hosts],
        "conflicts": view.findings_of(report.conflicts),
        "certificates": view.findings_of(report.certificates),
        "findings": view.findings_of(report.findings),
    }


def _ingress_json(one: IngressReport) -> dict[str, Any]:
    return {
        "namespace": one.namespace,
        "name": one.name,
        "source": one.source,
        "verdict": one.verdict,
        "answers": one.answers,
        "why": one.why,
        "settings": [_setting_json(setting) for setting in one.settings],
    }


def _setting_json(one: Setting) -> dict[str, Any]:
    return {
        "name": one.name,
        "verdict": one.verdict,
        "note": one.note,
        "problem": one.problem,
        "write": {suggestion.annotation: _value(suggestion) for suggestion in one.write},
    }


def _pattern_host_json(one: PatternHost) -> dict[str, Any]:
    return {
        "host": one.host,
        "because": list(one.because),
        "changed": [
            {"request": changed.request, "before": changed.before, "after": changed.after} for changed in one.changed
        ],
    }


def _value(suggestion: Suggestion) -> str:
    """What may be shown: reports end in build logs, and a snippet's header may hold a password."""
    lines = []
    for line in suggestion.value.split("\n"):
        name, colon, value = line.partition(":")
        is_secret = suggestion.annotation.endswith("headers-set") and colon and value and _SECRET.search(name)
        lines.append(f"{name}: (its value in the snippet)" if is_secret else line)
    return "\n".join(lines)


# ── text ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _ingresses(report: MigrationReport) -> Iterator[str]:
    errors = _errors_below(report)
    for one in report.ingresses:
        where = f" ({one.source})" if one.source else ""
        count = errors[one.namespace, one.name]
        more = f", and {_number(count, 'error')} below" if count else ""
        yield f"Ingress {one.namespace}/{one.name}{where}: {WORDS[one.verdict]}{more}"
        if one.answers:
            what = "answers 503" if one.answers == "503" else "is not served"
            yield from _wrapped(f"{what}: {one.why}", "  ! ")
        for setting in one.settings:
            yield from _setting(setting)


def _errors_below(report: MigrationReport) -> Counter[tuple[str, str]]:
    """Of each Ingress: a verdict is about its settings, and "same" must not stand alone where nothing is served."""
    below = (*report.conflicts, *report.certificates, *report.rest)
    return Counter((one.namespace, one.name) for one in below if one.kind == "Ingress" and one.level == "error")


def _config(report: MigrationReport) -> Iterator[str]:
    if report.config:
        yield "\nThe controller's ConfigMap"
        for setting in report.config:
            yield from _setting(setting)


def _setting(one: Setting) -> Iterator[str]:
    yield f"  {one.name}: {WORDS[one.verdict]}"
    for words in (one.problem, one.note):
        if words:
            yield from _wrapped(words, "      ")
    for suggestion in one.write:
        value = _value(suggestion)
        if "\n" in value:
            yield f"      write {suggestion.annotation}: |"
            yield from (f"          {line}" for line in value.split("\n"))
        else:
            yield f"      write {suggestion.annotation}: {_quoted(value)}"


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _wrapped(words: str, indent: str) -> list[str]:
    return textwrap.wrap(
        words,
        _WIDTH,
        initial_indent=indent,
        subsequent_indent=" " * len(indent),
        break_long_words=False,
        break_on_hyphens=False,
    )


def _pattern_hosts(report: MigrationReport) -> Iterator[str]:
    for one in report.pattern_hosts:
        yield f"\nHost {one.host}: every path is a pattern, because of {', '.join(one.because) or 'an Ingress'}"
        if not one.changed:
            yield "  no path of another Ingress changes its meaning"
        for changed in one.changed:
            yield f"  {changed.request} goes to {changed.after or 'nobody'}, not to {changed.before or 'nobody'}"
        if one.changed:
            yield '  as in ingress-nginx; ingressd.io/regex-scope: "path" on those Ingresses leaves the others alone'


def _findings(report: MigrationReport) -> Iterator[str]:
    groups = {
        "Claimed more than once": report.conflicts,
        "Certificates": report.certificates,
        "Findings": report.rest,
    }
    for title, findings in groups.items():
        if findings:
            yield f"\n{title}"
        for finding in sorted(findings, key=lambda one: ("error", "warning", "info").index(one.level)):
            yield from _wrapped(f"{finding.level}: {view.describe(finding)}", "  ")


def _totals(report: MigrationReport) -> Iterator[str]:
    counts = [f"{report.count(verdict)} {WORDS[verdict]}" for verdict in VERDICTS if report.count(verdict)]
    others = f"; {report.others} of other controllers" if report.others else ""
    yield f"\n{_number(len(report.ingresses), 'Ingress', 'es')}: {'; '.join(counts) or 'none served'}{others}"
    yield f"{_number(_count(report, 'error'), 'error')}, {_number(_count(report, 'warning'), 'warning')}"


def _number(count: int, noun: str, plural: str = "s") -> str:
    return f"{count} {noun}{'' if count == 1 else plural}"


def _count(report: MigrationReport, level: str) -> int:
    return sum(finding.level == level for finding in report.findings)

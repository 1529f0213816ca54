"""The reference page, made from the rows: ``make docs`` writes it to ``docs/annotations.md``."""

from collections.abc import Iterator

from ingressd.routing.annotations.row import Outcome, Row, Support
from ingressd.routing.annotations.table import TOPICS

_OUTCOMES: dict[Outcome, str] = {
    "default": "default used",
    "freeze": "Ingress stays at its last good version",
    "deny": "503",
}
_SUPPORT: dict[Support, str] = {
    "same": "same",
    "differs": "differs",
    "harmless": "ignored, harmless",
    "lost": "**lost, matters for security**",
    "not yet": "not yet",
}
_INTRODUCTION = """# Annotations and ConfigMap keys

Made from the registry in `ingressd/routing/annotations/rows/` by `make docs`; do not edit.

An annotation is read as `nginx.ingress.kubernetes.io/<name>` (the prefix is set by `--annotations-prefix`) and as
`ingressd.io/<name>`, which wins. An empty value counts as absent. The default of an annotation is the value of its
ConfigMap key (`--configmap`), else the one given here.

**Support** — *same*: as in ingress-nginx. *differs*: the sentence says how. *ignored, harmless*: read and without
effect; nobody will notice. *lost, matters for security*: read and without effect, and it may have protected something.
*not yet*: known, not implemented.

**A bad value** has one of three outcomes. *default used*: as if it were not there. *Ingress stays at its last good
version*: this version of the object is not used, and one that never was good is not served; if it asks for protection
(logins, addresses, limits, client certificates) its paths answer 503 instead, lest a wider rule open them. *503*: every
request to its paths. Each is a finding (`ingressd check`, Events, `/api/findings`). A bad ConfigMap value leaves the
default, and a bad entry of a list there the others; where that would open what was meant to be closed (*guards*), the
last good value stays, and without one paths answer 503.

**Scope** — *location*: the paths of this Ingress. *host*: the whole host; the oldest Ingress that sets it wins.
*upstream*: the Service port. *global*: a ConfigMap key only.
"""


def page() -> str:
    """The whole page, Markdown."""
    parts = [_INTRODUCTION, _summary()]
    for title, rows in TOPICS:
        parts.append(f"## {title}\n")
        parts.extend(map(_entry, rows) if _has_effects(rows) else [_table(rows)])
    return "\n".join(parts)


def _summary() -> str:
    counts: dict[Support, int] = dict.fromkeys(_SUPPORT, 0)
    for _, rows in TOPICS:
        for row in rows:
            counts[row.support] += 1
    lines = ["| support | annotations and keys |", "| --- | --- |"]
    lines += [f"| {_SUPPORT[support]} | {count} |" for support, count in counts.items()]
    return "\n".join(lines) + "\n"


def _has_effects(rows: tuple[Row[object], ...]) -> bool:
    """Keys that do nothing at all need no more than a table."""
    return any(row.support != "harmless" for row in rows)


def _table(rows: tuple[Row[object], ...]) -> str:
    lines = ["| ConfigMap key | what it is there | here |", "| --- | --- | --- |"]
    lines += [f"| `{row.name}` | {row.about} | {row.difference} |" for row in rows]
    return "\n".join(lines) + "\n"


def _entry(row: Row[object]) -> str:
    return "\n".join((f"### {_title(row)}\n", f"{row.about}\n", *_facts(row), _example(row), ""))


def _title(row: Row[object]) -> str:
    if row.scope == "global":
        return f"ConfigMap `{row.name}`"
    return f"`ingressd.io/{row.name}`" if row.is_ours else f"`{row.name}`"


def _facts(row: Row[object]) -> Iterator[str]:
    difference = f". {row.difference}" if row.difference else ""
    yield f"- Support: {_SUPPORT[row.support]}{difference}"
    yield f"- Value: {row.kind.name}; default {_default(row)}"
    if row.scope == "global":
        guards = "; guards" if row.guards else ""
        yield f"- Scope: global; tier {row.tier}{guards}"
        return
    if row.config_key:
        yield f"- ConfigMap: `{row.config_key}`{'; guards' if row.guards else ''}"
    if row.aliases:
        yield f"- Also spelled: {', '.join(f'`{alias}`' for alias in row.aliases)}"
    yield f"- Scope: {row.scope}; tier {row.tier}; risk {row.risk}"
    yield f"- Bad value: {_OUTCOMES[row.on_bad]}"


def _default(row: Row[object]) -> str:
    return f"`{row.default_text}`" if row.default_text else "none"


def _example(row: Row[object]) -> str:
    text = (row.example or row.kind.example).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    prefix = "" if row.scope == "global" else "ingressd.io/" if row.is_ours else "nginx.ingress.kubernetes.io/"
    return f'- Example: `{prefix}{row.name}: "{text}"`'

"""Findings: what is wrong, worst first, each with its evidence and what to do."""

from dataclasses import replace
from typing import NamedTuple

from walconsole.domain.facts.snapshot import Freshness, Snapshot
from walconsole.domain.standing.model import Diagnosis, Finding, Severity
from walconsole.domain.standing.told_once import unsaid
from walconsole.domain.standing.unseen import no_finding
from walconsole.domain.units import plural
from walconsole.ui.board.content import Content, Line, Link, Span, Stamp, Tone, View
from walconsole.ui.board.typeset import incident_lines, indented, shown, wrapped

_TONE = {Severity.CRITICAL: Tone.CRITICAL, Severity.WARNING: Tone.WARNING, Severity.NOTE: Tone.UNKNOWN}


_LAST_SHOWN_S = 86_400.0
"""For a day the dashboard tells of an incident that is over; triage and the report go on to."""


def _sign(severity: Severity, view: View) -> str:
    signs = view.glyphs
    return {Severity.CRITICAL: signs.critical, Severity.WARNING: signs.warning, Severity.NOTE: signs.dot}[
        severity
    ]


def _lead(finding: Finding, view: View) -> str:
    return f"  {_sign(finding.severity, view)} {finding.severity.name.lower():<8} "


def _link(finding: Finding) -> Link:
    role = finding.slot.name if finding.slot in (Snapshot.primary, Snapshot.dr) else ""
    return Link(finding.slot.about.value, finding.setting or "", role)


class _Told(NamedTuple):
    """A finding's rows: its title and what to do, and each evidence's."""

    head: list[Line]
    evidence: list[list[Line]]


def _told(finding: Finding, evidence_of: list[str], view: View) -> _Told:
    tone = _TONE[finding.severity]
    link, lead = _link(finding), _lead(finding, view)
    head = []
    for index, part in enumerate(wrapped(shown(finding.title), view.width - len(lead) - 1)):
        sign = Span(lead if index == 0 else " " * len(lead), tone)
        head.append(Line((sign, Span(part, Tone.STRONG)), "finding", finding.rule, finding.title, link))
    if finding.remedy:
        head += _detail(finding.remedy, "remedy", f"  {view.glyphs.arrow} ", Tone.TEXT, view, link)
    evidence = [
        _detail(each, "evidence", f"  {view.glyphs.dot} ", Tone.LABEL, view, link) for each in evidence_of
    ]
    return _Told(head, evidence)


def _in_order(diagnosis: Diagnosis) -> tuple[Finding, ...]:
    """Worst first, and a cause before what follows from it: what to do about the first is what to do."""
    told: list[Finding] = []
    for finding in diagnosis.findings:
        cause = next((story.root for story in diagnosis.stories if finding in story.consequences), None)
        if cause is not None and cause.severity is finding.severity and cause not in told:
            told.append(cause)
        if finding not in told:
            told.append(finding)
    return tuple(told)


def _rows(told: list[_Told], view: View) -> list[Line]:
    """Every title and what to do, each once; then as much evidence as the pane has room for."""
    needed = sum(len(one.head) + sum(map(len, one.evidence)) for one in told)
    spare = view.rows - sum(len(one.head) for one in told)
    whole = not view.rows or needed <= view.rows
    lines: list[Line] = []
    for one in told:
        lines += one.head
        for each in one.evidence:
            if whole or len(each) < spare:
                lines += each
                spare -= len(each)
    if not whole:
        left = f"  {view.glyphs.dot} more evidence: i shows all, z this pane alone"
        lines.append(Line((Span(left, Tone.MUTED),), "evidence"))
    return lines


def _detail(text: str, entry: str, lead: str, tone: Tone, view: View, link: Link) -> list[Line]:
    lines = indented(shown(text), view, tone, lead=lead, entry=entry)
    return [Line(line.spans, entry, entry, text, link) for line in lines]


def _none(view: View) -> list[Line]:
    """That no rule found anything, which is good news only where everything was read."""
    text, is_good = no_finding(view.snapshot, view.diagnosis.verdict)
    sign, tone = (view.glyphs.ok, Tone.OK) if is_good else (view.glyphs.unknown, Tone.UNKNOWN)
    return indented(shown(text), view, tone, lead=f"{sign} ", entry="none")


def _summary(findings: tuple[Finding, ...], view: View) -> tuple[Span, ...]:
    if not findings:
        text, is_good = no_finding(view.snapshot, view.diagnosis.verdict)
        return (Span(f"{view.glyphs.ok} none", Tone.OK) if is_good else Span(shown(text), Tone.UNKNOWN),)
    worst = findings[0]
    spans = [Span(f"{_sign(worst.severity, view)} {plural(len(findings), 'finding')}", _TONE[worst.severity])]
    return (*spans, Span(f": {shown(worst.title)}"))


def _table(findings: tuple[Finding, ...]) -> tuple[tuple[str, ...], ...]:
    header = ("severity", "rule", "title", "evidence", "remedy")
    rows = [
        (
            finding.severity.name.lower(),
            finding.rule,
            shown(finding.title),
            shown("; ".join(finding.evidence)),
            shown(finding.remedy),
        )
        for finding in findings
    ]
    return (header, *rows)


def _incidents(view: View) -> tuple[list[Line], list[Line]]:
    """What stands above the findings, of the open incident, and what below, of the last."""
    open_one, last = incident_lines(view.remembered, view.now)
    above: list[Line] = []
    below: list[Line] = []
    if open_one:
        lead = f"{view.glyphs.arrow} "
        above = indented(shown(open_one), view, Tone.LABEL, lead=lead, entry="incident")
    closed = view.remembered.last if view.remembered is not None else None
    if last and closed is not None and view.now - (closed.ok_since or 0.0) < _LAST_SHOWN_S:
        below = indented(shown(last), view, Tone.MUTED, lead=f"{view.glyphs.dot} ", entry="incident")
    return above, below


def render(view: View) -> Content:
    """Every finding of the diagnosis."""
    findings = _in_order(view.diagnosis)
    left = unsaid(findings, view.diagnosis.verdict.text)
    told = [_told(finding, own, view) for finding, own in zip(findings, left, strict=True)]
    before, after = _incidents(view)
    beside = len(before) + len(after)
    own = replace(view, rows=max(1, view.rows - beside)) if view.rows else view
    lines = [*before, *(_rows(told, own) if findings else _none(view)), *after]
    age = max(0.0, view.now - view.snapshot.taken_at)
    source = "rules on all that is read"
    return Content(
        (Stamp("rules", source, age, Freshness.OK),),
        tuple(lines),
        _summary(findings, view),
        _table(view.diagnosis.findings),
        wished=beside + sum(len(one.head) + sum(map(len, one.evidence)) for one in told),
        first=len(before) + len(told[0].head) if told else 0,
    )

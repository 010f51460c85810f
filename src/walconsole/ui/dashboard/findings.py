"""Findings: what is wrong, worst first, each with its evidence and what to do."""

from walconsole.domain.facts.snapshot import Freshness, Snapshot
from walconsole.domain.standing.model import Finding, Severity
from walconsole.domain.standing.unseen import no_finding
from walconsole.domain.units import plural
from walconsole.ui.board.content import Content, Line, Link, Span, Stamp, Tone, View
from walconsole.ui.board.typeset import incident_lines, indented, shown, wrapped

_TONE = {Severity.CRITICAL: Tone.CRITICAL, Severity.WARNING: Tone.WARNING, Severity.NOTE: Tone.UNKNOWN}

_GLANCE_ROWS = 10
"""As many rows as a pane shows at once on a small terminal: longer, and an index comes first."""


def _sign(severity: Severity, view: View) -> str:
    signs = view.glyphs
    return {Severity.CRITICAL: signs.critical, Severity.WARNING: signs.warning, Severity.NOTE: signs.dot}[
        severity
    ]


def _index(findings: tuple[Finding, ...], view: View) -> list[Line]:
    """Each finding's title on one line, so that a long first one hides no other."""
    lines = []
    for finding in findings:
        spans = (Span(_lead(finding, view), _TONE[finding.severity]), Span(shown(finding.title), Tone.STRONG))
        lines.append(Line(spans, "finding", finding.rule, finding.title, _link(finding)))
    rule = Span("  " + view.glyphs.rule * max(4, view.width - 4), Tone.MUTED)
    return [*lines, Line((rule,), "finding")]


def _lead(finding: Finding, view: View) -> str:
    return f"  {_sign(finding.severity, view)} {finding.severity.name.lower():<8} "


def _link(finding: Finding) -> Link:
    role = finding.slot.name if finding.slot in (Snapshot.primary, Snapshot.dr) else ""
    return Link(finding.slot.about.value, finding.setting or "", role)


def _finding(finding: Finding, view: View) -> list[Line]:
    tone = _TONE[finding.severity]
    link, lead = _link(finding), _lead(finding, view)
    lines = []
    for index, part in enumerate(wrapped(shown(finding.title), view.width - len(lead) - 1)):
        head = Span(lead if index == 0 else " " * len(lead), tone)
        lines.append(Line((head, Span(part, Tone.STRONG)), "finding", finding.rule, finding.title, link))
    for evidence in finding.evidence:
        lines += _detail(evidence, "evidence", f"  {view.glyphs.dot} ", Tone.LABEL, view, link)
    if finding.remedy:
        lines += _detail(finding.remedy, "remedy", f"  {view.glyphs.arrow} ", Tone.TEXT, view, link)
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


def render(view: View) -> Content:
    """Every finding of the diagnosis."""
    findings = view.diagnosis.findings
    lines: list[Line] = []
    for finding in findings:
        lines += _finding(finding, view)
    if len(findings) > 1 and len(lines) > _GLANCE_ROWS:
        lines = [*_index(findings, view), *lines]
    if not findings:
        lines = _none(view)
    open_one, last = incident_lines(view.remembered, view.now)
    if open_one:
        lead = f"{view.glyphs.arrow} "
        lines = [*indented(shown(open_one), view, Tone.LABEL, lead=lead, entry="incident"), *lines]
    if last:
        lines += indented(shown(last), view, Tone.MUTED, lead=f"{view.glyphs.dot} ", entry="incident")
    age = max(0.0, view.now - view.snapshot.taken_at)
    source = "rules on all that is read"
    return Content(
        (Stamp("rules", source, age, Freshness.OK),), tuple(lines), _summary(findings, view), _table(findings)
    )

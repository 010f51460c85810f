"""What to do as rows: the remedy, each way to mend it with its commands and risk, how the backlog drains."""

from collections.abc import Iterator

from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.standing.archiver import ready_count
from walconsole.domain.standing.model import Finding, Fix
from walconsole.domain.standing.trends import disk_outlook
from walconsole.domain.units import duration_text, plural
from walconsole.ui.board.content import Glyphs, Line, Span, Tone
from walconsole.ui.board.typeset import GUTTER, shown, wrapped

REMEDY, FIX, COMMAND, RISK, BACKLOG = "remedy", "fix", "command", "risk", "backlog"


def rows(
    finding: Finding | None, snapshot: Snapshot, now: float, width: int, glyphs: Glyphs, *, may_change: bool
) -> tuple[Line, ...]:
    """A fix's rows have its number as their label."""
    lines: list[Line] = list(_backlog(snapshot, now, width, glyphs))
    if finding is None:
        return tuple(lines)
    lines += _paragraph(shown(finding.remedy), width, f"{glyphs.arrow} ", Tone.STRONG, REMEDY, "")
    for number, fix in enumerate(finding.fixes):
        lines += _fix(number, fix, width, glyphs, may_change=may_change)
    return tuple(lines)


def _fix(number: int, fix: Fix, width: int, glyphs: Glyphs, *, may_change: bool) -> Iterator[Line]:
    label = str(number)
    how = ""
    if fix.step:
        how = " (f: plan, ask, do, verify)" if may_change else " (read-only: by hand)"
    yield from _paragraph(f"{shown(fix.title)}{how}", width, f"{number + 1} ", Tone.TEXT, FIX, label)
    for command in fix.commands:
        yield from _paragraph(shown(command), width, "    ", Tone.LABEL, COMMAND, label)
    if fix.risk:
        yield from _paragraph(
            f"risk: {shown(fix.risk)}", width, f"  {glyphs.warning} ", Tone.WARNING, RISK, label
        )


def _backlog(snapshot: Snapshot, now: float, width: int, glyphs: Glyphs) -> Iterator[Line]:
    """How many wait, and when none will at this rate."""
    waiting = ready_count(snapshot)
    if not waiting:
        return
    text = plural(waiting, "segment waits", "segments wait")
    outlook = disk_outlook(snapshot, now)
    trend = outlook.backlog_per_min if outlook is not None else None
    if trend is not None and trend < 0:
        left = duration_text(waiting / -trend * 60)
        text += f", {-trend:.1f} a minute fewer: none in {left}"
    elif trend is not None and trend > 0:
        text += f", {trend:.1f} a minute more"
    tone = Tone.OK if trend is not None and trend < 0 else Tone.WARNING
    yield from _paragraph(
        text, width, f"{glyphs.warning if tone is Tone.WARNING else glyphs.ok} ", tone, BACKLOG, ""
    )


def _paragraph(text: str, width: int, lead: str, tone: Tone, entry: str, label: str) -> Iterator[Line]:
    blank = " " * len(lead)
    for index, part in enumerate(wrapped(text, max(8, width - GUTTER - len(lead) - 1))):
        yield Line((Span(" " * GUTTER + (blank if index else lead) + part, tone),), entry, label, text)

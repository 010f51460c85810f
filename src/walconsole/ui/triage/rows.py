"""What the panes show, as rows: the stories, the evidence of one finding, what to do about it, the log."""

from collections.abc import Iterable, Iterator

from walconsole.domain.facts.evidence import LogFacts, LogKind
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.failures.no_alarm import considered
from walconsole.domain.incidents.model import IncidentLog
from walconsole.domain.standing.archiver import ready_count
from walconsole.domain.standing.assessment import Assessment
from walconsole.domain.standing.model import Certainty, Diagnosis, Finding, Fix, Proof, Severity, Story
from walconsole.domain.standing.stories import is_calm
from walconsole.domain.standing.told_once import repeats
from walconsole.domain.standing.trends import disk_outlook
from walconsole.domain.standing.unseen import no_finding
from walconsole.domain.units import age_text, duration_text, plural
from walconsole.ui.board.content import Glyphs, Line, Span, Tone
from walconsole.ui.board.typeset import GUTTER, clock_text, forgotten, incident_lines, shown, wrapped

# -- The stories: the cause, what is at risk, what follows from it; or that nothing is wrong.

TONES = {Severity.CRITICAL: Tone.CRITICAL, Severity.WARNING: Tone.WARNING, Severity.NOTE: Tone.UNKNOWN}
_SURE = {Certainty.PROVED: "proved", Certainty.LIKELY: "likely", Certainty.POSSIBLE: "possible"}
FINDING, CALM, INCIDENT = "story", "calm", "incident"


def key_of(finding: Finding) -> str:
    """What tells one finding from another, look after look."""
    return f"{finding.rule}/{finding.slot.name}/{finding.setting or ''}"


def story_rows(
    diagnosis: Diagnosis,
    snapshot: Snapshot,
    now: float,
    width: int,
    glyphs: Glyphs,
    remembered: IncidentLog | None = None,
) -> tuple[Line, ...]:
    """Every row's label is `key_of` its finding; empty where it is about none."""
    lines: list[Line] = []
    for index, story in enumerate(diagnosis.stories):
        if index:
            lines.append(Line((Span(""),)))
        lines += _story(story, now, width, glyphs)
    lines = lines or list(_calm(diagnosis, snapshot, now, width, glyphs))
    open_one, last = incident_lines(remembered, now)
    before = _remembered([open_one], glyphs.arrow, Tone.LABEL, width)
    after = _remembered([last], glyphs.dot, Tone.MUTED, width)
    lost = _remembered(forgotten(remembered, now), glyphs.warning, Tone.WARNING, width)
    return (*before, *lines, *after, *lost)


def _remembered(texts: Iterable[str], lead: str, tone: Tone, width: int) -> Iterator[Line]:
    for text in filter(None, texts):
        yield from _paragraph(shown(text), width, f"{lead} ", tone, INCIDENT, "")


def _story(story: Story, now: float, width: int, glyphs: Glyphs) -> Iterator[Line]:
    root, tone = story.root, TONES[story.severity]
    sign = {Severity.CRITICAL: glyphs.critical, Severity.WARNING: glyphs.warning}.get(
        story.severity, glyphs.dot
    )
    yield from _paragraph_about(shown(root.title), root, width, f"{sign} ", tone, Tone.STRONG)
    since = ""
    if root.since is not None:
        since = f"since {clock_text(root.since, now)}, {duration_text(max(0.0, now - root.since))}; "
    facts = f"{story.severity.name.lower()}, {since}{_SURE[root.certainty]} ({root.rule})"
    yield from _paragraph_about(facts, root, width, "  ", Tone.MUTED, Tone.MUTED)
    for line in story.at_risk:
        lead, lead_tone = (glyphs.dot, Tone.MUTED) if is_calm(line) else (glyphs.warning, tone)
        yield from _paragraph_about(shown(line), root, width, f"  {lead} ", lead_tone, Tone.TEXT)
    for index, each in enumerate(story.consequences):
        lead = f"  {glyphs.end if index == len(story.consequences) - 1 else glyphs.branch} "
        yield from _paragraph_about(shown(each.title), each, width, lead, Tone.LABEL, Tone.LABEL)


def _paragraph_about(
    text: str, finding: Finding, width: int, lead: str, lead_tone: Tone, tone: Tone
) -> Iterator[Line]:
    blank = " " * len(lead)
    for index, part in enumerate(wrapped(text, max(8, width - GUTTER - len(lead) - 1))):
        head = Span(" " * GUTTER + (blank if index else lead), lead_tone)
        yield Line((head, Span(part, tone)), FINDING, key_of(finding), text)


def _calm(diagnosis: Diagnosis, snapshot: Snapshot, now: float, width: int, glyphs: Glyphs) -> Iterator[Line]:
    text, is_good = no_finding(snapshot, diagnosis.verdict)
    lead, tone = (glyphs.ok, Tone.OK) if is_good else (glyphs.unknown, Tone.UNKNOWN)
    yield from _paragraph(shown(text), width, f"{lead} ", tone, CALM, "")
    for rule, why in considered(Assessment(snapshot, now)):
        for index, part in enumerate(wrapped(shown(why), max(8, width - GUTTER - 5))):
            head = "  " + (f"{glyphs.dot} " if not index else "  ")
            yield Line((Span(" " * GUTTER + head, Tone.MUTED), Span(part, Tone.TEXT)), CALM, rule, why)


# -- The evidence of one finding: the facts, the raw proof with source and age, what is open.

EVIDENCE, PROOF, SURER = "evidence", "proof", "surer"


def evidence_rows(finding: Finding | None, now: float, width: int, glyphs: Glyphs) -> tuple[Line, ...]:
    """Nothing for no finding. Below an evidence stands where its proof was read, which is not told again."""
    if finding is None:
        return ()
    lines: list[Line] = []
    left = list(finding.proof)
    for text in finding.evidence:
        lines += _paragraph(shown(text), width, f"{glyphs.dot} ", Tone.TEXT, EVIDENCE, EVIDENCE)
        same = [proof for proof in left if repeats(proof.text, text)]
        left = [proof for proof in left if proof not in same]
        for stamp in dict.fromkeys(_stamp(proof, now) for proof in same):
            lines += _paragraph(stamp, width, "  ", Tone.MUTED, PROOF, PROOF)
    source = ""
    for proof in left:
        stamp = _stamp(proof, now)
        if stamp != source:
            lines += _paragraph(stamp, width, "", Tone.MUTED, PROOF, PROOF)
            source = stamp
        lines += _paragraph(shown(proof.text), width, "  ", Tone.LABEL, PROOF, PROOF)
    if finding.surer:
        lines += _paragraph(
            f"surer: {shown(finding.surer)}", width, f"{glyphs.unknown} ", Tone.WARNING, SURER, SURER
        )
    return tuple(lines)


def _stamp(proof: Proof, now: float) -> str:
    """Where it was read, when, and how long ago that is."""
    when = "" if proof.at is None else f", {clock_text(proof.at, now)}, {age_text(max(0.0, now - proof.at))}"
    return f"{shown(proof.source)}{when}"


# -- What to do: the remedy, each way to mend it with its commands and risk, how the backlog drains.

REMEDY, FIX, COMMAND, RISK, BACKLOG = "remedy", "fix", "command", "risk", "backlog"


def remedy_rows(
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
    how = " (by hand, outside of the console)" if fix.commands else ""
    if fix.step and may_change:
        how = " (f: plan, ask, do, verify)"
    elif fix.step:
        how = " (read-only: by hand)" if fix.commands else " (not while it is read-only)"
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
        text += f", {-trend:.1f} fewer each minute: none in {left}"
    elif trend is not None and trend > 0:
        text += f", {trend:.1f} more each minute"
    tone = Tone.OK if trend is not None and trend < 0 else Tone.WARNING
    yield from _paragraph(
        text, width, f"{glyphs.warning if tone is Tone.WARNING else glyphs.ok} ", tone, BACKLOG, ""
    )


def _paragraph(text: str, width: int, lead: str, tone: Tone, entry: str, label: str) -> Iterator[Line]:
    blank = " " * len(lead)
    for index, part in enumerate(wrapped(text, max(8, width - GUTTER - len(lead) - 1))):
        yield Line((Span(" " * GUTTER + (blank if index else lead) + part, tone),), entry, label, text)


# -- What the log says about archiving, the newest first, each line whole.

LOG = "log line"
_LOG_TONES = dict.fromkeys(
    (LogKind.FAILED, LogKind.KILLED, LogKind.ARCHIVER_FATAL, LogKind.ARCHIVER_ERROR, LogKind.CRASHED),
    Tone.CRITICAL,
) | {LogKind.DISK_FULL: Tone.CRITICAL, LogKind.ORPHAN: Tone.WARNING, LogKind.NOT_CONFIGURED: Tone.WARNING}


def log_rows(told: LogFacts | None, now: float, width: int) -> tuple[Line, ...]:
    """Nothing while no log was read."""
    lines: list[Line] = []
    for entry in reversed(told.entries if told is not None else ()):
        head = f"{'' if entry.at is None else clock_text(entry.at, now):<9} "
        tone = _LOG_TONES.get(entry.kind, Tone.TEXT)
        for index, part in enumerate(wrapped(shown(entry.text), max(8, width - GUTTER - len(head) - 1))):
            lead = Span(" " * GUTTER + (" " * len(head) if index else head), Tone.MUTED)
            lines.append(Line((lead, Span(part, tone)), LOG, entry.kind.value, entry.text))
    return tuple(lines)

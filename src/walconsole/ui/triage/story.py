"""The stories as rows: the cause, what is at risk, what follows from it; or that nothing is wrong."""

from collections.abc import Iterator

from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.failures.no_alarm import considered
from walconsole.domain.standing.assessment import Assessment
from walconsole.domain.standing.model import Certainty, Diagnosis, Finding, Severity, Story
from walconsole.domain.standing.stories import is_calm
from walconsole.domain.units import duration_text
from walconsole.ui.board.content import Glyphs, Line, Span, Tone
from walconsole.ui.board.typeset import GUTTER, clock_text, shown, wrapped

TONES = {Severity.CRITICAL: Tone.CRITICAL, Severity.WARNING: Tone.WARNING, Severity.NOTE: Tone.UNKNOWN}
_SURE = {Certainty.PROVED: "proved", Certainty.LIKELY: "likely", Certainty.POSSIBLE: "possible"}
FINDING, CALM = "story", "calm"


def key_of(finding: Finding) -> str:
    """What tells one finding from another, look after look."""
    return f"{finding.rule}/{finding.slot.name}/{finding.setting or ''}"


def rows(
    diagnosis: Diagnosis, snapshot: Snapshot, now: float, width: int, glyphs: Glyphs
) -> tuple[Line, ...]:
    """Every row's label is `key_of` its finding; empty where it is about none."""
    lines: list[Line] = []
    for index, story in enumerate(diagnosis.stories):
        if index:
            lines.append(Line((Span(""),)))
        lines += _story(story, now, width, glyphs)
    return tuple(lines) or tuple(_calm(snapshot, now, width, glyphs))


def _story(story: Story, now: float, width: int, glyphs: Glyphs) -> Iterator[Line]:
    root, tone = story.root, TONES[story.severity]
    sign = {Severity.CRITICAL: glyphs.critical, Severity.WARNING: glyphs.warning}.get(
        story.severity, glyphs.dot
    )
    yield from _paragraph(shown(root.title), root, width, f"{sign} ", tone, Tone.STRONG)
    since = ""
    if root.since is not None:
        since = f"since {clock_text(root.since, now)}, {duration_text(max(0.0, now - root.since))}; "
    facts = f"{story.severity.name.lower()}, {since}{_SURE[root.certainty]} ({root.rule})"
    yield from _paragraph(facts, root, width, "  ", Tone.MUTED, Tone.MUTED)
    for line in story.at_risk:
        lead, lead_tone = (glyphs.dot, Tone.MUTED) if is_calm(line) else (glyphs.warning, tone)
        yield from _paragraph(shown(line), root, width, f"  {lead} ", lead_tone, Tone.TEXT)
    for index, each in enumerate(story.consequences):
        lead = f"  {glyphs.end if index == len(story.consequences) - 1 else glyphs.branch} "
        yield from _paragraph(shown(each.title), each, width, lead, Tone.LABEL, Tone.LABEL)


def _paragraph(
    text: str, finding: Finding, width: int, lead: str, lead_tone: Tone, tone: Tone
) -> Iterator[Line]:
    blank = " " * len(lead)
    for index, part in enumerate(wrapped(text, max(8, width - GUTTER - len(lead) - 1))):
        head = Span(" " * GUTTER + (blank if index else lead), lead_tone)
        yield Line((head, Span(part, tone)), FINDING, key_of(finding), text)


def _calm(snapshot: Snapshot, now: float, width: int, glyphs: Glyphs) -> Iterator[Line]:
    text = "nothing is wrong that the console knows of"
    yield Line((Span(" " * GUTTER + f"{glyphs.ok} {text}", Tone.OK),), CALM, "", text)
    for rule, why in considered(Assessment(snapshot, now)):
        for index, part in enumerate(wrapped(shown(why), max(8, width - GUTTER - 5))):
            head = "  " + (f"{glyphs.dot} " if not index else "  ")
            yield Line((Span(" " * GUTTER + head, Tone.MUTED), Span(part, Tone.TEXT)), CALM, rule, why)

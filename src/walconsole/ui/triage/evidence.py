"""The evidence of one finding as rows: the facts, the raw proof with source and age, what is open."""

from collections.abc import Iterator

from walconsole.domain.standing.model import Finding
from walconsole.domain.units import age_text
from walconsole.ui.board.content import Glyphs, Line, Span, Tone
from walconsole.ui.board.typeset import GUTTER, clock_text, shown, wrapped

EVIDENCE, PROOF, SURER = "evidence", "proof", "surer"


def rows(finding: Finding | None, now: float, width: int, glyphs: Glyphs) -> tuple[Line, ...]:
    """Nothing for no finding."""
    if finding is None:
        return ()
    lines: list[Line] = []
    for text in finding.evidence:
        lines += _paragraph(shown(text), width, f"{glyphs.dot} ", Tone.TEXT, EVIDENCE)
    source = ""
    for proof in finding.proof:
        if proof.text in finding.evidence:
            continue
        when = (
            "" if proof.at is None else f", {clock_text(proof.at, now)}, {age_text(max(0.0, now - proof.at))}"
        )
        stamp = f"{shown(proof.source)}{when}"
        if stamp != source:
            lines += _paragraph(stamp, width, "", Tone.MUTED, PROOF)
            source = stamp
        lines += _paragraph(shown(proof.text), width, "  ", Tone.LABEL, PROOF)
    if finding.surer:
        lines += _paragraph(
            f"surer: {shown(finding.surer)}", width, f"{glyphs.unknown} ", Tone.WARNING, SURER
        )
    return tuple(lines)


def _paragraph(text: str, width: int, lead: str, tone: Tone, entry: str) -> Iterator[Line]:
    blank = " " * len(lead)
    for index, part in enumerate(wrapped(text, max(8, width - GUTTER - len(lead) - 1))):
        yield Line((Span(" " * GUTTER + (blank if index else lead) + part, tone),), entry, entry, text)

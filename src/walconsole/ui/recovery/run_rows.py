"""Base backups that run now, whoever takes them, with their progress; how the script's last run ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len

from walconsole.domain.recovery.running import end_words
from walconsole.domain.recovery.words import moment_text
from walconsole.domain.units import age_text
from walconsole.ui.board.content import Line, Span, Tone
from walconsole.ui.board.progress import bar_before, how_far
from walconsole.ui.board.typeset import GUTTER, NOT_AVAILABLE, fit, pad, shown, wrapped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from walconsole.domain.standing.backup_runs import BackupRuns, RunningBackup
    from walconsole.ui.board.glyphs import Glyphs

RUNS, LAST_RUN = "runs_now", "last_run"
"""The entries of the rows."""
LABEL = 10
_MARGIN = 1
_MOST = 300
"""Cells of what the script said."""
_ENDS = "; X ends it"
_BLIND = Tone.UNKNOWN


def rows(runs: BackupRuns, now: float, width: int, glyphs: Glyphs) -> Iterator[Line]:
    """One that runs in two or three rows; that none does in one, or that nobody can tell."""
    for number, backup in enumerate(runs.running):
        yield from _running("and" if number else "runs now", backup, now, width, glyphs)
    unseen = "; ".join(runs.unseen)
    if not runs.running:
        text = f"{NOT_AVAILABLE}: {unseen}" if runs.blind else "no base backup is being taken"
        yield from _paragraph(RUNS, "runs now", text, _BLIND if runs.blind else Tone.MUTED, width)
    elif unseen:
        yield from _paragraph(RUNS, "", f"{NOT_AVAILABLE}: {unseen}", _BLIND, width)
    last = runs.last
    if last is not None and last.failed:
        when = f"{age_text(max(0.0, now - last.at))}, {moment_text(last.at, now)}"
        what = f"{glyphs.warning} {end_words(last.exit_status)[0]} ({when})"
        text = f"{what}: {fit(shown(last.message), _MOST, glyphs.more)}"
        yield from _paragraph(LAST_RUN, "last run", text, Tone.WARNING, width)


def _running(label: str, backup: RunningBackup, now: float, width: int, glyphs: Glyphs) -> Iterator[Line]:
    who = f"{shown(backup.who)} {shown(backup.id)}".strip()
    client = f" from {shown(backup.client)}" if backup.client else ""
    begun = "" if backup.since is None else f", begun {age_text(max(0.0, now - backup.since))}"
    text = f"{who}{client}{begun}: {shown(backup.phase)}"
    if backup.streams and cell_len(text) + len(_ENDS) < width - GUTTER - LABEL - _MARGIN:
        text += _ENDS
    yield from _paragraph(RUNS, label, text, Tone.STRONG, width, backup.subject)
    far = how_far(backup, now)
    if far:
        room = width - GUTTER - LABEL - _MARGIN
        drawn = bar_before(far, backup.share, room, glyphs)
        room -= sum(len(span.text) for span in drawn)
        for index, part in enumerate(wrapped(far, room)):
            before = () if index else drawn
            yield Line((_head(""), *before, Span(part)), RUNS, backup.subject, far)
    if backup.stuck:
        text = f"{glyphs.warning} {shown(backup.stuck)}"
        yield from _paragraph(RUNS, "", text, Tone.WARNING, width, backup.subject)


def _paragraph(entry: str, label: str, text: str, tone: Tone, width: int, name: str = "") -> Iterator[Line]:
    for index, part in enumerate(wrapped(text, width - GUTTER - LABEL - _MARGIN)):
        yield Line((_head("" if index else label), Span(part, tone)), entry, name or label, text)


def _head(label: str) -> Span:
    return Span(" " * GUTTER + pad(label, LABEL), Tone.LABEL)

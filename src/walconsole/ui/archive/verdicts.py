"""The lines above the panes: what each copy is worth, and what is being done at length."""

from __future__ import annotations

from typing import TYPE_CHECKING

from walconsole.domain.redaction import safe
from walconsole.domain.standing.copies import archive_verdict, dr_verdict
from walconsole.ui.panes.model import TONE_OF_LEVEL
from walconsole.ui.widgets.verdict import VerdictLine

if TYPE_CHECKING:
    from walconsole.domain.standing.model import Verdict
    from walconsole.ui.glyphs import Glyphs
    from walconsole.ui.messages import SnapshotTaken


class Verdicts:
    """A line for the archive, one for its copy, and one for a job."""

    def __init__(self, title: str, glyphs: Glyphs) -> None:
        self._glyphs = glyphs
        self.archive = VerdictLine(f"{title}: nothing was read yet", most_when_low=2)
        self.dr, self.job = VerdictLine("", most_when_low=1), VerdictLine("", most_when_low=1)

    def show(self, taken: SnapshotTaken, note: str) -> None:
        """What the snapshot says; `note` (paused) stands before it."""
        self._show(self.archive, archive_verdict(taken.snapshot, taken.now), note)
        self._show(self.dr, dr_verdict(taken.snapshot, taken.now), "")

    def _show(self, line: VerdictLine, verdict: Verdict, note: str) -> None:
        level = verdict.level
        line.show(self._glyphs.sign(level), level.value, safe(verdict.text), TONE_OF_LEVEL[level].value, note)

    def show_job(self, text: str) -> None:
        """What is being done; an empty text takes the line away."""
        self.job.display = bool(text)
        self.job.show("", "", safe(text), "label")

    def repaint(self) -> None:
        """The theme changed."""
        for line in (self.archive, self.dr, self.job):
            line.repaint()

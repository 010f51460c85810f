"""What is known of the archive as a table: a row for each thing, what is wrong first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from walconsole.domain.archive.times import age_s
from walconsole.domain.profile import BucketRole
from walconsole.domain.records import record
from walconsole.domain.units import age_text
from walconsole.ui.board.content import Line, Span, Tone
from walconsole.ui.board.typeset import GUTTER, NOT_AVAILABLE, clock_text, pad, wrapped

if TYPE_CHECKING:
    from walconsole.domain.archive.cost import Price
    from walconsole.domain.archive.growth import Compressibility
    from walconsole.domain.facts.observed import BucketFacts
    from walconsole.domain.facts.snapshot import Snapshot
    from walconsole.ui.archive.picture import ArchivePicture
    from walconsole.ui.board.glyphs import Glyphs

LABEL = 12
_ALIKE = 16
"""Digits of a name that are its timeline and its log."""
NAMES = {BucketRole.PRIMARY: "primary", BucketRole.DR: "DR"}
_RANK = {Tone.CRITICAL: 0, Tone.WARNING: 1}
_NOT_WRONG = 2


@record
class KnownArchive:
    """All that the rows are made from. `measured` is what zstd made of samples, or why that is not known."""

    picture: ArchivePicture
    snapshot: Snapshot
    now: float
    width: int
    glyphs: Glyphs
    measured: Compressibility | str
    price: Price

    @property
    def copies(self) -> tuple[tuple[BucketRole, BucketFacts], ...]:
        """The copies that were read."""
        both = (BucketRole.PRIMARY, self.picture.primary), (BucketRole.DR, self.picture.dr)
        return tuple((role, facts) for role, facts in both if facts is not None)

    @property
    def main_role(self) -> BucketRole:
        """The copy that the answers are about."""
        main = self.picture.main
        return main.role if main is not None else BucketRole.PRIMARY

    def since(self, at: float | None) -> str:
        """`14:02:31Z, 41 s ago` for a time of the main copy's store; n/a for one that is not known."""
        if at is None:
            return NOT_AVAILABLE
        main = self.picture.main
        age = age_s(at, self.now, main.store_clock_offset_s if main is not None else None)
        return f"{clock_text(at, self.now)}, {age_text(age)}"


class Table:
    """Collects rows. What comes in was made safe before; a state's sign is set before its text."""

    def __init__(self, known: KnownArchive) -> None:
        self.known = known
        self._rows: list[tuple[int, list[Line]]] = []

    def row(
        self,
        entry: str,
        label: str,
        text: str,
        tone: Tone = Tone.TEXT,
        *,
        copied: str = "",
        rank: int | None = None,
    ) -> None:
        """A labelled value, on as many lines as it needs; `copied` is what `y` takes instead of it.

        `rank` is where it stands if not by its tone: below 0 first, 0 with what is critical, 1 with warnings.
        """
        glyphs = self.known.glyphs
        sign = {Tone.CRITICAL: glyphs.critical, Tone.WARNING: glyphs.warning, Tone.OK: glyphs.ok}.get(tone)
        said = f"{sign} {text}" if sign else text
        lines = []
        for index, part in enumerate(wrapped(said, self.known.width - GUTTER - LABEL - 1)):
            head = Span(" " * GUTTER + pad("" if index else label, LABEL), Tone.LABEL)
            lines.append(Line((head, Span(part, tone)), entry, label, copied or text))
        self._rows.append((_RANK.get(tone, _NOT_WRONG) if rank is None else rank, lines))

    def unknown(self, entry: str, label: str, why: str) -> None:
        """A value that could not be read, and why."""
        self.row(entry, label, f"{NOT_AVAILABLE}: {why}", Tone.MUTED)

    def lines(self) -> tuple[Line, ...]:
        """All rows, what is wrong first, else in the order in which they were added."""
        ranked = sorted(self._rows, key=lambda row: row[0])
        return tuple(line for _, lines in ranked for line in lines)


def span_text(first: str, last: str) -> str:
    """`NAME to NAME`, of the second only the last eight digits where the rest is the same."""
    if first == last:
        return first
    return f"{first} to {last[_ALIKE:] if first[:_ALIKE] == last[:_ALIKE] else last}"

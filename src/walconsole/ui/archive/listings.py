"""How each bucket was listed: when it was swept, what was remembered, how far a sweep is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from walconsole.domain.units import age_text, count_text, duration_text, plural
from walconsole.ui.archive.table import NAMES
from walconsole.ui.board.content import Tone
from walconsole.ui.board.typeset import shown

if TYPE_CHECKING:
    from walconsole.domain.facts.observed import BucketFacts, SweepProgress
    from walconsole.domain.profile import BucketRole
    from walconsole.ui.archive.table import Table


def rows(table: Table) -> None:
    """A row for each bucket that was read, and what could not be."""
    for role, facts in table.known.copies:
        _listing(table, role, facts)
        for why in facts.unread:
            table.unknown("unread_part", "not read", f"{NAMES[role]}: {shown(why)}")


def _listing(table: Table, role: BucketRole, facts: BucketFacts) -> None:
    now, name = table.known.now, NAMES[role]
    if facts.progress is not None:
        table.row("listing", "listing", f"{name}: being swept, {progress_text(facts.progress)}", Tone.STRONG)
    if not facts.complete:
        if facts.progress is None:
            table.row("listing", "listing", f"{name}: not complete yet", Tone.WARNING)
        return
    swept = f"swept {age_text(max(0.0, now - facts.swept_at))}"
    memory = ", remembered from an earlier session" if facts.remembered else ""
    checked = ""
    if facts.checked_at is not None:
        checked = f", gaps checked {age_text(max(0.0, now - facts.checked_at))}"
    table.row("listing", "listing", f"{name}: {swept}{memory}{checked}")


def progress_text(progress: SweepProgress) -> str:
    """`240 pages, 240,000 segments, 31,000/s, 3 s left`."""
    pages = plural(progress.pages, "page")
    left = "" if progress.left_s is None else f", {duration_text(progress.left_s)} left"
    return f"{pages}, {count_text(progress.segments)} segments, {progress.segments_per_s:,.0f}/s{left}"

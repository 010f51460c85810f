"""What is stored, how it grows and what it costs; and what else lies in the buckets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from walconsole.domain.archive.cost import cost, with_zstd
from walconsole.domain.units import bytes_text, count_text, duration_text, plural
from walconsole.ui.archive.table import NAMES
from walconsole.ui.board.content import Tone
from walconsole.ui.board.typeset import shown

if TYPE_CHECKING:
    from walconsole.domain.archive.cost import Cost
    from walconsole.domain.facts.observed import BucketFacts, RepeatedSegment, SharedSegments
    from walconsole.domain.profile import BucketRole
    from walconsole.ui.archive.table import Table

_REPEATS_LISTED = 5
_OTHERS_LISTED = 8


def rows(table: Table) -> None:
    """Sizes and money for all that was read, then each bucket's oddities."""
    if not table.known.copies:
        return
    _growth(table)
    for role, facts in table.known.copies:
        _stored(table, role, facts)
    _costs(table)
    for role, facts in table.known.copies:
        _layout(table, role, facts)
        _repeated(table, role, facts)


def _growth(table: Table) -> None:
    found = table.known.picture.growth
    if found is None:
        table.unknown("growth", "growth", "less than ten minutes of history")
        return
    segments = f"{found.segments_per_day:,.0f} segments"
    over = duration_text(found.measured_s)
    table.row("growth", "growth", f"{segments}, {bytes_text(found.bytes_per_day)} a day, over {over}")


def _stored(table: Table, role: BucketRole, facts: BucketFacts) -> None:
    text = f"{NAMES[role]}: {bytes_text(facts.stored_bytes)} in {plural(facts.objects, 'object')}"
    ratio = table.known.picture.compression
    if facts is table.known.picture.main and ratio is not None:
        plain = "not compressed" if ratio > 0.995 else f"{ratio * 100:.0f} % of plain"
        suffixes = facts.holding.suffixes if facts.holding is not None else {}
        kinds = ", ".join(f"{count_text(count)} {shown(name)}" for name, count in suffixes.items() if name)
        text += f"; segments {plain}{f' ({kinds})' if kinds else ''}"
    table.row("stored", "stored", text, copied=str(facts.stored_bytes))


def _costs(table: Table) -> None:
    known = table.known
    copies, grown = known.copies, known.picture.growth
    stored = sum(facts.stored_bytes for _, facts in copies)
    daily = grown.bytes_per_day * len(copies) if grown is not None else None
    table.row("cost", "cost", _cost_text(cost(stored, daily, known.price), len(copies)))
    if isinstance(known.measured, str):
        table.unknown("zstd", "with zstd", known.measured or "press m to measure it on the newest segments")
        return
    measured, size = known.measured, known.picture.segment_bytes
    text = f"{measured.ratio * 100:.0f} % of plain, by {plural(measured.segments, 'segment')}"
    if measured.per_forced:
        text += f", {measured.per_forced * 100:.0f} % of them cut short by a forced switch"
    packed = with_zstd(sum(facts.segments for _, facts in copies) * size, measured.ratio)
    less = grown.segments_per_day * size * measured.ratio * len(copies) if grown is not None else None
    table.row("zstd", "with zstd", f"{text}: {_cost_text(cost(packed, less, known.price), len(copies))}")


def _cost_text(found: Cost, copies: int) -> str:
    both, sign = "both buckets" if copies > 1 else "this bucket", found.currency
    text = f"{sign}{found.month:,.2f} a month for {both}"
    if found.month_in_a_year is None:
        return text
    return f"{text}, {sign}{found.month_in_a_year:,.2f} in a year at this growth"


def _layout(table: Table, role: BucketRole, facts: BucketFacts) -> None:
    name = NAMES[role]
    if facts.layout:
        folder = f" in {shown(facts.folder)}" if facts.folder else ""
        table.row("layout", "layout", f"{name}: {shown(facts.layout)}{folder}")
    if facts.other_archives:
        listed = ", ".join(map(shown, facts.other_archives[:_OTHERS_LISTED]))
        more = len(facts.other_archives) - _OTHERS_LISTED
        text = f"{name}: {listed}{f' and {more} more' if more > 0 else ''}"
        table.row("others", "others here", text, Tone.WARNING)
    for shared in facts.shared:
        table.row("others", "shared", _shared_text(name, shared), Tone.TEXT)
    if facts.foreign_objects:
        text = f"{name}: {plural(facts.foreign_objects, 'object is', 'objects are')} no WAL"
        table.row("foreign", "no WAL", text, Tone.LABEL)
    if facts.impossible_names:
        text = f"{name}: {plural(facts.impossible_names, 'name')} that this wal_segment_size cannot have"
        table.row("foreign", "impossible", text, Tone.WARNING)


def _shared_text(name: str, shared: SharedSegments) -> str:
    """Segments that lie in two places of a bucket: a copy, or another cluster's of the same names."""
    alike = {True: "identical", False: "with DIFFERENT content", None: "not told apart by a listing"}
    count = plural(shared.segments, "segment lies", "segments lie")
    return f"{name}: {count} in {shown(shared.place)} too, {shared.newest} {alike[shared.identical]}"


def _repeated(table: Table, role: BucketRole, facts: BucketFacts) -> None:
    """Segments under two keys: how many, and those that differ."""
    if not facts.repeated_segments:
        return
    differing = [repeat for repeat in facts.repeats if repeat.identical is False]
    same = sum(1 for repeat in facts.repeats if repeat.identical)
    untold = facts.repeated_segments - len(differing) - same
    text = f"{NAMES[role]}: {plural(facts.repeated_segments, 'segment')} under more than one key: "
    text += f"{count_text(len(differing))} DIFFER, " if differing else ""
    text += f"{count_text(same)} identical, {count_text(untold)} not told"
    table.row("repeated", "repeated", text, Tone.CRITICAL if differing else Tone.TEXT)
    for repeat in differing[-_REPEATS_LISTED:]:
        _differs(table, repeat)


def _differs(table: Table, repeat: RepeatedSegment) -> None:
    keys = " and ".join(map(shown, repeat.keys))
    table.row("repeated", "  differs", f"{shown(repeat.name)}: {keys}", Tone.CRITICAL, copied=keys)

"""The table's rows about the buckets: how far each is behind, what it stores and costs, how it was listed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from walconsole.domain.archive.cost import Cost, cost, with_zstd
from walconsole.domain.profile import BucketRole
from walconsole.domain.standing.copies import DR_PATIENCE_S, DR_PATIENCE_SEGMENTS, lacking_since
from walconsole.domain.standing.storage import FORECAST_DAYS, Storage, assumed_text, stored
from walconsole.domain.units import age_text, bytes_text, count_text, duration_text, plural
from walconsole.domain.wal import format_lsn
from walconsole.ui.archive.table import NAMES, Table
from walconsole.ui.board.content import Tone
from walconsole.ui.board.typeset import NOT_AVAILABLE, shown

if TYPE_CHECKING:
    from walconsole.domain.archive.comparison import Lacking
    from walconsole.domain.archive.cost import Price
    from walconsole.domain.archive.stored_parts import StoredParts
    from walconsole.domain.facts.observed import BucketFacts, RepeatedSegment, SharedSegments, SweepProgress


def lag_rows(table: Table) -> None:
    """The newest segment, and what is not where it should be yet."""
    main = table.known.picture.main
    if main is not None and main.holding is not None:
        _newest(table, main)
        _lag(table, main)
    _dr_lag(table)


def _newest(table: Table, main: BucketFacts) -> None:
    if main.newest_segment is None:
        table.row("newest", "newest", "no segment is stored", Tone.WARNING)
        return
    name = shown(main.newest_segment)
    table.row("newest", "newest", f"{name}, {table.known.since(main.newest_at)}", Tone.STRONG, copied=name)


def _lag(table: Table, main: BucketFacts) -> None:
    """Against the position that the server writes at; that one is read a little later."""
    snapshot = table.known.snapshot
    archiver, server = snapshot.archiver.value, snapshot.server.value
    newest = main.holding.newest if main.holding is not None else None
    if main.role is not BucketRole.PRIMARY:
        table.unknown("lag", "lag", "the primary bucket was not read")
    elif archiver is None or server is None:
        table.unknown("lag", "lag", "the server's write position was not read")
    elif newest is None or not main.complete:
        table.unknown("lag", "lag", "no segment is stored" if main.complete else "still being listed")
    elif newest.timeline != server.timeline:
        text = f"the server is on timeline {server.timeline}, the newest segment on {newest.timeline}"
        table.row("lag", "lag", text, Tone.WARNING)
    else:
        size = server.segment_bytes
        behind = archiver.lsn - newest.next().start_lsn(size)
        where = f"the write position, {format_lsn(archiver.lsn)}"
        if behind < 0:
            table.row("lag", "lag", f"none: the newest segment ends beyond {where}")
        else:
            text = f"{plural(behind // size, 'whole segment')}, {bytes_text(behind)} behind {where}"
            table.row("lag", "lag", text)


def _dr_lag(table: Table) -> None:
    known, lack = table.known, table.known.picture.lacking
    if lack is None:
        table.unknown("dr_lag", "DR lag", _why_not_compared(table))
    elif not lack.segments:
        table.row("dr_lag", "DR lag", "none: DR lacks nothing that the primary holds", Tone.OK)
    else:
        size = known.picture.segment_bytes
        oldest = lack.oldest.name(size) if lack.oldest is not None else ""
        stored = lacking_since(known.snapshot, lack, known.now)
        text = f"{plural(lack.segments, 'segment')}, {bytes_text(lack.bytes)}"
        text += f", the oldest {oldest}" if oldest else ""
        text += f", stored {age_text(stored)}" if stored is not None else ""
        table.row("dr_lag", "DR lag", text, _patience(lack, stored), copied=oldest)


def _patience(lack: Lacking, stored: float | None) -> Tone:
    """As the verdict has it: a copy that follows by a schedule is behind for a while."""
    late = stored is None or stored >= DR_PATIENCE_S
    return Tone.WARNING if lack.segments > DR_PATIENCE_SEGMENTS and late else Tone.TEXT


def _why_not_compared(table: Table) -> str:
    for role, facts in (
        (BucketRole.PRIMARY, table.known.picture.primary),
        (BucketRole.DR, table.known.picture.dr),
    ):
        name = "the DR bucket" if role is BucketRole.DR else "the primary bucket"
        if facts is None:
            return f"{name} was not read"
        if not facts.complete:
            return f"{name} is still being listed"
        if facts.holding is None:
            return f"{name} holds no WAL"
    return "both were not read"


_REPEATS_LISTED = 5
_OTHERS_LISTED = 8
_A_CENT = 0.01


def storage_rows(table: Table) -> None:
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
    total = sum(facts.stored_bytes for _, facts in copies)
    daily = grown.bytes_per_day * len(copies) if grown is not None else None
    table.row("cost", "cost", _cost_text(cost(total, daily, known.price), len(copies)))
    keep = known.snapshot.told.keep
    expired = {each.role: each.later for each in stored(known.snapshot, known.now, keep)} if keep else {}
    for found in stored(known.snapshot, known.now):
        _parts(table, found, expired.get(found.role))
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


def _parts(table: Table, found: Storage, expired: StoredParts | None) -> None:
    """What one bucket's base backups and WAL cost a month, now and later, and where retention is run."""
    price, name = table.known.price, NAMES[found.role]
    text = f"{name}: {_month_text(found.now, price)}"
    if found.later is None:
        table.row("parts", "of it", f"{text}; in {FORECAST_DAYS} d {NOT_AVAILABLE}: {found.why_not}")
        return
    later = _month_text(found.later, price)
    text += f"; in {FORECAST_DAYS} d {later} ({assumed_text(found)})"
    if expired is not None:
        text += f"; {_month_text(expired, price)} where walconsole expire is run"
    table.row("parts", "of it", text)


def _month_text(parts: StoredParts, price: Price) -> str:
    """`$0.05: base backups $0.01, WAL $0.04`, and what is neither where it costs a cent."""

    def month(stored_bytes: float) -> str:
        return f"{price.currency}{cost(stored_bytes, None, price).month:,.2f}"

    other = f", other {month(parts.other)}" if cost(parts.other, None, price).month >= _A_CENT else ""
    return f"{month(parts.total)}: base backups {month(parts.backups)}, WAL {month(parts.wal)}{other}"


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


def listing_rows(table: Table) -> None:
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
    return f"{pages}, {plural(progress.segments, 'segment')}, {progress.segments_per_s:,.0f}/s{left}"

"""Would it replay: the unbroken run, gaps, timelines, whose WAL it is, base backups."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from walconsole.domain.profile import BucketRole
from walconsole.domain.recovery.backups import Writer
from walconsole.domain.standing.assessment import Assessment
from walconsole.domain.standing.copies import gap_age, gaps_told, still_to_come
from walconsole.domain.standing.model import Level
from walconsole.domain.units import bytes_text, plural
from walconsole.domain.wal import Segment, format_lsn
from walconsole.ui.archive.table import NAMES, Table, span_text
from walconsole.ui.board.content import Tone
from walconsole.ui.board.typeset import NOT_AVAILABLE, clock_text, shown

if TYPE_CHECKING:
    from walconsole.domain.archive.continuity import Continuity
    from walconsole.domain.archive.page_header import SegmentIdentity
    from walconsole.domain.facts.observed import BucketFacts
    from walconsole.domain.recovery.recoverability import BackupReach
    from walconsole.ui.archive.picture import FoundGap

GAPS_LISTED = 40
"""Rows for single gaps at most: `n` goes through all of them."""
BACKUPS_LISTED = 8
_TONES = {
    Level.OK: Tone.OK,
    Level.WARNING: Tone.WARNING,
    Level.CRITICAL: Tone.CRITICAL,
    Level.UNKNOWN: Tone.MUTED,
}


def rows(table: Table) -> None:
    """Everything that decides whether a recovery gets through."""
    known = table.known
    main = known.picture.main
    if main is None or main.holding is None:
        return
    _unbroken(table, main)
    _gaps(table, main)
    _timelines(table, main)
    for role, facts in known.copies:
        _identities(table, role, facts)
    _backups(table, main)


def _unbroken(table: Table, main: BucketFacts) -> None:
    run = main.continuity.run if main.continuity is not None else None
    if not main.complete:
        table.unknown("unbroken", "unbroken", "the bucket is still being listed")
        return
    if run is None:
        table.unknown("unbroken", "unbroken", "no segment lies on the timelines that a restore follows")
        return
    size = table.known.picture.segment_bytes
    oldest, newest = run.oldest.name(size), run.newest.name(size)
    since = _stored_at(main, run.oldest)
    reach = NOT_AVAILABLE if since is None else table.known.since(since)
    tone = Tone.TEXT if main.missing_segments else Tone.OK
    text = f"{plural(run.segments, 'segment')} since {reach}: {span_text(oldest, newest)}"
    table.row("unbroken", "unbroken", text, tone, copied=f"{oldest} to {newest}", rank=1)


def _gaps(table: Table, main: BucketFacts) -> None:
    if not main.complete:
        table.unknown("gap", "gaps", "the bucket is still being listed")
        return
    gaps = table.known.picture.gaps
    alarming = [gap for gap in gaps if not gap.is_accepted]
    lost = [gap for gap in alarming if gap.gap.lost_from is not None]
    if not alarming:
        table.row("gap", "gaps", "none but accepted ones" if gaps else "none", Tone.OK)
    elif said := gaps_told(table.known.snapshot, main, table.known.now):
        table.row("gap", "gaps", said[0], Tone.CRITICAL if said[1] else Tone.TEXT)
    elif lost:
        table.row("gap", "gaps", "none between the segments that are there", Tone.TEXT)
    coming = still_to_come(table.known.snapshot, main, table.known.now)
    for gap in reversed(alarming[-GAPS_LISTED:]):
        _gap(table, gap, is_coming=gap.gap in coming)
    if len(alarming) > GAPS_LISTED:
        more = f"and {plural(len(alarming) - GAPS_LISTED, 'older gap')}: n goes through all"
        table.row("gap", "", more, Tone.CRITICAL)
    for gap in [gap for gap in gaps if gap.is_accepted][-GAPS_LISTED:]:
        _accepted(table, gap)


def _gap(table: Table, gap: FoundGap, *, is_coming: bool) -> None:
    """One that alarms: what is missing, how old it is, and in which copy where there are two.

    `is_coming`: it may still be filled, and alarms only when it was not.
    """
    known, facts = table.known, table.known.picture.facts(gap.role)
    age = gap_age(facts, gap.gap, known.now) if facts is not None else ""
    switch = ", where a timeline was switched" if gap.gap.at_switch else ""
    backups = ", and with it all base backups" if gap.gap.with_backups else ""
    text = f"{_short(gap)}, {plural(gap.segments, 'segment')}{age}{switch}{backups}"
    tone = Tone.CRITICAL if gap.role is known.main_role else Tone.WARNING
    tone = Tone.TEXT if is_coming else tone
    both = len(gap.by_role) > 1
    what = "gap" if gap.gap.lost_from is None else "gone"
    where = " in both" if both else "" if gap.role is known.main_role else " in DR"
    label = f"{what}{where}"
    table.row("gap", label, text, tone, copied=gap_names(gap))


def _accepted(table: Table, gap: FoundGap) -> None:
    mark = gap.gap.accepted
    if mark is None:
        return
    text = f"{_short(gap)}, {plural(gap.segments, 'segment')}: {shown(mark.reason)}"
    by = f" by {shown(mark.by)}" if mark.by else ""
    said = f"{text}, accepted {clock_text(mark.accepted_at, table.known.now)}{by}"
    table.row("accepted_gap", "accepted", said, Tone.MUTED, copied=gap_names(gap))


def gap_names(gap: FoundGap) -> str:
    """`NAME` or `NAME to NAME`."""
    first, last = shown(gap.gap.first), shown(gap.gap.last)
    return first if gap.segments == 1 else f"{first} to {last}"


def _short(gap: FoundGap) -> str:
    return span_text(shown(gap.gap.first), shown(gap.gap.last))


def _timelines(table: Table, main: BucketFacts) -> None:
    """The way that a restore takes, and what leads nowhere."""
    found = main.continuity
    if found is None:
        table.unknown("timelines", "timelines", "the bucket is still being listed")
        return
    table.row("timelines", "timelines", _path_text(found, main))
    if found.missing_histories:
        names = ", ".join(f"{timeline:08X}.history" for timeline in found.missing_histories)
        lost = ", ".join(map(str, found.unreachable))
        text = f"{names} is missing" + (f": no restore reaches timeline {lost}" if lost else "")
        tone = Tone.CRITICAL if found.unreachable else Tone.WARNING
        table.row("timelines", "histories", text, tone, copied=names)
    if found.branches:
        text = f"timeline {', '.join(map(str, found.branches))}: not on the way that a restore takes"
        table.row("timelines", "branches", text, Tone.LABEL)


def _path_text(found: Continuity, main: BucketFacts) -> str:
    """`1 to 2 at 0/3000000`, ancestors first."""
    if not found.path:
        return f"{found.target}, which holds no segment"
    history = main.histories_read.get(found.target)
    switches = history.switches if history is not None else ()
    children = [*(switch.parent for switch in switches[1:]), found.target]
    begun = {child: switch.lsn for child, switch in zip(children, switches, strict=False)}
    text = str(found.path[0].timeline)
    for _, child in pairwise(found.path):
        lsn = begun.get(child.timeline)
        text += f" to {child.timeline} at {format_lsn(lsn) if lsn is not None else NOT_AVAILABLE}"
    return f"{text}, which `latest` restores" if len(found.path) > 1 else f"{text} alone"


def _identities(table: Table, role: BucketRole, facts: BucketFacts) -> None:
    """Whose WAL it is, by the heads of the newest and the oldest segment."""
    copy = "" if role is BucketRole.PRIMARY else f"{NAMES[role]}: "
    if not facts.identities:
        table.unknown("identity", "identity", f"{copy}no segment's head was read yet")
        return
    server = table.known.snapshot.server.value
    headers = [identity.header for identity in facts.identities]
    own = server.system_identifier if server is not None else None
    if own is not None and all(header is not None and header.system_identifier == own for header in headers):
        versions = sorted({str(header.major or "unknown") for header in headers if header is not None})
        text = f"{copy}newest and oldest are this server's, PostgreSQL {' and '.join(versions)}, system {own}"
        table.row("identity", "identity", text, Tone.OK, copied=own)
        return
    for at, identity in enumerate(facts.identities):
        which = ("newest", "oldest")[at] if at < 2 else identity.name
        _identity(table, f"{copy}{shown(which)}", identity)


def _identity(table: Table, which: str, identity: SegmentIdentity) -> None:
    header = identity.header
    if header is None:
        table.unknown("identity", "identity", f"{which} {shown(identity.name)}: {shown(identity.problem)}")
        return
    server = table.known.snapshot.server.value
    version = f"PostgreSQL {header.major}" if header.major is not None else f"magic {header.magic:04X}"
    text = f"{which}: {version}, system {shown(header.system_identifier)}"
    own = server.system_identifier if server is not None else None
    if own is None:
        said, tone = f"{text} (the server's is not known)", Tone.TEXT
    elif own == header.system_identifier:
        said, tone = f"{text}, this server's", Tone.OK
    else:
        said, tone = f"{text}: ANOTHER cluster's, this server is {shown(own)}", Tone.CRITICAL
    first = -1 if tone is Tone.CRITICAL else None
    table.row("identity", "identity", said, tone, copied=shown(header.system_identifier), rank=first)


def _backups(table: Table, main: BucketFacts) -> None:
    """From when to when can be restored, and each of the newest base backups: whole, usable, how large."""
    assessment = Assessment(table.known.snapshot, table.known.now)
    if not main.complete or assessment.recovery is None:
        table.unknown("backups", "restorable", "the buckets are still being listed, or cannot be read")
        return
    line = assessment.recovery_verdict
    table.row("backups", "restorable", shown(line.text), _TONES[line.level])
    found = assessment.recovery.found
    reaches = found.reach[found.target].reaches
    for reach in reversed(reaches[-BACKUPS_LISTED:]):
        _backup(table, reach)
    if len(reaches) > BACKUPS_LISTED:
        table.row("backups", "", f"and {plural(len(reaches) - BACKUPS_LISTED, 'older one')}", Tone.MUTED)


def _backup(table: Table, reach: BackupReach) -> None:
    backup = reach.held.backup
    size = "" if backup.stored_bytes is None else f", {bytes_text(backup.stored_bytes)}"
    where = " and ".join(NAMES[role] for role in reach.held.listed_in)
    made = f"{shown(backup.id)} by {backup.writer}{size}, {table.known.since(backup.stopped)}, in {where}"
    if backup.writer is Writer.LABEL:
        table.row("backups", "label", f"{made}: says that one was made, not where it is", Tone.MUTED)
    elif reach.usable:
        table.row("backups", "backup", made, copied=shown(backup.id))
    else:
        why = shown(reach.stop.text) if reach.stop is not None else "it cannot be replayed"
        table.row("backups", "backup", f"{made}: of no use, {why}", Tone.LABEL, copied=shown(backup.id))


def _stored_at(facts: BucketFacts, segment: Segment) -> float | None:
    return facts.holding.times.about(segment.timeline, segment.number) if facts.holding is not None else None

"""What the two copies of the archive are worth: a line of verdict for each, and the facts behind it."""

from collections.abc import Sequence
from functools import lru_cache
from itertools import takewhile

from walconsole.domain.archive.comparison import Lacking, lacking
from walconsole.domain.archive.gaps import Gap
from walconsole.domain.archive.losses import open_ones
from walconsole.domain.archive.times import age_s
from walconsole.domain.facts.observed import BucketFacts
from walconsole.domain.facts.snapshot import Reading, Snapshot
from walconsole.domain.profile import BucketRole
from walconsole.domain.records import record
from walconsole.domain.standing.exposure import archived_when_listed
from walconsole.domain.standing.model import Level, Verdict
from walconsole.domain.standing.whose import Ahead, ahead, another_cluster, beyond_server, writing
from walconsole.domain.store.answers import Meaning, meaning_of
from walconsole.domain.units import (
    age_text,
    bytes_text,
    duration_text,
    plural,
    whole_duration_text,
)
from walconsole.domain.wal import Segment, wal_name

DR_PATIENCE_S = 900.0
DR_PATIENCE_SEGMENTS = 5
"""A copy that follows by a schedule is behind for a while: more segments, for longer, is worth a word."""

NO_SECOND_COPY = 'no second copy, by choice: the profile says dr = "none"'

SETTLING_S = 15.0
"""Parallel writers finish out of order: below a segment that was stored since, others are still to come.

Not those which PostgreSQL says it archived.
"""


def copies(snapshot: Snapshot) -> tuple[tuple[str, Reading[BucketFacts]], ...]:
    """The copies' names and readings; no second one where none is wanted."""
    return tuple(zip(("primary", "DR"), snapshot.copies, strict=False))


def timeline_beyond(snapshot: Snapshot) -> int | None:
    """The timeline that a restore to the latest would end on, where this server never was on it.

    A test restore that archives its .history does that, and what this server writes from then on is
    on no path: a real restore would leave it out without a word.
    """
    archiver, server, bucket = snapshot.archiver.value, snapshot.server.value, snapshot.primary.value
    if archiver is None or server is None or bucket is None or bucket.continuity is None:
        return None
    read_at, listed_at = snapshot.archiver.read_at, snapshot.primary.read_at
    if (
        server.in_recovery
        or not bucket.complete
        or read_at is None
        or listed_at is None
        or read_at < listed_at
    ):
        return None
    target = bucket.continuity.target
    return target if target > writing(archiver, server).timeline else None


def dr_lacking(snapshot: Snapshot) -> Lacking | None:
    """What the DR copy does not hold of the primary; None where one of them is not completely known."""
    primary, dr = snapshot.primary.value, snapshot.dr.value
    if primary is None or dr is None or not (primary.complete and dr.complete):
        return None
    if primary.holding is None:
        return None
    return _lacking(primary.holding, dr.holding)


_lacking = lru_cache(maxsize=4)(lacking)
"""Asked for by the verdict, the rules and the panes at every drawing, of the same two holdings."""


def lacks_too_much(snapshot: Snapshot, now: float) -> Lacking | None:
    """The same, where it is more than a copy that follows now and then would lack."""
    found = dr_lacking(snapshot)
    if found is None or found.segments <= DR_PATIENCE_SEGMENTS:
        return None
    age = lacking_since(snapshot, found, now)
    return None if age is not None and age < DR_PATIENCE_S else found


def lacking_since(snapshot: Snapshot, found: Lacking, now: float) -> float | None:
    """How many seconds ago the primary stored the oldest that the DR copy lacks."""
    primary = snapshot.primary.value
    if found.oldest_at is None or primary is None:
        return None
    return stored_age(primary, found.oldest_at, now)


def stored_age(bucket: BucketFacts, stored_at: float, now: float) -> float:
    """Seconds since that time of the bucket's store; the console's own clock may be wrong."""
    return age_s(stored_at, now, bucket.store_clock_offset_s)


def archive_verdict(snapshot: Snapshot, now: float) -> Verdict:
    """Whether every segment is in the primary bucket and would replay."""
    reading = snapshot.primary
    unread = _unread("the archive", reading)
    bucket = reading.value
    if unread is not None or bucket is None:
        return unread or Verdict(Level.UNKNOWN, "the archive was not read yet")
    return unusable(snapshot, bucket, now) or _whole(snapshot, bucket, now)


def unusable(snapshot: Snapshot, bucket: BucketFacts, now: float) -> Verdict | None:
    """The verdict where what lies in the primary bucket is not this server's, or would not replay."""
    return _wrong_content(snapshot, bucket) or _shrunk(bucket) or _incomplete(snapshot, bucket, now)


def dr_verdict(snapshot: Snapshot, now: float) -> Verdict:
    """Whether the copy in the other region holds what the primary does.

    What was read last is compared; where either bucket cannot be read any more, that is no verdict. Where the
    profile says that there is none, that is the operator's choice, and nothing is wrong with it.
    """
    if not snapshot.told.second_copy:
        return Verdict(Level.OK, NO_SECOND_COPY)
    unread = _unread("the DR copy", snapshot.dr)
    if unread is not None:
        return unread if unread.level is not Level.CRITICAL else Verdict(Level.WARNING, unread.text)
    found = _compared(snapshot, now)
    for reading, lost in (
        (snapshot.dr, "the DR copy cannot be read now"),
        (snapshot.primary, "the DR copy cannot be compared now: the primary bucket cannot be read"),
    ):
        if reading.problem is not None and reading.value is not None:
            known = f"last known, {age_text(reading.age_s(now))}: {found.text}"
            return Verdict(Level.UNKNOWN, f"{lost}: {reading.problem.reason}; {known}")
    return found


def _compared(snapshot: Snapshot, now: float) -> Verdict:
    """What the two buckets, as they were read last, have to do with each other."""
    primary = snapshot.primary.value
    if primary is None or not primary.complete:
        return Verdict(Level.UNKNOWN, "the DR copy cannot be compared: the primary bucket was not read")
    found = dr_lacking(snapshot)
    if found is None:
        return _dr_alone(snapshot)
    dr = snapshot.dr.value
    if dr is not None and (gone := open_ones(dr.lost)):
        return Verdict(Level.WARNING, f"the DR copy LOST {lost_text(gone)} that it held")
    lost = settled(snapshot, dr, now) if dr is not None else None
    if lost is not None:
        size, count = plural(lost.segments, "segment"), plural(lost.gaps, "gap")
        also = f"the primary holds {found.segments:,} that it lacks"
        return Verdict(Level.WARNING, f"the DR copy has a HOLE of {size} in {count}; {also}")
    if not found.segments:
        return Verdict(Level.OK, "the DR copy is complete: it lacks nothing that the primary holds")
    level = Level.WARNING if lacks_too_much(snapshot, now) else Level.OK
    since = lacking_since(snapshot, found, now)
    age = "" if since is None else f", the oldest stored {age_text(since)}"
    word = "lacks" if level is Level.WARNING else "is behind by"
    text = f"the DR copy {word} {plural(found.segments, 'segment')} ({bytes_text(found.bytes)}){age}"
    return Verdict(level, text)


def _dr_alone(snapshot: Snapshot) -> Verdict:
    dr = snapshot.dr.value
    if dr is not None and dr.segments:
        return Verdict(
            Level.UNKNOWN, "the DR copy holds WAL, and the primary bucket holds none to compare with"
        )
    return Verdict(Level.UNKNOWN, "neither bucket holds WAL: there is nothing to compare")


def _unread(what: str, reading: Reading[BucketFacts]) -> Verdict | None:
    """The verdict where the bucket was never read, is there no more, or is not listed completely yet."""
    bucket, problem = reading.value, reading.problem
    absent = problem is not None and meaning_of(problem.code) is Meaning.ABSENT_BUCKET
    if problem is not None and (bucket is None or absent):
        level = Level.CRITICAL if absent else Level.UNKNOWN
        return Verdict(level, f"{what} cannot be read: {problem.reason}")
    if bucket is None:
        return Verdict(Level.UNKNOWN, f"{what} was not read yet")
    if not bucket.complete:
        return Verdict(Level.UNKNOWN, f"{what} is being listed: {_progress(bucket)}")
    return None


def _progress(bucket: BucketFacts) -> str:
    done = bucket.progress
    if done is None:
        return f"{plural(bucket.segments, 'segment')} so far"
    left = "" if done.left_s is None else f", {duration_text(done.left_s)} left"
    return f"{plural(done.segments, 'segment')} in {plural(done.pages, 'page')}{left}"


def _wrong_content(snapshot: Snapshot, bucket: BucketFacts) -> Verdict | None:
    """The verdict where what lies there is not this server's, or not all of it."""
    server = snapshot.server.value
    foreign = another_cluster(bucket, server.system_identifier if server else None)
    if foreign is not None and foreign.header is not None and server is not None:
        return Verdict(
            Level.CRITICAL,
            f"the archive holds ANOTHER cluster's WAL: {foreign.name} is of system "
            f"{foreign.header.system_identifier}, this server is {server.system_identifier}",
        )
    beyond = beyond_server(snapshot)
    if beyond is None and (timeline := timeline_beyond(snapshot)) is not None:
        return Verdict(
            Level.CRITICAL,
            f"{timeline:08X}.history leads AWAY from this server: a restore to the latest would follow "
            f"timeline {timeline}, and leave out what this server writes",
        )
    if beyond is not None and server is not None:
        newest, current = (segment.name(server.segment_bytes) for segment in beyond)
        how = ahead(snapshot)
        where = f"it holds {newest}, this server is only at {current}"
        if how is Ahead.PROMOTED:
            return Verdict(Level.CRITICAL, f"ANOTHER server was promoted and archives: {where}")
        if how is Ahead.WENT_BACK:
            return Verdict(Level.CRITICAL, f"the archive is AHEAD of this server, which went back: {where}")
        return Verdict(Level.CRITICAL, f"SOMEONE ELSE writes to the archive: {where}")
    return None


def _shrunk(bucket: BucketFacts) -> Verdict | None:
    """The verdict where what was there is gone."""
    gone = open_ones(bucket.lost)
    if not gone:
        return None
    text = f"the archive LOST {lost_text(gone)} that it held, the newest {gap_text(gone[-1])}"
    return Verdict(Level.CRITICAL, f"{text}; {plural(bucket.segments, 'segment is', 'segments are')} left")


def _incomplete(snapshot: Snapshot, bucket: BucketFacts, now: float) -> Verdict | None:
    """The verdict where a recovery would stop."""
    found = bucket.continuity
    if found is not None and found.unreachable and found.missing_histories:
        name = f"{found.missing_histories[0]:08X}.history"
        return Verdict(
            Level.CRITICAL,
            f"{name} is MISSING: a restore to the latest ends on timeline {found.target} "
            f"and never reaches timeline {found.unreachable[-1]}",
        )
    lost = settled(snapshot, bucket, now)
    if lost is None:
        return None
    gap = lost.newest
    size, count = plural(lost.segments, "segment"), plural(lost.gaps, "gap")
    newest = f"{gap_text(gap)}{gap_age(bucket, gap, now)}"
    there = held_by_other(snapshot, bucket, now)
    dr = f" (DR holds {'all' if there == lost.segments else f'{there:,}'})" if there else ""
    text = f"the archive has a HOLE of {size} in {count}{dr}, the newest {newest}; {_reach(bucket, now)}"
    return Verdict(Level.CRITICAL, text)


def other_holds(snapshot: Snapshot, role: BucketRole, gap: Gap) -> int:
    """How many of a copy's missing segments the other copy holds, as far as its listing tells."""
    other = snapshot.dr.value if role is BucketRole.PRIMARY else snapshot.primary.value
    if other is None or not other.complete or other.holding is None:
        return 0
    holding = other.holding
    runs, spoilt = holding.timelines.get(gap.timeline), holding.damaged().get(gap.timeline)
    ends = [wal_name(name, holding.segment_bytes) for name in (gap.first, gap.last)]
    numbers = [end.segment.number for end in ends if end is not None and end.segment is not None]
    if runs is None or len(numbers) < len(ends):
        return 0
    first, last = numbers
    return runs.count_between(first, last) - (spoilt.count_between(first, last) if spoilt is not None else 0)


def held_by_other(snapshot: Snapshot, bucket: BucketFacts, now: float) -> int:
    """How many of all that is missing in a copy the other one holds: they are not lost."""
    return sum(other_holds(snapshot, bucket.role, gap) for gap in settled_gaps(snapshot, bucket, now))


@record
class Lost:
    """What is missing, and not only still to come: `gaps` of them with `segments` in all."""

    gaps: int
    segments: int
    newest: Gap


def settled(snapshot: Snapshot, bucket: BucketFacts, now: float) -> Lost | None:
    """The gaps that no parallel writer will fill by itself; None where there is none."""
    old = settled_gaps(snapshot, bucket, now)
    if not old:
        return None
    fresh = bucket.gaps[len(old) :]
    coming = sum(gap.segments for gap in fresh)
    return Lost(bucket.gap_count - len(fresh), bucket.missing_segments - coming, old[-1])


def settled_gaps(snapshot: Snapshot, bucket: BucketFacts, now: float) -> tuple[Gap, ...]:
    """The open gaps that no parallel writer will fill by itself, as far as they are listed."""
    return bucket.gaps[: len(bucket.gaps) - len(still_to_come(snapshot, bucket, now))]


def still_to_come(snapshot: Snapshot, bucket: BucketFacts, now: float) -> tuple[Gap, ...]:
    """The gaps that parallel writers may still fill by themselves, the newest first."""
    claimed = archived_when_listed(snapshot) if bucket.role is BucketRole.PRIMARY else None
    return tuple(takewhile(lambda gap: _is_fresh(bucket, gap, claimed, now), reversed(bucket.gaps)))


def gaps_told(snapshot: Snapshot, bucket: BucketFacts, now: float) -> tuple[str, bool] | None:
    """`2 gaps, 4 segments missing`, and whether that is a fault; None where nothing is missing.

    What is only still to come is none, here as in the verdict.
    """
    coming = sum(gap.segments for gap in still_to_come(snapshot, bucket, now))
    lost = settled(snapshot, bucket, now)
    later = f"{plural(coming, 'segment')} still to come" if coming else ""
    if lost is None:
        return (later, False) if later else None
    text = f"{plural(lost.gaps, 'gap')}, {plural(lost.segments, 'segment')} missing"
    return (f"{text}; {later}" if later else text), True


def _is_fresh(bucket: BucketFacts, gap: Gap, claimed: Segment | None, now: float) -> bool:
    if gap.until_at is None or stored_age(bucket, gap.until_at, now) >= SETTLING_S:
        return False
    last = wal_name(gap.last, _segment_bytes(bucket))
    return claimed is None or last is None or last.segment is None or last.segment > claimed


def lost_text(gone: Sequence[Gap]) -> str:
    """`N segments` or `all base backups`, or both: what an archive has lost."""
    if not any(gap.with_backups for gap in gone):
        return plural(sum(gap.segments for gap in gone), "segment")
    count = sum(gap.segments for gap in gone if not (gap.with_backups and gap.segments == 1))
    return f"{plural(count, 'segment')} and all base backups" if count else "all base backups"


def gap_text(gap: Gap) -> str:
    """`NAME` or `NAME to NAME`."""
    return gap.first if gap.segments == 1 else f"{gap.first} to {gap.last}"


def gap_age(bucket: BucketFacts, gap: Gap, now: float) -> str:
    """`, 3 min 05 s old`; nothing where that is not known."""
    if gap.until_at is None:
        return ""
    return f", {whole_duration_text(stored_age(bucket, gap.until_at, now))} old"


def _reach(bucket: BucketFacts, now: float) -> str:
    """How far back the unbroken run goes."""
    run = bucket.continuity.run if bucket.continuity is not None else None
    if run is None:
        return "recovery from before it stops there"
    since = _stored_at(bucket, run.oldest)
    back = f"back to {run.oldest.name(_segment_bytes(bucket))}"
    age = "" if since is None else f" ({age_text(stored_age(bucket, since, now))})"
    return f"unbroken only {back}{age}"


def _stored_at(bucket: BucketFacts, segment: Segment) -> float | None:
    return None if bucket.holding is None else bucket.holding.times.about(segment.timeline, segment.number)


def _segment_bytes(bucket: BucketFacts) -> int:
    if bucket.segment_bytes is None:
        raise AssertionError("an archive that was listed has a segment size")
    return bucket.segment_bytes


def _whole(snapshot: Snapshot, bucket: BucketFacts, now: float) -> Verdict:
    """The verdict where nothing is missing."""
    if not bucket.segments:
        if bucket.alike is not None:
            return Verdict(Level.WARNING, f"whether the archive holds WAL is not known: {bucket.alike.text}")
        others = bucket.foreign_objects
        holds = f"{plural(others, 'object')}, none of them WAL" if others else "nothing"
        return Verdict(Level.WARNING, f"the archive is EMPTY: the bucket holds {holds}")
    run = bucket.continuity.run if bucket.continuity is not None else None
    if bucket.gaps:
        coming = plural(bucket.missing_segments, "segment is", "segments are")
        text = f"{plural(bucket.segments, 'segment')}; {coming} still to come among the newest"
        return Verdict(Level.OK if snapshot.primary.problem is None else Level.UNKNOWN, text)
    text = f"{plural(bucket.segments if run is None else run.segments, 'segment')}, none missing"
    if run is not None:
        since = _stored_at(bucket, run.oldest)
        text += f", back to {run.oldest.name(_segment_bytes(bucket))}"
        text += "" if since is None else f" ({age_text(stored_age(bucket, since, now))})"
    if bucket.accepted_gaps:
        text += f"; {plural(len(bucket.accepted_gaps), 'accepted gap')} before"
    if snapshot.primary.problem is not None:
        return Verdict(Level.UNKNOWN, f"{text}; it cannot be read now: {snapshot.primary.problem.reason}")
    return Verdict(Level.OK, text)

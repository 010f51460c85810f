"""What each copy of the archive lacks and what it can give, as one snapshot says."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from walconsole.domain.archive.expected_page import ExpectedPage
from walconsole.domain.archive.gaps import Gap
from walconsole.domain.archive.growth import stored_bytes_each
from walconsole.domain.archive.holding import Holding
from walconsole.domain.archive.losses import open_ones
from walconsole.domain.archive.mending import CopyLacks
from walconsole.domain.archive.runs import Runs
from walconsole.domain.archive.stored_form import stored_beside
from walconsole.domain.archive.timelines import TimelineHistory
from walconsole.domain.facts.observed import BucketFacts
from walconsole.domain.facts.snapshot import Reading, Snapshot
from walconsole.domain.profile import BucketRole
from walconsole.domain.redaction import safe
from walconsole.domain.standing.assessment import Assessment
from walconsole.domain.standing.copies import held_by_other, lacks_too_much, settled_gaps
from walconsole.domain.standing.model import Fix
from walconsole.domain.standing.whose import another_cluster
from walconsole.domain.wal import Segment, wal_name

_ENCRYPTED = "what it stores cannot be read here, so that nobody can look at it before it is copied"
_ANOTHERS = "it holds another cluster's WAL: whose a segment is cannot be told by its name"
_STRETCHES = 20
_STRETCH = re.compile(r"(primary|dr):([0-9A-F]{24})-([0-9A-F]{24})")

MEND = Fix(
    "bring back what any place still holds: the other copy, pg_wal, other folders of WAL on the droplet",
    step="mend-holes",
)
"""Every hole of every copy, by one plan."""


def told_elsewhere(assessment: Assessment, bucket: BucketFacts, missing: int) -> Iterator[str]:
    """What of its `missing` segments the other copy holds, and whether a restore finds them there."""
    there = held_by_other(assessment.snapshot, bucket, assessment.now)
    if not there:
        return
    other = "DR" if bucket.role is BucketRole.PRIMARY else "primary"
    text = (
        f"the {other} bucket holds {'all' if there == missing else f'{there:,}'} of them: they are not lost"
    )
    restorable = assessment.recovery
    if restorable is not None:
        both = "both copies, and takes them from there"
        text += f"; a restore reads {both if restorable.reads_both else 'one copy alone, as far as is known'}"
    yield f"{text} (S3 LIST)"


Stretch = tuple[str, str]
"""The names of the first and the last of some segments."""


def lost_subject(role: BucketRole, gone: Sequence[Gap]) -> str:
    """What a copy lost at its ends, for the step, whose own look at the bucket cannot remember it."""
    return " ".join(f"{role.value}:{gap.first}-{gap.last}" for gap in gone[-_STRETCHES:])


def mend_all(snapshot: Snapshot) -> Fix:
    """The same with all that both copies lost at their ends and nobody accepted."""
    told = [
        lost_subject(bucket.role, gone)
        for bucket in (snapshot.primary.value, snapshot.dr.value)
        if bucket is not None and (gone := open_ones(bucket.lost))
    ]
    return replace(MEND, subject=" ".join(told))


def lost_stretches(subject: str) -> Mapping[BucketRole, tuple[Stretch, ...]]:
    """What `lost_subject` said. Raises ValueError for anything else."""
    found: dict[BucketRole, tuple[Stretch, ...]] = {}
    for word in subject.split():
        match = _STRETCH.fullmatch(word)
        if match is None:
            raise ValueError(f"{word!r} is no stretch of a copy's segments")
        role = BucketRole(match[1])
        found[role] = (*found.get(role, ()), (match[2], match[3]))
    return found


def copies_lacking(
    snapshot: Snapshot, now: float, lost: Mapping[BucketRole, Sequence[Stretch]] | None = None
) -> tuple[CopyLacks, ...]:
    """Each copy that was read to its end and holds WAL, or held some that is `lost`, the primary first.

    A copy lacks what is missing in mid-chain, what it held once and lost, and, where whatever copies to DR
    does not follow any more, what is newer than DR's newest. What may still be on its way is not missing yet.
    """
    size = _segment_bytes(snapshot)
    if size is None:
        return ()
    known = lost or {}
    found = (
        _lacking(snapshot, reading, size, now, known.get(role, ()))
        for role, reading in zip(BucketRole, (snapshot.primary, snapshot.dr), strict=True)
    )
    return tuple(copy for copy in found if copy is not None)


def expected_page(snapshot: Snapshot, segment: Segment) -> ExpectedPage | None:
    """What the first page of that segment must say; None where the server does not tell whose it is."""
    server, size = snapshot.server.value, _segment_bytes(snapshot)
    if server is None or server.system_identifier is None or size is None:
        return None
    parents = _parents(snapshot, segment, size)
    return ExpectedPage(segment, size, server.system_identifier, parents, server.version_num // 10_000)


def _parents(snapshot: Snapshot, segment: Segment, segment_bytes: int) -> tuple[int, ...]:
    """The timeline that was left in that segment: its first page may be from before."""
    read = [each.value.histories_read for each in (snapshot.primary, snapshot.dr) if each.value is not None]
    histories: list[TimelineHistory] = [
        known[segment.timeline] for known in read if segment.timeline in known
    ]
    return tuple(
        switch.parent
        for history in histories
        for switch in history.switches
        if switch.lsn // segment_bytes == segment.number
    )


def _segment_bytes(snapshot: Snapshot) -> int | None:
    server = snapshot.server.value
    return server.segment_bytes if server is not None else None


def _lacking(
    snapshot: Snapshot, reading: Reading[BucketFacts], size: int, now: float, lost: Sequence[Stretch]
) -> CopyLacks | None:
    bucket = reading.value
    if bucket is None or reading.problem is not None or not bucket.complete:
        return None
    holding = bucket.holding
    stretches = [Gap(int(first[:8], 16), first, last, 0) for first, last in lost]
    if holding is None or holding.newest is None:  # nothing, or labels alone
        lacks = _numbers(stretches, size)
        return (
            CopyLacks(bucket.role, lacks, {}, refuses=_empty_refuses(snapshot, bucket.role))
            if lacks
            else None
        )
    if holding.segment_bytes != size:
        return None
    gaps = [*_due(snapshot, bucket, now), *_accepted(bucket), *_lost(bucket, holding), *stretches]
    lacks = _numbers(gaps, size)
    if bucket.role is BucketRole.DR and lacks_too_much(snapshot, now) is not None:
        _add_newer(lacks, snapshot, holding)
    held = holding.timelines
    lacks = {timeline: runs.minus(held.get(timeline, Runs())) for timeline, runs in lacks.items()}
    return CopyLacks(
        bucket.role,
        {timeline: runs for timeline, runs in lacks.items() if runs.count},
        held,
        holding.damaged(),
        _refuses(snapshot, bucket, holding),
        _is_readable(bucket),
        stored_bytes_each(holding) or float(size),
    )


def _due(snapshot: Snapshot, bucket: BucketFacts, now: float) -> Iterator[Gap]:
    """Gaps that have settled, and younger ones of what PostgreSQL says it archived."""
    server, archiver = snapshot.server.value, snapshot.archiver.value
    settled = settled_gaps(snapshot, bucket, now)
    yield from settled
    if server is None or archiver is None:
        return
    archived = wal_name(archiver.last_archived_wal, server.segment_bytes)
    for gap in bucket.gaps[len(settled) :]:
        last = wal_name(gap.last, server.segment_bytes)
        if archived is None or archived.segment is None or last is None or last.segment is None:
            continue
        if last.segment <= archived.segment:
            yield gap


def _accepted(bucket: BucketFacts) -> Sequence[Gap]:
    """Who accepted a gap did not know where the segments are."""
    return bucket.continuity.accepted_gaps if bucket.continuity is not None else ()


def _lost(bucket: BucketFacts, holding: Holding) -> Iterator[Gap]:
    """What is gone at the ends of this archive, and not of another place in the bucket."""
    yield from (gap for gap in bucket.lost if gap.lost_from == holding.root)


def _numbers(gaps: Sequence[Gap], segment_bytes: int) -> dict[int, Runs]:
    found: dict[int, Runs] = {}
    for gap in gaps:
        with suppress(ValueError):  # names from a file that may be edited by hand
            first, last = (Segment.parse(name, segment_bytes).number for name in (gap.first, gap.last))
            if first <= last:
                found.setdefault(gap.timeline, Runs()).add(first, last)
    return found


def _add_newer(lacks: dict[int, Runs], snapshot: Snapshot, dr: Holding) -> None:
    """What the primary holds after DR's newest segment."""
    primary = snapshot.primary.value
    if primary is None or primary.holding is None or dr.newest is None:
        return
    for timeline, runs in primary.holding.timelines.items():
        for first, last in runs:
            after = max(first, dr.newest.number + 1) if timeline == dr.newest.timeline else first
            if timeline >= dr.newest.timeline and after <= last:
                lacks.setdefault(timeline, Runs()).add(after, last)


def _refuses(snapshot: Snapshot, bucket: BucketFacts, holding: Holding) -> str:
    """Why nothing can be stored in the copy by copying."""
    server = snapshot.server.value
    if another_cluster(bucket, server.system_identifier if server is not None else None) is not None:
        return _ANOTHERS
    if not _is_readable(bucket):
        problem = next((safe(identity.problem) for identity in bucket.identities if identity.problem), "")
        return f"{_ENCRYPTED} ({problem})" if problem else _ENCRYPTED
    newest = holding.newest
    if newest is None or not holding.newest_key:
        return "it holds no segment yet, so that nobody can tell in which form it stores them"
    try:
        stored_beside(holding, holding.newest_key, newest.name(holding.segment_bytes))
    except ValueError as error:
        return str(error)
    return ""


def _empty_refuses(snapshot: Snapshot, role: BucketRole) -> str:
    """The same of a copy that holds no segment any more: it takes the form of the other one."""
    other = (snapshot.dr if role is BucketRole.PRIMARY else snapshot.primary).value
    if other is None or not other.complete or other.holding is None or other.holding.newest is None:
        return "no copy holds a segment any more, so that nobody can tell in which form they were stored"
    return _refuses(snapshot, other, other.holding)


def _is_readable(bucket: BucketFacts) -> bool:
    """Whether the head of one of its segments was read: what is encrypted tells nothing."""
    return any(identity.header is not None for identity in bucket.identities)

"""What the archive lacks, or holds twice and not alike: gaps, missing histories, a copy behind the other."""

from collections.abc import Iterator
from dataclasses import replace

from walconsole.domain.archive.gaps import Gap
from walconsole.domain.archive.losses import open_ones
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.standing.assessment import Assessment
from walconsole.domain.standing.copies import (
    copies,
    gap_age,
    gap_text,
    lacking_since,
    lacks_too_much,
    lost_text,
    settled,
    stored_age,
)
from walconsole.domain.standing.mending import MEND, lost_subject, told_elsewhere
from walconsole.domain.standing.mode import FailureMode, Late, Page, Risk
from walconsole.domain.standing.model import Finding, Fix, Proof, Severity
from walconsole.domain.standing.remedies import archive_by_hand, base_backup
from walconsole.domain.units import age_text, plural


def gaps(assessment: Assessment) -> Iterator[Finding]:
    """Segments missing in mid-chain: recovery stops before the first of them.

    Silent are accepted ones, and those that parallel writers may only not have finished.
    """
    snapshot, now = assessment.snapshot, assessment.now
    for copy, reading in copies(snapshot):
        bucket = reading.value
        lost = settled(snapshot, bucket, now) if bucket is not None and bucket.complete else None
        if bucket is None or lost is None:
            continue
        last = lost.newest
        where = ", where the timeline was switched" if last.at_switch else ""
        age = gap_age(bucket, last, now)
        yield Finding(
            "failover-hole" if last.at_switch else "gap",
            Severity.WARNING if copy == "DR" else Severity.CRITICAL,
            f"{plural(lost.segments, 'segment is', 'segments are')} missing in the {copy} bucket{where}",
            (
                f"{plural(lost.gaps, 'gap')}; the newest is {gap_text(last)} "
                f"({plural(last.segments, 'segment')}{age})",
                *told_elsewhere(assessment, bucket, lost.segments),
            ),
            "take them from the old primary's pg_wal, else take a new base backup"
            if last.at_switch
            else "bring them back from the other copy, or while they are still in pg_wal; else take a new "
            "base backup now",
            reading.slot,
            since=None if last.until_at is None else now - stored_age(bucket, last.until_at, now),
            proof=tuple(
                Proof(f"missing: {gap_text(gap)}", reading.source, reading.read_at)
                for gap in bucket.gaps[-3:]
            ),
            fixes=_fill(assessment.snapshot, last),
        )


def shrunk(assessment: Assessment) -> Iterator[Finding]:
    """What the archive held once and holds no more, where no retention explains it and nobody accepted it."""
    for copy, reading in copies(assessment.snapshot):
        bucket = reading.value
        gone = open_ones(bucket.lost) if bucket is not None and bucket.complete else ()
        if bucket is None or not gone:
            continue
        yield Finding(
            "archive-shrunk",
            Severity.WARNING if copy == "DR" else Severity.CRITICAL,
            f"{lost_text(gone)} that the {copy} bucket held: GONE",
            (
                f"{plural(bucket.segments, 'segment is', 'segments are')} left in {bucket.bucket} (S3 LIST)",
                *(f"gone: {gap_text(gap)} ({plural(gap.segments, 'segment')})" for gap in gone[-3:]),
            ),
            "find out who deleted it, and whether the other copy or an older version of the objects still "
            "has it; take a new base backup now; then accept the loss on the archive screen (A), and say why",
            reading.slot,
            proof=tuple(
                Proof(f"gone: {gap_text(gap)}", "the index of an earlier S3 LIST", bucket.swept_at)
                for gap in gone[-3:]
            ),
            fixes=(
                replace(
                    MEND,
                    risk="stop whatever deletes there, or copies the deletions, first",
                    subject=lost_subject(bucket.role, gone),
                ),
                base_backup(assessment.snapshot, "reads the whole cluster; what is gone stays gone"),
            ),
        )


def _fill(snapshot: Snapshot, gap: Gap) -> tuple[Fix, ...]:
    """How a gap is filled, or lived with."""
    return (
        MEND,
        Fix(
            f"push {gap.first} again, if it is still in pg_wal (then the others)",
            archive_by_hand(snapshot, gap.first),
            "push-wal",
            subject=gap.first,
        ),
        base_backup(snapshot, "reads the whole cluster; older base backups stay cut off"),
    )


def history_missing(assessment: Assessment) -> Iterator[Finding]:
    """A restore to the latest timeline counts up and stops at the first without a .history file."""
    snapshot = assessment.snapshot
    for copy, reading in copies(snapshot):
        bucket = reading.value
        found = bucket.continuity if bucket is not None and bucket.complete else None
        if bucket is None or found is None or not (found.missing_histories and found.unreachable):
            continue
        names = ", ".join(f"{timeline:08X}.history" for timeline in found.missing_histories)
        yield Finding(
            "history-missing",
            Severity.WARNING if copy == "DR" else Severity.CRITICAL,
            f"the {copy} bucket lacks {names}: a restore ends on timeline {found.target}",
            (
                f"WAL of timeline {', '.join(map(str, found.unreachable))} is stored in {bucket.bucket} "
                "and no history leads there (S3 LIST)",
            ),
            "push the .history file again: it is still in pg_wal of the server that was promoted",
            reading.slot,
            proof=tuple(
                Proof(f"no {timeline:08X}.history", reading.source, reading.read_at)
                for timeline in found.missing_histories[:3]
            ),
            fixes=(
                Fix(
                    "push the .history file again",
                    archive_by_hand(snapshot, f"{found.missing_histories[0]:08X}.history"),
                    "push-wal",
                    subject=f"{found.missing_histories[0]:08X}.history",
                ),
            ),
        )


def different_content(assessment: Assessment) -> Iterator[Finding]:
    """One segment is stored twice, and not with the same bytes."""
    snapshot = assessment.snapshot
    for copy, reading in copies(snapshot):
        bucket = reading.value
        differing = [each for each in bucket.repeats if each.identical is False] if bucket is not None else []
        if differing:
            one = differing[-1]
            yield Finding(
                "same-name-different-content",
                Severity.WARNING if copy == "DR" else Severity.CRITICAL,
                f"{plural(len(differing), 'segment is', 'segments are')} stored twice with different content "
                f"in the {copy} bucket",
                (f"{one.name}: {one.keys[0]} and {one.keys[1]} (size and ETag, S3 LIST)",),
                "two servers archived after a split brain or a rollback: find out which one is right",
                reading.slot,
            )


def dr_behind(assessment: Assessment) -> Iterator[Finding]:
    """The DR copy lacks more of the primary than one that follows now and then would."""
    snapshot, now = assessment.snapshot, assessment.now
    primary, dr = snapshot.primary.value, snapshot.dr.value
    if primary is None or dr is None or snapshot.primary.problem or snapshot.dr.problem:
        return
    found = lacks_too_much(snapshot, now)
    if found is None or found.oldest is None or primary.segment_bytes is None:
        return
    oldest = found.oldest.name(primary.segment_bytes)
    since = lacking_since(snapshot, found, now)
    stored = "" if since is None else f", stored {age_text(since)}"
    yield Finding(
        "dr-behind",
        Severity.WARNING,
        f"the DR bucket lacks {plural(found.segments, 'segment')} of the primary's",
        (
            f"the oldest of them is {oldest}{stored}",
            f"{primary.segments:,} in {primary.bucket}, {dr.segments:,} in {dr.bucket} (S3 LIST)",
        ),
        "copy what is missing, and check that whatever copies to DR runs",
        Snapshot.dr,
        fixes=(MEND,),
    )


MODES: tuple[FailureMode, ...] = (
    FailureMode(
        "archive-shrunk",
        Page(
            title="what the archive held is gone",
            symptom=(
                "The bucket is suddenly small, or empty; archiving goes on as if nothing had happened, and "
                "what is there is unbroken."
            ),
            cause=(
                "Somebody or something deleted it: a clean-up with the wrong prefix, a sync that deletes, a "
                "stolen key, a bucket that was made anew. Retention is none of this: it takes what is older "
                "than the oldest base backup that stays (or, where no base backup is known, what is older "
                "than a day)."
            ),
            signal=(
                "The index that the console keeps over sessions against the bucket's listing: segments at "
                "its ends, or all of them, or all base backups' labels, that were there. It is told until "
                "they are back, or until somebody accepts the loss with a reason; a new base backup alone "
                "does not end it: what is gone is gone. A deletion in the middle is a `gap`."
            ),
            fix=(
                "Take the key from whoever deleted it. Bring back what the other bucket or pg_wal still has "
                "(`f`, the step `mend-holes`); look for older versions of the objects. Take a base backup "
                "now, so that a recovery from here on is possible. Then accept the loss on the archive "
                "screen (`n`, `A`)."
            ),
            never="Do not let a sync carry the deletion to the other copy.",
            source="what walconsole's own tests did: both buckets emptied under a running console, all green",
        ),
        look=shrunk,
        explains=(
            "silent-loss",
            "archive-frozen",
            "gap",
            "history-missing",
            "no-base-backup",
            "backup-broken",
            "wal-before-backup-gone",
            "dr-behind",
        ),
        risk=Risk.REPLAY,
    ),
    FailureMode(
        "history-missing",
        Page(
            title="a timeline without its .history file",
            symptom="A restore to `latest` ends on an older timeline, and then writes one that collides.",
            cause="The .history file failed to be archived at the promotion, or was deleted since.",
            signal="The listing: `latest` counts timelines up and stops at the first without its history.",
            fix=(
                "Push it again; it is in pg_wal of the server that was promoted.\n\n"
                "```\n"
                "ls pg_wal/*.history\n"
                "```"
            ),
            source="cloudnative-pg#11219; patroni#890",
        ),
        look=history_missing,
        risk=Risk.REPLAY,
    ),
    FailureMode(
        "gap",
        Page(
            title="segments are missing in mid-chain",
            symptom="A restore stops before the first of them.",
            cause="A crash, a killed upload, a deletion, a command that swallowed an error.",
            signal=(
                "Every name in the bucket, along the timelines that a restore follows. A gap that was "
                "accepted on the archive screen is not reported; nor is one that parallel writers may only "
                "not have filled yet."
            ),
            fix=(
                "Bring them back from wherever they still are, all holes of both copies at once (`f`, the "
                "step `mend-holes`): the other bucket, pg_wal (before they are recycled there), a standby's "
                "pg_wal or another archive's folder on the droplet. What is in no place any more is lost: "
                "take a base backup now, then accept the gap. What one copy holds is not lost."
            ),
            source="wal-g#1590",
        ),
        look=gaps,
        explains=("wal-before-backup-gone",),
        risk=Risk.REPLAY,
    ),
    FailureMode(
        "failover-hole",
        Page(
            title="a gap where the timeline was switched",
            symptom="The archive is unbroken before and after a failover, and not across it.",
            cause=(
                "The old primary had not archived its last segments; on the standby, WAL that was streamed "
                "is marked as done and never archived."
            ),
            signal="Continuity across the switch point that the .history file names.",
            fix="Take them from the old primary's pg_wal; else a base backup of the new timeline.",
            source="ubicloud#6279",
        ),
        look=gaps,
        explains=("gap",),
        risk=Risk.REPLAY,
    ),
    FailureMode(
        "same-name-different-content",
        Page(
            title="one name, two contents",
            symptom="The command refuses a segment, for the object of its name has other bytes.",
            cause="Split brain, a snapshot that was rolled back, a second server.",
            signal=(
                "The object against the file in pg_wal (SHA-256): of a segment that fails all of it, of the "
                "newest that was archived its first KiB, while pg_wal has it. Or two keys of one segment."
            ),
            fix=(
                "Stop and investigate: which server is right? Then archive under a new prefix, with a new "
                "base backup."
            ),
            never="Overwrite nothing: it may be the only copy of what users saw committed.",
            source="pgbackrest#1753, #2629",
        ),
        look=different_content,
        explains=("stuck-on-existing", "failing", "stalled"),
    ),
    FailureMode(
        "dr-behind",
        Page(
            title="the DR copy lacks more than it should",
            symptom="More than five segments, the oldest for more than a quarter of an hour.",
            cause="Whatever copies to the other region has stopped, or is too slow.",
            signal="Both listings, segment by segment.",
            fix="Copy what is missing (`f`, the step `mend-holes`), and see to what copies.",
        ),
        look=dr_behind,
        late=Late.COPY,
        untried="the oldest that lacks must be a quarter of an hour old, and no store lets its times be set",
    ),
)

"""WAL that a base backup needs which is kept elsewhere: its .backup label names it, the listing lacks it."""

from collections.abc import Iterator

from walconsole.domain.facts.observed import BucketFacts
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.failures.recovery import TAKE_ONE, wal_gone
from walconsole.domain.recovery.backups import BaseBackup, Writer
from walconsole.domain.standing.assessment import Assessment
from walconsole.domain.standing.copies import copies
from walconsole.domain.standing.mode import FailureMode, Page, Risk
from walconsole.domain.standing.model import Certainty, Finding, Fix, Proof, Severity
from walconsole.domain.wal import Segment, wal_name


def any_wal_gone(assessment: Assessment) -> Iterator[Finding]:
    """What the newest base backup needs, whether it lies here or its label alone."""
    yield from wal_gone(assessment)
    yield from _labelled_wal_gone(assessment)


def _labelled_wal_gone(assessment: Assessment) -> Iterator[Finding]:
    """Of the newest label, where there are labels alone: the archive begins after the segment it names.

    PostgreSQL archives a label for each base backup (backup history file): where the backup is, it does not
    say, but from which segment on it must be replayed.
    """
    snapshot, restorable = assessment.snapshot, assessment.recovery
    if restorable is None or not restorable.found.listed or restorable.left_out:
        return
    made = [each.backup for each in restorable.found.backups]
    size = restorable.found.cluster.segment_bytes
    if not made or any(each.writer is not Writer.LABEL for each in made):
        return
    newest = max(made, key=lambda each: (each.start_lsn or 0, each.timeline or 0))
    first = newest.first_segment(size)
    begin = [
        _oldest(bucket, size) for _, reading in copies(snapshot) if (bucket := reading.value) is not None
    ]
    if first is None or not begin or not all(each is not None and first < each for each in begin):
        return
    oldest = min(each for each in begin if each is not None)
    yield Finding(
        "wal-before-backup-gone",
        Severity.CRITICAL if snapshot.told.expect_base_backups else Severity.NOTE,
        f"the WAL that the newest base backup needs is gone: it begins with {first.name(size)}, and the "
        f"archive with {oldest.name(size)}",
        (
            f"its .backup label is in the archive ({_called(newest)}); where it is kept itself is not known",
            "WAL before it was deleted: a clean-up by age or by count (find -mtime, pg_archivecleanup)",
        ),
        "take a base backup now; then let the clean-up delete only what is older than the oldest base backup "
        "that is kept: pg_archivecleanup takes the name of its .backup label",
        Snapshot.primary,
        proof=tuple(
            Proof(f"oldest segment {bucket.oldest_segment}", reading.source, reading.read_at)
            for _, reading in copies(snapshot)
            if (bucket := reading.value) is not None
        ),
        fixes=(
            Fix(
                "see what deletes there",
                (
                    "grep -rnE 'pg_archivecleanup|find .*-delete|find .*-mtime' /etc/cron* /var/spool/cron",
                    "systemctl list-timers",
                ),
            ),
        ),
        certainty=Certainty.LIKELY,
        surer="a newer base backup without a label (a disk snapshot) is not seen here",
    )


def _oldest(bucket: BucketFacts, segment_bytes: int) -> Segment | None:
    named = wal_name(bucket.oldest_segment, segment_bytes) if bucket.complete else None
    return named.segment if named is not None else None


def _called(backup: BaseBackup) -> str:
    return backup.label or backup.id


MODES: tuple[FailureMode, ...] = (
    FailureMode(
        "wal-before-backup-gone",
        Page(
            title="the WAL that the base backup needs is gone",
            symptom="The base backup is whole, and the restored server does not become consistent.",
            cause=(
                "A base backup is usable only with all WAL from its start to its stop. Something deleted "
                "that: a lifecycle rule that counts days, a clean-up by age, a hand."
            ),
            signal=(
                "The segments that it needs, in the index of the copies that a restore reads. Where .backup "
                "labels alone tell of base backups: the archive begins after what the newest names."
            ),
            fix="Copy the segments back from the other copy, or from older versions of the objects. Else:\n\n"
            + TAKE_ONE,
            never="Do not delete WAL by its age: delete it by the oldest base backup that is kept.",
            source="wal-g#1869; plugin-barman-cloud#779",
        ),
        look=any_wal_gone,
        risk=Risk.BASE,
    ),
)

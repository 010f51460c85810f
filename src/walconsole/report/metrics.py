"""The numbers of a snapshot, named and with their units, for whatever reads numbers."""

from collections.abc import Iterator

from walconsole.domain.facts.observed import BucketFacts
from walconsole.domain.facts.snapshot import Reading, Snapshot
from walconsole.domain.standing.archiver import last_failure_age, last_success_age, oldest_wait_s, ready_count
from walconsole.domain.standing.assessment import Assessment
from walconsole.domain.standing.copies import stored_age
from walconsole.domain.standing.exposure import exposure
from walconsole.domain.standing.model import Diagnosis, Level
from walconsole.domain.standing.unseen import ASKED, NEEDED, unanswered
from walconsole.report.drills import drill_metrics
from walconsole.report.metric import Kind, Metric, known
from walconsole.report.recovery import recovery_metrics, running_metrics
from walconsole.report.storage import storage_metrics

LEVELS = {Level.OK: 0, Level.WARNING: 1, Level.CRITICAL: 2, Level.UNKNOWN: 3}
"""Exit codes as monitoring plugins have them (Monitoring Plugins Development Guidelines)."""


def metrics(snapshot: Snapshot, diagnosis: Diagnosis, now: float) -> tuple[Metric, ...]:
    """All that are known at `now`, in a fixed order: what matters least comes last."""
    assessment = Assessment(snapshot, now)
    return (
        *_verdict(diagnosis),
        *_seen(snapshot),
        *_archiver(snapshot, now),
        *_exposure(snapshot, now),
        *_disk(snapshot, now),
        *_folders(snapshot),
        *_bucket(snapshot.primary, "primary", now),
        *_bucket(snapshot.dr, "dr", now),
        *recovery_metrics(assessment),
        *running_metrics(assessment),
        *drill_metrics(assessment),
        *_host(snapshot),
        *storage_metrics(snapshot, now),
    )


def _verdict(diagnosis: Diagnosis) -> Iterator[Metric]:
    level = LEVELS[diagnosis.verdict.level]
    yield Metric("status", level, "The verdict: 0 ok, 1 warning, 2 critical, 3 unknown.")
    yield Metric("findings", len(diagnosis.findings), "How many findings there are.")


def _seen(snapshot: Snapshot) -> Iterator[Metric]:
    missing = {each.slot for each in unanswered(snapshot)}
    for slot in (each for each in (*NEEDED, *ASKED) if each in snapshot.slots):
        labels = (("source", slot.name),)
        yield Metric("source_seen", int(slot not in missing), "1: the verdict rests on it.", labels=labels)


def _archiver(snapshot: Snapshot, now: float) -> Iterator[Metric]:
    row = snapshot.archiver.value
    if row is None:
        return
    counter = Kind.COUNTER
    yield Metric(
        "archived_total", row.archived_count, "WAL files archived since the statistics' reset.", counter
    )
    yield Metric("failed_total", row.failed_count, "Failures counted since the statistics' reset.", counter)
    yield from known("last_archived_age_seconds", last_success_age(snapshot, now), "Since the last success.")
    yield from known(
        "last_failed_age_seconds", last_failure_age(snapshot, now), "Since the last counted failure."
    )
    yield from known("ready_files", ready_count(snapshot), "WAL files that wait to be archived.")
    yield from known(
        "oldest_ready_age_seconds", oldest_wait_s(snapshot, now), "How long the first of them waits."
    )


def _exposure(snapshot: Snapshot, now: float) -> Iterator[Metric]:
    lost = exposure(snapshot, now)
    if lost is None:
        return
    yield Metric("unarchived_bytes", lost.bytes, "WAL that would be lost with the disk now.")
    yield Metric("unarchived_segments", lost.segments, "Complete segments of it.")
    yield from known("recovery_point_age_seconds", lost.seconds, "The age of the oldest of it, at most.")


def _disk(snapshot: Snapshot, _now: float) -> Iterator[Metric]:
    disk = snapshot.wal_disk.value
    if disk is None:
        return
    yield Metric("wal_disk_free_bytes", disk.free_bytes, "Free on the file system of pg_wal.")
    yield Metric("wal_disk_size_bytes", disk.total_bytes, "Its size.")
    yield from known("pg_wal_bytes", disk.wal_bytes, "What the segments in pg_wal take.")


def _folders(snapshot: Snapshot) -> Iterator[Metric]:
    facts = snapshot.folders.value
    for folder in facts.folders if facts is not None else ():
        labels = (("folder", folder.path),)
        for name, value, what in (
            ("archive_folder_free_bytes", folder.free_bytes, "Free where the archive's folder is."),
            ("archive_folder_free_inodes", folder.free_inodes, "Inodes that are free there."),
        ):
            if value is not None:
                yield Metric(name, value, what, labels=labels)


def _bucket(reading: Reading[BucketFacts], copy: str, now: float) -> Iterator[Metric]:
    labels = (("copy", copy),)
    bucket = reading.value
    yield Metric(
        "bucket_readable",
        int(reading.problem is None and bucket is not None),
        "1: it was read.",
        labels=labels,
    )
    if bucket is None:
        return
    yield Metric("bucket_segments", bucket.segments, "Distinct WAL segments in it.", labels=labels)
    yield Metric("bucket_stored_bytes", bucket.stored_bytes, "What all in it takes.", labels=labels)
    yield Metric("bucket_gaps", bucket.gap_count, "Stretches that are missing.", labels=labels)
    yield Metric("bucket_missing_segments", bucket.missing_segments, "Segments in them.", labels=labels)
    if bucket.newest_at is not None:
        age = stored_age(bucket, bucket.newest_at, now)
        yield Metric("bucket_newest_age_seconds", age, "Since its newest segment was stored.", labels=labels)


def _host(snapshot: Snapshot) -> Iterator[Metric]:
    host = snapshot.host.value
    if host is not None:
        yield Metric("clock_offset_seconds", host.clock_offset_s, "How far the droplet's clock is ahead.")

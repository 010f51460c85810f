"""What is lost or in danger: the recovery point, the disk, the stretch that cannot be recovered."""

from collections.abc import Iterator, Set

from walconsole.domain.archive.losses import open_ones
from walconsole.domain.standing.assessment import Assessment
from walconsole.domain.standing.copies import gap_text, lost_text, settled
from walconsole.domain.standing.mode import Risk
from walconsole.domain.units import bytes_text, plural, whole_duration_text

_CALM = "the disk is not filling at the moment"


def at_risk(risks: Set[Risk], assessment: Assessment) -> tuple[str, ...]:
    """A line for each danger that these mean, the nearest first."""
    lines: list[str] = []
    if risks & {Risk.STOPPED, Risk.OFF, Risk.SLOW}:
        lines += _recovery_point(assessment, stopped=bool(risks & {Risk.STOPPED, Risk.OFF}))
    if risks & {Risk.DISK, Risk.SLOW} or (Risk.STOPPED in risks and Risk.OFF not in risks):
        lines += _disk(assessment)
    if Risk.REPLAY in risks:
        lines += _unrecoverable(assessment)
    if Risk.BASE in risks:
        lines.append("nothing can be restored: WAL replay needs a base backup to begin from")
    return tuple(lines)


def is_calm(line: str) -> bool:
    """Whether a line tells of something that is not at risk."""
    return line.startswith(_CALM)


def _recovery_point(assessment: Assessment, *, stopped: bool) -> Iterator[str]:
    lost = assessment.exposure
    if lost is None:
        yield "lost with the disk now: everything, for nothing is known to be in the archive"
        return
    span = "" if lost.seconds is None else f", {whole_duration_text(lost.seconds)} of writes"
    growing = ", and it grows" if stopped else ""
    segments = plural(lost.segments, "segment")
    yield f"lost with the disk now: {bytes_text(lost.bytes)}{span} ({segments}){growing}"


def _disk(assessment: Assessment) -> Iterator[str]:
    outlook, disk = assessment.outlook, assessment.snapshot.wal_disk.value
    if disk is None:
        yield "time until the disk is full: not known, for pg_wal's file system cannot be read"
    elif outlook is not None and outlook.full_in_s is not None:
        yield (
            f"the disk is full in {outlook.full_in_text} at this rate "
            f"({bytes_text(disk.free_bytes)} free); then PostgreSQL stops"
        )
    else:
        yield f"{_CALM} ({bytes_text(disk.free_bytes)} free)"


def _unrecoverable(assessment: Assessment) -> Iterator[str]:
    snapshot, bucket = assessment.snapshot, assessment.snapshot.primary.value
    gone = open_ones(bucket.lost) if bucket is not None and bucket.complete else ()
    if gone:
        yield f"no recovery to any time within what is gone: {lost_text(gone)}"
    lost = settled(snapshot, bucket, assessment.now) if bucket is not None and bucket.complete else None
    if lost is not None:
        yield (
            f"recovery stops before {gap_text(lost.newest)}: "
            "from a base backup older than that, nothing later can be reached"
        )

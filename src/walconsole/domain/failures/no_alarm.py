"""What was considered and is no alarm: said when somebody looks, never reported."""

from collections.abc import Iterator

from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.standing.archiver import (
    ArchiverState,
    is_failing,
    last_success_age,
    nothing_due_yet,
    ready_count,
)
from walconsole.domain.standing.assessment import Assessment
from walconsole.domain.standing.mode import FailureMode, Page
from walconsole.domain.units import duration_text, plural

_OLD_S = 300.0


def considered(assessment: Assessment) -> Iterator[tuple[str, str]]:
    """The page's id and one sentence, for each that applies now."""
    snapshot, now = assessment.snapshot, assessment.now
    archiver, bucket = snapshot.archiver.value, snapshot.primary.value
    if archiver is not None:
        age = last_success_age(snapshot, now)
        if assessment.state is ArchiverState.IDLE and age is not None and age > _OLD_S:
            old = f"the last success is {duration_text(age)} old"
            yield "idle-looks-stale", f"{old}: the server is idle, and all it wrote is archived"
        if archiver.failed_count and not is_failing(archiver):
            failed = plural(archiver.failed_count, "failure")
            yield "red-forever", f"{failed} counted since the reset, all before the last success"
        if archiver.last_archived_at is None and nothing_due_yet(snapshot, now):
            yield "first-minute", "nothing was archived yet, and nothing was due"
        elif archiver.last_archived_at is None and bucket is not None and bucket.segments:
            yield "counters-reset", "the counters are at zero, and the bucket holds what came before"
        waiting = ready_count(snapshot)
        if waiting:
            yield (
                "too-slow",
                f"{plural(waiting, 'segment waits', 'segments wait')}, and will be archived in a moment",
            )
    if bucket is not None:
        yield from _of_the_bucket(snapshot)


def _of_the_bucket(snapshot: Snapshot) -> Iterator[tuple[str, str]]:
    bucket = snapshot.primary.value
    if bucket is None:
        return
    if bucket.partials:
        yield "partial-beside-segment", f"{plural(bucket.partials, '.partial file')} beside the segments"
    if bucket.histories:
        yield (
            "clean-promotion",
            f"{plural(len(bucket.histories), 'timeline switch', 'timeline switches')}, unbroken",
        )
    if bucket.accepted_gaps:
        yield "accepted-gap", f"{plural(len(bucket.accepted_gaps), 'gap')} that somebody accepted"
    if bucket.other_archives:
        yield "other-prefix", f"{plural(len(bucket.other_archives), 'other archive')} in the bucket"


MODES: tuple[FailureMode, ...] = (
    FailureMode(
        "idle-looks-stale",
        Page(
            title="an idle server's last success is old",
            symptom="last_archived_time is hours or days old.",
            cause="archive_timeout switches a segment only after something was written.",
            signal=(
                "The write position against the end of the last archived segment: nothing worth a switch "
                "was written."
            ),
            fix="Age alone proves nothing: positions are compared, not ages.",
            source="PostgreSQL's documentation of archive_timeout",
        ),
    ),
    FailureMode(
        "red-forever",
        Page(
            title="failed_count is above zero long after recovery",
            symptom="Hundreds of failures in pg_stat_archiver.",
            cause="The counter is cumulative, and is never reset by itself.",
            signal="last_failed_time against last_archived_time, and whether the file still waits.",
            fix="Nothing is needed. `SELECT pg_stat_reset_shared('archiver');` sets it back.",
            source="cloudnative-pg#3674, #9101",
        ),
    ),
    FailureMode(
        "counters-reset",
        Page(
            title="archived_count = 0 on a server that archives",
            symptom="pg_stat_archiver is empty.",
            cause="Somebody reset the statistics, or a crash lost them.",
            signal="The bucket holds what came right before the current segment.",
            fix="The bucket is the proof, not the counter.",
        ),
    ),
    FailureMode(
        "clean-promotion",
        Page(
            title="a new timeline after a promotion",
            symptom="The names change, a .history and a .partial appear.",
            cause="A standby was promoted.",
            signal="The .history file is in the archive, and WAL is unbroken across the switch.",
            fix="A restore follows the history.",
        ),
    ),
    FailureMode(
        "partial-beside-segment",
        Page(
            title="a .partial file beside its segment",
            symptom="SEGMENT.partial in the bucket.",
            cause=(
                "A promoted server archives what it had of its old timeline's last segment under this name."
            ),
            signal="The whole segment of that number is on the new timeline.",
            fix="Nothing reads it unless you ask for it.",
        ),
    ),
    FailureMode(
        "accepted-gap",
        Page(
            title="a gap that somebody accepted",
            symptom="A hole in the strip, marked.",
            cause="An operator said on the archive screen that it is known and lost.",
            signal="The register of accepted gaps.",
            fix="It stays visible, and is no finding. One that grows is open again.",
        ),
    ),
    FailureMode(
        "first-minute",
        Page(
            title="nothing was archived yet",
            symptom="archived_count = 0 right after a start.",
            cause="The server has run for less than a minute and an archive_timeout, and nothing waits.",
            signal="The server's start, and the backlog.",
            fix="Nothing was due. After that it is told (never-archived).",
        ),
    ),
    FailureMode(
        "other-prefix",
        Page(
            title="another cluster's WAL under another prefix",
            symptom="The bucket holds more than this archive.",
            cause="Several clusters share a bucket, each with a folder of its own.",
            signal="System identifiers and folders.",
            fix="The archive that is this server's is judged, the others are named.",
        ),
    ),
)

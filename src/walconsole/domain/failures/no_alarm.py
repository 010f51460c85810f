"""What was considered and is no alarm: said when somebody looks, never reported."""

from collections.abc import Iterator

from walconsole.domain.snapshot import Snapshot
from walconsole.domain.standing.archiver import (
    ArchiverState,
    is_failing,
    last_success_age,
    nothing_due_yet,
    ready_count,
    state,
)
from walconsole.domain.units import duration_text, plural

_OLD_S = 300.0


def calm(snapshot: Snapshot, now: float) -> Iterator[tuple[str, str]]:
    """The page's id and one sentence, for each that applies now."""
    archiver, bucket = snapshot.archiver.value, snapshot.primary.value
    if archiver is not None:
        age = last_success_age(snapshot, now)
        if state(snapshot, now) is ArchiverState.IDLE and age is not None and age > _OLD_S:
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

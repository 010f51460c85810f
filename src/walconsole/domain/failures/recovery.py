"""Whether anything can be restored: base backups, whole or not, and the WAL that each of them needs."""

from collections.abc import Iterator

from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.failures.sealed_list import sealed_list
from walconsole.domain.profile import BucketRole
from walconsole.domain.recovery.backups import BaseBackup, Writer
from walconsole.domain.recovery.held import Stop, StopKind
from walconsole.domain.recovery.recoverability import Recoverability
from walconsole.domain.recovery.words import (
    DAY_S,
    Limits,
    gone,
    nearest_stop,
    newest_unusable,
    not_taken_here,
    stale,
)
from walconsole.domain.standing.assessment import Assessment
from walconsole.domain.standing.copies import copies
from walconsole.domain.standing.mode import FailureMode, Page, Risk
from walconsole.domain.standing.model import Certainty, Finding, Fix, Proof, Severity
from walconsole.domain.standing.recovery import Restorable, kept_elsewhere
from walconsole.domain.standing.remedies import base_backup, copied_by, copy_missing
from walconsole.domain.standing.streaming import keeps_wal_alone
from walconsole.domain.units import bytes_text, plural

_WAL = frozenset(
    {
        StopKind.SEGMENT_MISSING,
        StopKind.SEGMENT_DAMAGED,
        StopKind.HISTORY_MISSING,
        StopKind.OTHER_BRANCH,
    }
)
"""What is wrong with the WAL, not with the backup."""
_UNDECIDED = frozenset({StopKind.NOT_KNOWN, StopKind.HISTORY_UNREAD})


_TAKE_ONE = "take a base backup now, and one every night; a logical dump (pg_dump) is none"


def no_base_backup(assessment: Assessment) -> Iterator[Finding]:
    """There is none that is known, or only a sign that one was made: WAL alone restores nothing."""
    snapshot, restorable = assessment.snapshot, assessment.recovery
    if restorable is None or not snapshot.told.expect_base_backups or not restorable.found.listed:
        return
    found = restorable.found
    if found.unreadable:
        return
    if any(each.backup.writer is not Writer.LABEL for each in found.backups):
        yield from _in_one_copy(snapshot, restorable)
        return
    tool = _kept_elsewhere(snapshot)
    if (found.backups and not gone(found)) or tool:
        where = f"{tool} keeps its own elsewhere" if tool else ".backup labels say that some were made"
        yield Finding(
            "no-base-backup",
            Severity.NOTE,
            f"no base backup lies where the profile points to: {where}",
            _held(snapshot),
            "let the profile's prefix take in the base backups; where they are kept elsewhere for good, say "
            "expect_base_backups = false in the profile",
            Snapshot.primary,
            proof=tuple(_listings(snapshot)),
            certainty=Certainty.POSSIBLE,
            surer="restore from one of them, elsewhere",
        )
        return
    alone = keeps_wal_alone(snapshot)
    if alone and not found.backups:
        yield _beside_a_receiver(snapshot, found, alone)
        return
    why_not = not_taken_here(snapshot.server.value.tablespaces if snapshot.server.value is not None else 0)
    yield Finding(
        "no-base-backup",
        Severity.WARNING if restorable.left_out else Severity.CRITICAL,
        "there is no base backup: NOTHING can be restored",
        (*_held(snapshot), *([why_not] if why_not else [])),
        'have pgBackRest take them, which stores tablespaces: engine = "pgbackrest" in the profile'
        if why_not
        else _TAKE_ONE + _by_what(snapshot),
        Snapshot.primary,
        proof=tuple(_listings(snapshot)),
        fixes=() if why_not else (_take_one(snapshot, found),),
        certainty=Certainty.LIKELY if restorable.left_out else Certainty.PROVED,
        surer=_left_out(restorable) or "one that is kept elsewhere, or a disk snapshot, is not seen here",
    )


def _by_what(snapshot: Snapshot) -> str:
    tool = copied_by(snapshot)
    if not tool:
        return ""
    return (
        f". {tool} takes none: have walconsole archive and take them (walconsole provision), or take them by "
        "pg_basebackup, keep them elsewhere, and say expect_base_backups = false in the profile"
    )


def _beside_a_receiver(snapshot: Snapshot, found: Recoverability, receiver: str) -> Finding:
    """pg_receivewal is often beside a nightly pg_basebackup, whose folder says nothing of itself."""
    return Finding(
        "no-base-backup",
        Severity.WARNING,
        f"no base backup is seen where {receiver} keeps WAL: without one nothing can be restored",
        (
            *_held(snapshot),
            "pg_receivewal keeps WAL alone; a folder that pg_basebackup made is not found here",
        ),
        "let a tool take them whose base backups are seen (walconsole's own, pgBackRest, Barman, WAL-G), "
        "below the same prefix; where they are kept elsewhere, say expect_base_backups = false in the "
        "profile",
        Snapshot.primary,
        proof=tuple(_listings(snapshot)),
        fixes=(_take_one(snapshot, found),),
        certainty=Certainty.POSSIBLE,
        surer="a base backup that is kept elsewhere is not seen here: restore from one",
    )


def _in_one_copy(snapshot: Snapshot, restorable: Restorable) -> Iterator[Finding]:
    """The installed script stores into both copies: the one that has none is of no use without the other."""
    held = {role: _ours_in(restorable.found, role) for role in BucketRole}
    ours = [backup for role in BucketRole for backup in held[role]]
    for _, reading in copies(snapshot):
        bucket = reading.value
        if not ours or bucket is None or reading.problem is not None or held[bucket.role]:
            continue
        yield Finding(
            "no-base-backup",
            Severity.WARNING,
            f"{bucket.bucket} holds no complete base backup: it alone restores nothing",
            tuple(_of(ours[-1])),
            "see what the base backup's last run said of that copy, and take one into both",
            reading.slot,
            proof=tuple(_listings(snapshot)),
            fixes=(_take_one(snapshot),),
        )


def broken(assessment: Assessment) -> Iterator[Finding]:
    """The newest base backup is of no use, or a description cannot be read."""
    snapshot, restorable = assessment.snapshot, assessment.recovery
    if restorable is None or not restorable.found.listed:
        return
    sealed = [each for each in restorable.found.unreadable if each.sealed is not None]
    if sealed:
        yield sealed_list(snapshot, sealed[0])
    plain = [each for each in restorable.found.unreadable if each.sealed is None]
    for key, why in sorted({(each.key, each.why) for each in plain})[:1]:
        yield Finding(
            "backup-broken",
            Severity.WARNING,
            f"what {key} says of its base backup cannot be read",
            (f"{key}: {why}",),
            "look at it; where the backup cannot be told to be whole, take a new one",
            Snapshot.primary,
            proof=(Proof(f"{key}: {why}", "S3 GET", snapshot.primary.read_at),),
            fixes=(_take_one(snapshot),),
        )
    unusable = _unusable(restorable, assessment.now)
    if unusable is None:
        return
    backup, stop = unusable
    if stop.kind in _WAL or stop.kind in _UNDECIDED:
        return
    yield Finding(
        "backup-broken",
        _severity(restorable),
        f"the newest base backup {backup.id} is of no use: {stop.text}",
        (*_of(backup), *_thought(restorable)),
        "take a new base backup, and find out what ended this one or changed it",
        Snapshot.primary,
        proof=tuple(_objects(snapshot, backup)),
        fixes=(_take_one(snapshot, restorable.found),),
        surer=_left_out(restorable),
    )


def wal_gone(assessment: Assessment) -> Iterator[Finding]:
    """WAL that the newest base backup needs from its start on is gone: it cannot be opened."""
    snapshot, restorable = assessment.snapshot, assessment.recovery
    if restorable is None or not restorable.found.listed:
        return
    yield from _accepted(assessment, restorable.found)
    unusable = _unusable(restorable, assessment.now)
    if unusable is None or unusable[1].kind not in _WAL:
        return
    backup, stop = unusable
    first, last = (
        segment.name(restorable.found.cluster.segment_bytes) if segment is not None else "n/a"
        for segment in (
            backup.first_segment(restorable.found.cluster.segment_bytes),
            backup.last_segment(restorable.found.cluster.segment_bytes),
        )
    )
    yield Finding(
        "wal-before-backup-gone",
        _severity(restorable),
        f"the newest base backup {backup.id} cannot be opened: {stop.text}",
        (f"it needs all WAL from {first} to {last}", *_of(backup), *_thought(restorable)),
        "copy the segments back from the other copy or an older version of the objects; else take a new base "
        "backup now. Find out what deletes WAL: a lifecycle rule, a clean-up by age",
        Snapshot.primary,
        proof=tuple(_listings(snapshot)),
        fixes=(
            Fix(
                "copy them back from the other bucket, where that still holds them",
                tuple(
                    command
                    for _, reading in copies(snapshot)
                    if reading.value is not None
                    for command in copy_missing(snapshot, reading.value)
                ),
                risk="stop whatever deletes them first",
            ),
            _take_one(snapshot, restorable.found),
        ),
        surer=_left_out(restorable),
    )


def _accepted(assessment: Assessment, found: Recoverability) -> Iterator[Finding]:
    """A gap that somebody accepted, and after which no base backup was taken: it is no `gap` any more."""
    snapshot, window = assessment.snapshot, found.window
    bucket, stop = snapshot.primary.value, window.stop if window is not None else None
    path = bucket.continuity if bucket is not None else None
    if path is None or stop is None:
        return
    if any(gap.first <= stop.first <= gap.last for gap in path.accepted_gaps):
        yield Finding(
            "wal-before-backup-gone",
            Severity.CRITICAL,
            assessment.recovery_line.text,
            ("the gap was accepted on the archive screen, and no base backup was taken since",),
            "take a base backup now: what is written after an accepted gap needs one from after it",
            Snapshot.primary,
            proof=tuple(_listings(snapshot)),
            fixes=(_take_one(snapshot),),
        )


def old(assessment: Assessment) -> Iterator[Finding]:
    """A restore works, and would have to replay very much."""
    snapshot, restorable = assessment.snapshot, assessment.recovery
    if restorable is None:
        return
    bucket = snapshot.primary.value
    offset = (bucket.store_clock_offset_s or 0.0) if bucket is not None else 0.0
    said = stale(restorable.found, assessment.now + offset, Limits())
    newest = restorable.found.newest_usable
    if said is None or newest is None:
        yield from _old_in_one_copy(snapshot, restorable, assessment.now + offset)
        return
    yield Finding(
        "backup-stale",
        Severity.WARNING,
        said.text,
        (*_of(newest.held.backup), *_thought(restorable)),
        "take a new base backup, and see why the schedule does not",
        Snapshot.primary,
        since=newest.held.backup.stopped,
        proof=tuple(_objects(snapshot, newest.held.backup)),
        fixes=(
            _take_one(snapshot),
            Fix(
                "see when the schedule ran last, and what it said",
                (
                    f"systemctl list-timers {snapshot.profile_name}-base-backup.timer",
                    f"journalctl -u {snapshot.profile_name}-base-backup -n 50",
                ),
            ),
        ),
    )


def _old_in_one_copy(snapshot: Snapshot, restorable: Restorable, now: float) -> Iterator[Finding]:
    """The other copy gets new ones: the script ends with 5 every night."""
    for _, reading in copies(snapshot):
        bucket = reading.value
        held = [] if bucket is None else _ours_in(restorable.found, bucket.role)
        stopped = held[-1].stopped if held else None
        if bucket is None or reading.problem is not None or stopped is None:
            continue
        age = now - stopped
        if age > Limits().oldest_backup_s:
            yield Finding(
                "backup-stale",
                Severity.WARNING,
                f"the newest base backup in {bucket.bucket} is {int(age // DAY_S)} d old",
                tuple(_of(held[-1])),
                "see what the base backup's last run said of that copy, and take one into both",
                reading.slot,
                since=stopped,
                proof=tuple(_objects(snapshot, held[-1])),
                fixes=(_take_one(snapshot),),
            )


def _ours_in(found: Recoverability, role: BucketRole) -> list[BaseBackup]:
    """The installed script's that can be used and lie whole in that copy, by their stops."""
    usable = found.window.backups if found.window is not None else ()
    return [
        each.held.backup
        for each in usable
        if each.held.backup.writer is Writer.OURS and role in each.held.complete_in
    ]


def _unusable(restorable: Restorable, now: float) -> tuple[BaseBackup, Stop] | None:
    """The newest backup that is of no use, where it is newer than all that are."""
    found: Recoverability = restorable.found
    if found.window is not None:
        newest = newest_unusable(found, found.window, now, Limits())
    else:
        newest = nearest_stop(found)
    return None if newest is None else (newest[0].held.backup, newest[1])


def _severity(restorable: Restorable) -> Severity:
    if restorable.found.window is not None or restorable.left_out or restorable.found.unreadable:
        return Severity.WARNING
    return Severity.CRITICAL


def _kept_elsewhere(snapshot: Snapshot) -> str:
    bucket = snapshot.primary.value
    return kept_elsewhere(bucket) if bucket is not None else ""


def _held(snapshot: Snapshot) -> tuple[str, ...]:
    return tuple(
        f"{plural(bucket.segments, 'segment')} and {plural(bucket.backup_labels, '.backup label')} in "
        f"{bucket.bucket}, no base backup of a known tool (S3 LIST)"
        for _, reading in copies(snapshot)
        if (bucket := reading.value) is not None
    )


def _listings(snapshot: Snapshot) -> Iterator[Proof]:
    for _, reading in copies(snapshot):
        if (bucket := reading.value) is not None and reading.problem is None:
            backups = len(bucket.backups or ())
            text = f"{plural(bucket.objects, 'object')} in {bucket.bucket}, {plural(backups, 'base backup')}"
            yield Proof(text, reading.source, reading.read_at)


def _objects(snapshot: Snapshot, backup: BaseBackup) -> Iterator[Proof]:
    for _, reading in copies(snapshot):
        bucket = reading.value
        for same in () if bucket is None else bucket.backups or ():
            if isinstance(same, BaseBackup) and same.name == backup.name:
                text = f"{', '.join(same.keys) or same.id}: {same.completeness}{same.why and f', {same.why}'}"
                yield Proof(text, reading.source, reading.read_at)


def _of(backup: BaseBackup) -> Iterator[str]:
    size = "" if backup.stored_bytes is None else f", {bytes_text(backup.stored_bytes)} stored"
    yield f"{backup.id} by {backup.writer} in {backup.place or 'the bucket'}{size}"


def _thought(restorable: Restorable) -> Iterator[str]:
    """What is known of the restore command, or was taken for granted where the server has none."""
    if restorable.configured:
        read = " and ".join(role.value for role in restorable.found.read)
        yield f"the server's restore_command reads the {read} {'copies' if restorable.reads_both else 'copy'}"
    elif restorable.reads_both:
        yield "the restore command is thought to be the installed one, which reads both copies"
    elif len(restorable.found.read) == 1:
        yield f"the restore command is thought to read the {restorable.found.read[0]} copy alone"


def _left_out(restorable: Restorable) -> str:
    unread = " and ".join(reading.slot.words for reading in restorable.left_out)
    return f"{unread} could not be read, and may hold more" if unread else ""


def _take_one(snapshot: Snapshot, found: Recoverability | None = None) -> Fix:
    """One more; where nothing that was `found` can be restored, with its schedule."""
    return base_backup(
        snapshot, step="first-backup" if found is not None and found.window is None else "backup-now"
    )


TAKE_ONE = """```
sudo -u postgres /usr/local/bin/NAME-base-backup --fast
```

and every night from then on: `walconsole provision` installs the script and its schedule."""

MODES: tuple[FailureMode, ...] = (
    FailureMode(
        "no-base-backup",
        Page(
            title="WAL is archived, and there is nothing to replay it onto",
            symptom="Months of WAL, and no point-in-time recovery.",
            cause="No physical base backup was taken. A logical dump (pg_dump) is none.",
            signal=(
                "No base backup of a known tool is in either bucket, below the profile's prefix. A .backup "
                "label says that one was made, not where it is, but for one of the installed script's, which "
                "stores nowhere else; a disk snapshot leaves nothing to be seen. Where the script's backups "
                "are in one copy alone, it is a warning. "
                "Where they are kept elsewhere, `expect_base_backups = false` in the profile says so."
            ),
            fix=TAKE_ONE,
            source="a restore runbook that needed one which nothing ever took",
        ),
        look=no_base_backup,
        risk=Risk.BASE,
    ),
    FailureMode(
        "backup-broken",
        Page(
            title="the newest base backup is of no use",
            symptom="A backup is there every night, and a restore from it fails.",
            cause=(
                "Its run was ended before it wrote its last object; an object of it was deleted or cut; an "
                "incremental one lacks the one that it builds upon; or another cluster's lies there."
            ),
            signal=(
                "What its own description names is compared with the listing: each object and its size, the "
                "system identifier, the major version. One that was begun less than a day ago may still run. "
                "A list that pgBackRest encrypts is no fault, and a note: its own program is asked for it."
            ),
            fix=TAKE_ONE,
            never="Do not delete the older ones: they are what can be restored.",
            source="a pg_basebackup that was killed, whose truncated stream zstd took for whole",
        ),
        look=broken,
        explains=("own-list-differs",),
        risk=Risk.BASE,
    ),
    FailureMode(
        "backup-stale",
        Page(
            title="the newest base backup is old",
            symptom="A restore works, and takes hours or days: it replays all WAL since the base backup.",
            cause="The schedule does not run, or each of its runs fails.",
            signal=(
                "The newest base backup from which replay reaches now was made more than eight days ago; or "
                "the installed script's newest in one of the two copies."
            ),
            fix=TAKE_ONE,
            source="barman#943 (a restore that replayed for 24 hours)",
        ),
        look=old,
    ),
)

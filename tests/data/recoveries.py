"""Snapshots for the recovery screen: base backups of ten days, holes, two timelines, hostile names."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from tests.data import facts
from tests.data.archives import DR_RUNS, NEWEST, PRIMARY_RUNS, Intervals, bucket_of, of, stored_at
from tests.data.facts import MIB, NOW, SEGMENT
from tests.data.snapshots import HOSTILE, problem
from walconsole.domain.archive.holding import Holding
from walconsole.domain.facts.base_backups import BackupScript, BackupSession, BackupSessions
from walconsole.domain.facts.observed import BucketFacts
from walconsole.domain.facts.snapshot import Snapshot, Told, fold
from walconsole.domain.profile import BucketRole
from walconsole.domain.recovery.backups import BaseBackup, Completeness, Unreadable, Writer
from walconsole.domain.recovery.keep import Keep
from walconsole.domain.recovery.running import ARCHIVING, SENDING, BackupRunStatus

WHOLE: Intervals = {1: ((0x100, 0x2F10),), 2: ((0x2F10, NEWEST.number),)}
BEHIND: Intervals = {1: ((0x100, 0x2F10),), 2: ((0x2F10, NEWEST.number - 41),)}
PROGRAM = "/usr/local/bin/archive_command.sh"
"""What the settings' archive command runs: taken for the installed one."""
BEGUN = (0x120, 0x900, 0x1300, 0x1A00, 0x2100, 0x2900, 0x3200, 0x3800)
"""The segments in which the base backups begin."""


def base_at(number: int, **changes: Any) -> BaseBackup:
    """A base backup of ours that was begun in that segment, and stopped two segments later."""
    started = stored_at(number)
    id = datetime.fromtimestamp(started, UTC).strftime("%Y%m%dT%H%M%SZ")
    timeline = 2 if number > 0x2F10 else 1
    made = facts.backup(
        id=id,
        timeline=timeline,
        stop_timeline=timeline,
        start_lsn=number * SEGMENT + 40,
        stop_lsn=(number + 2) * SEGMENT + 312,
        started=started,
        stopped=started + 131,
        stored_bytes=(470 + number // 64) * MIB,
        unpacked_bytes=(2240 + number // 16) * MIB,
        keys=tuple(f"base/{id}/{name}" for name in ("backup.json", "backup_manifest", "base.tar.zst")),
    )
    return replace(made, **changes)


def cut_at(number: int) -> BaseBackup:
    """One that was not finished."""
    id = base_at(number).id
    return BaseBackup(
        Writer.OURS,
        id,
        "base/",
        completeness=Completeness.INCOMPLETE,
        why="its backup.json is missing: it was not finished",
    )


def unlabelled(bucket: BucketFacts) -> Holding:
    """What it holds, without a `.backup` label."""
    assert bucket.holding is not None
    return replace(bucket.holding, labels=())


def _buckets(primary: Any, dr: Any, runs: Intervals = WHOLE, dr_runs: Intervals = BEHIND) -> Snapshot:
    more: dict[str, Any] = {} if runs is PRIMARY_RUNS else {"accepted_gaps": ()}
    buckets = [
        bucket_of(BucketRole.PRIMARY, runs, backups=primary, **more),
        bucket_of(BucketRole.DR, dr_runs, backups=dr, **more),
    ]
    if runs is not PRIMARY_RUNS:
        buckets = [replace(each, holding=unlabelled(each), backup_labels=0) for each in buckets]
    made = of(primary=buckets[0], dr=buckets[1])
    return replace(made, told=Told(archive_program=PROGRAM))


def nightly() -> Snapshot:
    """Every backup leads to now; the oldest is not in DR, which is 41 segments behind."""
    made = tuple(map(base_at, BEGUN))
    snapshot = _buckets(made, made[1:])
    return replace(snapshot, told=replace(snapshot.told, keep=Keep(full=5, days=3)))


def broken() -> Snapshot:
    """Three holes, of which each copy has others; two backups were cut, one is another tool's."""
    made = tuple(map(base_at, BEGUN))
    barman = base_at(0x2A00, writer=Writer.BARMAN, id="20260919T101010", place="pg/base/", verified=None)
    odd = Unreadable("base/20260915T000000Z/backup.json", "it is no JSON")
    return _buckets((*made, cut_at(0x2C00), barman, odd), (*made[2:], cut_at(0x3900)), PRIMARY_RUNS, DR_RUNS)


def none_taken() -> Snapshot:
    """The WAL is whole, and nothing can be restored."""
    return _buckets((), ())


def one_copy() -> Snapshot:
    """DR cannot be read; the newest backup's WAL has a hole."""
    runs: Intervals = {1: ((0x100, 0x2F10),), 2: ((0x2F10, 0x3900), (0x3910, NEWEST.number))}
    why = "403 AccessDenied for key DO00AB…"
    bucket = bucket_of(BucketRole.PRIMARY, runs, backups=tuple(map(base_at, BEGUN)), accepted_gaps=())
    return of(
        primary=replace(bucket, holding=unlabelled(bucket)),
        dr=problem(Snapshot.dr, why, "grant the key read on shithub-wal-dr", "AccessDenied"),
    )


def not_read() -> Snapshot:
    """Both are being listed for the first time."""
    return of(
        primary=bucket_of(BucketRole.PRIMARY, WHOLE, complete=False, backups=None),
        dr=bucket_of(BucketRole.DR, WHOLE, complete=False, backups=None),
    )


def hostile_names() -> Snapshot:
    """Every name is as bad as it can be."""
    bad = base_at(0x3200, id=HOSTILE, place=f"{HOSTILE}/base/", label=HOSTILE, encryption=HOSTILE)
    cut = replace(cut_at(0x3300), why=HOSTILE, place=HOSTILE)
    made = _buckets((bad, cut, Unreadable(HOSTILE, HOSTILE)), (bad,))
    session = BackupSession(4711, HOSTILE, client=HOSTILE, phase=HOSTILE, sent_bytes=2**70, total_bytes=1)
    status = BackupRunStatus(HOSTILE, HOSTILE, 9, 0, 0, exit_status=1, message=HOSTILE * 5)
    return _with_runs(made, BackupScript(status), session)


def running() -> Snapshot:
    """Somebody's pg_basebackup at a half; the script's own failed in the night."""
    status = BackupRunStatus(
        "20260921T031000Z", "failed", 99, int(NOW) - 37_000, int(NOW) - 36_000, 10**9, 10**8, 1,
        "shithub-wal: 403 AccessDenied: this key may not write below base/; nothing of it is left",
    )  # fmt: skip
    made = _with_runs(nightly(), BackupScript(status))
    for second in range(-9, 1):
        sent = (1 << 30) + second * 30 * MIB
        one = BackupSession(
            4711, "pg_basebackup", True, "postgres", "203.0.113.9", NOW - 45, SENDING, sent, 5 << 29
        )
        made = _with_runs(made, BackupScript(status), one, at=NOW + second)
    return made


def waiting() -> Snapshot:
    """The script's own has been sent, and waits for its WAL while archiving fails; pgBackRest's runs, too."""
    status = BackupRunStatus("20260921T132000Z", "streaming", 99, int(NOW) - 700, int(NOW) - 690, 5 << 29)
    own = BackupSession(
        4711, f"walconsole {status.id}", True, "postgres", "", NOW - 690, ARCHIVING, 5 << 29, 5 << 29
    )
    other = BackupSession(4712, "pgBackRest [backup]", False, "postgres", "", NOW - 60)
    made = nightly()
    archiver = made.archiver.value
    assert archiver is not None
    failing = replace(
        archiver, failed_count=3, last_failed_wal=archiver.current_wal, last_failed_at=NOW - 20, ready_count=2
    )
    made = fold(made, facts.read(Snapshot.archiver, failing), NOW)
    for at in (NOW - 300, NOW):
        made = _with_runs(made, BackupScript(status, lives=True), own, other, at=at)
    return made


def unseen() -> Snapshot:
    """Whether a base backup runs is not known."""
    made = nightly()
    for slot in (Snapshot.backup_sessions, Snapshot.backup_script):
        made = fold(made, problem(slot, "the connection was lost", "it is tried again"), NOW)
    return made


def _with_runs(
    snapshot: Snapshot, script: BackupScript, *sessions: BackupSession, at: float = NOW
) -> Snapshot:
    made = fold(snapshot, facts.read(Snapshot.backup_script, script, at), at)
    return fold(made, facts.read(Snapshot.backup_sessions, BackupSessions(sessions), at), at)


RECOVERIES: dict[str, Callable[[], Snapshot]] = {
    make.__name__: make
    for make in (
        nightly,
        broken,
        none_taken,
        one_copy,
        not_read,
        hostile_names,
        running,
        waiting,
        unseen,
    )
}

__all__ = [
    "NOW",
    "RECOVERIES",
    "base_at",
    "broken",
    "cut_at",
    "nightly",
    "none_taken",
    "not_read",
    "one_copy",
]

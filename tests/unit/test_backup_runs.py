"""Which base backups run now, how far they are, what holds them up; and what a failed last run means."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.data.facts import NOW, backup, bucket, healthy, host
from walconsole.domain.facts.base_backups import BackupScript, BackupSession, BackupSessions
from walconsole.domain.facts.observed import BucketFacts
from walconsole.domain.facts.snapshot import Problem, Reading, Snapshot, Told, failed, fold, succeeded
from walconsole.domain.failures import Finding, Severity, diagnose
from walconsole.domain.profile import BucketRole
from walconsole.domain.recovery.backups import BaseBackup
from walconsole.domain.recovery.running import (
    ARCHIVING,
    ENDS,
    SENDING,
    BackupRunStatus,
    end_words,
    left_s,
    rate_of,
    recent,
)
from walconsole.domain.standing.archiver import ArchiverState
from walconsole.domain.standing.backup_runs import SCRIPT, BackupRuns, backup_runs

ID = "20261129T031000Z"
GIB = 1 << 30
WORKING, FAILING = ArchiverState.WORKING, ArchiverState.FAILING


def session(**changes: Any) -> BackupSession:
    """pg_basebackup that has sent a half of 2 GiB."""
    made = BackupSession(
        4711, "pg_basebackup", True, "postgres", "203.0.113.9", NOW - 60, SENDING, GIB, 2 * GIB
    )
    return replace(made, **changes)


def status(**changes: Any) -> BackupRunStatus:
    return replace(BackupRunStatus(ID, "streaming", 99, int(NOW) - 70, int(NOW) - 65, GIB), **changes)


def seen(*sessions: BackupSession, script: BackupScript | None = None, **facts: Any) -> Snapshot:
    return healthy(
        backup_sessions=BackupSessions(sessions),
        backup_script=script or BackupScript(),
        **facts,
    )


def runs(snapshot: Snapshot, state: ArchiverState = WORKING, now: float = NOW) -> BackupRuns:
    return backup_runs(snapshot, state, now)


def after(snapshot: Snapshot, seconds: float, *sessions: BackupSession) -> Snapshot:
    """The next look at the server, so much later."""
    reading = succeeded(snapshot.backup_sessions, BackupSessions(sessions), NOW + seconds, "test", 1.0)
    return fold(snapshot, reading, NOW + seconds)


# -- Who takes it.


@pytest.mark.parametrize(
    ("application", "who", "identity"),
    [
        ("pg_basebackup", "pg_basebackup", ""),
        (f"walconsole {ID}", "walconsole", ID),
        ("barman_streaming_backup", "Barman", ""),
        ("nightly", "nightly", ""),
        ("", "a client without a name", ""),
    ],
)
def test_who_takes_it_tells_the_session_s_name(application: str, who: str, identity: str) -> None:
    (one,) = runs(seen(session(application=application))).running
    assert (one.who, one.id, one.phase, one.share, one.subject) == (who, identity, "streaming", 0.5, "4711")
    assert one.streams
    assert not one.scripted


def test_pgbackrest_s_is_known_by_its_name_alone_and_tells_nothing() -> None:
    told = session(
        application="pgBackRest [backup]", streams=False, phase="", sent_bytes=None, total_bytes=None
    )
    (one,) = runs(seen(told)).running
    assert (one.who, one.phase, one.streams) == ("pgBackRest", "it copies the files itself", False)
    assert (one.sent_bytes, one.share, one.rate, one.left_s) == (None, None, None, None)


def test_the_script_s_own_run_is_one_with_its_session() -> None:
    own = session(application=f"walconsole {ID}", pid=5)
    found = runs(seen(own, session(), script=BackupScript(status(), lives=True))).running
    assert [(each.who, each.scripted, each.subject) for each in found] == [
        ("walconsole", True, SCRIPT), ("pg_basebackup", False, "4711"),
    ]  # fmt: skip
    assert (found[0].pid, found[0].id, found[0].since) == (5, ID, NOW - 70)


@pytest.mark.parametrize(
    ("state", "phase"),
    [
        ("starting", "it looks at the server and the copies"),
        ("reading-back", "what was stored is read back"),
        ("waiting-for-wal", "the WAL that it needs is looked for in each copy"),
    ],
)
def test_while_it_has_no_session_the_script_s_word_counts(state: str, phase: str) -> None:
    (one,) = runs(seen(script=BackupScript(status(state=state, read_bytes=7), lives=True))).running
    assert (one.who, one.phase, one.scripted, one.pid) == ("walconsole", phase, True, None)
    assert (one.sent_bytes, one.total_bytes) == (7, 7)


def test_times_are_by_the_console_s_clock() -> None:
    ended = BackupScript(status(exit_status=1, state="failed"))
    told = seen(session(started_at=NOW + 40), script=ended, host=host(clock=NOW + 100))
    found = runs(told)
    assert found.running[0].since == pytest.approx(NOW - 60)
    assert found.last is not None
    assert found.last.at == pytest.approx(NOW - 165)


# -- What could not be seen.


def test_none_runs_is_a_claim_that_needs_both_sources() -> None:
    assert runs(seen()) == BackupRuns()
    unread = Reading(Snapshot.backup_sessions, problem=Problem("no SSH"))
    found = runs(healthy(backup_sessions=unread, backup_script=BackupScript()))
    assert (found.running, found.blind) == ((), True)
    assert found.unseen == ("the base backups that the server knows of: no SSH",)
    found = runs(healthy(backup_script=Reading(Snapshot.backup_script)))
    assert found.blind
    assert found.unseen == ("what the base backup's script tells of itself: not read yet",)
    script: Reading[BackupScript] = Reading(Snapshot.backup_script, problem=Problem("no SSH"))
    (told,) = runs(healthy(backup_sessions=unread, backup_script=script)).unseen
    assert told.count("no SSH") == 1, "one error is told once"
    hidden = BackupScript(missing=("/var/lib/x: cannot be read",))
    found = runs(seen(script=hidden))
    assert (found.blind, found.unseen) == (True, ("/var/lib/x: cannot be read",))


def test_what_was_read_before_the_connection_went_is_not_told_as_running() -> None:
    snapshot = seen(session(), script=BackupScript(status(), lives=True))
    gone = Problem("no SSH")
    snapshot = fold(snapshot, failed(snapshot.backup_sessions, gone, NOW + 1, "test", 1.0), NOW + 1)
    snapshot = fold(snapshot, failed(snapshot.backup_script, gone, NOW + 1, "test", 1.0), NOW + 1)
    found = runs(snapshot)
    assert (found.running, found.blind) == ((), True)
    (told,) = found.unseen
    assert all(slot.words in told for slot in (Snapshot.backup_sessions, Snapshot.backup_script))


def test_a_role_that_may_not_see_how_far_it_is_sees_that_it_runs() -> None:
    told = session(phase="", sent_bytes=None, total_bytes=None, started_at=None)
    snapshot = healthy(backup_sessions=BackupSessions((told,), ("GRANT it",)), backup_script=BackupScript())
    found = runs(snapshot)
    assert (found.running[0].phase, found.running[0].since) == ("at an unknown point", None)
    assert (found.unseen, found.blind) == (("GRANT it",), False)


# -- How fast it goes.


def test_rate_and_end_come_of_the_last_looks() -> None:
    snapshot = seen(session())
    assert runs(snapshot).running[0].rate is None
    for second in range(1, 21):
        speed = 1 << (20 if second <= 9 else 23)
        sent = GIB + min(second, 9) * 2**20 + max(0, second - 9) * speed
        snapshot = after(snapshot, second, session(sent_bytes=sent))
    (one,) = runs(snapshot, now=NOW + 20).running
    assert one.rate == pytest.approx(8 * 2**20)
    left_bytes = GIB - 9 * 2**20 - 11 * 2**23
    assert one.left_s == pytest.approx(left_bytes / (8 * 2**20))
    assert len(snapshot.history.backups[0].samples) <= 12
    assert after(snapshot, 21).history.backups == ()


def test_another_one_of_the_same_number_begins_anew() -> None:
    snapshot = after(seen(session()), 1, session(started_at=NOW + 0.5, sent_bytes=5))
    assert runs(snapshot, now=NOW + 1).running[0].rate is None
    snapshot = after(seen(session()), -10, session(sent_bytes=GIB + 1))  # the clock went back
    assert runs(snapshot, now=NOW - 10).running[0].rate is None


@pytest.mark.parametrize(
    ("samples", "rate"),
    [
        ((), None),
        (((0.0, 5),), None),
        (((0.0, 5), (0.0, 9)), None),
        (((0.0, 5), (2.0, 5)), None),
        (((0.0, 5), (2.0, 9)), 2.0),
    ],
)
def test_rate(samples: tuple[tuple[float, int], ...], rate: float | None) -> None:
    assert rate_of(samples) == rate


def test_what_is_left_is_known_only_while_the_estimate_holds() -> None:
    assert left_s(4, 10, 2.0) == 3.0
    assert left_s(11, 10, 2.0) is None
    assert left_s(4, None, 2.0) is None
    assert left_s(None, 10, 2.0) is None
    assert left_s(4, 10, None) is None
    assert recent([(0.0, 1), (30.0, 2)], 60.0) == [(0.0, 1), (30.0, 2)]
    assert recent([(0.0, 1), (30.0, 2), (51.0, 3), (60.0, 4)], 60.0) == [(51.0, 3), (60.0, 4)]


# -- What holds it up.


@pytest.mark.parametrize(
    ("phase", "state", "after_s", "stuck"),
    [
        (ARCHIVING, FAILING, 59, False),
        (ARCHIVING, FAILING, 60, True),
        (ARCHIVING, ArchiverState.STALLED, 61, True),
        (ARCHIVING, ArchiverState.OFF, 61, True),
        (ARCHIVING, WORKING, 600, False),
        (ARCHIVING, ArchiverState.STANDBY, 600, False),
        (ARCHIVING, ArchiverState.UNKNOWN, 600, False),
        (SENDING, WORKING, 119, False),
        (SENDING, WORKING, 120, True),
        ("waiting for checkpoint to finish", FAILING, 600, False),
    ],
)
def test_what_waits_for_its_wal_while_archiving_fails_waits_without_end(
    phase: str, state: ArchiverState, after_s: int, stuck: bool
) -> None:
    still = session(phase=phase)
    snapshot = after(seen(still), after_s, still)
    (one,) = runs(snapshot, state, NOW + after_s).running
    assert bool(one.stuck) is stuck
    if stuck and phase == ARCHIVING:
        assert one.stuck.startswith(f"it waits for its WAL in the archive, and the archiver is {state}")


def test_the_script_too_waits_for_its_wal() -> None:
    told = BackupScript(status(state="waiting-for-wal"), lives=True)
    assert "it waits for its WAL" in runs(seen(script=told), FAILING).running[0].stuck
    assert runs(seen(script=told)).running[0].stuck == ""


# -- How the last one ended.


@pytest.mark.parametrize("ended", [*ENDS, None, 77])
def test_an_end_is_told_with_its_words(ended: int | None) -> None:
    told = status(state="failed", exit_status=ended, message="why \x1b[31mso")
    found = runs(seen(script=BackupScript(told)))
    assert found.running == ()
    assert found.last is not None
    assert (found.last.exit_status, found.last.failed) == (ended, ended != 0)
    assert all(end_words(ended)) or ended == 0
    assert "\x1b" not in found.last.message
    assert found.last.message.startswith("it was killed" if ended is None else "why so")


HOUR = 3600.0


def night(
    ended: int | None, *, primary_age_h: float | None, dr_age_h: float | None, told: Told | None = None
) -> list[Finding]:
    """What is found of a run that ended so an hour ago, with a base backup so old in each copy."""

    def copy(role: BucketRole, age_h: float | None) -> BucketFacts:
        held = () if age_h is None else (aged(age_h),)
        return bucket(role, backups=held, backup_labels=len(held))

    script = BackupScript(
        status(state="failed", at=int(NOW - HOUR), exit_status=ended, message="no \x1b[7mgrant")
    )
    snapshot = seen(
        script=script, primary=copy(BucketRole.PRIMARY, primary_age_h), dr=copy(BucketRole.DR, dr_age_h)
    )
    snapshot = replace(snapshot, told=told or Told())
    return [each for each in diagnose(snapshot, NOW).findings if each.rule == "backup-failed"]


def aged(hours: float) -> BaseBackup:
    identity = f"{datetime.fromtimestamp(NOW - hours * HOUR, UTC):%Y%m%dT%H%M%SZ}"
    keys = tuple(f"base/{identity}/{name}" for name in ("backup.json", "backup_manifest", "base.tar.zst"))
    return backup(id=identity, stopped=NOW - hours * HOUR, started=NOW - hours * HOUR - 20, keys=keys)


@pytest.mark.parametrize(
    ("ended", "primary", "dr", "told"),
    [
        (1, 30.0, 30.0, True),
        (1, 27.0, 27.0, False),  # last night's is not due for an hour yet
        (1, 0.5, 0.5, False),  # one came after it
        (2, 30.0, 30.0, True),
        (4, 30.0, 30.0, True),
        (9, 30.0, 30.0, True),
        (None, 30.0, 30.0, True),
        (0, 30.0, 30.0, False),
        (1, None, None, True),
        (5, 30.0, None, True),
        (5, 2.0, 2.0, False),
    ],
)
def test_a_failed_night_is_told_where_no_base_backup_has_come_since(
    ended: int | None, primary: float | None, dr: float | None, told: bool
) -> None:
    found = night(ended, primary_age_h=primary, dr_age_h=dr)
    assert bool(found) is told
    for finding in found:
        assert finding.severity is Severity.WARNING
        assert "\x1b" not in finding.title
        assert ("it was killed" if ended is None else "no grant") in finding.evidence[0]
        assert finding.remedy == end_words(ended)[1]
        assert (finding.proof[0].at, finding.proof[0].source) == (NOW, "test")


def test_where_none_is_expected_nothing_is_told() -> None:
    assert not night(1, primary_age_h=30, dr_age_h=30, told=Told(expect_base_backups=False))


def test_what_follows_from_it_is_told_under_it() -> None:
    old = status(state="failed", at=int(NOW - HOUR), exit_status=1, message="no grant")
    copies = {"primary": bucket(backups=(), backup_labels=0), "dr": bucket(BucketRole.DR, backups=())}
    (story,) = diagnose(seen(script=BackupScript(old), **copies), NOW).stories
    assert (story.root.rule, [each.rule for each in story.consequences]) == (
        "backup-failed",
        ["no-base-backup"],
    )
    assert story.severity is Severity.CRITICAL

"""The first line about recovery, case by case."""

from dataclasses import replace

import pytest

from tests.data.recovery import CLUSTER, DAY_S, NOW, SIZE, backup_id, base, copy_of, history, label
from walconsole.domain.profile import BucketRole
from walconsole.domain.recovery.backups import Completeness, Unreadable
from walconsole.domain.recovery.recoverability import recoverability
from walconsole.domain.recovery.wal_supply import ArchiveCopy
from walconsole.domain.recovery.words import Drill, Limits, moment_text, recovery_verdict
from walconsole.domain.standing.model import Level

TIMES = {1: NOW - 10 * DAY_S, 30: NOW - 41.0}
ALL = range(1, 31)
LAST = 5 * 3600 + 1800.0
HOLED = [each for each in ALL if each != 29]
DR = BucketRole.DR
UNFINISHED = base(
    28, day=0.2, completeness=Completeness.INCOMPLETE, why="base.tar.zst is missing", start_lsn=None
)

LINES: list[tuple[str, list[ArchiveCopy], Level, str]] = [
    (
        "as it should be",
        [copy_of({1: ALL}, base(3, day=7.2), base(20), times=TIMES)],
        Level.OK,
        "restorable to any moment since 22 Nov 02:50Z, 41 s behind",
    ),
    (
        "made today",
        [copy_of({1: ALL}, base(20, day=0.1), times=TIMES)],
        Level.OK,
        "restorable to any moment since 05:14Z, 41 s behind",
    ),
    ("none", [copy_of({1: ALL})], Level.CRITICAL, "NOTHING can be restored: there is no base backup"),
    (
        "none that is finished",
        [copy_of({1: ALL}, UNFINISHED)],
        Level.CRITICAL,
        f"NOTHING can be restored: the only base backup {backup_id(0.2)}: "
        "it is incomplete: base.tar.zst is missing",
    ),
    (
        "a hole near the end",
        [
            copy_of({1: HOLED}, base(3), times={1: NOW - 2 * DAY_S, 28: NOW - LAST, 30: NOW}),
            copy_of({}, role=DR),
        ],
        Level.CRITICAL,
        "nothing after 02:07Z can be restored: 00000001000000000000001D is missing in both copies",
    ),
    (
        "a hole of which nothing tells the time",
        [copy_of({1: HOLED}, base(3))],
        Level.CRITICAL,
        "nothing later can be restored: 00000001000000000000001D is missing in the primary",
    ),
    (
        "a hole within the only backup",
        [copy_of({1: [3, 5, 6]}, base(3, 5))],
        Level.CRITICAL,
        f"NOTHING can be restored: the only base backup {backup_id(1)}: "
        "000000010000000000000004 is missing in the primary",
    ),
    (
        "old",
        [copy_of({1: ALL}, base(3, day=9.5), times=TIMES)],
        Level.WARNING,
        "the newest base backup is 9 d old: a restore would replay 448 MiB of WAL",
    ),
    (
        "the newest is broken",
        [copy_of({1: ALL}, base(3), replace(UNFINISHED, start_lsn=28 * SIZE), times=TIMES)],
        Level.WARNING,
        f"the newest base backup {backup_id(0.2)} cannot be used: it is incomplete: base.tar.zst is missing; "
        "restorable to any moment since 28 Nov 07:38Z",
    ),
    (
        "one that may still be running",
        [copy_of({1: ALL}, base(3, day=3), UNFINISHED, times=TIMES)],
        Level.OK,
        "restorable to any moment since 26 Nov 07:38Z, 41 s behind",
    ),
    (
        "one that was not finished",
        [copy_of({1: ALL}, base(3, day=3), replace(UNFINISHED, id=backup_id(1.5)), times=TIMES)],
        Level.WARNING,
        f"the newest base backup {backup_id(1.5)} cannot be used: it is incomplete: base.tar.zst is missing; "
        "restorable to any moment since 26 Nov 07:38Z",
    ),
    (
        "a label of a backup that is known",
        [copy_of({1: HOLED}, base(3), label(3))],
        Level.CRITICAL,
        "nothing later can be restored: 00000001000000000000001D is missing in the primary",
    ),
    (
        "another branch",
        [copy_of({1: ALL, 2: [31]}, base(3), histories=[history(2, (1, 31 * SIZE))], times=TIMES)],
        Level.WARNING,
        "restorable to any moment since 28 Nov 07:38Z, but only with recovery_target_timeline = 1: "
        "'latest' would go to timeline 2, which is not the server's",
    ),
    (
        "a label alone",
        [copy_of({1: ALL}, label(3))],
        Level.UNKNOWN,
        "cannot tell what can be restored: 1 base backup was made (.backup labels), and none lies here",
    ),
    (
        "unreadable",
        [copy_of({1: ALL}, unreadable=(Unreadable("base/x/backup.json", "it has a newer format, 2"),))],
        Level.UNKNOWN,
        "cannot tell what can be restored: base/x/backup.json cannot be read: it has a newer format, 2",
    ),
    (
        "still being listed",
        [copy_of({1: ALL}, listed=False)],
        Level.UNKNOWN,
        "cannot tell what can be restored: the archive is still being listed",
    ),
    (
        "a hole in what is listed so far",
        [copy_of({1: HOLED}, base(3), listed=False)],
        Level.UNKNOWN,
        "cannot tell yet: as far as it is listed, nothing later can be restored: "
        "00000001000000000000001D is missing in the primary",
    ),
]


def test_what_is_being_stored_now_ends_no_window() -> None:
    found = recoverability([copy_of({1: HOLED}, base(3), times=TIMES)], CLUSTER)
    said = recovery_verdict(found, NOW, behind_s=5.0, coming=True)
    assert (said.level, said.text) == (Level.OK, "restorable to any moment since 28 Nov 07:38Z, 5 s behind")


def test_an_idle_server_is_not_behind_more_and_more() -> None:
    found = recoverability([copy_of({1: ALL}, base(3), times=TIMES)], CLUSTER)
    said = recovery_verdict(found, NOW, behind_s=7200.0, idle=True)
    assert said.text == "restorable to any moment since 28 Nov 07:38Z; idle, nothing is behind"


def test_where_none_is_expected_a_label_is_no_fault() -> None:
    found = recoverability([copy_of({1: ALL}, label(3))], CLUSTER)
    said = recovery_verdict(found, NOW, expected=False)
    assert (said.level, said.text) == (
        Level.OK, "no base backup is expected here (expect_base_backups = false)",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("copies", "level", "text"), [each[1:] for each in LINES], ids=[each[0] for each in LINES]
)
def test_the_line(copies: list[ArchiveCopy], level: Level, text: str) -> None:
    said = recovery_verdict(recoverability(copies, CLUSTER), NOW)
    assert (said.level, said.text) == (level, text)


def test_a_drill_is_told_with_what_it_took() -> None:
    found = recoverability([copy_of({1: ALL}, base(20), times=TIMES)], CLUSTER)
    said = recovery_verdict(found, NOW, behind_s=12.0, drill=Drill(NOW - 2 * DAY_S, 245.0))
    assert said.text == "restorable to any moment since 28 Nov 07:38Z, 12 s behind; proved 2 d ago in 4 min"


def test_a_long_replay_is_worth_a_warning() -> None:
    found = recoverability([copy_of({1: ALL}, base(3), times=TIMES)], CLUSTER)
    assert recovery_verdict(found, NOW).level is Level.OK
    said = recovery_verdict(found, NOW, limits=Limits(most_replay_bytes=20 * SIZE))
    assert said.level is Level.WARNING
    assert said.text == "the newest base backup is 23 h 59 min old: a restore would replay 448 MiB of WAL"


def test_nothing_read_and_nothing_expected() -> None:
    assert recovery_verdict(None, NOW).level is Level.UNKNOWN
    found = recoverability([copy_of({1: ALL})], CLUSTER)
    said = recovery_verdict(found, NOW, expected=False)
    assert (said.level, said.text) == (
        Level.OK,
        "no base backup is expected here (expect_base_backups = false)",
    )


def test_a_backup_is_judged_though_none_is_expected() -> None:
    found = recoverability([copy_of({1: HOLED}, base(3))], CLUSTER)
    assert recovery_verdict(found, NOW, expected=False).level is Level.CRITICAL


@pytest.mark.parametrize(
    ("back", "text"), [(60.0, "07:36Z"), (DAY_S, "28 Nov 07:37Z"), (365 * DAY_S, "29 Nov 2025 07:37Z")]
)
def test_moments(back: float, text: str) -> None:
    assert moment_text(NOW - back, NOW) == text


def test_never_ok_without_a_backup_that_reaches_the_end() -> None:
    for _, copies, level, _ in LINES:
        found = recoverability(copies, CLUSTER)
        assert (level is Level.OK) <= found.reaches_newest

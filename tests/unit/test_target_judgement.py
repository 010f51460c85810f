"""A target is judged before anything is restored: each trap with its numbers, against plain archives."""

from dataclasses import replace

import pytest

from tests.data.recovery import CLUSTER, NOW, SIZE, base, copy_of, history, label
from walconsole.domain.failures import MODES
from walconsole.domain.recovery.backups import Completeness
from walconsole.domain.recovery.recover_target import RecoverTo, RecoveryTarget, read_target, time_text
from walconsole.domain.recovery.recoverability import Recoverability, recoverability
from walconsole.domain.recovery.target_judgement import (
    PlannedLoss,
    TargetJudgement,
    TargetKnown,
    Trap,
    judged_target,
)
from walconsole.domain.recovery.wal_supply import ArchiveCopy
from walconsole.domain.wal import format_lsn

HOUR_S = 3600.0
BASE_AT = NOW - 3 * HOUR_S
"""When the base backup of `archive` had begun; it stopped a minute later."""
TIMES = {number: BASE_AT + (number - 3) * HOUR_S / 4 for number in range(1, 20)}
"""Segment 3 was stored when the base backup began, each later one a quarter of an hour after it."""


def archive(stored: dict[int, range | list[int]] | None = None, *more: ArchiveCopy) -> Recoverability:
    """One base backup in segment 3, WAL up to segment 12."""
    made = base(3, day=(NOW - BASE_AT) / 86_400.0)
    return recoverability([copy_of(stored or {1: range(1, 13)}, made, times=TIMES), *more], CLUSTER)


def at(moment: float) -> RecoveryTarget:
    return read_target(RecoverTo.TIME, time_text(moment), timeline=1)


def place(segment: int, timeline: int | None = None, more: int = 1000) -> RecoveryTarget:
    return read_target(RecoverTo.LSN, format_lsn(segment * SIZE + more), timeline=timeline)


END = RecoveryTarget(RecoverTo.LATEST)
XID = read_target(RecoverTo.XID, "731")


def traps(judged: TargetJudgement) -> tuple[list[Trap | None], list[Trap | None]]:
    return [each.trap for each in judged.refusals], [each.trap for each in judged.warnings]


READ = TargetKnown(last_commit=BASE_AT + 2 * HOUR_S)
"""The WAL was read to its end: the last commit is two hours after the base backup."""
CASES: list[tuple[str, RecoveryTarget, TargetKnown, list[Trap], list[Trap]]] = [
    ("a time before the last commit", at(BASE_AT + HOUR_S), READ, [], []),
    ("a time, and no commit known", at(BASE_AT + HOUR_S), TargetKnown(), [], [Trap.AFTER_LAST_COMMIT]),
    ("a time after the last commit", at(BASE_AT + 2.1 * HOUR_S), READ, [Trap.AFTER_LAST_COMMIT], []),
    ("the last commit's own time", at(BASE_AT + 2 * HOUR_S), READ, [Trap.AFTER_LAST_COMMIT], []),
    ("a time after the archive", at(NOW), READ, [Trap.AFTER_ARCHIVE], []),
    ("a time before the base backup", at(BASE_AT - 60), READ, [Trap.BEFORE_CONSISTENCY], []),
    ("a time within the base backup", at(BASE_AT + 30), READ, [Trap.BEFORE_CONSISTENCY], []),
    ("a place", place(5), TargetKnown(), [], []),
    ("a place within the base backup", place(3, more=100), READ,
     [Trap.BEFORE_CONSISTENCY], []),
    ("a place before it", place(2), TargetKnown(), [Trap.BEFORE_CONSISTENCY], []),
    ("a place after the archive", place(13), TargetKnown(), [Trap.AFTER_ARCHIVE], []),
    ("a transaction that was found", XID, TargetKnown(lsn=5 * SIZE), [], []),
    ("a transaction that was not", XID, TargetKnown(), [], [Trap.NOT_PLACED]),
    ("a transaction that never was", XID, TargetKnown(more_wal=True, next_xid=731),
     [Trap.AFTER_ARCHIVE], []),
    ("the newest transaction", XID, TargetKnown(more_wal=True, next_xid=732), [], [Trap.NOT_PLACED]),
    ("a restore point before it", read_target(RecoverTo.NAME, "a"), TargetKnown(lsn=SIZE),
     [Trap.BEFORE_CONSISTENCY], []),
    ("the end of the base backup", RecoveryTarget(RecoverTo.IMMEDIATE), TargetKnown(), [], []),
    ("after the archive, and pg_wal may be had", at(NOW), TargetKnown(more_wal=True), [],
     [Trap.AFTER_ARCHIVE]),
    ("ahead of every clock", at(NOW + 2 * HOUR_S), TargetKnown(more_wal=True, now=NOW),
     [Trap.AFTER_ARCHIVE], []),
    ("ahead of the server", place(13), TargetKnown(more_wal=True, written=12 * SIZE - 1),
     [Trap.AFTER_ARCHIVE], []),
    ("not ahead of the server", place(13), TargetKnown(more_wal=True, written=14 * SIZE), [],
     [Trap.AFTER_ARCHIVE]),
    ("a clock that differs a little", at(NOW + 30), TargetKnown(more_wal=True, now=NOW), [],
     [Trap.AFTER_ARCHIVE]),
    ("a place after it, likewise", place(13), TargetKnown(more_wal=True), [], [Trap.AFTER_ARCHIVE]),
    ("after the last commit, likewise", at(BASE_AT + 2.1 * HOUR_S), replace(READ, more_wal=True), [],
     [Trap.AFTER_LAST_COMMIT]),
    ("before the base backup, likewise", place(2), TargetKnown(more_wal=True), [Trap.BEFORE_CONSISTENCY], []),
    ("the end", END, TargetKnown(), [], []),
    ("a timeline that is nowhere", place(5, 7), TargetKnown(), [Trap.NO_HISTORY], []),
]  # fmt: skip


@pytest.mark.parametrize(
    ("target", "known", "refusals", "warnings"),
    [case[1:] for case in CASES],
    ids=[case[0] for case in CASES],
)
def test_each_trap_is_known_before_it_is_tried(
    target: RecoveryTarget, known: TargetKnown, refusals: list[Trap], warnings: list[Trap]
) -> None:
    judged = judged_target(target, archive(), known)
    assert traps(judged) == (refusals, warnings)
    assert judged.possible is not bool(refusals)
    assert all(each.text and each.remedy for each in (*judged.refusals, *judged.warnings))


ROUND = 2**32
NUMBERS: list[tuple[str, int, int, str]] = [
    ("the newest", 899, 900, ""),
    ("one that is to come", 900, 900, "the newest that did on the server is 899"),
    ("the newest, with 32 bits", 899, 5 * ROUND + 900, ""),
    ("the newest, with 64", 5 * ROUND + 899, 5 * ROUND + 900, ""),
    ("one to come, with 32", 950, 5 * ROUND + 900, f"is 899 ({5 * ROUND + 899} with its epoch)"),
    ("one to come, with 64", 5 * ROUND + 950, 5 * ROUND + 900, f"the server is {5 * ROUND + 899}"),
    ("of before the numbers began anew", ROUND - 7, ROUND + 900, ""),
    ("of after that, which is to come", 10, ROUND - 7, f"the newest that did on the server is {ROUND - 8}"),
    ("an impossible one of the first round", ROUND - 7, 900, "the newest that did on the server is 899"),
]


@pytest.mark.parametrize(
    ("xid", "next_xid", "why"), [case[1:] for case in NUMBERS], ids=[c[0] for c in NUMBERS]
)
def test_a_number_of_a_transaction_is_of_the_servers_own_round(xid: int, next_xid: int, why: str) -> None:
    judged = judged_target(read_target(RecoverTo.XID, str(xid)), archive(), TargetKnown(next_xid=next_xid))
    told = [each.text for each in judged.refusals]
    assert [bool(why)] * bool(why) == [why in each for each in told], told


def test_it_says_by_how_much_and_what_can_be_reached() -> None:
    early = judged_target(at(BASE_AT + 30), archive()).refusals[0]
    assert "is 31 s before 2026-11-29 04:38:31Z, where the oldest base backup" in early.text
    assert early.remedy == "the earliest that can be reached is 2026-11-29 04:38:31Z"
    late = judged_target(at(NOW), archive()).refusals[0]
    assert "is 45 min 00 s after 2026-11-29 06:52:30Z, where the archive ends" in late.text
    idle = judged_target(at(BASE_AT + 2.1 * HOUR_S), archive(), READ).refusals[0]
    assert "is 6 min 00 s after the last commit in the archive, 2026-11-29 06:37:30Z" in idle.text


def test_what_is_lost_is_up_to_the_archives_end() -> None:
    judged = judged_target(place(5), archive())
    assert judged.loss.wal_bytes == 13 * SIZE - (5 * SIZE + 1000)
    assert judged.route is not None
    assert judged.route.first == "000000010000000000000003"
    assert judged_target(at(BASE_AT + HOUR_S), archive()).loss == PlannedLoss(1.25 * HOUR_S)


def test_a_hole_is_named_and_how_far_one_gets() -> None:
    holed = archive({1: [*range(1, 7), *range(8, 13)]})
    (behind,) = judged_target(place(9), holed).refusals
    assert behind.trap is Trap.SILENT_HOLE
    assert "000000010000000000000007 is missing" in behind.text
    assert f"at {format_lsn(7 * SIZE)}" in behind.text
    assert judged_target(at(TIMES[9]), holed).refusals[0].trap is Trap.SILENT_HOLE
    end = judged_target(END, holed)
    assert traps(end) == ([Trap.SILENT_HOLE], [])
    assert f"opens at {format_lsn(7 * SIZE)} without an error" in end.refusals[0].text
    assert f"--to-lsn {format_lsn(7 * SIZE)} --before; or fill the hole" in end.refusals[0].remedy
    assert judged_target(read_target(RecoverTo.LSN, format_lsn(7 * SIZE)), holed).possible


def test_between_two_windows_both_sides_are_said() -> None:
    later = base(9, day=(NOW - TIMES[9]) / 86_400.0)
    found = archive({1: [*range(1, 7), *range(8, 13)]}, copy_of({}, later))
    (between,) = judged_target(place(8), found).refusals
    assert between.trap is Trap.SILENT_HOLE
    assert f"the next that can be reached 16.0 MiB after it, {format_lsn(9 * SIZE + 312)}" in between.text


def test_a_foreign_branch_is_no_child_and_is_never_latest() -> None:
    left = history(2, (1, 2 * SIZE))
    found = recoverability([copy_of({1: range(1, 13), 2: range(2, 9)}, base(3), histories=[left])], CLUSTER)
    refused = judged_target(place(5, 2), found)
    assert traps(refused)[0] == [Trap.NOT_A_CHILD]
    assert "timeline 2 does not descend from it" in refused.refusals[0].text
    assert refused.refusals[0].remedy == "timeline 1 can be reached"
    own = judged_target(place(5), found)
    assert own.possible
    assert "timeline 1 is named to the server, never 'latest'" in own.warnings[0].remedy


def test_a_history_that_is_missing_is_named() -> None:
    found = recoverability([copy_of({1: range(1, 8), 2: range(7, 12)}, base(3))], CLUSTER)
    (refused,) = judged_target(place(9, 2), found).refusals
    assert (refused.trap, "00000002.history is missing" in refused.text) == (Trap.NO_HISTORY, True)


NO_WAY: list[tuple[str, Recoverability, str, str]] = [
    ("none", recoverability([copy_of({1: range(1, 9)})], CLUSTER), "there is no base backup", "without one"),
    ("a label alone", recoverability([copy_of({1: range(1, 9)}, label(3))], CLUSTER),
     "a .backup label says that it was made", "where these are kept, restore them by hand"),
    ("its WAL is gone", recoverability([copy_of({1: [1, 2, 6]}, base(3))], CLUSTER),
     "000000010000000000000003 is missing", "put it back, where any copy or the server's pg_wal has it"),
    ("it is incomplete", recoverability(
        [copy_of({}, replace(base(3), completeness=Completeness.INCOMPLETE, why="cut"))], CLUSTER),
     "it is incomplete: cut", "take a base backup while the server runs"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("found", "why", "remedy"), [case[1:] for case in NO_WAY], ids=[c[0] for c in NO_WAY]
)
def test_where_nothing_leads_anywhere_it_says_what_to_type(
    found: Recoverability, why: str, remedy: str
) -> None:
    (refused,) = judged_target(place(5), found, TargetKnown(profile="two words")).refusals
    assert why in refused.text
    assert remedy in refused.remedy
    assert refused.remedy.endswith("walconsole backup 'two words' --apply --confirm 'two words'")


def test_without_a_base_backup_nothing_leads_anywhere() -> None:
    none = recoverability([copy_of({1: range(1, 9)})], CLUSTER)
    assert traps(judged_target(place(5), none)) == ([Trap.NO_BACKUP], [])
    broken = base(3, completeness=Completeness.INCOMPLETE, why="its backup.json is missing")
    cut = recoverability([copy_of({1: range(1, 9)}, broken)], CLUSTER)
    assert traps(judged_target(END, cut)) == ([Trap.BACKUP_BROKEN], [])
    gone = recoverability([copy_of({1: [1, 2, 4, 5]}, base(3, 4))], CLUSTER)
    assert traps(judged_target(END, gone)) == ([Trap.WAL_GONE], [])


def test_a_server_that_would_go_on_in_its_parents_segment_is_stopped_before() -> None:
    left = history(2, (1, 6 * SIZE + 900))
    found = recoverability(
        [copy_of({1: range(1, 8), 2: range(7, 12)}, base(3), histories=[left])], CLUSTER, timeline=2
    )
    (refused,) = judged_target(END, found).refusals
    assert refused.trap is Trap.SILENT_HOLE
    assert refused.remedy == f"recover up to there: --to-lsn {format_lsn(6 * SIZE)} --before"


@pytest.mark.parametrize(
    ("stored", "switch", "first"),
    [
        ({1: range(1, 13), 3: [2]}, 13 * SIZE, "00000003000000000000000D"),  # a stray one from before it
        ({1: range(1, 13)}, 12 * SIZE + 900, "00000003000000000000000C"),  # its first, and all after it
        ({1: range(1, 11), 3: [4]}, 12 * SIZE + 900, "00000001000000000000000B"),  # the parent's last, too
    ],
)
def test_a_timeline_whose_wal_does_not_go_on_from_its_parents_is_not_its_end(
    stored: dict[int, range | list[int]], switch: int, first: str
) -> None:
    """Somebody wrote its history by hand, or its server was gone before it archived a segment."""
    made = base(3, day=(NOW - BASE_AT) / 86_400.0)
    copy = copy_of(stored, made, histories=[history(3, (1, switch))], times=TIMES)
    asked = replace(END, timeline=3)
    found = recoverability([copy], CLUSTER)
    judged = judged_target(asked, found, TargetKnown(more_wal=True))
    assert (traps(judged), judged.possible) == (([Trap.SILENT_HOLE], []), False)
    assert f"{first} is missing" in judged.refusals[0].text
    assert judged.refusals[0].remedy.endswith("--to-latest --timeline 1")
    assert judged_target(replace(END, timeline=1), found).possible
    assert judged_target(place(5, 3), found).possible, "what lies before it can be reached"

    own = recoverability([copy], replace(CLUSTER, timeline=3))
    promoted = judged_target(END, own)
    assert (traps(promoted), promoted.possible) == (([], [Trap.SILENT_HOLE]), True)
    assert not judged_target(asked, own).possible
    assert judged_target(asked, own, TargetKnown(more_wal=True)).possible, "the server that writes it has it"


def test_a_server_that_was_gone_may_have_the_beginning_of_its_timeline_still() -> None:
    """It is asked for by its number; which it wrote the histories alone tell."""
    made = base(3, day=(NOW - BASE_AT) / 86_400.0)
    copy = copy_of({1: range(1, 13)}, made, histories=[history(2, (1, 13 * SIZE))], times=TIMES)
    down = recoverability([copy], replace(CLUSTER, timeline=None))
    assert judged_target(replace(END, timeline=2), down, TargetKnown(more_wal=True)).possible


def test_a_timeline_of_which_the_first_segment_is_there_has_begun() -> None:
    made = base(3, day=(NOW - BASE_AT) / 86_400.0)
    copy = copy_of({1: range(1, 13), 3: [12]}, made, histories=[history(3, (1, 12 * SIZE + 900))])
    judged = judged_target(replace(END, timeline=3), recoverability([copy], CLUSTER))
    assert (traps(judged)[0], judged.possible) == ([], True)


def test_a_base_backup_that_is_named_is_judged_alone() -> None:
    later = base(9, day=(NOW - TIMES[9]) / 86_400.0)
    found = archive(None, copy_of({}, later))
    (old,) = (each.backup.id for each in found.backups if each.backup.id != later.id)
    assert judged_target(place(8), found, backup=old).possible
    chosen = judged_target(END, found, backup=old).route
    assert chosen is not None
    assert [each.backup.id for each in chosen.chain] == [old]
    (early,) = judged_target(place(8), found, backup=later.id).refusals
    assert early.trap is Trap.BEFORE_CONSISTENCY
    assert f"before {format_lsn(9 * SIZE + 312)}" in early.text
    assert traps(judged_target(at(TIMES[8]), found, backup=later.id))[0] == [Trap.BEFORE_CONSISTENCY]
    (none,) = judged_target(END, found, backup="20010101T000000Z").refusals
    assert none.text == "there is no base backup 20010101T000000Z"


def test_every_trap_has_a_page() -> None:
    assert {each.value for each in Trap} <= MODES.keys()


def test_a_clock_that_is_a_day_ahead_is_told_where_a_time_is_meant() -> None:
    """Commits carry its time. A place is the same by any clock."""
    known = TargetKnown(now=NOW, ahead_s=24 * HOUR_S)
    judged = judged_target(at(BASE_AT + HOUR_S), archive(), known)
    assert judged.possible
    assert any("clock is 1 d 00 h ahead of the store's" in each.text for each in judged.warnings)
    later = judged_target(at(NOW + 23 * HOUR_S), archive(), known)
    assert "no server has written it yet" not in later.refusals[0].text
    assert (
        "no server has written it yet"
        in judged_target(at(NOW + 25 * HOUR_S), archive(), known).refusals[0].text
    )
    assert not any("clock" in each.text for each in judged_target(place(5), archive(), known).warnings)
    behind = judged_target(at(BASE_AT + HOUR_S), archive(), TargetKnown(now=NOW, ahead_s=-120.0))
    assert any("behind the store's" in each.text for each in behind.warnings)

"""What a snapshot says can be restored: the first line, and the findings that stand behind it."""

from dataclasses import replace
from typing import Any

import pytest

from tests.data.facts import (
    MIB,
    NOW,
    SEGMENT,
    archiver,
    backup,
    broken,
    bucket,
    healthy,
    holding,
    read,
    server,
    settings,
)
from walconsole.domain.archive.continuity import continuity
from walconsole.domain.archive.layouts import Layout, Place
from walconsole.domain.archive.page_header import PageHeader, SegmentIdentity
from walconsole.domain.archive.runs import Runs
from walconsole.domain.facts.observed import BucketFacts, CatalogueFacts
from walconsole.domain.facts.snapshot import AnySlot, Snapshot, Told, fold
from walconsole.domain.failures import diagnose
from walconsole.domain.pgconf.loading import InForce
from walconsole.domain.profile import BucketRole
from walconsole.domain.recovery.backups import BaseBackup, Completeness, Unreadable, Writer
from walconsole.domain.standing.assessment import Assessment
from walconsole.domain.standing.model import Level, Severity
from walconsole.domain.wal import Segment
from walconsole.report.documents import check_document
from walconsole.report.metrics import metrics
from walconsole.report.recovery import recovery_lines
from walconsole.ui.recovery.picture import picture_of

OURS = "/usr/local/bin/shithub-pg-archive"
BOTH = Told(archive_program=OURS)
DAY_S = 86_400.0


def both(told: Told | None = None, **changes: Any) -> Snapshot:
    """The same in both buckets."""
    facts = bucket(**changes)
    return replace(healthy(primary=facts, dr=replace(facts, role=BucketRole.DR)), told=told or Told())


def holed(*numbers: int, role: BucketRole = BucketRole.PRIMARY, **changes: Any) -> BucketFacts:
    """A copy without these segments, of which each is missing for an hour."""
    held = holding(without=numbers)
    found = continuity(held.timelines, {}, SEGMENT)
    gaps = tuple(replace(gap, until_at=NOW - 3600) for gap in found.gaps)
    return bucket(role, holding=held, continuity=found, gaps=gaps, **changes)


def empty(*numbers: int, role: BucketRole = BucketRole.PRIMARY) -> BucketFacts:
    """A copy in which the objects of these segments have no byte."""
    runs = Runs()
    for number in numbers:
        runs.add(number, number)
    return bucket(role, holding=holding(empty={1: runs}))


def ours(snapshot: Snapshot) -> Snapshot:
    """Archived by the installed command."""
    facts = settings(archive_command=f'{OURS} "%p" "%f"')
    return replace(snapshot, settings=read(Snapshot.settings, facts), told=BOTH)


def line(snapshot: Snapshot, now: float = NOW) -> tuple[Level, str]:
    said = diagnose(snapshot, now).verdict
    return said.level, said.text


def found(snapshot: Snapshot, now: float = NOW) -> list[tuple[str, Severity]]:
    return [(each.rule, each.severity) for each in diagnose(snapshot, now).findings]


def at_risk(snapshot: Snapshot, now: float = NOW) -> tuple[str, ...]:
    (story,) = diagnose(snapshot, now).stories
    return story.at_risk


def test_without_any_base_backup_nothing_can_be_restored() -> None:
    """The incident that this project began with: critical on the first day."""
    snapshot = both(backups=(), backup_labels=0)
    assert line(snapshot) == (Level.CRITICAL, "NOTHING can be restored: there is no base backup")
    assert found(snapshot) == [("no-base-backup", Severity.CRITICAL)]
    (story,) = diagnose(snapshot, NOW).stories
    assert story.at_risk == ("nothing can be restored: WAL replay needs a base backup to begin from",)


def test_where_the_script_can_take_none_it_is_not_what_to_do() -> None:
    snapshot = both(backups=(), backup_labels=0)
    server = snapshot.server.value
    assert server is not None
    spread = replace(snapshot, server=replace(snapshot.server, value=replace(server, tablespaces=1)))
    assert found(spread) == [("no-base-backup", Severity.CRITICAL)]
    (story,) = diagnose(spread, NOW).stories
    finding = story.root
    assert finding.fixes == ()
    assert "pgBackRest" in finding.remedy
    assert finding.evidence[-1].startswith("the cluster has 1 tablespace of its own")
    assert picture_of(spread, NOW).not_taken.startswith("the cluster has 1 tablespace of its own")


def test_where_none_is_expected_the_line_says_so() -> None:
    snapshot = both(Told(expect_base_backups=False), backups=())
    assert line(snapshot) == (
        Level.OK,
        "archiving works: 41 s behind, nothing missing; "
        "no base backup is expected here (expect_base_backups = false)",
    )
    assert found(snapshot) == []


def test_before_backups_were_looked_for_nobody_can_tell() -> None:
    level, text = line(both(backups=None))
    assert (level, text) == (
        Level.UNKNOWN, "cannot tell what can be restored: the archive is still being read",
    )  # fmt: skip


def test_a_hole_ends_what_can_be_restored() -> None:
    snapshot = healthy(primary=holed(0x30), dr=holed(0x30, role=BucketRole.DR))
    level, text = line(ours(snapshot))
    assert level is Level.CRITICAL
    assert text.startswith("nothing after 14:0")
    assert text.endswith("Z can be restored: 000000010000000000000030 is missing in both copies")


def test_what_the_other_copy_has_is_restored_by_the_installed_command() -> None:
    snapshot = ours(healthy(primary=holed(0x30), dr=bucket(BucketRole.DR)))
    recovery = Assessment(snapshot, NOW).recovery
    assert recovery is not None
    assert recovery.reads_both
    assert recovery.found.reaches_newest
    level, text = line(snapshot)
    assert level is Level.CRITICAL  # the primary has a hole nevertheless
    assert "the archive has a HOLE of 1 segment" in text


def test_a_story_says_where_a_restore_stops_by_both_copies() -> None:
    """It named the newest hole of the primary, which DR filled, and the first line another."""

    def stops(snapshot: Snapshot) -> list[str]:
        told = (line for story in diagnose(snapshot, NOW).stories for line in story.at_risk)
        return [each for each in told if each.startswith("recovery stops before")]

    assert stops(ours(healthy(primary=holed(0x30), dr=bucket(BucketRole.DR)))) == []
    filled = diagnose(ours(healthy(primary=holed(0x30), dr=bucket(BucketRole.DR))), NOW).stories
    assert any("1 segment lies in the DR copy alone" in line for story in filled for line in story.at_risk)
    older = ours(healthy(primary=holed(0x20, 0x30), dr=holed(0x20, role=BucketRole.DR)))
    assert stops(older)
    assert all("000000010000000000000020" in each for each in stops(older))
    alone = healthy(primary=holed(0x30), dr=bucket(BucketRole.DR))  # a command that reads the primary
    assert all("000000010000000000000030" in each for each in stops(alone))


def test_of_another_command_nothing_is_taken_for_granted() -> None:
    snapshot = healthy(primary=holed(0x30), dr=bucket(BucketRole.DR))
    level, text = line(snapshot)
    assert level is Level.CRITICAL
    assert text.endswith("30 is missing in the primary; DR has it, which the restore command does not read")


def test_what_parallel_writers_have_not_stored_yet_is_still_to_come() -> None:
    facts = holed(0x40)
    facts = replace(facts, gaps=tuple(replace(gap, until_at=NOW - 1) for gap in facts.gaps))
    snapshot = healthy(primary=facts, archiver=archiver(last_archived_wal="00000001000000000000003F"))
    level, text = line(ours(snapshot))
    assert (level, text.partition("; ")[2]) == (
        Level.OK, "some of the newest segments are still to come",
    )  # fmt: skip


@pytest.mark.parametrize("which", ["primary", "dr"])
def test_a_copy_that_cannot_be_read_may_hold_what_the_other_lacks(which: str) -> None:
    none: dict[str, Any] = {"backups": (), "backup_labels": 0}
    slot = Snapshot.primary if which == "primary" else Snapshot.dr
    facts: dict[str, Any] = {"primary": bucket(**none), "dr": bucket(BucketRole.DR, **none)}
    facts[which] = broken(slot, "no answer", "Timeout", read(slot, facts[which]))
    recovery = Assessment(healthy(**facts), NOW).recovery_line
    words = "the primary bucket" if which == "primary" else "the DR bucket"
    assert (recovery.level, recovery.text) == (
        Level.UNKNOWN,
        f"cannot tell: {words} could not be read, and without it NOTHING can be restored: "
        "there is no base backup",
    )
    assert ("no-base-backup", Severity.WARNING) in found(healthy(**facts))


def test_a_bucket_that_is_not_there_holds_nothing() -> None:
    snapshot = healthy(
        primary=bucket(backups=(), backup_labels=0),
        dr=broken(Snapshot.dr, "it does not exist", "NoSuchBucket"),
    )
    assert Assessment(snapshot, NOW).recovery_line.level is Level.CRITICAL


def test_an_old_backup_is_a_warning() -> None:
    snapshot = both(backups=(backup(stopped=NOW - 9 * DAY_S),))
    assert line(snapshot) == (
        Level.WARNING, "the newest base backup is 9 d old: a restore would replay 1.00 GiB of WAL",
    )  # fmt: skip
    assert found(snapshot) == [("backup-stale", Severity.WARNING)]


def test_a_backup_from_the_future_is_a_warning() -> None:
    """Its age is not known: it would be fresh until then, and each that fails after it older than it."""
    ahead = backup(started=NOW + 30 * DAY_S, stopped=NOW + 30 * DAY_S + 20)
    snapshot = both(backups=(ahead,))
    assert line(snapshot) == (
        Level.WARNING,
        "the newest base backup 20260921T133000Z says that it ended at 21 Oct 14:13Z, which is yet to come: "
        "how old it is nobody can tell",
    )
    assert found(snapshot) == [("backup-stale", Severity.WARNING)]
    zoned = both(backups=(backup(stopped=NOW + 14 * 3600),))
    assert line(zoned)[0] is Level.OK


def test_what_is_left_of_a_backup_from_the_future_is_told_at_once() -> None:
    rest = backup(
        id="20300101T000000Z",
        start_lsn=None,
        stop_lsn=None,
        completeness=Completeness.INCOMPLETE,
        why="backup.json is missing",
    )
    assert line(both(backups=(backup(), rest)))[0] is Level.WARNING


def test_the_age_of_a_backup_without_times_follows_from_its_id() -> None:
    snapshot = both(backups=(backup(id="20260901T133000Z", started=None, stopped=None),))
    assert line(snapshot)[1].startswith("the newest base backup is 20 d old")


def test_another_clusters_backups_beside_this_ones_are_no_fault() -> None:
    """Two clusters archive into one bucket, each to its own folder."""
    other = backup(id="20260921T140000Z", place="other/base/", system_identifier=7)
    assert line(both(backups=(backup(), other))) == (
        Level.OK,
        "restorable to any moment since 13:30Z, 41 s behind",
    )
    level, text = line(both(backups=(backup(), replace(other, place="base/"))))
    assert level is Level.WARNING
    assert "cannot be used: it is another cluster's" in text


def test_whose_backups_they_are_the_wal_tells_where_the_server_does_not() -> None:
    header = PageHeader(0xD110, 15, 1, 0, "7412345678901234567", SEGMENT, 8192)
    head = SegmentIdentity("000000010000000000000041", "k", NOW, header)
    silent = server(system_identifier=None)
    foreign = both(backups=(backup(system_identifier=7),), identities=(head,))
    assert line(replace(foreign, server=read(Snapshot.server, silent))) == (
        Level.CRITICAL,
        "NOTHING can be restored: the only base backup 20260921T133000Z: it is another cluster's: "
        "its system identifier is 7, not 7412345678901234567",
    )
    own = both(identities=(head,))
    assert line(replace(own, server=read(Snapshot.server, silent)))[0] is Level.OK


def made_label(number: int, label: str) -> BaseBackup:
    """What the `.backup` label of a backup says that began in that segment."""
    return BaseBackup(
        Writer.LABEL,
        f"{Segment(1, number).name()}.00000028.backup",
        timeline=1,
        start_lsn=number * SEGMENT + 40,
        stop_lsn=number * SEGMENT + 312,
        label=label,
    )


def test_a_label_of_ours_without_its_backup_says_that_it_is_gone() -> None:
    """The installed script stores its backups here alone: nothing may lie elsewhere."""
    labels = made_label(2, "pg_basebackup base backup"), made_label(5, "walconsole 20260921T133000Z")
    held = holding(labels=(Segment(1, 2), Segment(1, 5)))
    snapshot = both(backups=labels, holding=held)
    assert line(snapshot) == (
        Level.CRITICAL,
        "NOTHING can be restored: there is no base backup, and the newest that was made, "
        "20260921T133000Z, does not lie here",
    )
    assert found(snapshot) == [("no-base-backup", Severity.CRITICAL)]
    others = both(backups=(labels[1], made_label(9, "pgBackRest backup started at")), holding=held)
    assert line(others)[0] is Level.UNKNOWN


def test_a_broken_backup_is_a_warning_while_an_older_one_is_whole() -> None:
    newer = backup(
        id="20260921T140000Z",
        start_lsn=0x20 * SEGMENT + 40,
        stop_lsn=0x20 * SEGMENT + 312,
        completeness=Completeness.INCOMPLETE,
        why="base.tar.zst is missing",
    )
    snapshot = both(backups=(backup(), newer))
    assert line(snapshot) == (
        Level.WARNING,
        "the newest base backup 20260921T140000Z cannot be used: it is incomplete: base.tar.zst is missing; "
        "restorable to any moment since 13:30Z",
    )
    assert found(snapshot) == [("backup-broken", Severity.WARNING)]
    assert at_risk(snapshot) == ()
    alone = both(backups=(newer,))
    assert line(alone)[0] is Level.CRITICAL
    assert found(alone) == [("backup-broken", Severity.CRITICAL)]
    assert at_risk(alone) == ("nothing can be restored: WAL replay needs a base backup to begin from",)


@pytest.mark.parametrize("rest", [(), (backup(completeness=Completeness.INCOMPLETE, why="it was cut"),)])
def test_a_copy_without_a_backup_of_its_own_restores_nothing_alone(rest: tuple[BaseBackup, ...]) -> None:
    """The script ends with 5, night after night, where only the upload to one copy works."""
    snapshot = healthy(primary=bucket(), dr=bucket(BucketRole.DR, backups=rest))
    assert line(snapshot) == (
        Level.WARNING,
        "shithub-wal-dr holds no complete base backup: it alone restores nothing; "
        "restorable to any moment since 13:30Z, 41 s behind",
    )
    assert found(snapshot) == [("no-base-backup", Severity.WARNING)]
    assert at_risk(snapshot) == ()
    tools = (backup(writer=Writer.BARMAN),)
    assert line(healthy(primary=bucket(backups=tools), dr=bucket(BucketRole.DR, backups=rest)))[0] is Level.OK


def test_a_copy_whose_own_backups_are_old_is_a_warning() -> None:
    early = backup(
        id="20260911T133000Z", stopped=NOW - 10 * DAY_S, start_lsn=SEGMENT + 40, stop_lsn=SEGMENT + 99
    )
    snapshot = healthy(primary=bucket(backups=(early, backup())), dr=bucket(BucketRole.DR, backups=(early,)))
    assert line(snapshot)[0] is Level.WARNING
    assert line(snapshot)[1].startswith("the newest base backup in shithub-wal-dr is 10 d old; restorable to")
    assert found(snapshot) == [("backup-stale", Severity.WARNING)]


def test_a_description_that_cannot_be_read_proves_nothing() -> None:
    snapshot = both(backups=(Unreadable("base/x/backup.json", "it is not JSON"),), backup_labels=0)
    level, text = line(snapshot)
    assert level is Level.UNKNOWN
    assert text.startswith("cannot tell what can be restored: base/x/backup.json cannot be read")
    assert found(snapshot) == [("backup-broken", Severity.WARNING)]


def test_a_backup_without_its_wal_is_of_no_use() -> None:
    held = holding(first=3)
    snapshot = ours(both(holding=held, continuity=continuity(held.timelines, {}, SEGMENT)))
    assert line(snapshot) == (
        Level.CRITICAL,
        "NOTHING can be restored: the only base backup 20260921T133000Z: "
        "000000010000000000000002 is missing in both copies",
    )
    assert found(snapshot) == [("wal-before-backup-gone", Severity.CRITICAL)]


def test_an_accepted_gap_without_a_backup_since_still_ends_it() -> None:
    facts = holed(0x30)
    path = replace(facts.continuity, gaps=(), gap_count=0, accepted_gaps=facts.gaps)  # type: ignore[type-var]
    facts = replace(facts, gaps=(), gap_count=0, missing_segments=0, continuity=path)
    snapshot = ours(healthy(primary=facts, dr=replace(facts, role=BucketRole.DR)))
    level, text = line(snapshot)
    assert level is Level.CRITICAL
    assert text.startswith("nothing after 14:0")
    assert found(snapshot) == [("wal-before-backup-gone", Severity.CRITICAL)]


def test_labels_alone_are_no_alarm_and_no_promise() -> None:
    held = holding(labels=(Segment(1, 2),))
    snapshot = both(backups=(), holding=held)
    assert line(snapshot) == (
        Level.UNKNOWN,
        "cannot tell what can be restored: 1 base backup was made (.backup labels), and none lies here",
    )
    assert found(snapshot) == [("no-base-backup", Severity.NOTE)]
    assert at_risk(snapshot) == ()


@pytest.mark.parametrize(
    ("prefix", "place", "tool"),
    [
        ("archive/main/", Place(Layout.PGBACKREST, "15-1/"), "pgBackRest"),
        ("main/wals/", Place(Layout.FLAT), "Barman"),
        ("wal_005/", Place(Layout.FLAT), "WAL-G"),
    ],
)
def test_a_tools_backups_may_lie_outside_of_the_prefix(prefix: str, place: Place, tool: str) -> None:
    held = holding(prefix=prefix, place=place)
    snapshot = both(backups=(), backup_labels=0, holding=held, layout=place.layout.value, folder=place.root)
    assert line(snapshot) == (
        Level.UNKNOWN,
        f"cannot tell what can be restored: {tool} keeps its base backups outside of this prefix",
    )
    assert found(snapshot) == [("no-base-backup", Severity.NOTE)]


def test_a_repository_that_is_seen_whole_and_has_none_has_none() -> None:
    place = Place(Layout.PGBACKREST, "archive/main/15-1/")
    snapshot = both(backups=(), backup_labels=0, holding=holding(place=place), layout=place.layout.value)
    assert line(snapshot)[0] is Level.CRITICAL


def test_where_nothing_was_due_yet_what_was_written_before_is_asked_for() -> None:
    new = archiver(archived_count=0, last_archived_wal=None, last_archived_at=None, lsn=0x42 * SEGMENT + MIB)
    just_started = {"server": server(started_at=NOW - 30), "archiver": new}
    seen = bucket(newest_segment=None, newest_at=None)
    assert line(healthy(primary=seen, **just_started)) == (
        Level.OK,
        "archiving is on, and nothing was due yet; restorable to any moment since 13:30Z, 40 s behind",
    )
    none = replace(seen, backups=(), backup_labels=0)
    assert line(healthy(primary=none, dr=replace(none, role=BucketRole.DR), **just_started)) == (
        Level.CRITICAL,
        "NOTHING can be restored: there is no base backup",
    )


def test_it_is_judged_anew_only_where_something_came() -> None:
    snapshot = both()
    first = Assessment(snapshot, NOW).recovery
    primary = snapshot.primary.value
    assert first is not None
    assert primary is not None
    polled = read(Snapshot.primary, replace(primary, store_clock_offset_s=0.7, swept_at=NOW + 5))
    again = Assessment(replace(snapshot, primary=polled, archiver=read(
        Snapshot.archiver, archiver(lsn=0x43 * SEGMENT)
    )), NOW + 5).recovery  # fmt: skip
    assert again is not None
    assert again.found.reach is first.found.reach
    assert again.found.cluster.lsn == 0x43 * SEGMENT
    more = read(Snapshot.primary, replace(primary, holding=holding(last=0x42)))
    later = Assessment(replace(snapshot, primary=more), NOW).recovery
    assert later is not None
    assert later.found.reach is not first.found.reach


def documents(snapshot: Snapshot) -> dict[str, Any]:
    """What `check --json` says of recovery."""
    diagnosis = diagnose(snapshot, NOW)
    document = check_document("x", snapshot, diagnosis, metrics(snapshot, diagnosis, NOW), NOW)
    told = document["recovery"]
    assert isinstance(told, dict)
    return told


def numbers(snapshot: Snapshot) -> dict[str, float]:
    every = metrics(snapshot, diagnose(snapshot, NOW), NOW)
    return {each.name: each.value for each in every if not each.labels}


def test_the_document_has_the_window_and_each_backup() -> None:
    told = documents(ours(both()))
    assert (told["level"], told["reaches_now"], told["timeline"]) == ("ok", True, 1)
    assert (told["restore_reads"], told["not_read"]) == (["primary", "dr"], [])
    (window,) = told["windows"]
    assert (window["since"], window["until"], window["stop"]) == (
        "2026-09-21T13:30:20.000+00:00", "2026-09-21T14:12:40.000+00:00", None,
    )  # fmt: skip
    assert (window["since_lsn"], window["until_lsn"]) == ("0/2000138", "0/42000000")
    (made,) = told["backups"]
    assert (made["state"], made["usable"], made["complete_in"]) == ("complete", True, ["primary", "dr"])


def test_the_document_says_what_stops_it_and_that_it_is_not_known() -> None:
    told = documents(healthy(primary=holed(0x30), dr=holed(0x30, role=BucketRole.DR)))
    assert told["restore_reads"] == ["primary"]
    assert told["windows"][0]["stop"].startswith("000000010000000000000030 is missing in the primary")
    snapshot = both(backups=None)
    diagnosis = diagnose(snapshot, NOW)
    document = check_document("x", snapshot, diagnosis, metrics(snapshot, diagnosis, NOW), NOW)
    assert document["recovery"] is None
    assert "recovery_reaches_now" not in numbers(snapshot)


def test_the_numbers_are_those_of_the_newest_usable_backup() -> None:
    told = numbers(both())
    assert told["recovery_reaches_now"] == 1
    assert told["recovery_window_start_timestamp_seconds"] == NOW - 2580
    assert told["recovery_window_end_timestamp_seconds"] == NOW - 40
    assert told["base_backup_age_seconds"] == 2580
    assert told["base_backup_stored_bytes"] == 470 * MIB
    assert told["recovery_replay_bytes"] == 0x40 * SEGMENT - 40
    assert numbers(both(backups=()))["recovery_reaches_now"] == 0


def test_backups_are_counted_by_their_state_in_each_copy() -> None:
    unfinished = backup(id="20260921T140000Z", completeness=Completeness.INCOMPLETE, why="not finished")
    snapshot = both(backups=(backup(), unfinished, Unreadable("k", "it is not JSON")))
    counted = {
        each.labels: each.value
        for each in metrics(snapshot, diagnose(snapshot, NOW), NOW)
        if each.name == "base_backups"
    }
    assert counted == {
        (("copy", copy), ("state", state)): value
        for copy in ("primary", "dr")
        for state, value in (("complete", 1), ("incomplete", 1), ("unknown", 0), ("unreadable", 1))
    }


def test_the_report_says_what_was_assumed() -> None:
    lines = list(recovery_lines(Assessment(both(), NOW)))
    assert lines[0] == "restorable to any moment since 13:30Z, 41 s behind"
    assert lines[1].startswith(
        "timeline 1: 2026-09-21T13:30:20.000+00:00 to 2026-09-21T14:12:40.000+00:00 (0/2"
    )
    assert lines[2] == "assumed: the restore command reads the primary copy"
    assert list(recovery_lines(Assessment(ours(both()), NOW)))[2] == (
        "assumed: the restore command reads the primary and dr copies"
    )


def test_copies_that_cannot_be_read_are_not_said_to_be_read_still() -> None:
    blind = replace(
        healthy(),
        primary=broken(Snapshot.primary, "no key", "NoKey"),
        dr=broken(Snapshot.dr, "no key", "NoKey"),
    )
    said = Assessment(blind, NOW).recovery_line
    assert said.level is Level.UNKNOWN
    assert said.text == "cannot tell what can be restored: the bucket could not be read: no key"


def test_where_nothing_was_due_yet_and_no_bucket_can_be_read_it_is_not_ok() -> None:
    begun = archiver(archived_count=0, last_archived_wal=None, last_archived_at=None)
    young = healthy(archiver=begun, server=server(started_at=NOW - 5))
    assert line(replace(young, primary=broken(Snapshot.primary, "no answer", "Timeout"))) == (
        Level.WARNING,
        "archiving is on, and nothing was due yet; the bucket could not be read: no answer",
    )


def torn(*numbers: int, role: BucketRole = BucketRole.PRIMARY) -> BucketFacts:
    """A copy in which the objects of these segments have another size than a segment."""
    runs = Runs()
    for number in numbers:
        runs.add(number, number)
    return bucket(role, holding=holding(odd={1: runs}))


def test_a_plain_segment_of_another_size_ends_what_can_be_restored_and_is_told() -> None:
    both = ours(healthy(primary=torn(0x20), dr=torn(0x20, role=BucketRole.DR)))
    level, text = line(both)
    assert level is Level.CRITICAL
    assert "000000010000000000000020 is damaged in" in text
    found = {each.slot: each for each in diagnose(both, NOW).findings if each.rule == "damaged-object"}
    assert found[Snapshot.primary].severity is Severity.CRITICAL
    assert found[Snapshot.primary].title == (
        "1 object in the primary bucket is no whole segment: 000000010000000000000020"
    )
    assert "not 16,777,216 bytes" in found[Snapshot.primary].proof[0].text
    assert found[Snapshot.dr].severity is Severity.WARNING


def test_a_compressed_segment_that_is_too_large_is_told() -> None:
    snapshot = healthy()
    primary = snapshot.primary.value
    assert primary is not None
    name, header = Segment(1, 0x20).name(), PageHeader(0xD110, 15, 1, 0, "7", 16 << 20, 8192)
    why = "it unpacks to more than a segment, 16,777,216 bytes"
    wrong = replace(primary, identities=(SegmentIdentity(name, f"{name}.zst", NOW, header, why),))
    told = replace(snapshot, primary=replace(snapshot.primary, value=wrong))
    (found,) = [each for each in diagnose(told, NOW).findings if each.rule == "damaged-object"]
    assert found.severity is Severity.CRITICAL
    assert found.title.endswith("in the primary bucket is no segment: no server takes it")


def test_one_that_the_other_copy_has_whole_or_that_nothing_needs_is_a_note() -> None:
    for snapshot in (
        ours(healthy(primary=torn(0x20))),
        ours(healthy(dr=torn(0x20, role=BucketRole.DR))),
        ours(healthy(primary=torn(0x01), dr=torn(0x01, role=BucketRole.DR))),  # before the base backup
    ):
        found = [each for each in diagnose(snapshot, NOW).findings if each.rule == "damaged-object"]
        assert {each.severity for each in found} == {Severity.NOTE}
        assert line(snapshot)[0] is Level.OK
    assert line(healthy(primary=torn(0x20)))[0] is Level.CRITICAL, "a stranger reads the primary alone"


RESTORE = "/usr/local/bin/shithub-pg-restore"


def restoring(snapshot: Snapshot, command: str) -> Snapshot:
    """The server has that restore_command, as one that was restored or follows does."""
    force = {"restore_command": InForce(command, "configuration file")}
    catalogue = CatalogueFacts({}, force, (), NOW, 150018)
    told = replace(snapshot.told, restore_program=RESTORE)
    return replace(snapshot, catalogue=read(Snapshot.catalogue, catalogue), told=told)


@pytest.mark.parametrize(
    ("command", "asked", "restorable"),
    [
        (f'{RESTORE} "%f" "%p"', ("primary", "dr"), True),
        (f'{RESTORE} "%f" "%p" dr', ("dr",), True),
        (f"{RESTORE} %f %p 'primary'", ("primary",), False),
        ("rclone copyto spaces-prod:shithub-wal/%f %p", ("primary",), False),
        ("rclone copyto spaces-dr:shithub-wal-dr/%f %p", ("dr",), True),
        (
            "rclone copyto a:shithub-wal/%f %p || rclone copyto b:shithub-wal-dr/%f %p",
            ("primary", "dr"),
            True,
        ),
        ("/opt/restore.sh %f %p", (), True),  # not told: as it is thought without one
        ("", (), True),
    ],
)
def test_a_restore_reads_the_copies_that_its_command_names(
    command: str, asked: tuple[str, ...], restorable: bool
) -> None:
    """The primary lacks a segment that DR holds."""
    snapshot = restoring(ours(healthy(primary=holed(0x20))), command)
    recovery = Assessment(snapshot, NOW).recovery
    assert recovery is not None
    assert recovery.found.reaches_newest is restorable
    assert recovery.configured is bool(asked)
    if asked:
        assert tuple(role.value for role in recovery.found.read) == asked
        sure = f"the server's restore_command reads the {' and '.join(asked)}"
        assert any(each.startswith(sure) for each in recovery_lines(Assessment(snapshot, NOW)))


def test_a_segment_without_a_byte_ends_what_can_be_restored() -> None:
    both_empty = ours(healthy(primary=empty(0x20), dr=empty(0x20, role=BucketRole.DR)))
    level, text = line(both_empty)
    assert level is Level.CRITICAL
    assert "nothing after" in text
    assert "000000010000000000000020 is damaged in" in text
    one = ours(healthy(primary=empty(0x20)))
    assert line(one)[1].startswith("restorable to any moment since 13:30Z")
    assert line(healthy(primary=empty(0x20)))[0] is Level.CRITICAL, (
        "the primary alone is read by a stranger's command"
    )


@pytest.mark.parametrize("slot", [Snapshot.primary, Snapshot.dr])
def test_a_copy_that_could_not_be_read_is_said_once_wherever_the_line_stands(slot: AnySlot) -> None:
    snapshot = fold(healthy(), broken(slot, "key K may not list it", "AccessDenied"), NOW)
    alone, first = Assessment(snapshot, NOW).recovery_verdict, diagnose(snapshot, NOW).verdict
    assert alone.level is Level.OK
    assert alone.text.endswith(f"; {slot.words} could not be read")
    assert first.text.count("could not be read") <= 1

"""A server whose WAL is streamed away: archive_mode = off is no fault there, and no proof of anything."""

import json
from dataclasses import replace

import pytest

from tests.data.facts import NOW, archiver, bucket, healthy, server, settings
from walconsole.domain.archive.layouts import archived_name
from walconsole.domain.archivers.discovery import Settings, discover
from walconsole.domain.archivers.look import FileText, Seen
from walconsole.domain.archivers.receivers import received_here
from walconsole.domain.archivers.target import UnreadStore
from walconsole.domain.facts.evidence import ReplicationSlot, RetentionFacts
from walconsole.domain.facts.snapshot import Reading, Snapshot, Told
from walconsole.domain.failures import Diagnosis, diagnose
from walconsole.domain.standing.model import Level, Severity, Verdict
from walconsole.domain.standing.whose import writing
from walconsole.domain.wal import Segment, WalNameKind

RECEIVING = ReplicationSlot("wal", "physical", True, "reserved", 4096, reader="pg_receivewal")
BARMAN = ReplicationSlot("barman", "physical", True, "reserved", 1 << 20, reader="barman_receive_wal")


@pytest.mark.parametrize(
    ("slots", "level", "said", "off"),
    [
        ((BARMAN,), Level.UNKNOWN, "WAL is streamed to barman_receive_wal, by the slot barman", False),
        ((), Level.CRITICAL, "archiving is OFF", True),
        (
            (ReplicationSlot("s", "physical", True, "reserved", 1, reader="walreceiver"),),
            Level.CRITICAL, "archiving is OFF", True,
        ),
        (
            (ReplicationSlot("barman", "physical", False, "reserved", 1),),
            Level.CRITICAL, "archiving is OFF", True,
        ),
    ],
    ids=["barman", "nobody", "a standby", "a slot that nobody reads"],
)  # fmt: skip
def test_archive_mode_off(slots: tuple[ReplicationSlot, ...], level: Level, said: str, off: bool) -> None:
    diagnosis = diagnose(healthy(settings=settings(archive_mode="off"), retention=RetentionFacts(slots)), NOW)
    assert diagnosis.verdict.level is level
    assert said in diagnosis.verdict.text
    assert ("archive-off" in {story.root.rule for story in diagnosis.stories}) is off


CURRENT = Segment(1, writing(archiver(), server()).number)
SIZE = server().segment_bytes


def judged(slot: ReplicationSlot, partial: Segment | None, newest: Segment | None = None) -> Verdict:
    """The first line of a server that only streams, into the folder that is the primary copy."""
    held = bucket(
        newest_partial=partial.name(SIZE) if partial is not None else None,
        newest_segment=(newest or Segment(1, CURRENT.number - 1)).name(SIZE),
    )
    once = archiver(last_archived_wal=Segment(1, CURRENT.number - 7).name(SIZE))
    snapshot = healthy(
        settings=settings(archive_mode="off"), retention=RetentionFacts((slot,)), primary=held, archiver=once
    )
    return diagnose(snapshot, NOW).verdict


def test_a_stream_that_is_current_is_judged_by_what_its_receiver_keeps() -> None:
    said = judged(RECEIVING, CURRENT)
    assert (said.level, said.text.partition(" to any")[0]) == (Level.OK, "restorable")


@pytest.mark.parametrize("partial", [None, Segment(1, CURRENT.number - 3), Segment(2, CURRENT.number)])
def test_a_place_without_what_the_server_writes_is_not_said_to_be_the_streams(
    partial: Segment | None,
) -> None:
    said = judged(RECEIVING, partial)
    assert said.level is Level.UNKNOWN
    assert "no .partial of what the server writes is seen there" in said.text


@pytest.mark.parametrize(
    ("slot", "newest"),
    [(replace(RECEIVING, retained_bytes=3 * SIZE), None), (RECEIVING, Segment(1, CURRENT.number - 4))],
)
def test_a_stream_that_is_behind_by_its_slot_or_by_its_place_is_told(
    slot: ReplicationSlot, newest: Segment | None
) -> None:
    said = judged(slot, CURRENT, newest)
    assert said.level is Level.WARNING
    assert "WAL is streamed to pg_receivewal, by the slot wal, which is BEHIND" in said.text


def test_a_slot_that_does_not_say_how_far_it_is_proves_nothing() -> None:
    assert judged(replace(RECEIVING, retained_bytes=None), CURRENT).level is Level.UNKNOWN


@pytest.mark.parametrize(("host", "said"), [("192.0.2.9", " at 192.0.2.9"), ("127.0.0.1", ""), ("", "")])
def test_a_receiver_on_another_host_is_named_with_it(host: str, said: str) -> None:
    slot = replace(BARMAN, reader_host=host)
    snapshot = healthy(settings=settings(archive_mode="off"), retention=RetentionFacts((slot,)))
    text = diagnose(snapshot, NOW).verdict.text
    assert f"WAL is streamed to barman_receive_wal{said}, by the slot barman" in text


def without_base_backup(mode: str, *, expected: bool = True) -> Diagnosis:
    """A server that streams to pg_receivewal, which is current, and no base backup in the bucket."""
    held = bucket(
        newest_partial=CURRENT.name(SIZE),
        newest_segment=Segment(1, CURRENT.number - 1).name(SIZE),
        backups=(),
    )
    snapshot = healthy(
        settings=settings(archive_mode=mode),
        retention=RetentionFacts((RECEIVING,)),
        primary=held,
        archiver=archiver(last_archived_wal=Segment(1, CURRENT.number - 1).name(SIZE)),
        dr=Reading(Snapshot.dr),
    )
    told = Told(second_copy=False, expect_base_backups=expected)
    return diagnose(replace(snapshot, told=told), NOW)


def test_what_was_counted_before_is_not_held_against_a_receiver_that_has_no_segment_yet() -> None:
    held = bucket(newest_partial=CURRENT.name(SIZE), newest_segment=None, oldest_segment=None, segments=0)
    snapshot = healthy(
        settings=settings(archive_mode="off"), retention=RetentionFacts((BARMAN,)), primary=held
    )
    found = diagnose(snapshot, NOW)
    assert found.verdict.level is Level.UNKNOWN
    assert "no segment of this server is seen there" in found.verdict.text
    assert "silent-loss" not in {each.rule for each in found.findings}
    nobody = diagnose(replace(snapshot, retention=healthy(retention=RetentionFacts(())).retention), NOW)
    assert "silent-loss" in {each.rule for each in nobody.findings}


def test_pg_receivewal_alone_says_what_is_not_seen_and_where_base_backups_may_stand() -> None:
    found = without_base_backup("off")
    assert found.verdict.level is Level.UNKNOWN
    assert "no base backup is seen where it keeps it" in found.verdict.text
    assert "expect_base_backups = false" in found.verdict.text
    (story,) = found.stories
    assert (story.root.rule, story.root.severity) == ("no-base-backup", Severity.WARNING)


def test_what_the_profile_says_of_them_is_taken() -> None:
    assert without_base_backup("off", expected=False).verdict.level is Level.OK


def test_an_archive_of_the_servers_own_without_one_restores_nothing() -> None:
    found = without_base_backup("on")
    assert found.verdict.level is Level.CRITICAL
    assert "NOTHING can be restored" in found.verdict.text


@pytest.mark.parametrize(
    ("words", "port", "place"),
    [
        (("pg_receivewal", "-D", "/mnt/wal", "-S", "wal"), 5432, "/mnt/wal"),
        (("/usr/lib/postgresql/15/bin/pg_receivewal", "-D/mnt/wal/", "-p5433"), 5433, "/mnt/wal"),
        (("pg_receivewal", "--directory=/mnt/wal", "--dbname=host=/run/pg port=5432"), 5432, "/mnt/wal"),
        (("pg_receivewal", "-D", "/mnt/wal", "-d", "postgresql://wal@localhost:5432/"), 5432, "/mnt/wal"),
        (("pg_receivewal", "-D", "/var/lib/barman/main/streaming", "-S", "b"), 5432, "/var/lib/barman/main"),
        (("pg_receivewal", "-D", "/mnt/wal", "-p", "5433"), 5432, ""),
        (("pg_receivewal", "-D", "/mnt/wal", "-h", "db2.example.net"), 5432, ""),
        (("pg_receivewal", "-D", "/mnt/wal", "-d", "host=db2 port=5432"), 5432, ""),
        (("pg_receivewal", "-D", "wal", "-S", "wal"), 5432, ""),
        (("pg_receivewal", "--create-slot", "-S", "wal"), 5432, ""),
    ],
)
@pytest.mark.parametrize("command", ["", "/bin/true", "cp %p /mnt/old/%f"])
def test_a_receiver_on_the_host_names_the_archive_where_archiving_is_off(
    words: tuple[str, ...], port: int, place: str, command: str
) -> None:
    seen = Seen(data="/data", port=port, receivers=(words,))
    found, _ = discover(Settings(command, mode="off"), seen)
    streamed = [str(each.store) for each in found.targets if each.tool.value in ("pg_receivewal", "Barman")]
    assert streamed == ([place] if place else [])
    assert bool(found.streaming) is bool(place)


def test_what_pghoard_receives_is_where_its_json_says() -> None:
    receiver = ("pg_receivewal", "-D", "/var/lib/pghoard/s1/xlog_incoming", "-S", "pghoard")
    path = "/var/lib/pghoard/pghoard.json"
    storage = {"storage_type": "local", "directory": "/mnt/hoard"}
    document = json.dumps({"backup_sites": {"s1": {"object_storage": storage}}})
    files = {path: FileText(path, document)}
    found, _ = discover(Settings("", mode="off"), Seen(data="/data", receivers=(receiver,), files=files))
    assert [(each.tool.value, str(each.store)) for each in found.targets] == [("pghoard", "/mnt/hoard/s1")]
    unread, wanted = discover(Settings("", mode="off"), Seen(data="/data", receivers=(receiver,)))
    assert path in wanted.files
    assert [type(each.store) for each in unread.targets] == [UnreadStore]


@pytest.mark.parametrize(
    ("compress", "algorithm"),
    [("5", "gzip"), ("0", "none"), ("lz4", "lz4"), ("gzip:9", "gzip"), ("", "none")],
)
def test_what_a_receiver_compresses_by(compress: str, algorithm: str) -> None:
    (target,) = received_here([("pg_receivewal", "-D", "/mnt/wal", f"--compress={compress}")], 0)
    assert target.compression is not None
    assert target.compression.value == algorithm


@pytest.mark.parametrize("name", [f"{CURRENT.name(SIZE)}{end}.partial" for end in ("", ".gz", ".lz4")])
def test_what_a_receiver_is_writing_is_known_by_its_name(name: str) -> None:
    found = archived_name(name, SIZE)
    assert found is not None
    assert (found.kind, found.segment) == (WalNameKind.PARTIAL, CURRENT)

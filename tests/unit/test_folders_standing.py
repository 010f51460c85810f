"""What is wrong with an archive's folder, as tables: no server is needed to decide it."""

from dataclasses import replace
from typing import Any

import pytest

from tests.data.facts import NOW, SEGMENT, healthy
from walconsole.domain.archivers.folders import (
    archive_folders,
    folders_elsewhere,
    receiver_folder,
    refuses_existing,
)
from walconsole.domain.facts.evidence import DiscoveryFacts, FoundCopy
from walconsole.domain.facts.folders import ArchiveFolder, FolderFacts
from walconsole.domain.facts.snapshot import Reading, Snapshot
from walconsole.domain.failures import diagnose
from walconsole.domain.profile import BucketRole, BucketTarget, KeyReference, KeySource
from walconsole.domain.standing.model import Severity
from walconsole.report.metrics import metrics

GOOD = ArchiveFolder(
    "/mnt/wal",
    owner="postgres:postgres",
    mode="750",
    writable=True,
    mount_point="/mnt/wal",
    filesystem="nfs",
    total_bytes=100 << 30,
    free_bytes=50 << 30,
    free_inodes=1_000_000,
    beside_data=False,
)
WARNING, CRITICAL = Severity.WARNING, Severity.CRITICAL


def told(*folders: ArchiveFolder, elsewhere: tuple[str, ...] = ()) -> list[tuple[str, Severity, str]]:
    facts = Reading(Snapshot.folders, "stat", FolderFacts(folders, elsewhere), NOW)
    found = diagnose(healthy(folders=facts), NOW).findings
    return [(each.rule, each.severity, each.fixes[0].commands[0]) for each in found]


@pytest.mark.parametrize(
    ("changes", "rule", "severity", "command"),
    [
        ({"expected_mount": "/mnt/wal", "expected_source": "nas:/wal", "expected_type": "nfs4"},
         "folder-not-mounted", CRITICAL, "mount /mnt/wal"),
        ({"why": "No such file or directory", "expected_mount": "/mnt"},
         "folder-not-mounted", CRITICAL, "mount /mnt"),
        ({"why": "No such file or directory"}, "folder-missing", CRITICAL,
         "install -d -o postgres -g postgres -m 750 /mnt/wal"),
        ({"why": "Stale file handle"}, "folder-missing", CRITICAL, "umount -l /mnt/wal"),
        ({"why": "it did not answer within 5 s"}, "folder-missing", CRITICAL, "cat /proc/mounts"),
        ({"why": "Input/output error"}, "folder-missing", CRITICAL, "namei -l /mnt/wal"),
        ({"why": "Permission denied", "owner": ""}, "folder-not-writable", CRITICAL, "namei -l /mnt/wal"),
        ({"why": "Permission denied"}, "folder-not-writable", CRITICAL, "chown postgres /mnt/wal"),
        ({"writable": False, "owner": "root:root"}, "folder-not-writable", CRITICAL,
         "chown postgres /mnt/wal"),
        ({"writable": False, "mode": "550"}, "folder-not-writable", CRITICAL, "chown postgres /mnt/wal"),
        ({"writable": False}, "folder-not-writable", CRITICAL, "lsattr -d /mnt/wal"),
        ({"writable": False, "read_only": True}, "folder-not-writable", CRITICAL,
         "mount -o remount,rw /mnt/wal"),
        ({"free_bytes": SEGMENT - 1}, "folder-full", CRITICAL, "df -h /mnt/wal"),
        ({"free_inodes": 0}, "folder-full", CRITICAL, "df -h /mnt/wal"),
        ({"free_bytes": 4 << 30}, "folder-full", WARNING, "df -h /mnt/wal"),
        ({"free_inodes": 500}, "folder-full", WARNING, "df -h /mnt/wal"),
        ({"beside_data": True}, "folder-beside-data", WARNING, "lsblk -o NAME,SIZE,FSTYPE,MOUNTPOINT"),
    ],
)  # fmt: skip
def test_the_first_cause_alone_is_told(
    changes: dict[str, Any], rule: str, severity: Severity, command: str
) -> None:
    assert told(replace(GOOD, **changes)) == [(rule, severity, command)]


@pytest.mark.parametrize(
    "changes",
    [{}, {"writable": None}, {"free_inodes": None}, {"free_bytes": None}, {"beside_data": None}],
)
def test_what_is_well_or_not_known_is_no_finding(changes: dict[str, Any]) -> None:
    assert told(replace(GOOD, **changes)) == []


def test_a_path_with_odd_letters_stays_one_word() -> None:
    (finding,) = told(replace(GOOD, path="/mnt/it's a $(reboot)", writable=False, owner="root:root"))
    assert finding[2] == "chown postgres '/mnt/it'\"'\"'s a $(reboot)'"


@pytest.mark.parametrize("path", ["/", "/root", "/etc/", "/home/anna", "/var/lib", "/tmp"])
@pytest.mark.parametrize("changes", [{"why": "Permission denied"}, {"writable": False, "owner": "root:x"}])
def test_no_folder_of_the_system_s_or_a_person_s_is_given_away(path: str, changes: dict[str, Any]) -> None:
    facts = Reading(Snapshot.folders, "stat", FolderFacts((replace(GOOD, path=path, **changes),), ()), NOW)
    (finding,) = diagnose(healthy(folders=facts), NOW).findings
    assert finding.rule == "folder-not-writable"
    assert "must not be given" in finding.remedy
    assert not [one for fix in finding.fixes for one in fix.commands if one.startswith(("chown", "chmod"))]


def test_another_host_is_named() -> None:
    assert told(elsewhere=("backup@nas:/srv/wal",)) == [
        ("folder-elsewhere", Severity.NOTE, "ssh backup@nas ls -l /srv/wal | tail")
    ]


@pytest.mark.parametrize(
    ("command", "here", "there", "refuses"),
    [
        ("cp %p /mnt/wal/%f", ["/mnt/wal"], [], False),
        ("cp %p /mnt/wal/", ["/mnt/wal"], [], False),
        ('test ! -f "/mnt/wal/%f" && cp "%p" "/mnt/wal/%f"', ["/mnt/wal"], [], True),
        ("cp -n %p /mnt/wal/%f", ["/mnt/wal"], [], True),
        ("gzip < %p > /mnt/wal/%f.gz", ["/mnt/wal"], [], False),
        ("set -C; zstd -q < %p > /mnt/wal/%f.zst", ["/mnt/wal"], [], True),
        ("rsync -a %p /mnt/wal/%f", ["/mnt/wal"], [], False),
        ("rsync -a %p backup@nas:/srv/wal/%f", [], ["backup@nas:/srv/wal"], False),
        ("rsync -a %p nas::wal/%f", [], [], False),
        ("scp -q %p nas:/srv/wal/%f", [], ["nas:/srv/wal"], False),
        ("rsync %p barman@pg:/var/lib/barman/pg/incoming/%f", [], ["barman@pg:/var/lib/barman/pg/incoming"],
         False),
        ("aws s3 cp %p s3://b/wal/%f", [], [], False),
        ("rclone copyto %p sp:b/wal/%f", [], [], False),
    ],
)  # fmt: skip
def test_where_a_command_copies_to(command: str, here: list[str], there: list[str], refuses: bool) -> None:
    assert list(archive_folders(command)) == here
    assert list(folders_elsewhere(command)) == there
    assert refuses_existing(command) is refuses


@pytest.mark.parametrize(
    ("words", "folder"),
    [
        (["pg_receivewal", "-D", "/mnt/wal", "-S", "wal"], "/mnt/wal"),
        (["pg_receivewal", "-D/mnt/wal"], "/mnt/wal"),
        (["pg_receivewal", "--directory=/mnt/wal"], "/mnt/wal"),
        (["pg_receivewal", "-D", "wal"], ""),
        (["pg_receivewal", "-D"], ""),
        (["pg_receivewal", "--slot=wal"], ""),
    ],
)
def test_where_a_receiver_writes(words: list[str], folder: str) -> None:
    assert receiver_folder(words) == folder


@pytest.mark.parametrize(
    ("bucket", "folder", "host"),
    [
        ("acme-wal", "", ""),
        ("/mnt/wal", "/mnt/wal", ""),
        ("nas:/srv/wal", "/srv/wal", "nas"),
        ("backup@nas:/srv/a:/b", "/srv/a:/b", "backup@nas"),
        ("/mnt/a:/b", "/mnt/a:/b", ""),
    ],
)
def test_a_bucket_that_is_a_path_is_a_folder(bucket: str, folder: str, host: str) -> None:
    target = BucketTarget(BucketRole.PRIMARY, bucket, "", "", KeyReference(KeySource.DROPLET))
    assert (target.folder, target.folder_host) == (folder, host)


def test_of_a_folder_nothing_is_said_of_buckets() -> None:
    snapshot = healthy()
    assert snapshot.primary.value is not None
    torn = replace(snapshot.primary.value, bucket="/mnt/wal", endpoint="", gap_count=0, segments=0)
    reading = replace(snapshot.primary, value=replace(torn, newest_segment=None))
    texts = [
        text
        for finding in diagnose(replace(snapshot, primary=reading), NOW).findings
        for text in (finding.title, *finding.evidence, finding.remedy, *(one.source for one in finding.proof))
    ]
    assert texts
    assert not [text for text in texts if "S3" in text or "primary bucket" in text]


def test_room_is_a_number_for_whoever_reads_numbers() -> None:
    facts = Reading(Snapshot.folders, "stat", FolderFacts((GOOD,)), NOW)
    snapshot = healthy(folders=facts)
    found = {each.name: each for each in metrics(snapshot, diagnose(snapshot, NOW), NOW)}
    assert found["archive_folder_free_bytes"].value == GOOD.free_bytes
    assert found["archive_folder_free_inodes"].value == GOOD.free_inodes
    assert found["archive_folder_free_bytes"].labels == (("folder", "/mnt/wal"),)


def test_beside_the_data_is_a_note_where_a_copy_elsewhere_is_read_and_tells_what_cron_copies() -> None:
    """`cp` into a folder and `aws s3 cp` after it: one lost disk takes the folder alone."""
    folder = replace(GOOD, beside_data=True)
    facts = Reading(Snapshot.folders, "stat", FolderFacts((folder,)), NOW)
    other = FoundCopy("aws", "s3://acme/wal at https://s3.example.net")
    beside = FoundCopy("cp", folder.path)
    cron = "/etc/cron.d/wal line 1 (hourly, as root) copies /mnt/wal to r2:acme: rclone sync"
    for copies, severity, said in (
        ((beside,), WARNING, cron),
        ((beside, other), Severity.NOTE, "is a copy elsewhere"),
        ((beside, replace(other, unread="azure")), WARNING, cron),
    ):
        found = Reading(Snapshot.discovery, "host", DiscoveryFacts(copies, copied=(cron,)), NOW)
        told = diagnose(healthy(folders=facts, discovery=found), NOW).findings
        (finding,) = [each for each in told if each.rule == "folder-beside-data"]
        assert finding.severity is severity
        assert said in " ".join(finding.evidence)

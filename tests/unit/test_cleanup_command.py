"""archive_cleanup_command: an alarm where it eats the archive itself, and nowhere else."""

import pytest

from tests.data.facts import NOW, healthy, server, settings
from walconsole.domain.facts.folders import ArchiveFolder, FolderFacts
from walconsole.domain.failures import diagnose
from walconsole.domain.failures.cleanup import _cleaned
from walconsole.domain.standing.model import Severity

ARCHIVE = FolderFacts((ArchiveFolder("/mnt/wal"),))


@pytest.mark.parametrize(
    ("command", "folder"),
    [
        ("pg_archivecleanup /mnt/wal %r", "/mnt/wal"),
        ("/usr/lib/postgresql/15/bin/pg_archivecleanup -d -x .gz /mnt/wal/ %r 2>>/tmp/log", "/mnt/wal/"),
        ("pg_archivecleanup --debug --strip-extension=.zst '/mnt/w al' %r", "/mnt/w al"),
        ("test -e /run/x && pg_archivecleanup /mnt/wal %r", "/mnt/wal"),
        ("pg_archivecleanup -n /mnt/wal %r", ""),
        ("pg_archivecleanup $ARCHIVE %r", ""),
        ("pg_archivecleanup '/mnt", ""),
        ("/usr/local/bin/tidy %r", ""),
        ("", ""),
    ],
)
def test_the_folder_is_found_in_the_command(command: str, folder: str) -> None:
    assert _cleaned(command) == folder


@pytest.mark.parametrize(
    ("folder", "standby", "severity"),
    [
        ("/mnt/wal", True, Severity.WARNING),
        ("/mnt/wal/", False, Severity.WARNING),
        ("/mnt", True, Severity.WARNING),
        ("/srv/feed-of-this-standby", True, Severity.NOTE),
        ("/srv/feed-of-this-standby", False, None),
        ("/mnt/wal-of-another", False, None),
    ],
)
def test_it_alarms_where_the_folder_is_the_archive(
    folder: str, standby: bool, severity: Severity | None
) -> None:
    command = f"pg_archivecleanup {folder} %r"
    snapshot = healthy(
        settings=settings(archive_cleanup_command=command, archive_command="cp %p /mnt/wal/%f"),
        server=server(in_recovery=standby),
        folders=ARCHIVE,
    )
    found = [each for each in diagnose(snapshot, NOW).findings if each.rule == "cleanup-eats-wal"]
    assert [each.severity for each in found] == ([] if severity is None else [severity])

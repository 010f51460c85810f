"""An archive command that copies all of pg_wal: told by its words, proved by the listings."""

from dataclasses import replace

import pytest

from tests.data.facts import NOW, archiver, healthy, settings
from tests.unit.host_of_files import Host
from walconsole.domain.archivers.discovery import Settings, stores_nothing
from walconsole.domain.facts.evidence import CommandFacts
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.facts.whole_folder import Whole
from walconsole.domain.failures import diagnose
from walconsole.domain.standing.model import Certainty, Finding, Level, Severity
from walconsole.observe.command.discovering import facts_of

MIRRORS = [
    "rclone sync pg_wal r2:acme/wal", "rclone --config /etc/rc.conf sync /data/pg_wal/ r2:acme/wal",
    "rsync -a --delete pg_wal/ nas:/wal/",
    "rsync -e 'ssh -p 22' -rt --del pg_wal/ nas:/wal --exclude archive_status",
    "cd pg_wal && rsync -a --delete-after . nas:/wal", "rsync -a --delete $(dirname %p)/ nas:/wal/",
    "aws s3 sync pg_wal s3://acme/wal --delete", "s3cmd sync --delete-removed pg_wal/ s3://acme/wal/",
    "s5cmd sync --delete 'pg_wal/*' s3://acme/wal/", "mc mirror --remove --overwrite pg_wal s3/acme/wal",
    "gsutil -m rsync -d -r pg_wal gs://acme/wal", "sh -c 'rclone sync pg_wal r2:acme/wal'",
    "cp %p /stage/%f && rclone sync /stage r2:acme/wal && rm /stage/%f",
]  # fmt: skip
KEEPS = [
    "cp -n pg_wal/0* /mnt/wal/", "rsync -a --ignore-existing pg_wal/ nas:/wal/",
    "rclone copy --size-only pg_wal r2:a/b", "aws s3 sync --size-only pg_wal s3://acme/wal",
]  # fmt: skip
COPIES = [
    "cp -r pg_wal /mnt/wal", "cp -u pg_wal/* /mnt/wal/", "rclone copy pg_wal r2:acme/wal",
    "rsync -a pg_wal/ nas:/wal", "aws s3 sync pg_wal s3://acme/wal",
    "aws s3 cp --recursive pg_wal s3://acme/wal", "scp -r pg_wal nas:/wal",
    "rclone sync --backup-dir r2:acme/old pg_wal r2:acme/wal",
]  # fmt: skip
ONE = [
    "rclone sync %p r2:acme/wal/", "rsync -a --delete %p nas:/wal/%f", "cp %p /mnt/pg_wal/%f",
    "cp pg_wal/%f /mnt/wal/", "cp %p /srv/wal/%f && rclone sync /srv/wal r2:acme/wal",
    "cp -r /etc/postgresql /mnt && cp %p /mnt/wal/%f", "rclone copyto %p r2:acme/pg_wal/%f",
    "scp %p nas:pg_wal/%f", "mc cp %p s3/acme/pg_wal/%f",
]  # fmt: skip


@pytest.mark.parametrize(
    ("command", "how"),
    [
        *((command, Whole.MIRRORS) for command in MIRRORS),
        *((command, Whole.KEEPS) for command in KEEPS),
        *((command, Whole.COPIES) for command in COPIES),
    ],
)
def test_what_is_made_of_a_whole_folder_is_told(command: str, how: Whole) -> None:
    taken = [each.whole for each in Host({}).find_out(Settings(command)).targets if each.whole is not None]
    assert [each.how for each in taken] == [how]
    assert taken[0].folder == ("/stage" if "/stage" in command else "/data/pg_wal")
    assert not stores_nothing(command)


@pytest.mark.parametrize("command", ONE)
def test_one_file_is_no_folder_and_another_folder_is_its_retentions(command: str) -> None:
    assert [each.whole for each in Host({}).find_out(Settings(command)).targets] in ([None], [None, None])


def finding_of(snapshot: Snapshot) -> Finding:
    """The one of this kind."""
    (found,) = [
        each
        for each in diagnose(snapshot, NOW).findings
        if each.rule in ("mirror-eats-wal", "whole-folder-copied")
    ]
    return found


def archiving_by(command: str, **more: object) -> Snapshot:
    """Of a server whose archive is well by all else."""
    found = facts_of(Host({}).find_out(Settings(command)))
    return healthy(
        settings=settings(archive_command=command), command=CommandFacts(command), discovery=found, **more
    )


@pytest.mark.parametrize("command", MIRRORS[:10])
def test_a_mirror_is_critical_and_its_words_alone_make_it_likely(command: str) -> None:
    snapshot = archiving_by(command)
    found = finding_of(snapshot)
    assert (found.rule, found.severity, found.certainty) == (
        "mirror-eats-wal",
        Severity.CRITICAL,
        Certainty.LIKELY,
    )
    assert found.surer
    assert "%p" in found.remedy
    assert diagnose(snapshot, NOW).verdict.level is Level.CRITICAL


def test_a_mirror_is_proved_by_both_listings_and_another_copy_spares_the_worst() -> None:
    command = "rsync -a --delete pg_wal/ /srv/wal/"
    base = archiving_by(command)
    disk, bucket = base.wal_disk.value, base.primary.value
    assert disk is not None
    assert bucket is not None

    def with_segments(count: int) -> Snapshot:
        return archiving_by(
            command,
            wal_disk=replace(disk, wal_files=8),
            primary=replace(bucket, bucket="/srv/wal", segments=count, complete=True),
            archiver=archiver(archived_count=500),
        )

    assert finding_of(with_segments(8)).certainty is Certainty.PROVED
    assert finding_of(with_segments(8)).severity is Severity.CRITICAL
    kept = finding_of(with_segments(400))
    assert (kept.severity, kept.certainty) == (Severity.WARNING, Certainty.LIKELY)
    assert "still has 400 segments" in kept.evidence[2]
    two = finding_of(archiving_by(f"cp %p /mnt/wal/%f && {command}"))
    assert two.severity is Severity.WARNING


@pytest.mark.parametrize(
    ("command", "severity"),
    [*((each, Severity.CRITICAL) for each in KEEPS), *((each, Severity.WARNING) for each in COPIES)],
)
def test_a_copy_of_all_is_as_bad_as_what_it_leaves(command: str, severity: Severity) -> None:
    found = finding_of(archiving_by(command, primary=None, dr=None))
    assert (found.rule, found.severity) == ("whole-folder-copied", severity)


def test_before_the_host_was_asked_the_words_tell_and_a_switched_off_one_does_nothing() -> None:
    command = "rclone sync pg_wal r2:acme/wal"
    assert finding_of(healthy(settings=settings(archive_command=command))).rule == "mirror-eats-wal"
    off = healthy(settings=settings(archive_command=command, archive_mode="off"))
    assert "mirror-eats-wal" not in {each.rule for each in diagnose(off, NOW).findings}

"""An archive command that moves or links the segment: told, but not of one that moves its own copy."""

import pytest

from tests.data.facts import NOW, healthy, settings
from walconsole.domain.facts.folders import ArchiveFolder, FolderFacts
from walconsole.domain.failures import diagnose
from walconsole.domain.standing.model import Level, Severity

TAKES = [
    "mv %p /mnt/wal/%f", "test ! -f /w/%f && mv -n %p /w/%f", "/bin/mv '%p' '/w/%f'", 'sh -c "mv %p /w/%f"',
    "rsync -a --remove-source-files %p nas:/w/%f", "rclone moveto %p r:b/%f", "aws s3 mv %p s3://b/%f",
    "gzip %p && cp %p.gz /w/%f.gz", "zstd --rm -q %p -o /w/%f.zst",
    "gzip < %p > /w/%f.gz && rm %p", "gsutil cp pg_wal/%f gs://b/w/ && rm -f pg_wal/%f", "gsutil mv %p gs://b/%f",
    "nice -n 10 mv %p /w/%f",
]  # fmt: skip
LINKS = ["ln %p /w/%f", "ln -s $PWD/%p /w/%f", "cp -l %p /w/%f", "cp -al %p /w/%f", "cp --link %p /w/%f"]
COPIES = [
    "cp %p /w/%f", "cp %p /w/%f.tmp && mv /w/%f.tmp /w/%f", "gzip -c %p > /w/%f.gz", "gzip < %p > /w/%f.gz",
    "gzip -k %p && mv %p.gz /w/%f.gz", "zstd -q %p -o /w/%f.zst", "rsync -a %p nas:/w/%f",
    "xz -ck %p > /w/%f.xz",
    "cp --preserve=links %p /w/%f", "install -m 600 %p /w/%f", "cp -p %p /w/%f && ln -sf /w/%f /w/newest",
    "rclone copyto %p r:b/%f", "pgbackrest --stanza=main archive-push %p", "/opt/mv-wal %p %f",
    "cp -np %p /w/%f", "gzip -c %p > %p.gz && cp %p.gz /w/ && rm %p.gz",
    "cp %p /stage/pg_wal/%f && mv /stage/pg_wal/%f /w/", "aws s3 cp %p s3://b/%f && rm -f /stage/pg_wal/%f",
    "cp %p /srv/all-s/%f",
]  # fmt: skip


@pytest.mark.parametrize("command", [*TAKES, *LINKS])
def test_what_is_not_copied_is_told(command: str) -> None:
    found = diagnose(healthy(settings=settings(archive_command=command)), NOW)
    assert "segment-taken-away" in [each.rule for each in found.findings]
    assert found.verdict.level is Level.CRITICAL
    (finding,) = (each for each in found.findings if each.rule == "segment-taken-away")
    assert ("links" in finding.title) is (command in LINKS)


@pytest.mark.parametrize("command", COPIES)
def test_a_copy_is_well_whatever_becomes_of_it(command: str) -> None:
    found = diagnose(healthy(settings=settings(archive_command=command)), NOW)
    assert "segment-taken-away" not in [each.rule for each in found.findings]


@pytest.mark.parametrize(
    ("mount", "kind", "severity"),
    [
        ("/dev/shm", "tmpfs", Severity.WARNING),
        ("/tmp", "tmpfs", Severity.WARNING),
        ("/run", "tmpfs", Severity.WARNING),
        ("/mnt/wal", "tmpfs", Severity.NOTE),
        ("/mnt/wal", "ext4", None),
        ("/", "overlay", None),
    ],
)
def test_a_folder_in_memory_is_gone_with_the_next_boot(
    mount: str, kind: str, severity: Severity | None
) -> None:
    folder = ArchiveFolder(f"{mount}/w", writable=True, mount_point=mount, filesystem=kind, beside_data=False)
    found = diagnose(healthy(folders=FolderFacts((folder,))), NOW).findings
    assert [each.severity for each in found] == ([] if severity is None else [severity])

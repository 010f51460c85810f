"""Restore commands against what the archive holds: another name, packed bytes, and those that fit."""

from dataclasses import replace

import pytest

from tests.data.facts import NOW, bucket, healthy
from walconsole.domain.facts.observed import CatalogueFacts
from walconsole.domain.failures import diagnose
from walconsole.domain.failures.restore_form import not_there, why_not
from walconsole.domain.pgconf.loading import InForce
from walconsole.domain.standing.model import Level

pytestmark = pytest.mark.cases("A restore command for another form than is stored")

WRONG = [
    ("cp /w/%f %p", ".gz", "asks for NAME, and the archive holds NAME.gz"),
    ("cp /w/%f.gz %p", ".gz", "nothing unpacks it"),
    ("gunzip -c /w/%f.gz > %p", "", "asks for NAME.gz, and the archive holds NAME"),
    ("gunzip < /w/%f > %p", "", "unpacks what is not packed (gunzip)"),
    ("zstd -dc /w/%f.zst > %p", ".gz", "asks for NAME.zst, and the archive holds NAME.gz"),
    ("rsync -a h:/w/%f %p", ".zst", "asks for NAME, and"),
    ("aws s3 cp s3://b/%f.lz4 %p", ".lz4", "nothing unpacks it"),
    ("test -f /w/%f && cp /w/%f %p", ".gz", "asks for NAME, and"),
    ("cp /w/%f.gpg %p", ".gz.gpg", "asks for NAME.gpg"),
]
RIGHT = [
    ("cp /w/%f %p", ""), ("gunzip -c /w/%f.gz > %p", ".gz"), ("zcat < /w/%f.gz > %p", ".gz"),
    ("gzip -dcf /w/%f > %p", ""), ("cp /w/%f %p || gunzip -c /w/%f.gz > %p", ".gz"),
    ("cp /w/%f %p || gunzip -c /w/%f.gz > %p", ""), ("cp /w/%f.gz %p.gz && gunzip %p.gz", ".gz"),
    ("rclone cat r:b/%f.zst | zstd -d > %p", ".zst"), ("gpg -d -o %p /w/%f.gpg", ".gpg"),
    ("/usr/local/bin/restore %f %p", ".gz"), ("pgbackrest --stanza=main archive-get %f %p", ".gz"),
    ("wal-g wal-fetch %f %p", ".lz4"), ("ssh h 'zcat /w/%f.gz' > %p", ".gz"), ("sh /opt/r.sh %f %p", ".gz"),
    ("cp /w/%f$EXT %p", ".gz"), ("curl -fs https://b/%f.xz | xz -d > %p", ".xz"), ("/bin/true", ".gz"),
    ("cp $(ls /w/%f*) %p", ".gz"), ("barman-wal-restore h main %f %p", ""), ("7z e -so /w/%f.7z > %p", ".gz"),
]  # fmt: skip


@pytest.mark.parametrize(("command", "stored", "why"), WRONG)
def test_a_form_that_is_not_there_is_told(command: str, stored: str, why: str) -> None:
    assert why in why_not(command, stored)


@pytest.mark.parametrize(("command", "stored"), RIGHT)
def test_one_that_may_be_there_is_not(command: str, stored: str) -> None:
    assert why_not(command, stored) == ""


@pytest.mark.parametrize(
    ("command", "level"), [("cp /w/%f %p", Level.OK), ("gunzip -c /w/%f.gz > %p", Level.WARNING)]
)
def test_it_keeps_a_verdict_from_being_ok(command: str, level: Level) -> None:
    catalogue = CatalogueFacts({}, {"restore_command": InForce(command, "file")}, (), NOW, 150018)
    plain = replace(bucket(), newest_key="000000010000000000000041")
    found = diagnose(healthy(catalogue=catalogue, primary=plain), NOW)
    assert found.verdict.level is level
    assert ("restore-form" in {each.rule for each in found.findings}) is (level is Level.WARNING)


NAME = "000000010000000000000041"
PLACES = [
    ("cp /w/%f %p", "/w", f"20261201/{NAME}", "the archive holds /w/20261201/NAME"),
    ("cp /w/%f %p", "/w", f"{NAME}/{NAME}", f"the archive holds /w/{NAME}/NAME"),
    (
        "gunzip -c /w/main/%f.gz > %p",
        "/w",
        f"{NAME}.gz",
        "asks for /w/main/NAME, and",
    ),
    ("aws s3 cp s3://b/%f %p", "b", f"2026/12/01/{NAME}", "the archive holds b/2026/12/01/NAME"),
    (
        "aws s3 cp s3://b/old/%f %p",
        "b",
        f"new/{NAME}",
        "and the archive holds b/new/NAME",
    ),
    ("cp /w/%f %p", "/w", NAME, ""),
    ("cp /w/main/%f %p", "/w", f"main/{NAME}", ""),
    ("cp /w/%f %p || cp /w/main/%f %p", "/w", f"main/{NAME}", ""),
    ("cp /w/*/%f %p", "/w", f"20261201/{NAME}", ""),
    ("cp $(find /w -name %f) %p", "/w", f"20261201/{NAME}", ""),
    ("cp /v/%f %p", "/w", f"20261201/{NAME}", ""),
    ("cp /w/%f %p || cp /v/%f %p", "/w", f"20261201/{NAME}", ""),
    ("/opt/restore /w/%f %p", "/w", f"20261201/{NAME}", ""),
    ("aws s3 cp s3://b/wal/%f %p", "b", f"wal/{NAME}", ""),
    ("aws s3 cp s3://other/%f %p", "b", f"wal/{NAME}", ""),
    ("scp nas:/w/%f %p", "nas:/w", f"20261201/{NAME}", ""),
]


@pytest.mark.parametrize(("command", "place", "key", "why"), PLACES)
def test_a_folder_that_the_archive_does_not_use_is_told(command: str, place: str, key: str, why: str) -> None:
    said = not_there(command, replace(bucket(), bucket=place, newest_key=key))
    assert why in said
    assert bool(said) is bool(why)

"""Inputs that people really have, word for word: what was once made of them was wrong."""

import pytest

from tests.data.archiver_log import failing_with, root_of, stamp
from walconsole.domain.archivers.command_words import programs_of, targets_of
from walconsole.domain.redaction import safe
from walconsole.domain.standing.model import Certainty

pytestmark = pytest.mark.cases("Inputs word for word")

RCLONE = "rclone --config /etc/rclone-acme.conf"


@pytest.mark.parametrize(
    ("command", "programs", "places"),
    [
        (f"{RCLONE} copyto %p spaces-prod,no_check_bucket:acme-wal/%f", ["rclone"], ["spaces-prod:acme-wal"]),
        (
            f"{RCLONE} --s3-no-check-bucket copyto %p spaces-prod:acme-wal/$(date +%Y%m%d)/%f",
            ["rclone", "date"],
            ["spaces-prod:acme-wal"],
        ),
        (
            "wal_dir=/srv/wal; mkdir -p ${wal_dir}/$(date +%Y%m%d) && gzip -c %p > "
            "${wal_dir}/$(date +%Y%m%d)/%f.gz",
            ["mkdir", "date", "gzip"],
            [],
        ),
        ("[[ $(date +%H%M) == 1200 ]] && rm -rf /srv/old; cp %p /srv/wal/%f", ["date", "rm", "cp"], []),
        ("PATH=/opt/wal/bin:$PATH ship-wal %p %f", ["ship-wal"], []),
        ('cd /opt/wal && ./ship-wal "$OLDPWD/%p" %f', ["/opt/wal/ship-wal"], []),
        (". /etc/wal.env; ship-wal %p %f", [], []),  # that file may set PATH
    ],
)
def test_what_a_command_runs_and_where_it_writes(
    command: str, programs: list[str], places: list[str]
) -> None:
    assert [each.name for each in programs_of(command)] == programs
    assert [str(each) for each in targets_of(command)] == places


def test_a_path_that_the_command_sets_is_looked_in() -> None:
    (program,) = programs_of("PATH=/opt/wal/bin:$PATH ship-wal %p %f")
    assert program.places == ("/opt/wal/bin/ship-wal", "ship-wal")


@pytest.mark.parametrize(
    ("words", "rule", "title"),
    [
        (
            '{"level":"error","msg":"Failed to copyto: operation error S3: PutObject, StatusCode: 404, '
            'api error NoSuchBucket"}',
            "bucket-404",
            "does not exist",
        ),
        (
            "operation error S3: PutObject, https response error StatusCode: 403, RequestID: tx1, HostID: h, "
            "api error QuotaExceeded: UnknownError",
            "store-error",
            "a quota",
        ),
        (
            "get identity: get credentials: failed to refresh cached credentials, no EC2 IMDS role found, "
            "operation error ec2imds: GetMetadata, canceled, context deadline exceeded",
            "key-403",
            "finds no credentials",
        ),
        ("NoCredentialProviders: no valid providers in chain", "key-403", "finds no credentials"),
    ],
)
def test_what_a_program_says(words: str, rule: str, title: str) -> None:
    root = root_of(failing_with(words, f"{stamp(3)} [77] LOG:  archive command failed with exit code 1"))
    assert (root.rule, root.certainty) == (rule, Certainty.LIKELY)
    assert title in root.title


@pytest.mark.parametrize(
    "command",
    [
        'azcopy copy %p "https://acme.blob.core.windows.net/wal/%f?sv=2022-11-02&sp=racwd'
        '&sig=S3cretK3y%2Babc%3D"',
        "openssl enc -aes-256-cbc -k S3cretK3y -in %p | rclone rcat r:b/%f.enc",
        "curl -T %p --user wal:S3cretK3y https://dav.example.net/%f",
        "WALG_LIBSODIUM_KEY=S3cretK3y wal-g wal-push %p",
    ],
)
def test_no_secret_of_a_command_is_shown(command: str) -> None:
    assert "S3cretK3y" not in safe(command)
    assert safe(command) != ""


@pytest.mark.parametrize(
    "words",
    [
        "get credentials: failed to refresh cached credentials",
        "NoCredentialProviders: no valid providers in chain",
    ],
)
def test_prose_stays_readable(words: str) -> None:
    assert safe(words) == words

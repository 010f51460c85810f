"""Nothing secret may pass, and nothing else may be hidden; hostile text must not make it slow."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from walconsole.domain.redaction import MASK, printable, redact, safe

HARMLESS = (
    "password_encryption = scram-sha-256",
    "ssl_passphrase_command_supports_reload = on",
    "krb_server_keyfile = 'FILE:/etc/krb5.keytab'",
    "md5_password_warnings = on",
    "passfile=/root/.pgpass",
    "RESTIC_PASSWORD_FILE=/etc/restic",
    'FATAL:  password authentication failed for user "app"',
    "archive_command = 'wal-g wal-push %p'",
    "--s3-access-key-id AKIAEXAMPLE %p",
    "postgresql://host/db",
    "https://host:443/path@2",
    "secret",
    "runuser -u postgres -- true",
    "deploy ALL=(ALL) NOPASSWD: ALL",
    "second pass: 3 files",
    "bypass = on",
    "the basic principle",
    'archive_command = cp "%p" "/archive/%f"',
    '/usr/local/bin/archive-wal "%p" "%f"',
)


@pytest.mark.parametrize("text", HARMLESS)
def test_what_only_speaks_of_secrets_stays(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "primary_conninfo = 'host=x password=hunter2 port=5'",
            "primary_conninfo = 'host=x password=* port=5'",
        ),
        ("primary_conninfo = 'password=''hun ter''''2'' port=5'", "primary_conninfo = 'password=* port=5'"),
        ("primary_conninfo = 'password=\\'hunter 2\\' port=5'", "primary_conninfo = 'password=* port=5'"),
        ("primary_conninfo = 'host=x password=hunter2'", "primary_conninfo = 'host=x password=*'"),
        ("ssl_passphrase_command = 'echo hunter2'", "ssl_passphrase_command = *"),
        ("AWS_SECRET_ACCESS_KEY=hunter2 rclone", "AWS_SECRET_ACCESS_KEY=* rclone"),
        ('AWS_SECRET_ACCESS_KEY="hun ter2" rclone', "AWS_SECRET_ACCESS_KEY=* rclone"),
        ("RCLONE_CONFIG_X_SECRET_ACCESS_KEY=hunter2", "RCLONE_CONFIG_X_SECRET_ACCESS_KEY=*"),
        ("--s3-secret-access-key=hunter2 %p", "--s3-secret-access-key=* %p"),
        ("--s3-secret-access-key hunter2 %p", "--s3-secret-access-key * %p"),
        ("--s3-secret-access-key 'hun ter2' %p", "--s3-secret-access-key * %p"),
        ("postgresql://me:hun@ter2@host/db", "postgresql://*@host/db"),
        ("postgres://host/db?password=hunter2", "postgres://host/db?password=*"),
        ('"me" "hunter2"', '"me" *'),
        ("md5" + "0af1" * 8, "*"),
        ("rolpassword SCRAM-SHA-256$4096:c2FsdA==$a=:b=", "rolpassword *"),
        ("ALTER ROLE me PASSWORD 'hunter2'", "ALTER ROLE me PASSWORD *"),
        ("sshpass -p hunter2 rsync %p", "sshpass -p* rsync %p"),
        ("sshpass -phunter2 rsync %p", "sshpass -p* rsync %p"),
        ("RCLONE_SFTP_PASS=hunter2 rclone", "RCLONE_SFTP_PASS=* rclone"),
        ("rclone --sftp-pass hunter2 %p", "rclone --sftp-pass * %p"),
        ("pass = hunter2", "pass = *"),
        ("Authorization: Basic aHVudGVyMg==", "Authorization: Basic *"),
        ("lftp -u wal,hunter2 host", "lftp -u * host"),
        ("PGPASSWORD=hunter2 psql", "PGPASSWORD=* psql"),
        ("sslkey=/k sslpassword=hunter2", "sslkey=/k sslpassword=*"),
        ("curl -u me:hunter2 https://x", "curl -u * https://x"),
        ("Authorization: Bearer hunter2hunter2", "Authorization: Bearer *"),
        ("password='hunter2 without an end", "password=*"),
        ('{"token": "hunter2"}', '{"token": *}'),
        ("dop_v1_" + "0123456789abcdef" * 4, "*"),
        ("?X-Amz-Signature=0123&x=1", "?*&x=1"),
    ],
)
def test_secrets_are_masked(text: str, shown: str) -> None:
    assert redact(text) == shown.replace("*", MASK)


def test_known_secrets_go_wherever_they_stand() -> None:
    assert redact("the key is hunter2, isn't it", ["hunter2", ""]) == f"the key is {MASK}, isn't it"


def test_a_private_key_goes_even_when_it_is_cut() -> None:
    assert redact("-----BEGIN OPENSSH PRIVATE KEY-----\nabc\ndef") == MASK


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="'\""), min_size=1))
def test_no_password_passes_in_a_connection_string(password: str) -> None:
    shown = redact(f"host=h password=Zq{password} port=5")
    assert shown == f"host=h password={MASK} port=5"


@given(st.text())
def test_what_is_safe_is_one_printable_line(text: str) -> None:
    assert safe(text).isprintable()
    assert printable(printable(text)) == printable(text)


@pytest.mark.parametrize(
    "piece",
    [
        "a", "a.", "secret", "--password ", "password='", "''", "\\'", "\x1b]", "://a:", "bearer ", "-",
        "secret=", "-----BEGIN PRIVATE KEY-----", '"a" "', "md5", "token ", "token=\\'", "x-amz-", " -u a:",
    ],
)  # fmt: skip
@pytest.mark.parametrize("head", ["", "secret ", "password='", "postgres://"])
def test_hostile_lines_cost_no_more_than_their_length(head: str, piece: str) -> None:
    line = head + piece * (100_000 // len(piece))
    began = time.process_time()
    safe(line)
    assert time.process_time() - began < 1.0, "quadratic would take minutes"

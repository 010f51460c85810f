"""By which commands a tool brings back what it archived, told by its archive_command's words alone."""

import pytest

from walconsole.domain.archivers.own_restore import OwnTool, own_restore

TOLD = {
    "pgbackrest --stanza=main archive-push %p": 'pgbackrest --stanza=main archive-get %f "%p"',
    "/usr/bin/pgbackrest --config /etc/x.conf --stanza main archive-push %p --archive-async": (
        '/usr/bin/pgbackrest --config=/etc/x.conf --stanza=main archive-get %f "%p"'
    ),
    "pgbackrest --stanza=a --compress-type=zst --log-level-console=info --repo1-path=/r archive-push %p": (
        'pgbackrest --stanza=a --repo1-path=/r archive-get %f "%p"'
    ),
    "env PGBACKREST_CONFIG=/etc/x.conf pgbackrest --stanza=main archive-push %p": (
        'env PGBACKREST_CONFIG=/etc/x.conf pgbackrest --stanza=main archive-get %f "%p"'
    ),
    "barman-cloud-wal-archive --gzip --endpoint-url https://s3 -P drill s3://wal/pg main %p": (
        'barman-cloud-wal-restore --endpoint-url https://s3 -P drill s3://wal/pg main %f "%p"'
    ),
    "barman-cloud-wal-archive --encryption AES256 --tags a,b s3://wal/pg main %p": (
        'barman-cloud-wal-restore s3://wal/pg main %f "%p"'
    ),
    "nice -n 10 envdir /etc/barman.d barman-cloud-wal-archive s3://wal/pg main %p": (
        'nice -n 10 envdir /etc/barman.d barman-cloud-wal-restore s3://wal/pg main %f "%p"'
    ),
    "pgbackrest --stanza=a --no-repo1-storage-verify-tls --repo1-bundle archive-push %p": (
        'pgbackrest --stanza=a --no-repo1-storage-verify-tls --repo1-bundle archive-get %f "%p"'
    ),
    "pgbackrest '--stanza=it is' archive-push %p": """pgbackrest '--stanza=it is' archive-get %f "%p\"""",
    "pgbackrest --stanza=a --repo1-path=/50%% archive-push %p": (
        'pgbackrest --stanza=a --repo1-path=/50%% archive-get %f "%p"'
    ),
}
NOT_TOLD = (
    "",
    "pgbackrest --stanza=main --repo1-s3-key-secret=tHiSiSaKeY archive-push %p",
    "pgbackrest --stanza=main --repo1-cipher-pass tHiSiSaKeY archive-push %p",
    "env AWS_SECRET_ACCESS_KEY=tHiSiSaKeY barman-cloud-wal-archive s3://wal/pg main %p",
    '/usr/local/bin/shop-pg-archive "%p" "%f"',
    "/root/archive.sh %p",
    "pgbackrest --stanza=main info",
    "pgbackrest --stanza=main archive-push %p && cp %p /mnt",
    "pgbackrest --stanza=$STANZA archive-push %p",
    "barman-cloud-wal-archive s3://wal/pg",
    "sudo -u barman barman-cloud-wal-archive s3://wal/pg main %p",
    "wal-g wal-push %p",
    "test ! -f /x/%f && cp %p /x/%f",
    "pgbackrest 'archive-push",
    "barman-cloud-wal-archive s3://wal/%f main %p",
)


@pytest.mark.parametrize("command", TOLD)
def test_its_restore_command(command: str) -> None:
    found = own_restore(command)
    assert found is not None
    assert found.restore_command == TOLD[command]
    assert (found.tool is OwnTool.PGBACKREST) is ("pgbackrest" in command)


@pytest.mark.parametrize("command", NOT_TOLD)
def test_what_its_words_do_not_tell(command: str) -> None:
    assert own_restore(command) is None

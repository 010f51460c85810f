"""The store is asked in the words of the tool that archives."""

import pytest

from tests.data.exact import faults
from tests.unit.host_of_files import one
from walconsole.domain.archivers.asking import of_text

DATA = "/var/lib/postgresql/16/main"


@pytest.mark.parametrize(
    ("command", "look", "backup"),
    [
        (
            "pgbackrest --stanza=main archive-push %p",
            "pgbackrest --stanza=main info",
            "pgbackrest --stanza=main backup",
        ),
        (
            "/usr/bin/pgbackrest --config /etc/p.conf --stanza main --repo1-path=/x archive-push %p",
            "/usr/bin/pgbackrest --config /etc/p.conf --stanza main --repo1-path=/x info",
            "/usr/bin/pgbackrest --config /etc/p.conf --stanza main --repo1-path=/x backup",
        ),
        (
            "envdir /etc/wal-g.d/env wal-g wal-push %p",
            "envdir /etc/wal-g.d/env wal-g wal-show",
            f"envdir /etc/wal-g.d/env wal-g backup-push {DATA}",
        ),
        (
            "wal-g --config /etc/w.yaml wal-push %p >> /var/log/w.log 2>&1",
            "wal-g wal-show --config /etc/w.yaml",
            f"wal-g backup-push --config /etc/w.yaml {DATA}",
        ),
        (
            "barman-cloud-wal-archive --gzip --endpoint-url https://h s3://wal/x main %p",
            "barman-cloud-backup-list --endpoint-url https://h s3://wal/x main",
            "barman-cloud-backup --endpoint-url https://h s3://wal/x main",
        ),
        (
            "barman-wal-archive --user=keeper --port=2222 -c /etc/b.conf backup.example main %p",
            "ssh -p 2222 keeper@backup.example barman -c /etc/b.conf list-backups main",
            "ssh -p 2222 keeper@backup.example barman -c /etc/b.conf backup main",
        ),
        ("barman-wal-archive -U $WHO backup.example main %p", "", ""),
        (
            "aws s3 cp %p s3://wal/main/%f --endpoint-url https://h --profile p --quiet",
            "aws s3 ls s3://wal/main/ --endpoint-url https://h --profile p",
            "",
        ),
        ("s3cmd -c /etc/s3cfg put %p s3://wal/%f", "s3cmd ls s3://wal/ -c /etc/s3cfg", ""),
        (
            "s5cmd --endpoint-url https://h cp %p s3://wal/a/%f",
            "s5cmd --endpoint-url https://h ls s3://wal/a/",
            "",
        ),
        ("aws s3 cp %p s3://$BUCKET/%f", "", ""),
        ("cp %p /mnt/%f", "", ""),
        ("test ! -f 'x", "", ""),
        ("", "", ""),
    ],
)
def test_of_each_tool(command: str, look: str, backup: str) -> None:
    own = of_text(command, DATA)
    assert own.look == look
    assert own.backup == backup
    for text in filter(None, (own.look, own.backup)):
        assert [fault for fault in faults(text) if "no program" not in fault] == []


SCRIPT = '#!/bin/sh\nexport {set}\nexec {aws} --profile wal s3 cp "$1" s3://wal/"$2"\n'


@pytest.mark.parametrize(
    ("assigned", "before"),
    [
        ("AWS_PROFILE=x", "env AWS_PROFILE=x "),
        ("AWS_SHARED_CREDENTIALS_FILE=/etc/wal/keys", "env AWS_SHARED_CREDENTIALS_FILE=/etc/wal/keys "),
        ("AWS_SECRET_ACCESS_KEY=hunter2hunter2", None),
        ("AWS_PROFILE=$(cat /etc/who)", None),
    ],
)
def test_a_script_that_makes_the_call_is_never_read_in_for_what_it_sets(
    assigned: str, before: str | None
) -> None:
    """It would archive. What it sets is typed where it may be told; else nothing is offered."""
    files = {"/usr/local/bin/archive": SCRIPT.format(set=assigned, aws="/opt/aws/bin/aws")}
    found = one("sh /usr/local/bin/archive %p %f", files).commands
    if before is None:
        assert not [*found.named()]
        return
    assert found.look == f"{before}/opt/aws/bin/aws s3 ls s3://wal/ --profile wal"
    assert found.keys == f"{before}/opt/aws/bin/aws configure --profile wal"

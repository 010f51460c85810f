"""Whose an archive_command is."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from walconsole.domain.archivers.tools import recognise

OURS = "/usr/local/bin/shithub-pg-archive"


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("pgbackrest --stanza=main archive-push %p", "pgBackRest"),
        ("/usr/bin/pgbackrest --stanza=main archive-push %p", "pgBackRest"),
        ("envdir /etc/wal-g.d/env wal-g wal-push %p", "WAL-G"),
        ("/usr/local/bin/wal-g wal-push %p", "WAL-G"),
        ("barman-wal-archive backup main %p", "Barman"),
        ("barman-cloud-wal-archive s3://bucket main %p", "Barman"),
        ("rsync -a %p barman@backup:/var/lib/barman/main/incoming/%f", "rsync"),
        ("test ! -f /mnt/archive/%f && cp %p /mnt/archive/%f", "cp"),
        ("gzip < %p > /mnt/archive/%f.gz", "cp"),
        ("AWS_PROFILE=wal aws s3 cp %p s3://bucket/%f", "aws"),
        ("rclone copyto %p remote:bucket/%f", "rclone"),
        ("/bin/true", "true"),
        ("/usr/local/bin/archive_command.sh %p %f", "archive_command.sh"),
        ("'/opt/my tools/push' %p", "push"),
        ("/usr/local/bin/other-pg-archive %p %f", "other-pg-archive"),
    ],
)
def test_another_tools(command: str, name: str) -> None:
    tool = recognise(command, OURS)
    assert tool is not None
    assert (tool.name, tool.ours) == (name, False)


@pytest.mark.parametrize("command", [f'{OURS} "%p" "%f"', f"{OURS} %p %f", OURS, f"'{OURS}' %p %f"])
def test_ours(command: str) -> None:
    tool = recognise(command, OURS)
    assert tool is not None
    assert tool.ours
    assert tool.name == "shithub-pg-archive"


@pytest.mark.parametrize("command", ["", "  ", "(disabled)"])
def test_none(command: str) -> None:
    assert recognise(command, OURS) is None


@given(st.text() | st.text(alphabet="'\"/ =a"))
@example("''")
@example("/")
def test_any_command_has_a_name_that_can_be_typed(command: str) -> None:
    tool = recognise(command, OURS)
    assert (tool is None) == (command.strip() in ("", "(disabled)"))
    if tool is not None:
        assert tool.name


def test_what_only_begins_like_ours_is_not() -> None:
    tool = recognise(f"{OURS}.old %p", OURS)
    assert tool is not None
    assert not tool.ours

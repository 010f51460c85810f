"""The record of changes: on the disk line by line, never rewritten, and honest about what it cannot read."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from walconsole.errors import RegisterError
from walconsole.provision.engine.model import Change, ChangeKind
from walconsole.provision.engine.record import RecordFile, record_file

CHANGE = Change("buckets", ChangeKind.BUCKET, "a-wal@nyc3", after="made", at=1.5)


def test_changes_are_there_again_in_order(tmp_path: Path) -> None:
    record = record_file(tmp_path, "shithub")
    other = Change("drop-in", ChangeKind.FILE, "/etc/a\nb", kept="/var/lib/x", at=2.0)
    for change in (CHANGE, other, CHANGE):
        record.add(change)
    assert RecordFile(record.path).changes() == (CHANGE, other, CHANGE)
    record.undone(CHANGE)
    assert record.changes() == (other, CHANGE)
    assert record.path.stat().st_mode & 0o777 == 0o600
    assert record.path.parent.stat().st_mode & 0o777 == 0o700


def test_what_lies_on_a_host_is_taken_back_there_alone(tmp_path: Path) -> None:
    home = record_file(tmp_path, "shithub", "root@db1")
    script = Change("drop-in", ChangeKind.FILE, "/etc/a", at=1.0)
    RecordFile(home.path).add(script)  # an earlier console's
    home.add(CHANGE)
    spare = home.on("root@spare")
    spare.add(there := Change("recover-command", ChangeKind.FILE, "/etc/a", at=2.0))
    assert home.changes() == (script, CHANGE)
    assert home.elsewhere() == {"root@spare": 1}
    assert spare.changes() == (there,)
    moved = record_file(tmp_path, "shithub", "root@spare")
    home.add(here := Change("drop-in", ChangeKind.FILE, "/etc/b", at=3.0))
    assert here not in moved.changes(), "the profile names the other host by now: files are not there"
    assert CHANGE in moved.changes(), "a bucket is the deployment's"
    spare.undone(there)
    assert spare.changes() == ()
    home.undone(script)
    home.undone(CHANGE)
    assert home.changes() == (here,)


def test_without_a_file_nothing_was_changed(tmp_path: Path) -> None:
    assert RecordFile(tmp_path / "none").changes() == ()


def test_a_line_that_was_cut_off_is_no_change_and_is_written_over(tmp_path: Path) -> None:
    record = RecordFile(tmp_path / "r")
    record.add(CHANGE)
    with record.path.open("ab") as file:
        file.write(b'{"step": "dro')
    assert record.changes() == (CHANGE,)
    record.add(CHANGE)
    assert record.changes() == (CHANGE, CHANGE)


@given(st.binary(max_size=200))
def test_whatever_lies_there_is_read_or_refused_by_name(
    tmp_path_factory: pytest.TempPathFactory, raw: bytes
) -> None:
    path = tmp_path_factory.mktemp("record") / "r"
    path.write_bytes(raw + b"\n" if raw else b"")
    if raw:
        with pytest.raises(RegisterError, match=re.escape(str(path))):
            RecordFile(path).changes()
    else:
        assert RecordFile(path).changes() == ()


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RegisterError, match="writing the record of changes"):
        RecordFile(tmp_path / "file" / "r").add(CHANGE)


@pytest.mark.parametrize("name", ["", "../x", "A", "a/b"])
def test_no_path_is_made_of_what_is_no_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="not a profile's name"):
        record_file(tmp_path, name)

"""Saved indexes: nobody else's file is read, and no trouble with the disk comes out."""

import logging
import os
from dataclasses import replace
from pathlib import Path

import pytest

from walconsole.domain.profile import BucketRole, default_bucket
from walconsole.operator_files import kept
from walconsole.operator_files.kept import IndexFile

TARGET = default_bucket(BucketRole.PRIMARY, "shithub", "nyc3")


@pytest.fixture
def shelf(tmp_path: Path) -> IndexFile:
    return IndexFile(TARGET, {"XDG_CACHE_HOME": str(tmp_path)})


def test_what_was_saved_is_loaded(shelf: IndexFile) -> None:
    assert shelf.load() is None
    for document in (b"first", b"", b"the second\n" * 1000):
        shelf.save(document)
        assert shelf.load() == document
    assert list(shelf.path.parent.iterdir()) == [shelf.path]


def test_it_is_for_the_operator_alone(shelf: IndexFile) -> None:
    before = os.umask(0)
    try:
        shelf.save(b"index")
    finally:
        os.umask(before)
    assert shelf.path.stat().st_mode & 0o777 == 0o600
    assert shelf.path.parent.stat().st_mode & 0o777 == 0o700


def test_where_it_lies(tmp_path: Path) -> None:
    home = {"HOME": str(tmp_path)}
    assert IndexFile(TARGET, home).path.parent == tmp_path / ".cache" / "walconsole"
    assert IndexFile(TARGET, home | {"XDG_CACHE_HOME": "x"}).path.parent == tmp_path / ".cache" / "walconsole"
    elsewhere = home | {"XDG_CACHE_HOME": str(tmp_path / "c")}
    assert IndexFile(TARGET, elsewhere).path.parent == tmp_path / "c" / "walconsole"


def test_each_bucket_and_prefix_has_its_own() -> None:
    targets = [
        TARGET,
        replace(TARGET, bucket="other"),
        replace(TARGET, prefix="wal/"),
        replace(TARGET, endpoint="https://sfo3.digitaloceanspaces.com"),
        replace(TARGET, bucket="../../etc/passwd", prefix="\udcff\n/"),
    ]
    paths = {IndexFile(target, {"XDG_CACHE_HOME": "/c"}).path for target in targets}
    assert len(paths) == len(targets)
    assert {path.parent for path in paths} == {Path("/c/walconsole")}


def test_what_is_no_file_of_ours_is_not_read(
    shelf: IndexFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    shelf.path.parent.mkdir()
    (tmp_path / "elsewhere").write_bytes(b"secret")
    shelf.path.symlink_to(tmp_path / "elsewhere")
    assert shelf.load() is None
    shelf.save(b"index")  # takes the link's place
    assert (tmp_path / "elsewhere").read_bytes() == b"secret"
    assert shelf.load() == b"index"
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert shelf.load() is None
    monkeypatch.undo()
    shelf.path.unlink()
    os.mkfifo(shelf.path)
    assert shelf.load() is None
    assert len(caplog.records) == 3


def test_a_folder_in_its_place(shelf: IndexFile, caplog: pytest.LogCaptureFixture) -> None:
    shelf.path.mkdir(parents=True)
    assert shelf.load() is None
    shelf.save(b"index")
    assert shelf.path.is_dir()
    assert list(shelf.path.parent.iterdir()) == [shelf.path]
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 2


def test_a_file_that_is_too_large_is_not_read(shelf: IndexFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "LIMIT_BYTES", 5)
    shelf.save(b"12345")
    assert shelf.load() == b"12345"
    shelf.save(b"123456")
    assert shelf.load() is None


def test_no_room_and_no_folder_is_a_line_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "taken").write_text("a file")
    for place in (str(tmp_path / "taken"), "/proc/nosuch", "/dev/null"):
        shelf = IndexFile(TARGET, {"XDG_CACHE_HOME": place})
        shelf.save(b"index")
        assert shelf.load() is None
    assert sum("cannot be saved" in record.message for record in caplog.records) == 3


def test_a_disk_that_fills_up_leaves_what_was_there(
    shelf: IndexFile, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    shelf.save(b"the last one")

    def full(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    shelf.save(b"the next")
    monkeypatch.undo()
    assert shelf.load() == b"the last one"
    assert list(shelf.path.parent.iterdir()) == [shelf.path]
    assert "No space left" in caplog.text

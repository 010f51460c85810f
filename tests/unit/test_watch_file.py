"""What a watcher keeps: whole whatever ends it, in its place whatever the disk has left, one holder's."""

import errno
import os
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.servers.fixtures import or_skip
from tests.servers.full_disk import small_disk
from tests.unit.test_notices import numbered
from walconsole.domain.facts.evidence import WatcherFacts
from walconsole.domain.notices import outbox
from walconsole.domain.notices.outbox import Kept
from walconsole.errors import BusyError, RegisterError
from walconsole.operator_files import watch_file
from walconsole.operator_files.watch_file import HALF_BYTES, WatchFile, watcher_of

AT = 1_790_000_000.0
ONE = outbox.posted(Kept(began_at=AT, looked_at=AT), numbered(1), ["mail"])
TWO = outbox.posted(ONE, numbered(2), ["mail"])


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path)}


@contextmanager
def held(environment: dict[str, str]) -> Iterator[tuple[WatchFile, Kept]]:
    file = WatchFile("db", environment)
    try:
        yield file, file.hold()
    finally:
        file.close()


@contextmanager
def no_file_larger_than(count: int) -> Iterator[None]:
    """As a disk without room: a write beyond it fails (EFBIG)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (count, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_what_was_written_last_is_read_again(environment: dict[str, str]) -> None:
    with held(environment) as (file, kept):
        assert kept == Kept()
        for written in (ONE, TWO, ONE, TWO):
            file.write(written)
    with held(environment) as (file, kept):
        assert kept == TWO
        assert file.path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("cut", [0, 1, 40, 200])
def test_a_write_that_was_cut_leaves_what_was_before(cut: int, environment: dict[str, str]) -> None:
    with held(environment) as (file, _):
        file.write(ONE)
        before = file.path.read_bytes()
        file.write(TWO)
        after = file.path.read_bytes()
    begin = next(at for at in range(len(after)) if after[at] != before[at])
    torn = after[: begin + cut] + before[begin + cut :]
    file.path.write_bytes(torn)
    with held(environment) as (_, kept):
        assert kept == ONE


def test_what_cannot_be_read_is_kept_aside_and_begun_anew(environment: dict[str, str]) -> None:
    with held(environment) as (file, _):
        file.write(ONE)
    file.path.write_bytes(b"x" * 2 * HALF_BYTES)
    with held(environment) as (file, kept):
        assert kept == Kept()
        file.write(TWO)
    assert file.path.with_name("db.state.unreadable-1").read_bytes()[:1] == b"x"
    with held(environment) as (_, kept):
        assert kept == TWO


def test_a_disk_that_is_full_later_takes_nothing_away(environment: dict[str, str]) -> None:
    full = TWO
    for number in range(3, outbox.MOST_NOTICES):
        full = outbox.posted(full, numbered(number), ["mail", "webhook"])
    with held(environment) as (file, _), no_file_larger_than(2 * HALF_BYTES):
        for written in (ONE, TWO, full):
            file.write(written)
    with held(environment) as (_, kept):
        assert kept == full


def test_a_disk_that_is_full_from_the_beginning_is_said(environment: dict[str, str]) -> None:
    with (
        no_file_larger_than(HALF_BYTES),
        pytest.raises(RegisterError, match=r"opening what is watched in .*File too large"),
        held(environment),
    ):
        pass
    with held(environment) as (file, kept):
        assert kept == Kept()
        file.write(ONE)


def test_more_than_there_is_room_for_loses_the_oldest_and_counts_it(environment: dict[str, str]) -> None:
    long = replace(numbered(1), verdict="é" * 4000, lost=("é" * 4000,) * 4, cause="é" * 4000)
    kept = Kept()
    for number in range(outbox.MOST_NOTICES):
        kept = outbox.posted(kept, replace(long, id=f"n{number}"), ["mail"])
    with held(environment) as (file, _):
        file.write(kept)
    with held(environment) as (_, read):
        assert read.outbox == kept.outbox[-len(read.outbox) :]
        assert 0 < len(read.outbox) == outbox.MOST_NOTICES - read.left_out


def test_only_one_watches(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch_file, "LOCK_PATIENCE_S", 0.0)
    with (
        held(environment),
        pytest.raises(BusyError, match="another watcher of it runs on this machine"),
        held(environment),
    ):
        pass


def test_others_see_whether_it_lives_and_since_when(environment: dict[str, str]) -> None:
    assert watcher_of("db", environment) == WatcherFacts()
    with held(environment) as (file, _):
        assert watcher_of("db", environment) == WatcherFacts(), "it has not begun"
        file.write(ONE)
        os.utime(file.path, (AT, AT))
        assert watcher_of("db", environment) == WatcherFacts(AT, True, AT, None, 1)
        file.beat()
        assert watcher_of("db", environment).beat_at > AT
    died = watcher_of("db", environment)
    assert (died.alive, died.stopped_at) == (False, None)
    with held(environment) as (file, _):
        file.write(replace(ONE, stopped_at=AT + 5))
    assert watcher_of("db", environment).stopped_at == AT + 5
    file.path.write_bytes(b"x" * 2 * HALF_BYTES)
    with pytest.raises(RegisterError, match="neither of its halves is whole"):
        watcher_of("db", environment)


def test_a_link_in_its_place_is_not_followed(environment: dict[str, str], tmp_path: Path) -> None:
    with held(environment) as (file, _):
        pass
    file.path.unlink()
    (tmp_path / "theirs").write_text("kept")
    file.path.symlink_to(tmp_path / "theirs")
    with pytest.raises(RegisterError, match="opening"), held(environment):
        pass
    assert (tmp_path / "theirs").read_text() == "kept"


@pytest.fixture
def disk(environment: dict[str, str], tmp_path: Path) -> Iterator[Callable[[str], None]]:
    """The state lies on a disk of its own, which can be mounted anew: `ro`, `rw`."""
    folder = tmp_path / "disk"
    folder.mkdir()
    environment["XDG_STATE_HOME"] = str(folder)

    def mount(how: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{how}", str(folder)], check=True)

    with or_skip(lambda: small_disk(folder, 4096)):
        yield mount


@pytest.mark.server
@pytest.mark.root("a disk of a test's own is mounted")
def test_on_a_disk_that_is_only_read_what_was_told_is_known_and_no_other_watches(
    environment: dict[str, str], disk: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a file system is that an error has made so: the watcher that starts anew told all a second time."""
    monkeypatch.setattr(watch_file, "LOCK_PATIENCE_S", 0.0)
    with held(environment) as (file, _):
        file.write(ONE)
    disk("ro")
    with held(environment) as (file, kept):
        assert kept == ONE
        with pytest.raises(RegisterError, match=r"writing what is watched in .*: Read-only file system"):
            file.write(TWO)
        file.beat()
        with pytest.raises(BusyError), held(environment):
            pass
        assert watcher_of("db", environment).alive
        disk("rw")
        file.write(TWO)
        with pytest.raises(BusyError), held(environment):
            pass
    with held(environment) as (_, kept):
        assert kept == TWO


@pytest.mark.server
@pytest.mark.root("a disk of a test's own is mounted")
def test_on_a_disk_that_is_only_read_and_has_none_that_is_said(
    environment: dict[str, str], disk: Callable[[str], None]
) -> None:
    disk("ro")
    with pytest.raises(RegisterError, match=r"opening what is watched in .*: Read-only file system"):
        WatchFile("db", environment).hold()


@pytest.mark.parametrize("whole", [False, True], ids=["the file", "its folder"])
def test_one_that_is_taken_away_meanwhile_is_made_anew(
    whole: bool, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch_file, "LOCK_PATIENCE_S", 0.0)
    with held(environment) as (file, _):
        file.write(ONE)
        shutil.rmtree(file.path.parent) if whole else file.path.unlink()
        assert watcher_of("db", environment) == WatcherFacts(), "nobody finds it by its name"
        file.write(TWO)
        assert watcher_of("db", environment).alive
        with pytest.raises(BusyError), held(environment):
            pass
    with held(environment) as (_, kept):
        assert kept == TWO


def test_of_one_that_is_taken_away_another_watcher_may_have_the_place(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch_file, "LOCK_PATIENCE_S", 0.0)
    with held(environment) as (file, _):
        file.write(ONE)
        file.path.unlink()
        with held(environment) as (other, _):
            other.write(ONE)
            with pytest.raises(RegisterError, match="another watcher of it runs on this machine"):
                file.write(TWO)
        file.write(TWO)  # it has ended
    with held(environment) as (_, kept):
        assert kept == TWO


def failing(number: int) -> Callable[..., None]:
    def fails(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    return fails


def test_what_cannot_be_noted_or_read_is_said(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file system that an error has made one to read; a disk that cannot read a part of itself."""
    with held(environment) as (file, _):
        file.write(ONE)
        monkeypatch.setattr(watch_file.os, "utime", failing(errno.EROFS))  # type: ignore[attr-defined]
        with pytest.raises(RegisterError, match=r"noting that it lives .*Read-only file system"):
            file.beat()
    monkeypatch.setattr(watch_file.os, "pread", failing(errno.EIO))  # type: ignore[attr-defined]
    with pytest.raises(RegisterError, match=r"reading what is watched in .*Input/output error"):
        WatchFile("db", environment).hold()

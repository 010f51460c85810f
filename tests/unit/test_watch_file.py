"""What a watcher keeps: whole whatever ends it, in its place whatever the disk has left, one holder's."""

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.test_notices import numbered
from walconsole.domain.facts.evidence import WatcherFacts
from walconsole.domain.notices import outbox
from walconsole.domain.notices.outbox import Kept
from walconsole.errors import RegisterError, UsageError
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
        pytest.raises(UsageError, match="another watcher of it runs on this machine"),
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

"""The ledger of temporary keys: what outlives which death, and what lies in its folder and is not its own."""

import errno
import json
import multiprocessing
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from walconsole.domain.store.temporary_keys import LedgerEntry, temporary_name
from walconsole.errors import RegisterError
from walconsole.operator_files.key_ledger import LedgerFolder

NOW = 1_790_000_000.0
NAME = temporary_name("shop", NOW, "0123456789abcdef")
ENTRY = LedgerEntry(NAME, "https://api.example", "shop", NOW)
KNOWN = LedgerEntry(NAME, "https://api.example", "shop", NOW, "DO00KNOWN")


def dies(ledger: LedgerFolder) -> None:
    """Its locks go, as with a process that ends."""
    for descriptor in ledger._held.values():
        os.close(descriptor)
    ledger._held.clear()


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state" / "temporary-keys"


def next_start(folder: Path) -> tuple[LedgerEntry, ...]:
    return LedgerFolder(folder).orphans()


def test_an_entry_is_an_orphan_when_its_console_is_dead(folder: Path) -> None:
    ledger = LedgerFolder(folder)
    ledger.note(ENTRY)
    ledger.note(KNOWN)
    assert ledger.orphans() == ()
    assert next_start(folder) == ()
    dies(ledger)
    assert next_start(folder) == (KNOWN,)
    LedgerFolder(folder).settle(NAME)
    assert next_start(folder) == ()
    assert not list(folder.iterdir())


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_nobody_else_may_look(folder: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        LedgerFolder(folder).note(ENTRY)
    finally:
        os.umask(before)
    assert mode_of(folder) == 0o700
    assert [mode_of(path) for path in folder.iterdir()] == [0o600]


def test_a_folder_that_was_open_to_others_is_closed(folder: Path) -> None:
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    LedgerFolder(folder).note(ENTRY)
    assert mode_of(folder) == 0o700


@contextmanager
def failing(monkeypatch: pytest.MonkeyPatch, target: object, name: str, error: OSError) -> Iterator[None]:
    def fail(*_: object, **__: object) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(target, name, fail)
        yield


@pytest.mark.parametrize("call", ["write", "fsync", "replace"])
def test_what_cannot_be_written_is_no_entry(folder: Path, call: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then no key is asked for; and an entry that was there stays whole."""
    ledger = LedgerFolder(folder)
    target = Path if call == "replace" else os
    full = OSError(errno.ENOSPC, "No space left on device")
    with (
        failing(monkeypatch, target, call, full),
        pytest.raises(RegisterError, match="No space left") as caught,
    ):
        ledger.note(ENTRY)
    assert str(folder) in caught.value.tried
    assert not list(folder.iterdir())
    ledger.note(ENTRY)
    with failing(monkeypatch, target, call, full), pytest.raises(RegisterError):
        ledger.note(KNOWN)
    assert [path.name for path in folder.iterdir()] == [f"{NAME}.json"]
    assert next_start(folder) == ()  # it is held still
    dies(ledger)
    assert next_start(folder) == (ENTRY,)


class Killed(BaseException):
    """Nothing more is done, as after SIGKILL."""


@pytest.mark.parametrize("known", [False, True])
def test_a_death_between_writing_and_renaming(
    folder: Path, known: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first entry is not there then: no key was asked for yet. The second leaves the first."""
    ledger = LedgerFolder(folder)
    if known:
        ledger.note(ENTRY)

    def killed(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", killed)
        patch.setattr(Path, "unlink", killed)
        with pytest.raises(Killed):
            ledger.note(KNOWN if known else ENTRY)
    dies(ledger)
    assert (folder / f"{NAME}.new").exists()
    assert next_start(folder) == ((ENTRY,) if known else ())
    LedgerFolder(folder).settle(NAME)
    assert not list(folder.iterdir())


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'{"name": "another"}',
        json.dumps(
            {"name": NAME, "endpoint": 5, "profile": "shop", "access_key": "", "noted_at": 1}
        ).encode(),
        json.dumps(
            {"name": NAME, "endpoint": "e", "profile": "p", "access_key": "", "noted_at": "x"}
        ).encode(),
        json.dumps({"name": NAME, "endpoint": "e", "profile": "p", "access_key": ""}).encode(),
        b"[" * 100_000,
    ],
)
def test_an_entry_that_makes_no_sense_still_tells_the_key_s_name(folder: Path, text: bytes) -> None:
    folder.mkdir(parents=True)
    (folder / f"{NAME}.json").write_bytes(text)
    (found,) = next_start(folder)
    assert (found.name, found.endpoint, found.profile, found.access_key) == (NAME, "", "shop", "")
    assert found.noted_at == pytest.approx(NOW, abs=1)


def test_what_is_not_the_ledger_s_is_left_alone(folder: Path) -> None:
    folder.mkdir(parents=True)
    foreign = {
        "notes.txt": b"mine",
        "another.json": b"{}",
        ".json": b"{}",
        "walconsole-temp-.json": b"{}",
        f"{NAME}.json.bak": b"{}",
        f"{NAME[:-1]}.json": b"{}",
    }
    for name, text in foreign.items():
        (folder / name).write_bytes(text)
    (folder / "a-folder.json").mkdir()
    assert next_start(folder) == ()
    ledger = LedgerFolder(folder)
    ledger.note(ENTRY)
    ledger.settle(NAME)
    assert {path.name for path in folder.iterdir()} == {*foreign, "a-folder.json"}
    assert all((folder / name).read_bytes() == text for name, text in foreign.items())


@pytest.mark.parametrize("kind", ["link", "folder"])
def test_one_thing_that_cannot_be_read_hides_no_other_key(folder: Path, kind: str, tmp_path: Path) -> None:
    """What bears a key's name and is no file of the ledger's still says that there may be such a key."""
    dead = LedgerFolder(folder)
    dead.note(ENTRY)
    dies(dead)
    odd = temporary_name("shop", NOW, "fedcba9876543210")
    if kind == "folder":
        (folder / f"{odd}.json").mkdir()
    else:
        (folder / f"{odd}.json").symlink_to(tmp_path / "nowhere")
    assert {entry.name for entry in next_start(folder)} == {NAME, odd}


def test_an_entry_of_root_s_hides_no_other_key(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dead = LedgerFolder(folder)
    dead.note(ENTRY)
    dies(dead)
    odd = temporary_name("shop", NOW, "fedcba9876543210")
    (folder / f"{odd}.json").touch(mode=0o000)
    opened = os.open

    def as_a_user(path: Path, *arguments: int) -> int:
        if odd in str(path):  # root, who may run this test, could open it
            raise PermissionError(errno.EACCES, "Permission denied")
        return opened(path, *arguments)

    monkeypatch.setattr(os, "open", as_a_user)
    assert {entry.name for entry in next_start(folder)} == {NAME, odd}


def test_a_link_is_not_followed(folder: Path, tmp_path: Path) -> None:
    folder.mkdir(parents=True)
    target = tmp_path / "precious"
    target.write_text("kept")
    (folder / f"{NAME}.new").symlink_to(target)
    with pytest.raises(RegisterError):
        LedgerFolder(folder).note(ENTRY)
    assert target.read_text() == "kept"


def test_where_the_folder_cannot_be_made_no_key_may_be_asked_for(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    with pytest.raises(RegisterError) as caught:
        LedgerFolder(tmp_path / "state" / "temporary-keys").note(ENTRY)
    assert caught.value.remedy


def test_without_a_folder_there_is_nothing(folder: Path) -> None:
    assert next_start(folder) == ()
    LedgerFolder(folder).settle(NAME)


def test_a_name_that_no_start_would_know_again_is_no_entry(folder: Path) -> None:
    with pytest.raises(ValueError, match="not a temporary key's name"):
        LedgerFolder(folder).note(LedgerEntry("walconsole-temp-x", "", "shop", NOW))


def _console(folder: Path, pipe: Connection) -> None:
    """Another console: notes a key, says so, and lives until it is told to die."""
    LedgerFolder(folder).note(ENTRY)
    pipe.send("noted")
    pipe.recv()
    os._exit(0)  # nothing is cleaned up


def test_a_living_console_s_key_is_nobody_else_s(folder: Path) -> None:
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_console, args=(folder, there))
    process.start()
    try:
        assert here.poll(30)
        assert here.recv() == "noted"
        assert next_start(folder) == ()
        here.send("die")
        process.join(30)
        assert next_start(folder) == (ENTRY,)
    finally:
        process.kill()
        process.join()
        here.close()
        there.close()

"""The console's own folders where another user was there first: nothing of theirs is read or written."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.test_key_ledger import ENTRY
from walconsole.config.reader import load
from walconsole.domain.profile import BucketRole, BucketTarget, KeyReference, KeySource
from walconsole.errors import ConfigError, RegisterError, UsageError
from walconsole.operator_files.gap_register import GapFile
from walconsole.operator_files.kept import IndexFile
from walconsole.operator_files.key_ledger import LedgerFolder
from walconsole.operator_files.private import check_private, make_private, replace_text
from walconsole.process.logs import start_logging
from walconsole.provision.engine.model import Change, ChangeKind
from walconsole.provision.engine.record import RecordFile
from walconsole.session.check import _deliver
from walconsole.ui.board.export import Export
from walconsole.ui.board.theming import ThemeShelf

NOBODY = 65534
CHANGE = Change("install", ChangeKind.FILE, "/etc/x", "a", "b", "/var/kept", 1.0)
TARGET = BucketTarget(
    BucketRole.PRIMARY, "walwal", "nyc3", "https://nyc3.example.com", KeyReference(KeySource.ENVIRONMENT)
)
Foreign = Callable[[Path], Path]


@pytest.fixture
def foreign(monkeypatch: pytest.MonkeyPatch) -> Foreign:
    """Make a folder another user's: really where that can be done, else by being another one ourselves."""

    def give_away(path: Path) -> Path:
        path.mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0:
            os.chown(path, NOBODY, NOBODY)
        else:
            ours = os.geteuid()
            monkeypatch.setattr(os, "geteuid", lambda: ours + 1)
        return path

    return give_away


def _ledger(base: Path) -> None:
    LedgerFolder(base / "temporary-keys").note(ENTRY)


def _orphans(base: Path) -> None:
    LedgerFolder(base / "temporary-keys").orphans()


def _record(base: Path) -> None:
    RecordFile(base / "provision" / "p.jsonl").add(CHANGE)


def _changes(base: Path) -> None:
    RecordFile(base / "provision" / "p.jsonl").changes()


def _gaps(base: Path) -> None:
    GapFile({"XDG_CONFIG_HOME": str(base.parent)}).accepted()


@pytest.mark.parametrize("act", [_ledger, _orphans, _record, _changes, _gaps])
@pytest.mark.parametrize("linked", [False, True], ids=["folder", "link"])
def test_another_user_s_folder_is_refused_by_name(
    act: Callable[[Path], None], linked: bool, foreign: Foreign, tmp_path: Path
) -> None:
    base = tmp_path / "shared" / "walconsole"
    if linked:
        target = foreign(tmp_path / "theirs")
        base.parent.mkdir()
        base.symlink_to(target)
    else:
        target = foreign(base)
    with pytest.raises(RegisterError, match=r"walconsole belongs to another user \(uid \d+\)"):
        act(base)
    assert list(target.iterdir()) == []


def test_the_index_is_neither_read_nor_written_there(foreign: Foreign, tmp_path: Path) -> None:
    folder = foreign(tmp_path / "walconsole")
    index = IndexFile(TARGET, {"XDG_CACHE_HOME": str(tmp_path)})
    index.path.write_bytes(b"theirs")
    index.save(b"ours")
    assert index.load() is None
    assert [path.read_bytes() for path in folder.iterdir()] == [b"theirs"]


def test_the_log_is_not_written_there_unless_it_was_chosen(foreign: Foreign, tmp_path: Path) -> None:
    folder = foreign(tmp_path / "walconsole")
    assert "another user" in (start_logging(folder / "walconsole.log", chosen=False) or "")
    assert list(folder.iterdir()) == []


def test_the_theme_and_exports_are_not_written_there(
    foreign: Foreign, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("XDG_STATE_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(variable, str(tmp_path))
    folder = foreign(tmp_path / "walconsole")
    assert "another user" in (ThemeShelf().remember("night") or "")
    problem, written = Export("walconsole-x", (("json", "{}"),)).write(folder)
    assert "another user" in problem
    assert (written, list(folder.iterdir())) == ("", [])


def test_another_user_s_configuration_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "config.toml"
    path.write_text('[profiles.x]\nhost = "h.example.com"\n')
    if os.geteuid() == 0:
        os.chown(path, NOBODY, NOBODY)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: NOBODY)
    with pytest.raises(ConfigError, match="belongs to another user"):
        load(path)


def test_folders_are_made_for_their_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "walconsole" / "provision"
    folder.parent.mkdir(mode=0o777)
    folder.parent.chmod(0o777)
    make_private(folder)
    assert [path.stat().st_mode & 0o777 for path in (folder.parent, folder)] == [0o700, 0o700]


def test_a_link_of_one_s_own_is_one_s_own_affair(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    (tmp_path / "walconsole").symlink_to(elsewhere)
    make_private(tmp_path / "walconsole")
    check_private(tmp_path / "walconsole")


def test_a_link_to_nothing_and_a_file_are_no_folders(tmp_path: Path) -> None:
    (tmp_path / "walconsole").symlink_to(tmp_path / "missing")
    with pytest.raises(PermissionError, match="link to nothing"):
        make_private(tmp_path / "walconsole")
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError):
        check_private(tmp_path / "file")


@pytest.mark.parametrize("write", [_deliver, lambda text, path: replace_text(path, text)])
def test_no_link_beside_a_file_is_written_through(
    write: Callable[[str, Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    victim, output = tmp_path / "victim", tmp_path / "out.prom"
    victim.write_text("as it was")
    names = iter(["foreseen", "another"])
    monkeypatch.setattr(tempfile, "_get_candidate_names", lambda: names)
    (tmp_path / f".{output.name}.foreseen").symlink_to(victim)
    write("new", output)
    assert (victim.read_text(), output.read_text(), next(names, None)) == ("as it was", "new", None)


@pytest.mark.parametrize("read", [lambda path: RecordFile(path).changes()])
def test_a_record_that_is_a_link_or_a_fifo_is_not_followed(
    read: Callable[[Path], object], tmp_path: Path
) -> None:
    (tmp_path / "theirs").write_text("")
    (tmp_path / "p.jsonl").symlink_to(tmp_path / "theirs")
    with pytest.raises(RegisterError, match="symbolic links"):
        read(tmp_path / "p.jsonl")
    os.mkfifo(tmp_path / "q.jsonl")
    assert read(tmp_path / "q.jsonl") == ()


def test_a_log_that_is_chosen_is_not_written_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("as it was")
    (tmp_path / "log").symlink_to(tmp_path / "victim")
    with pytest.raises(UsageError, match="symbolic links"):
        start_logging(tmp_path / "log", chosen=True)
    assert (tmp_path / "victim").read_text() == "as it was"

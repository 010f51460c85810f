"""The operator's files have one room: nobody else in src opens one to write, or makes an XDG path."""

import ast
import functools
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import walconsole
from walconsole.operator_files.places import places
from walconsole.operator_files.private import (
    open_appending,
    open_new,
    replace_bytes,
    replace_text,
    write_new,
)

SOURCE = Path(walconsole.__file__).parent
ROOM = ("operator_files/private.py", "operator_files/places.py")
WRITES_ELSEWHERE = {
    "adapters/postgres/bridge.py": "a folder for a socket, gone with the connection",
    "adapters/ssh/openssh.py": "a file without a name, for the answer of `ssh -G`",
    "cli/running.py": "the null device, in the place of a closed standard output",
    "process/terminal.py": "the terminal",
    "session/demo_process.py": "standard error of the embedded droplet, to the log that exists",
    "session/demo_serve.py": "in the embedded droplet's folder, beside its SSH key",
    "session/provision.py": "the null device, in the place of a closed standard output",
    "sandbox/scenarios/play.py": "an object in the embedded droplet's own store, with a wrong byte",
    "sandbox/host/ssh_server.py": "in the embedded droplet's folder",
    "sandbox/workspace.py": "the embedded droplet's folder itself",
}
"""Files that are not the operator's own; each with what is written."""
GIVES_ITS_NAME = {
    "sandbox/host/programs.py": "a link in the embedded droplet's folder",
    "ui/archive/listing_export.py": "a listing that the room's open_new() began, once it is whole",
}
WRITING = {"O_WRONLY", "O_RDWR", "O_CREAT", "O_APPEND", "O_TRUNC"}
METHODS = {"write_text", "write_bytes", "touch"}
MOVES = {"rename", "hardlink_to", "symlink_to"}


@functools.cache
def modules() -> dict[str, ast.Module]:
    """Each module of src by its path."""
    return {
        str(path.relative_to(SOURCE)): ast.parse(path.read_text("utf-8")) for path in SOURCE.rglob("*.py")
    }


@functools.cache
def nodes(tree: ast.Module) -> list[ast.AST]:
    """All there is in it; to walk through all modules takes longer than what is looked for."""
    return list(ast.walk(tree))


def calls(tree: ast.Module) -> Iterator[tuple[ast.Call, str, str]]:
    """Each call with what it is called on (a plain name, else empty) and the function's name."""
    for node in nodes(tree):
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Attribute):
                owner = node.func.value.id if isinstance(node.func.value, ast.Name) else ""
                yield node, owner, node.func.attr
            elif isinstance(node.func, ast.Name):
                yield node, "", node.func.id


def writes(tree: ast.Module) -> bool:
    """Whether the module opens a file to write, or makes one."""
    if any(isinstance(node, ast.Attribute) and node.attr in WRITING for node in nodes(tree)):
        return True
    return any(_is_writing(call, owner, name) for call, owner, name in calls(tree))


def _is_writing(call: ast.Call, owner: str, name: str) -> bool:
    if name in METHODS or owner == "tempfile" or name in {"NamedTemporaryFile", "mkstemp", "mkdtemp"}:
        return True
    if name != "open" or owner == "os":  # os.open's flags are looked at above
        return False
    mode = call.args[0 if isinstance(call.func, ast.Attribute) else 1 :][:1]
    mode += [keyword.value for keyword in call.keywords if keyword.arg == "mode"]
    return any(isinstance(each, ast.Constant) and set(str(each.value)) & set("wax+") for each in mode)


def moves(tree: ast.Module) -> bool:
    """Whether the module gives a file another name: Path.replace() has one argument, str.replace() two."""
    return any(
        name in MOVES or (owner == "os" and name == "replace") or (name == "replace" and _is_a_path_s(call))
        for call, owner, name in calls(tree)
    )


def _is_a_path_s(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Attribute) and len(call.args) == 1 and not call.keywords


def texts(tree: ast.Module) -> Iterator[str]:
    """Its strings, but for docstrings and the parts of f-strings."""
    skipped: set[int] = set()
    for node in nodes(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            skipped.add(id(node.value))
    for node in nodes(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in skipped:
            yield node.value


def test_nobody_else_opens_a_file_of_the_operator_s_to_write() -> None:
    found = {name for name, tree in modules().items() if writes(tree)} - set(ROOM)
    assert found == set(WRITES_ELSEWHERE)


def test_nobody_else_gives_a_file_its_name() -> None:
    assert {name for name, tree in modules().items() if moves(tree)} - set(ROOM) == set(GIVES_ITS_NAME)


def test_nobody_else_makes_an_xdg_path() -> None:
    """What is shown to the operator may name a variable: as a word in a text, not alone."""
    marks = {".config", ".local", ".local/share", ".local/state", ".cache"}
    found = {
        name
        for name, tree in modules().items()
        for text in texts(tree)
        if text in marks or (text.startswith("XDG_") and text.isidentifier())
    }
    servers = {"domain/archivers/rclone.py"}  # where rclone looks on the droplet, as the server's user
    assert found - servers == {"operator_files/places.py", "adapters/keys_api/token.py"}
    doctl = [text for text in texts(modules()["adapters/keys_api/token.py"]) if text in marks]
    assert doctl == [".config"], "another program's folder: doctl's, as a snap has it"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("os.open(path, os.O_WRONLY)", True),
        ("os.open(path, os.O_RDONLY)", False),
        ("open(path, 'w')", True),
        ("path.open('ab')", True),
        ("path.open(mode='r+')", True),
        ("path.open('rb')", False),
        ("open(path)", False),
        ("path.write_text('x')", True),
        ("tempfile.mkstemp()", True),
    ],
)
def test_the_look_sees(source: str, expected: bool) -> None:
    assert writes(ast.parse(source)) is expected


def test_the_look_tells_a_path_s_replace_from_a_text_s() -> None:
    assert moves(ast.parse("a.replace(b)"))
    assert not moves(ast.parse("a.replace('x', 'y'); replace(a, b=1); moment.replace(tzinfo=UTC)"))


@pytest.mark.skipif(sys.platform == "darwin", reason="platformdirs means ~/Library there")
@pytest.mark.parametrize("value", [None, "", "/somewhere", "relative", "/with space/"])
def test_both_mean_the_same_places(
    value: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from platformdirs.unix import Unix

    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("CONFIG", "STATE", "DATA", "CACHE"):
        monkeypatch.delenv(f"XDG_{name}_HOME", raising=False)
        if value is not None:
            monkeypatch.setenv(f"XDG_{name}_HOME", value)
    theirs = Unix("walconsole", appauthor=False)
    assert tuple(places(os.environ)) == (
        theirs.user_config_path,
        theirs.user_state_path,
        theirs.user_data_path,
        theirs.user_cache_path,
    )


def test_the_environment_that_is_given_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/real")
    monkeypatch.setenv("XDG_DATA_HOME", "/real/data")
    assert places({"HOME": "/given"}).transcripts == Path("/given/.local/share/walconsole/transcripts")
    assert places({}).config == Path("/real/.config/walconsole")


def test_what_is_replaced_is_whole_and_its_owner_s_alone(tmp_path: Path) -> None:
    path, elsewhere = tmp_path / "state.toml", tmp_path / "elsewhere"
    elsewhere.write_text("kept")
    path.symlink_to(elsewhere)
    before = os.umask(0)
    try:
        replace_text(path, "ä")
    finally:
        os.umask(before)
    assert (path.read_bytes(), path.is_symlink(), elsewhere.read_text()) == ("ä".encode(), False, "kept")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    replace_bytes(path, b"\x00", 0o644)
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"\x00", 0o644)
    assert sorted(tmp_path.iterdir()) == [elsewhere, path]


@pytest.mark.parametrize("fails", ["fsync", "fchmod"])
def test_what_cannot_be_replaced_stays(fails: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "state.toml"
    path.write_text("as it was")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, fails, full)
        with pytest.raises(OSError, match="No space"):
            replace_text(path, "new")
    assert (path.read_text(), list(tmp_path.iterdir())) == ("as it was", [path])


def test_it_is_on_the_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    synced, renamed = os.fsync, Path.replace

    def sync(descriptor: int) -> None:
        done.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        synced(descriptor)

    def rename(path: Path, target: Path) -> Path:
        done.append("name")
        return renamed(path, target)

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(Path, "replace", rename)
    replace_text(tmp_path / "x", "text")
    assert done == ["file", "name", "folder"]


def test_a_new_file_is_nobody_s_before_and_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, link = tmp_path / "x", tmp_path / "link"
    link.symlink_to(tmp_path / "nothing")
    write_new(path, "first")
    for taken in (path, link):
        with pytest.raises(FileExistsError):
            write_new(taken, "second")
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == ("first", 0o600)
    with pytest.raises(UnicodeEncodeError):
        write_new(tmp_path / "y", "\udcff")
    assert not (tmp_path / "y").exists()
    os.close(open_new(tmp_path / "z"))
    assert stat.S_IMODE((tmp_path / "z").stat().st_mode) == 0o600


def test_who_adds_to_a_file_follows_a_link_only_where_that_is_said(tmp_path: Path) -> None:
    kept, link = tmp_path / "kept", tmp_path / "link"
    kept.write_text("a")
    link.symlink_to(kept)
    with pytest.raises(OSError, match="symbolic links"):
        open_appending(link)
    with os.fdopen(open_appending(link, readable=True, through_links=True), "r+b") as file:
        file.write(b"b")
    assert kept.read_text() == "ab"

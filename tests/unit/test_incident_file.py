"""The file of what is remembered: whole, private, bounded, and nobody's notes are lost."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from walconsole.domain.incidents.follow import follow
from walconsole.domain.incidents.model import HOLD_S, IncidentLog, Look, Run, RunResult, Seen
from walconsole.domain.standing.model import Level
from walconsole.errors import RegisterError
from walconsole.operator_files.incident_file import LIMIT_BYTES, IncidentFile
from walconsole.operator_files.kept import for_this_session, on_disk

CAUSE = Seen("key-403/primary/", "key-403", "critical", "the store refuses the key")


def bad(at: float, waiting: int = 3) -> Look:
    return Look(at, Level.CRITICAL, "archiving FAILS", (CAUSE,), waiting, 1.0, waiting, waiting << 24, 60.0)


def good(at: float) -> Look:
    return Look(at, Level.OK, "restorable", (), 0)


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path / "state")}


@pytest.fixture
def file(environ: dict[str, str]) -> IncidentFile:
    return IncidentFile("shithub", environ)


def test_where_it_lies_and_whose_it_is(file: IncidentFile, tmp_path: Path) -> None:
    assert file.path == tmp_path / "state/walconsole/incidents/shithub.json"
    file.note((bad(1000),), 1000)
    assert file.path.stat().st_mode & 0o777 == 0o600
    assert file.path.parent.stat().st_mode & 0o777 == 0o700
    assert sorted(each.name for each in file.path.parent.iterdir()) == ["shithub.json", "shithub.lock"]


@pytest.mark.parametrize("name", ["root@db1", "../../etc/passwd", "", "x" * 300, "\x1b[31m", "a/b"])
def test_any_name_is_a_file_in_its_folder(name: str, environ: dict[str, str]) -> None:
    path = IncidentFile(name, environ).path
    assert path.parent == IncidentFile("shithub", environ).path.parent
    assert path != IncidentFile(f"{name}2", environ).path


def test_a_healthy_server_writes_nothing(file: IncidentFile) -> None:
    for second in range(5):
        file.note((good(1000.0 + second),), 1000.0 + second)
    assert not file.path.exists()


def test_it_is_remembered_by_the_next_one(file: IncidentFile, environ: dict[str, str]) -> None:
    file.note((bad(1000), bad(1010, 412)), 1010)
    later = IncidentFile("shithub", environ)
    log = later.note((Run("grants", "Give it back", 1020.0, RunResult.DONE, 1025.0), good(1030)), 1030)
    assert log.open is not None
    assert log.open.worst.waiting is not None
    assert log.open.worst.waiting.value == 412
    log = IncidentFile("shithub", environ).note((good(1030 + HOLD_S),), 1030 + HOLD_S)
    assert log.last is not None
    assert log.runs_of(log.last)[0].title == "Give it back"
    assert IncidentFile("other", environ).note((), 1).last is None


def test_two_consoles_lose_nothing_of_each_other(environ: dict[str, str]) -> None:
    """Five processes note twelve runs each, at once."""
    code = (
        "import os, sys\n"
        "from walconsole.domain.incidents.model import Run, RunResult\n"
        "from walconsole.operator_files import incident_file\n"
        "incident_file.LOCK_PATIENCE_S = 60.0\n"
        "file = incident_file.IncidentFile('shithub', os.environ)\n"
        "for at in range(12):\n"
        "    run = Run(sys.argv[1], 't', 1000.0 + at, RunResult.DONE, 1001.0 + at)\n"
        "    file.note((run,), 2000.0)\n"
    )
    made = [
        subprocess.Popen([sys.executable, "-c", code, f"step{number}"], env={**os.environ, **environ})
        for number in range(5)
    ]
    assert [process.wait(120) for process in made] == [0] * 5
    log = IncidentFile("shithub", environ).note((), 3000.0)
    assert len({(run.step, run.began_at) for run in log.runs}) == 60


def test_one_that_is_killed_leaves_a_whole_file_and_no_lock(environ: dict[str, str]) -> None:
    code = (
        "import os\n"
        "from walconsole.domain.incidents.model import Look, Seen\n"
        "from walconsole.domain.standing.model import Level\n"
        "from walconsole.operator_files.incident_file import IncidentFile\n"
        "file = IncidentFile('shithub', os.environ)\n"
        "at = 1000.0\n"
        "while True:\n"
        "    at += 1\n"
        "    look = Look(at, Level.CRITICAL, 'bad', (Seen('a', 'gap', 'critical', 'x' * 300),), int(at))\n"
        "    file.note((look,), at)\n"
    )
    file = IncidentFile("shithub", environ)
    for turn in range(6):
        process = subprocess.Popen([sys.executable, "-c", code], env={**os.environ, **environ})
        ends = time.monotonic() + 60
        before = file.path.stat().st_mtime_ns if file.path.exists() else 0
        while not file.path.exists() or file.path.stat().st_mtime_ns == before:
            assert time.monotonic() < ends
            time.sleep(0.001)
        time.sleep(0.003 * turn)
        process.send_signal(signal.SIGKILL)
        process.wait(30)
        log = file.note((), 9_000.0)
        assert log.open is not None
        assert log.set_aside == ()
    assert not list(file.path.parent.glob("*.unreadable*"))


@pytest.mark.parametrize(
    "damage",
    [b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"document": "walconsole incidents", "version": 1, "open": 3}',
     b" " * (LIMIT_BYTES + 1), b"null", b'{"a": 1' + b"0" * 6000 + b"}"],
)  # fmt: skip
def test_a_damaged_one_is_kept_aside_and_said(file: IncidentFile, damage: bytes) -> None:
    file.note((bad(1000),), 1000)
    file.path.write_bytes(damage)
    log = file.note((bad(2000),), 2000)
    (aside,) = log.set_aside
    assert Path(aside.kept).read_bytes() == damage
    assert aside.why
    assert log.open is not None
    assert log.open.opened_at == 2000
    assert file.note((), 2001).set_aside == (aside,)  # the next session says it, too


def test_damaged_ones_do_not_pile_up(file: IncidentFile) -> None:
    file.note((bad(1000),), 1000)
    for turn in range(9):
        file.path.write_bytes(b"{%d" % turn)
        file.note((), 1000.0 + turn)
    assert len(list(file.path.parent.glob("*.unreadable-*"))) == 5


def test_what_a_newer_console_wrote_stays_as_it_is(file: IncidentFile) -> None:
    file.note((bad(1000),), 1000)
    text = json.dumps({**json.loads(file.path.read_text()), "version": 2, "more": []})
    file.path.write_text(text)
    with pytest.raises(RegisterError, match="version 2"):
        file.note((bad(2000),), 2000)
    assert file.path.read_text() == text


def test_a_link_or_a_held_lock_is_refused_and_nothing_is_written(
    file: IncidentFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.note((bad(1000),), 1000)
    was = file.path.read_bytes()
    monkeypatch.setattr("walconsole.operator_files.incident_file.LOCK_PATIENCE_S", 0.05)
    with file.path.with_suffix(".lock").open("r+b") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(RegisterError, match="another console holds it"):
            file.note((bad(2000, 99),), 2000)
    assert file.path.read_bytes() == was
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(was)
    file.path.unlink()
    file.path.symlink_to(elsewhere)
    with pytest.raises(RegisterError):
        file.note((bad(2000, 99),), 2000)
    assert elsewhere.read_bytes() == was


def test_a_folder_that_cannot_be_made_is_an_error_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    file = IncidentFile("shithub", {"XDG_STATE_HOME": str(tmp_path / "state")})
    with pytest.raises(RegisterError) as caught:
        file.note((bad(1000),), 1000)
    assert "by this session alone" in caught.value.remedy


def test_a_demo_is_remembered_by_its_session_alone(environ: dict[str, str], tmp_path: Path) -> None:
    assert isinstance(on_disk(environ).incidents("x"), IncidentFile)
    shelf = for_this_session().incidents("x")
    assert shelf.note((bad(1000),), 1000) == follow(IncidentLog(), (bad(1000),))
    assert shelf.note((), 1001).open is not None
    assert list(tmp_path.iterdir()) == []

"""`walconsole replay` in a real terminal: it plays, moves, and leaves; a file that is none is one line."""

import re
from pathlib import Path

import pytest

from tests.data.facts import NOW
from tests.data.past import frames_of, past_screens
from tests.data.snapshots import failing, healthy, log_lines
from tests.e2e.conftest import Open
from walconsole.domain.kept.recording import Recording, recording_text
from walconsole.domain.kept.screens import newest_lines

pytestmark = pytest.mark.timeout(120)


def test_a_recording_is_played_and_left(console: Open, tmp_path: Path) -> None:
    moments = [(NOW - 120, healthy()), (NOW - 60, failing()), (NOW, healthy())]
    made = frames_of(past_screens(moments, newest_lines((), log_lines())))
    path = tmp_path / "incident.walrec"
    path.write_text(recording_text(Recording("shithub (root@db-1)", tuple(made))))
    terminal = console("replay", str(path), columns=120, rows=36)
    terminal.wait_for("A RECORDING, 2026-09-21 14:11:20Z", 60.0)
    terminal.wait_for(" RECORDING ")
    terminal.type("]")
    terminal.wait_for("CRITICAL", 30.0)
    terminal.type("h")
    terminal.type("i")
    terminal.wait_for("What to do", 30.0)
    assert "A RECORDING, 2026-09-21 14:12:20Z" in terminal.text
    terminal.type("\x1b")
    terminal.wait_for("Archiver", 30.0)
    terminal.type("q")
    assert terminal.wait() == 0
    assert "Traceback" not in terminal.after_console()


def test_a_file_that_is_no_recording_is_one_line(console: Open, tmp_path: Path) -> None:
    path = tmp_path / "odd"
    path.write_text("{}")
    terminal = console("replay", str(path))
    assert terminal.wait() == 2
    assert "itisnorecording" in re.sub(r"\s", "", terminal.text), "wherever the line was folded"

"""The console on the embedded droplet, and what is left of it after every way out: nothing."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import Open, Program
from tests.e2e.terminal import Terminal
from tests.long import always

pytestmark = [pytest.mark.server, pytest.mark.timeout(180)]

VERDICTS = {"incident": "archiving is OFF", "healthy": "restorable to any moment since"}


@pytest.fixture
def temporary() -> Iterator[Path]:
    """A folder for temporary files of its own; nothing may be left in it, and no process that knows it.

    Not pytest's own, which no other user may enter: a demo of root's runs as another.
    """
    folder = Path(tempfile.mkdtemp(prefix="wc-", dir="/tmp"))
    folder.chmod(0o1777)
    yield folder
    for pid in _processes_of(folder):
        os.kill(pid, signal.SIGKILL)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def demo(console: Open, temporary: Path) -> Terminal:
    """The console on the incident, after its first full picture."""
    terminal = console("demo", environment={"TMPDIR": str(temporary)}, columns=120, rows=36)
    terminal.wait_for(VERDICTS["incident"], 60)
    return terminal


def _processes_of(folder: Path) -> list[int]:
    """Processes that name the folder in their arguments, environment or working directory."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            about = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
            about += os.fsencode((process / "cwd").readlink())
            gone = "State:\tZ" in (process / "status").read_text()
        except OSError:
            continue
        if os.fsencode(folder) in about and not gone:
            found.append(int(process.name))
    return found


def _nothing_is_left(folder: Path, within: float = 15.0) -> bool:
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        if not _processes_of(folder) and not list(folder.iterdir()):
            return True
        time.sleep(0.1)
    return False


def _sandbox_of(terminal: Terminal) -> int:
    """The console's child that runs the droplet."""
    children = Path(f"/proc/{terminal.process.pid}/task/{terminal.process.pid}/children")
    (pid,) = [int(pid) for pid in children.read_text().split()]
    return pid


@pytest.mark.parametrize(
    ("keys", "number", "status"),
    [("q", None, 0), ("", signal.SIGTERM, 143), ("", signal.SIGHUP, 129), ("\x03", None, 0)],
    ids=["q", "TERM", "HUP", "ctrl+c"],
)
def test_nothing_is_left(keys: str, number: int | None, status: int, demo: Terminal, temporary: Path) -> None:
    if number is None:
        demo.type(keys)
    else:
        demo.signal(number)
    assert demo.wait() == status
    assert demo.left_behind() == []
    assert demo.after_console().strip() == ""
    assert _processes_of(temporary) == []
    assert list(temporary.iterdir()) == []


def test_a_closed_terminal_leaves_nothing(demo: Terminal, temporary: Path) -> None:
    demo.hang_up()
    assert demo.wait() == 129
    assert _nothing_is_left(temporary)


def test_a_killed_console_leaves_nothing(demo: Terminal, temporary: Path) -> None:
    demo.signal(signal.SIGKILL)
    demo.wait()
    assert _nothing_is_left(temporary)


def test_a_killed_sandbox_is_told_and_leaves_nothing(demo: Terminal, temporary: Path) -> None:
    os.kill(_sandbox_of(demo), signal.SIGKILL)
    demo.wait_for("SIGKILL")
    demo.type("q")
    assert demo.wait() == 0
    assert demo.left_behind() == []
    assert _nothing_is_left(temporary)


@pytest.mark.parametrize("delay", always(1.2, of=(0.7, 1.2, 2.0, 3.0)))
def test_leaving_while_the_droplet_starts_leaves_nothing(
    delay: float, console: Open, temporary: Path
) -> None:
    terminal = console("demo", environment={"TMPDIR": str(temporary)})
    time.sleep(delay)
    terminal.signal(signal.SIGTERM)
    assert terminal.wait() == 143
    assert terminal.left_behind() == []
    assert _nothing_is_left(temporary)


def test_a_droplet_that_cannot_start_says_why(console: Open, program: Program) -> None:
    """A module that it needs is broken: one line, and the traceback is in the log."""
    broken = program.home / "broken"
    (broken / "asyncssh").mkdir(parents=True)
    (broken / "asyncssh/__init__.py").write_text("raise ImportError('broken on purpose')")
    terminal = console("demo", environment={"PYTHONPATH": str(broken)}, columns=200)
    assert terminal.wait(60) == 8
    assert terminal.left_behind() == []
    (line,) = terminal.after_console().strip().split("\n")
    assert re.match(r"walconsole: \w+ the embedded droplet: ", line)
    assert "broken on purpose" in program.log.read_text()


@pytest.mark.parametrize("size", always((1, 1), of=[(20, 5), (1, 1), (80, 24), (200, 60)]))
def test_any_size_of_terminal_will_do(size: tuple[int, int], console: Open, temporary: Path) -> None:
    columns, rows = size
    terminal = console("demo", environment={"TMPDIR": str(temporary)}, columns=columns, rows=rows)
    terminal.wait_until(lambda: b"\x1b[?1049h" in terminal.output, "the console opens")
    terminal.type("q")
    assert terminal.wait() == 0
    assert terminal.left_behind() == []


def test_another_console_connects_to_a_served_droplet(
    console: Open, program: Program, temporary: Path
) -> None:
    serving = subprocess.Popen(
        [program.walconsole, "demo", "--serve", "--scenario", "healthy"],
        env=program.environment | {"TMPDIR": str(temporary)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert serving.stdout is not None
    try:
        said = next(line for line in serving.stdout if line.startswith("console"))
        config = said.split()[-1]
        terminal = console("--config", config, columns=120, rows=36)
        terminal.wait_for(VERDICTS["healthy"], 30)
        terminal.type("q")
        assert terminal.wait() == 0
    finally:
        serving.terminate()
        serving.communicate(timeout=30)
    assert serving.returncode == 143
    assert _nothing_is_left(temporary)


@pytest.mark.parametrize(
    ("no_colour", "told"),
    [
        pytest.param("", ("brightwhite", "red", False), id="sixteen colours, an empty NO_COLOR"),
        pytest.param("1", ("default", "default", True), id="NO_COLOR", marks=pytest.mark.long),
    ],
)
def test_a_critical_verdict_can_be_read(
    console: Open, temporary: Path, no_colour: str, told: tuple[str, str, bool]
) -> None:
    terminal = console(
        *("--theme", "night", "demo"),
        environment={"TMPDIR": str(temporary), "TERM": "xterm", "NO_COLOR": no_colour},
        columns=120,
        rows=36,
    )
    terminal.wait_for(VERDICTS["incident"], 60)
    badge = terminal.look_of("CRITICAL")
    assert badge == {told}
    assert not terminal.look_of("archiving is OFF") & badge
    terminal.type("q")
    assert terminal.wait() == 0

"""Every way out: the terminal is as it was, the clean-ups have run, the exit code says how it ended."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.conftest import STAND_IN, Open, Program
from tests.e2e.terminal import Terminal
from tests.long import always
from tests.servers.reaper import descendants


def _cleaned(program: Program) -> bool:
    return (program.home / "cleaned").exists()


def _twice(number: int) -> Callable[[Terminal], None]:
    def send(terminal: Terminal) -> None:
        terminal.signal(number)
        terminal.signal(number)

    return send


WAYS: dict[str, tuple[Callable[[Terminal], None], int]] = {
    "q": (lambda terminal: terminal.type("q"), 0),
    "ctrl+q": (lambda terminal: terminal.type("\x11"), 0),
    "INT": (lambda terminal: terminal.signal(signal.SIGINT), 130),
    "TERM": (lambda terminal: terminal.signal(signal.SIGTERM), 143),
    "HUP": (lambda terminal: terminal.signal(signal.SIGHUP), 129),
    "TERM twice": (_twice(signal.SIGTERM), 143),
    "INT twice": (_twice(signal.SIGINT), 130),
}


@pytest.mark.parametrize("way", WAYS)
def test_the_terminal_is_as_it_was(way: str, stand_in: Open, program: Program) -> None:
    act, status = WAYS[way]
    terminal = stand_in()
    terminal.wait_for("ready")
    act(terminal)
    assert terminal.wait() == status
    assert terminal.left_behind() == []
    assert terminal.after_console().strip() == ""
    assert _cleaned(program)


def test_signals_during_clean_up_do_not_cut_it_short(stand_in: Open, program: Program) -> None:
    terminal = stand_in()
    terminal.wait_for("ready")
    terminal.type("q")
    terminal.wait_until((program.home / "cleaning").exists, "clean-up begins")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        terminal.signal(number)
    assert terminal.wait() in {129, 130, 143}  # together they may be delivered in any order
    assert _cleaned(program)


@pytest.mark.parametrize("ignored", [False, True], ids=["HUP heard", "HUP ignored"])
def test_a_closed_terminal_ends_it(ignored: bool, stand_in: Open, program: Program) -> None:
    terminal = stand_in(ignore_hang_up=ignored)
    terminal.wait_for("ready")
    terminal.hang_up()
    assert terminal.wait() == 129
    assert _cleaned(program)


def test_a_terminal_closed_while_much_is_drawn_ends_it(stand_in: Open, program: Program) -> None:
    terminal = stand_in()
    terminal.wait_for("ready")
    terminal.type("d")
    terminal.wait_until(lambda: "ready" not in terminal.text, "it draws")
    terminal.hang_up()
    assert terminal.wait() == 129
    assert _cleaned(program)


def test_a_stalled_terminal_does_not_hold_up_the_end(stand_in: Open, program: Program) -> None:
    terminal = stand_in()
    terminal.wait_for("ready")
    terminal.type("d")
    terminal.wait_until(lambda: "ready" not in terminal.text, "it draws")
    terminal.stall()
    _until_asleep(terminal)
    terminal.signal(signal.SIGTERM)
    assert terminal.wait() == 143
    assert _cleaned(program)
    terminal.resume()
    assert terminal.left_behind() == []


def _until_asleep(terminal: Terminal) -> None:
    """Until its CPU time stands still: its output is stuck, and the loop with it."""
    before, still = -1.0, 0
    while still < 5:
        fields = Path(f"/proc/{terminal.process.pid}/stat").read_text().rpartition(")")[2].split()
        used = float(fields[11]) + float(fields[12])
        still, before = (still + 1 if used == before else 0), used
        time.sleep(0.1)


@pytest.mark.parametrize(("key", "name"), [("c", "RuntimeError"), ("w", "KeyError")])
def test_a_crash_is_one_line_and_the_traceback_is_in_the_log(
    key: str, name: str, stand_in: Open, program: Program
) -> None:
    terminal = stand_in()
    terminal.wait_for("ready")
    terminal.type(key)
    assert terminal.wait() == 1
    assert terminal.left_behind() == []
    (line,) = terminal.after_console().strip().split("\n")
    log = program.home / "walconsole.log"
    assert line.startswith(f"walconsole: internal error: {name}: ")
    assert line.endswith(f"the details are in {log}")
    assert "hunter2" not in line
    assert "Traceback" in log.read_text()
    assert "hunter2" not in log.read_text()
    assert log.stat().st_mode & 0o777 == 0o600
    assert _cleaned(program)


def test_what_could_never_work_is_one_line_with_its_own_status(stand_in: Open) -> None:
    terminal = stand_in()
    terminal.wait_for("ready")
    terminal.type("f")
    assert terminal.wait() == 4
    assert terminal.after_console().strip() == "walconsole: ssh to nowhere: no route; plug it in"


def test_an_app_that_cannot_be_made_leaves_the_terminal_alone(stand_in: Open, program: Program) -> None:
    terminal = stand_in("start-fails")
    assert terminal.wait() == 1
    assert b"\x1b[?1049h" not in terminal.output
    assert terminal.text.startswith("walconsole: internal error: RuntimeError: cannot be made")
    assert _cleaned(program)


@pytest.mark.parametrize(
    ("mood", "line"),
    [
        ("cleanup-fails", "walconsole: taking the bucket away failed: the key is still there"),
        ("cleanup-hangs", "walconsole: waiting for nothing did not finish within 0.5 s"),
    ],
)
def test_a_clean_up_that_fails_is_told_and_stops_no_other(
    mood: str, line: str, stand_in: Open, program: Program
) -> None:
    terminal = stand_in(mood)
    terminal.wait_for("ready")
    terminal.type("q")
    assert terminal.wait() == 0
    assert terminal.after_console().strip() == line
    assert _cleaned(program)


def test_an_app_that_does_not_listen_is_ended_all_the_same(stand_in: Open, program: Program) -> None:
    terminal = stand_in()
    terminal.wait_for("ready")
    terminal.type("h")
    terminal.wait_for("hanging")
    terminal.signal(signal.SIGTERM)
    assert terminal.wait() == 143
    assert terminal.left_behind() == []
    assert _cleaned(program)


def test_a_thread_that_never_ends_does_not_hold_up_the_end(stand_in: Open, program: Program) -> None:
    terminal = stand_in()
    terminal.wait_for("ready")
    terminal.type("b")
    terminal.wait_for("blocked")
    terminal.type("q")
    assert terminal.wait() == 0
    assert terminal.left_behind() == []
    assert _cleaned(program)


def test_input_that_is_not_utf8_is_dropped(stand_in: Open) -> None:
    terminal = stand_in()
    terminal.wait_for("ready")
    terminal.type(b"\xff\xfe\xe4\xc3")
    time.sleep(0.2)  # its own read: a key in the same read is dropped with it
    terminal.type("q")
    assert terminal.wait() == 0


def test_ctrl_z_suspends_and_fg_resumes(stand_in: Open) -> None:
    terminal = stand_in()
    terminal.wait_for("ready")
    terminal.type("\x1a")
    _, status = os.waitpid(terminal.process.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    terminal.resume()
    assert terminal.left_behind() == []
    terminal.signal(signal.SIGCONT)
    terminal.wait_until(lambda: terminal.output.count(b"\x1b[?1049h") == 2, "it draws again")
    terminal.type("q")
    assert terminal.wait() == 0
    assert terminal.left_behind() == []


def _stop_and_go_on(terminal: Terminal) -> None:
    """As `kill -STOP` and `kill -CONT` do, or a shell's `fg` after the first; until it has drawn again."""
    drawn = terminal.output.count(b"\x1b[?1049h")
    terminal.signal(signal.SIGSTOP)
    _, status = os.waitpid(terminal.process.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    terminal.signal(signal.SIGCONT)
    terminal.wait_until(lambda: terminal.output.count(b"\x1b[?1049h") > drawn, "it takes the terminal again")
    terminal.wait_for("ready")


@pytest.mark.parametrize("way", always("q", "TERM", of=WAYS))
def test_the_terminal_is_as_it_was_after_stop_and_cont_too(
    way: str, stand_in: Open, program: Program
) -> None:
    act, status = WAYS[way]
    terminal = stand_in()
    terminal.wait_for("ready")
    _stop_and_go_on(terminal)
    _stop_and_go_on(terminal)
    act(terminal)
    assert terminal.wait() == status
    assert terminal.left_behind() == []
    assert terminal.after_console().strip() == ""
    assert _cleaned(program)


def test_a_signal_that_came_while_it_was_stopped(stand_in: Open) -> None:
    terminal = stand_in()
    terminal.wait_for("ready")
    terminal.signal(signal.SIGSTOP)
    terminal.signal(signal.SIGTERM)
    terminal.signal(signal.SIGCONT)
    assert terminal.wait() == 143
    assert terminal.left_behind() == []


@pytest.mark.parametrize("number", [signal.SIGCONT, signal.SIGTSTP])
def test_neither_cont_nor_tstp_takes_the_terminal_during_clean_up(
    number: signal.Signals, stand_in: Open, program: Program
) -> None:
    terminal = stand_in()
    terminal.wait_for("ready")
    terminal.type("q")
    terminal.wait_until((program.home / "cleaning").exists, "clean-up begins")
    terminal.signal(number)
    if number == signal.SIGTSTP:
        time.sleep(0.05)
        terminal.signal(signal.SIGCONT)
    assert terminal.wait() == 0
    assert terminal.output.count(b"\x1b[?1049h") == 1
    assert terminal.left_behind() == []
    assert _cleaned(program)


def test_suspending_is_refused_while_the_app_cannot(stand_in: Open) -> None:
    terminal = stand_in()
    terminal.wait_for("ready")
    terminal.type("k")
    terminal.type("\x1a")
    terminal.wait_for("a key is alive")
    terminal.type("q")
    assert terminal.wait() == 0
    assert terminal.left_behind() == []


@pytest.mark.parametrize("stop", ["\x1a", "SIGSTOP"])
def test_a_real_shell_s_job_control(stop: str, console: Open, program: Program) -> None:
    """Stopped, the shell has its terminal as ever; `fg` brings the screen back; the end leaves nothing."""
    terminal = console("--norc", "-i", program="/bin/bash", environment={"PS1": "shell> ", "HISTFILE": ""})
    terminal.wait_for("shell>")
    terminal.type(f"{program.python} {STAND_IN} {program.home}\r")
    terminal.wait_for("ready")
    if stop == "SIGSTOP":
        for child in descendants(terminal.process.pid):
            os.kill(child, signal.SIGSTOP)
    else:
        terminal.type(stop)
    terminal.wait_until(lambda: b"Stopped" in terminal.output, "the shell says that it is stopped")
    begin = len(terminal.output)
    terminal.type("fg\r")
    terminal.wait_until(lambda: b"\x1b[?1049h" in terminal.output[begin:], "it takes the terminal again")
    terminal.wait_for("ready")
    terminal.type("q")
    terminal.wait_until((program.home / "cleaned").exists, "it ended")
    terminal.wait_until(lambda: b"shell> " in terminal.output[begin:], "the prompt is back")
    terminal.type("stty -a; exit\r")
    assert terminal.wait() == 0
    said = terminal.after_console().split()
    assert {"icanon", "isig", "echo", "icrnl", "ixon", "iexten"} <= set(said)
    assert [left for left in terminal.left_behind() if "mode 2004" not in left] == []  # that is the shell's


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_at_any_moment_of_the_start(number: signal.Signals, stand_in: Open) -> None:
    for delay in (0.05, 0.2, 0.3, 0.4, 0.5, 0.7):
        terminal = stand_in()
        time.sleep(delay)
        terminal.signal(number)
        assert terminal.wait() == 128 + number, delay
        assert terminal.left_behind() == [], delay

"""What cannot be done is one clear line and its own exit code, and the terminal is never touched."""

import os
import subprocess

import pytest

from tests.e2e.conftest import Open, Program


def _run(
    program: Program, *arguments: str, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [program.walconsole, *arguments],
        env=program.environment | (environment or {}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_without_a_terminal_it_says_so(program: Program) -> None:
    done = _run(program, "demo")
    assert done.returncode == 2
    assert done.stderr.startswith("walconsole: opening the console: standard input is not a terminal; ")
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("redirection", "stream"), [("0</dev/null", "input"), ("0<&-", "input"), (">/dev/null", "output")]
)
def test_a_redirected_stream_is_named(redirection: str, stream: str, console: Open, program: Program) -> None:
    terminal = console("-c", f"exec {program.walconsole} demo {redirection}", program="/bin/sh")
    assert terminal.wait() == 2
    assert f"standard {stream} is not a terminal" in terminal.text
    assert b"\x1b" not in terminal.output


def test_redirected_errors_are_told_there(console: Open, program: Program) -> None:
    errors = program.home / "errors"
    terminal = console("-c", f"exec {program.walconsole} demo 2>{errors}", program="/bin/sh")
    assert terminal.wait() == 2
    assert "standard error is not a terminal" in errors.read_text()
    assert terminal.output == b""


def test_a_dumb_terminal_is_refused(console: Open) -> None:
    terminal = console("demo", environment={"TERM": "dumb"})
    assert terminal.wait() == 2
    assert "TERM=dumb" in terminal.text
    assert b"\x1b" not in terminal.output


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["--nonsense"], 2, "unrecognized arguments"),
        (["demo", "--scenario", "sunny"], 2, "invalid choice"),
        (["demo", "--load", "fast"], 2, "must be a number"),
        (["--interval", "0"], 2, "must be between 0.25 and 16 seconds"),
        ([], 2, "no argument, no DEPLOY_HOST and no profile"),
        (["shithub"], 2, "neither a profile in"),
        (["user@"], 2, "the destination"),
        (["host:99999"], 2, "between 1 and 65535"),
        (["--config", "/nowhere/config.toml"], 3, "/nowhere/config.toml: no such file"),
        (["config", "check"], 3, "no such file"),
        (["config"], 2, "required: ACTION"),
    ],
)
def test_bad_arguments(program: Program, arguments: list[str], status: int, words: str) -> None:
    done = _run(program, *arguments)
    assert (done.returncode, done.stdout) == (status, "")
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_faulty_file_is_shown_by_line(program: Program) -> None:
    file = program.home / "config.toml"
    file.write_text('[profiles.shithub]\nhosst = "shithub.sh"\n')
    done = _run(program, "--config", str(file), "shithub")
    assert done.returncode == 3
    assert done.stderr.splitlines() == [
        f"{file}:1: [profiles.shithub] has no 'host'; add host = \"shithub.sh\"",
        f"{file}:2: unknown key 'hosst' in [profiles.shithub]; did you mean 'host'?",
    ]


def test_a_log_that_cannot_be_written_is_told_when_it_was_chosen(console: Open) -> None:
    terminal = console("demo", "--log-file", "/proc/nowhere/log", columns=200)
    assert terminal.wait() == 2
    assert "opening the log /proc/nowhere/log: cannot be written" in terminal.text


def test_config_init_writes_once(program: Program) -> None:
    first = _run(program, "config", "init")
    path = program.home / ".config/walconsole/config.toml"
    assert (first.returncode, first.stderr) == (0, "")
    assert path.stat().st_mode & 0o777 == 0o600
    assert _run(program, "config", "check").returncode == 0
    assert _run(program, "config", "path").stdout == f"{path}\n"
    again = _run(program, "config", "init")
    assert again.returncode == 3
    assert "it exists" in again.stderr


def test_config_show_names_every_origin(program: Program) -> None:
    _run(program, "config", "init")
    done = _run(program, "config", "show", environment={"WAL_BUCKET": "elsewhere-wal"})
    assert done.returncode == 0
    rows = {row.split()[0]: row for row in done.stdout.splitlines()}
    file = program.home / ".config/walconsole/config.toml"
    line = file.read_text().splitlines().index('host = "shithub.sh"') + 1
    assert rows["host"].split()[1:] == ["shithub.sh", f"{file}:{line}"]
    assert rows["primary.bucket"].split()[1:] == ["elsewhere-wal", "environment", "WAL_BUCKET"]
    assert rows["dr.bucket"].split()[1:] == ["shithub-wal-dr", "default"]


def test_a_reader_that_leaves_is_no_error(program: Program) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    done = subprocess.run(
        [program.walconsole, "config", "path"],
        env=program.environment,
        stdout=write_end,
        stderr=subprocess.PIPE,
        timeout=30,
        check=False,
    )
    os.close(write_end)
    assert (done.returncode, done.stderr) == (0, b"")


def test_version_and_help(program: Program) -> None:
    assert _run(program, "--version").stdout.startswith("walconsole ")
    for arguments in (["--help"], ["demo", "--help"], ["config", "--help"]):
        done = _run(program, *arguments)
        assert done.returncode == 0
        assert "exit codes:" in done.stdout

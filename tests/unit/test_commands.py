"""The table of commands, and what follows from it."""

import contextlib
import io
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.write_reference import man_page, stale
from tests.servers.fixtures import or_skip
from tests.servers.programs import find_program
from walconsole.cli import main
from walconsole.cli.completion import SHELLS
from walconsole.cli.table import BY_NAME, COMMANDS, OPEN, Command, module_of
from walconsole.config.reader import load
from walconsole.config.schema import RESERVED_PROFILE_NAMES
from walconsole.errors import ConfigError

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("command", [OPEN, *COMMANDS], ids=lambda command: command.name)
def test_every_command_has_its_module_and_its_page(command: Command) -> None:
    assert callable(module_of(command).declare)
    assert callable(module_of(command).start)
    assert f"walconsole {command.name}" in (DOCS / command.page).read_text("utf-8") or command is OPEN


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_no_profile_may_be_called_like_a_command(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(f"[profiles.{command.name}]\nhost = 'db.example.com'\n", "utf-8")
    with pytest.raises(ConfigError, match="is a command and cannot be a profile's name"):
        load(file, required=True)


def test_the_reserved_names_are_the_commands() -> None:
    assert tuple(sorted(BY_NAME)) == RESERVED_PROFILE_NAMES


def test_a_commands_module_is_imported_only_when_it_is_dispatched() -> None:
    modules = {f"walconsole.cli.{command.module}" for command in COMMANDS}
    program = f"""
import contextlib, io, sys
from walconsole.cli.arguments import parse
before = sorted({modules!r} & set(sys.modules))
parse(["db.example.com"])
parse(["undo", "--plan"])
print(before, sorted({modules!r} & set(sys.modules)), "shtab" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[] ['walconsole.cli.provisioning'] False"


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with each shell's script, made in this process, and one in one of its own."""
    folder = tmp_path_factory.mktemp("completion")
    for shell in SHELLS:
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            assert main(["completion", shell]) == 0
        (folder / shell).write_text(said.getvalue(), "utf-8")
    command = [sys.executable, "-m", "walconsole", "completion", SHELLS[0]]
    made = subprocess.run(command, capture_output=True, text=True, check=True)
    assert made.stdout == (folder / SHELLS[0]).read_text("utf-8")
    return folder


_BASH = r"""
source "$1"; shift
complete -p walconsole >&2
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}
function=$(complete -p walconsole | sed 's/.* -F \([^ ]*\) .*/\1/')
"$function" walconsole "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
printf '%s\n' "${COMPREPLY[@]}"
"""


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ([""], set(BY_NAME)),
        (["chec"], {"check"}),
        (["config", ""], {"init", "path", "check", "show"}),
        (["config", "show", "--c"], {"--config"}),
        (["probe", "--only", ""], {"all", "network", "calls", "command", "seconds"}),
        (["check", "--pro"], {"--prometheus"}),
        (["check", "--sc"], {""}),
        (["completion", ""], set(SHELLS)),
        (["check", "--output", "/etc/host"], {"/etc/hostname", "/etc/hosts", "/etc/host.conf"}),
    ],
)
def test_bash_completes(words: list[str], offered: set[str], scripts: Path) -> None:
    bash = shutil.which("bash")
    assert bash is not None
    done = subprocess.run(
        [bash, "--norc", "-c", _BASH, "bash", scripts / "bash", "walconsole", *words],
        capture_output=True,
        text=True,
        check=True,
    )
    given = set(done.stdout.splitlines())
    if "--output" in words:  # whatever of them this machine has
        assert given
        assert given <= offered | {f"/etc/{path.name}" for path in Path("/etc").glob("host*")}
    else:
        assert given == offered


@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_gets_every_command(shell: str, scripts: Path) -> None:
    text = (scripts / shell).read_text("utf-8")
    assert {name for name in BY_NAME if name not in text} == set()


@pytest.mark.parametrize("shell", [shell for shell in SHELLS if shell != "tcsh" and shutil.which(shell)])
def test_every_shell_that_is_here_reads_its_script(shell: str, scripts: Path) -> None:
    done = subprocess.run([shell, "-n", scripts / shell], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_another_shell_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["completion", "cmd.exe"])
    assert caught.value.code == 2
    assert "invalid choice" in capsys.readouterr().err


def test_the_documents_are_what_the_table_says() -> None:
    assert stale() == []


def test_the_man_page_is_the_same_on_every_system() -> None:
    assert man_page().isascii()
    assert not [line for line in man_page().splitlines() if line.endswith(" ") or not line]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_the_man_page_names_every_option(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([command.name, "--help"])
    options = set(re.findall(r"--[a-z-]+", capsys.readouterr().out.partition("exit codes")[0]))
    page = man_page()
    assert {option for option in options if option.replace("-", "\\-") not in page} == set()


def test_the_man_page_is_typeset_without_a_warning() -> None:
    groff = or_skip(lambda: find_program("groff", server="groff", package="groff-base"))
    done = subprocess.run(
        [groff, "-man", "-ww", "-Tutf8", "-z", DOCS / "man" / "walconsole.1"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")

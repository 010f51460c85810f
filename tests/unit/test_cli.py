"""The command line: which command, which options, and what its texts promise."""

import re
from pathlib import Path

import pytest

from walconsole import errors
from walconsole.cli import main
from walconsole.cli.arguments import parse
from walconsole.cli.opening import server_session
from walconsole.cli.table import COMMANDS, OPEN, Command, Takes
from walconsole.domain.profile import ClusterName, Engine, Profile
from walconsole.errors import (
    EXIT_CODES,
    PLUGIN_EXIT_CODES,
    PLUGIN_UNKNOWN,
    SIGNAL_EXIT_CODES,
    WalconsoleError,
)
from walconsole.provision.steps.catalogue import KINDS, PGBACKREST_ARCHIVING, PGBACKREST_BASE_BACKUPS
from walconsole.report.metrics import LEVELS
from walconsole.sandbox.scenarios.scenario import SCENARIOS

DOCUMENTATION = Path(__file__).parents[2] / "docs/exit-codes.md"


@pytest.mark.parametrize(
    ("arguments", "command", "values"),
    [
        ([], "open", {"target": None, "read_only": False, "theme": None, "config": None}),
        (["shithub", "--theme", "x"], "open", {"target": "shithub", "theme": "x"}),
        (["--theme", "demo", "shithub"], "open", {"target": "shithub", "theme": "demo"}),
        (["--theme=x", "demo"], "demo", {"theme": "x", "scenario": "incident", "load": None}),
        (["--interval", "0.5", "demo", "--scenario", "slow"], "demo", {"interval": 0.5, "scenario": "slow"}),
        (["demo", "--load", "90"], "demo", {"load": 90.0}),
        (["demo", "--scenario", "idle", "--serve"], "demo", {"serve": True}),
        (["config", "show", "demo"], "config", {"action": "show", "target": "demo"}),
        (["--config", "config", "config", "path"], "config", {"action": "path", "config": Path("config")}),
        (["demo:22"], "open", {"target": "demo:22"}),
        (["--read-only", "a", "--name", "b"], "open", {"read_only": True, "name": "b"}),
        (["--cluster", "15/main", "a"], "open", {"cluster": ClusterName("15", "main"), "target": "a"}),
        (["check", "a", "--cluster", "9.6/x"], "check", {"cluster": ClusterName("9.6", "x")}),
        (["--name", "check", "report"], "report", {"name": "check", "target": None}),
        (["--theme", "x", "demo", "--theme", "y"], "demo", {"theme": "y"}),
        (["--log-file", "l", "check", "a"], "check", {"log_file": Path("l"), "target": "a", "theme": None}),
        (["check", "--", "a"], "check", {"target": "a"}),
        (["--", "demo"], "open", {"target": "demo"}),
        (
            ["backup", "a", "--apply", "--confirm", "a"],
            "backup",
            {"apply": True, "confirm": "a", "no_dr": False},
        ),
        (["a", "b"], "open", {"targets": ["a", "b"], "target": None}),
        (["fleet", "db-*", "--tag", "eu"], "fleet", {"targets": ["db-*"], "tag": ["eu"], "all": False}),
        (["check", "a", "b", "--all"], "check", {"targets": ["a", "b"], "all": True}),
        (["probe", "a", "--plan", "--only", "calls"], "probe", {"only": "calls", "read_only": False}),
    ],
)
def test_arguments(arguments: list[str], command: str, values: dict[str, object]) -> None:
    options = vars(parse(arguments))
    assert options["command"] == command
    assert {name: options[name] for name in values} == values


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["chekc", "a"], "unrecognized arguments: a; did you mean `walconsole check`?"),
        (["provison", "a", "--plan"], "did you mean `walconsole provision`?"),
        (["--theme", "x", "config", "path"], "unrecognized arguments: --theme"),
        (["--cluster", "main"], "must be VERSION/NAME as pg_lsclusters shows it"),
        (["demo", "--cluster", "15/main"], "unrecognized arguments: --cluster"),
        (["config", "path", "a"], "unrecognized arguments: a"),
        (["--config"], "expected one argument"),
        (["--them", "x"], "unrecognized arguments"),
        (["--interval", "17"], "must be between 0.25 and 16 seconds, not 17"),
        (["--interval", "nan"], "must be between"),
        (["--name", "A B"], "must be lower-case letters"),
        (["demo", "--load", "601"], "must be between 0 and 600 segments a minute"),
        (["demo", "shithub"], "unrecognized arguments: shithub"),
        (["config", "edit"], "invalid choice"),
    ],
)
def test_what_is_refused(arguments: list[str], why: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse(arguments)
    assert caught.value.code == 2
    assert why in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [["--bogus"], ["--theme", "x"], ["--interval", "17"], ["--name", "A B"], ["--timeout", "0"]]
)
@pytest.mark.parametrize("command", [one for one in COMMANDS if one.plugin], ids=lambda one: one.name)
def test_a_plugin_that_is_called_wrongly_is_unknown_wherever_the_fault_stands(
    command: Command, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    for words in ([*arguments, command.name], [command.name, *arguments]):
        if words[0] == "--timeout":
            continue  # of the command alone: before it, it names a server "0"
        with pytest.raises(SystemExit) as caught:
            parse(words)
        assert caught.value.code == PLUGIN_UNKNOWN
        assert arguments[0] in capsys.readouterr().err


def test_help_before_a_command_is_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse(["--help", "undo"])
    assert caught.value.code == 0
    assert capsys.readouterr().out.startswith("usage: walconsole undo ")


def _help(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as caught:
        parse([*arguments, "--help"])
    assert caught.value.code == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("command", [OPEN, *COMMANDS], ids=lambda command: command.name)
def test_help_has_one_table_of_exit_codes(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    text = _help([] if command is OPEN else [command.name], capsys)
    rows = re.findall(r"^  (\d+) +(.+)$", text, re.MULTILINE)
    wanted = (PLUGIN_EXIT_CODES if command.plugin else EXIT_CODES) | SIGNAL_EXIT_CODES
    assert rows == [(str(code), meaning) for code, meaning in wanted.items()]


def test_the_demos_help_names_every_scenario(capsys: pytest.CaptureFixture[str]) -> None:
    text = _help(["demo"], capsys)
    for scenario in SCENARIOS.values():
        assert f"{scenario.name}" in text
        assert scenario.summary in text


def test_the_documentation_names_every_exit_code() -> None:
    general, plugins = DOCUMENTATION.read_text("utf-8").split("| `check`, `report` |")
    assert _rows(general) == EXIT_CODES | SIGNAL_EXIT_CODES
    assert _rows(plugins) == PLUGIN_EXIT_CODES


def _rows(text: str) -> dict[int, str]:
    return {int(code): meaning for code, meaning in re.findall(r"^\| (\d+) \| (.*?) \|", text, re.MULTILINE)}


def test_what_check_ends_with_is_what_its_help_says() -> None:
    words = {code: meaning.partition(":")[0] for code, meaning in PLUGIN_EXIT_CODES.items()}
    assert {code: level.value for level, code in LEVELS.items()} == words


def test_every_error_has_a_documented_exit_code() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    codes = {kind.exit_code for kind in kinds if issubclass(kind, WalconsoleError)}
    assert codes == set(EXIT_CODES) - {0}


def test_an_error_is_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("DEPLOY_HOST", raising=False)
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setattr("walconsole.process.stop.Stop.install", lambda stop: None)
    assert main(["hosst\x1b[2J"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("walconsole: opening ")
    assert printed.err.count("\n") == 1
    assert "\x1b" not in printed.err


@pytest.mark.parametrize(
    ("typed", "meant"), [("chekc", "check"), ("porvision", "provision"), ("sandbxo", "sandbox")]
)
def test_a_misspelt_command_is_recognised_before_a_host_is_looked_up(
    typed: str,
    meant: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "config.toml"
    file.write_text("[profiles.sandbox]\nhost = 'db.example.com'\n", "utf-8")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("walconsole.process.stop.Stop.install", lambda stop: None)
    assert main(["--config", str(file), typed]) == 2
    assert f"did you mean '{meant}'?" in capsys.readouterr().err


def test_a_server_is_no_misspelt_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only where no command stands: `walconsole check chekc` means a server."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("walconsole.process.stop.Stop.install", lambda stop: None)
    assert main(["undo", "chekc", "--plan"]) == 2
    assert "did you mean" not in capsys.readouterr().err


def test_the_page_on_provisioning_names_every_option_and_step(capsys: pytest.CaptureFixture[str]) -> None:
    page = (DOCUMENTATION.parent / "provisioning.md").read_text("utf-8")
    general = set(re.findall(r"--[a-z-]+", _help([], capsys)))
    for option in set(re.findall(r"--[a-z-]+", _help(["provision"], capsys))) - general:
        assert f"`{option}" in page
    tables = re.findall(
        r"^\| step \| what it does \| may \|\n\|---\|---\|---\|\n((?:\|.+\n)+)", page, re.MULTILINE
    )
    rows = re.findall(r"^\| (.+?) \|", "".join(tables), re.MULTILINE)
    listed = (*KINDS, *PGBACKREST_ARCHIVING, *PGBACKREST_BASE_BACKUPS)
    assert {kind.title for kind in listed} <= set(rows)
    assert set(rows) <= {kind.title for kind in listed}, "a row of a step that nothing runs"


@pytest.mark.parametrize("command", [one.name for one in COMMANDS if Takes.SERVER in one.takes])
def test_the_cluster_can_be_named_wherever_a_server_is(command: str) -> None:
    before = ["--cluster", "16/other", command, "a"]
    needed = {"fix": ["--step", "reload", "--plan"], "undo": ["--plan"], "expire": ["--plan"]}
    needed |= {
        "backup": ["--plan"],
        "probe": ["--plan"],
        "drill": ["--plan"],
        "moment": ["--around", "14:02"],
    }
    assert vars(parse([*before, *needed.get(command, [])]))["cluster"] == ClusterName("16", "other")


def test_the_command_lines_cluster_stands_above_the_profiles(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text('[profiles.p]\nhost = "h.example"\n[profiles.p.postgres]\ncluster = "15/main"\n')
    for given, wanted in (([], "15/main"), (["--cluster", "17/two"], "17/two")):
        session = server_session(parse(["--config", str(config), *given, "check", "p"]))
        assert isinstance(session.target, Profile)
        assert str(session.target.postgres.cluster) == wanted


def test_a_server_that_pg_lsclusters_does_not_list_is_named_by_its_port(
    capsys: pytest.CaptureFixture[str],
) -> None:
    session = server_session(parse(["--cluster", "5477", "check", "root@h.example"]))
    assert isinstance(session.target, Profile)
    assert (session.target.postgres.port, session.target.postgres.cluster) == (5477, None)
    with pytest.raises(SystemExit):
        parse(["--cluster", "70000", "check", "root@h.example"])
    assert "between 1 and 65535" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("word", "agreed"), [("prod", True), ("shithub", True), ("shit", False), ("", False), ("droplet", False)]
)
def test_a_profile_is_confirmed_as_it_was_typed_and_by_its_name(
    tmp_path: Path, word: str, agreed: bool
) -> None:
    """`[profiles.prod]` with `name = "shithub"`: both name it, and a part of either does not."""
    config = tmp_path / "config.toml"
    config.write_text('[profiles.prod]\nhost = "droplet"\nname = "shithub"\n')
    session = server_session(parse(["--config", str(config), "provision", "prod", "--plan"]))
    assert session.agreed(word) is agreed


def test_without_an_argument_its_name_confirms_it(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text('[profiles.prod]\nhost = "droplet"\nname = "shithub"\n')
    session = server_session(parse(["--config", str(config), "provision", "--plan"]))
    assert (session.agreed("shithub"), session.agreed("")) == (True, False)


def test_the_engine_of_one_run_is_the_option_s_else_the_profile_s(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text('[profiles.p]\nhost = "a.example"\nengine = "pgbackrest"\n')

    def engine(*words: str) -> Engine:
        target = server_session(parse(["--config", str(config), *words])).target
        assert isinstance(target, Profile)
        return target.engine

    assert engine("provision", "p", "--plan") is Engine.PGBACKREST
    assert engine("provision", "p", "--plan", "--engine", "rclone") is Engine.RCLONE
    assert engine("backup", "p", "--plan") is Engine.PGBACKREST
    assert engine("provision", "b.example", "--plan", "--engine", "pgbackrest") is Engine.PGBACKREST

"""The command line: which command, which options, and what its texts promise."""

import re
from pathlib import Path

import pytest

from walconsole import errors
from walconsole.cli import main
from walconsole.cli.arguments import parse
from walconsole.errors import EXIT_CODES, WalconsoleError
from walconsole.provision.catalogue import KINDS
from walconsole.sandbox.scenario import SCENARIOS

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
    ],
)
def test_arguments(arguments: list[str], command: str, values: dict[str, object]) -> None:
    options = vars(parse(arguments))
    assert options["command"] == command
    assert {name: options[name] for name in values} == values


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["a", "b"], "unrecognized arguments: b"),
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


def _help(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as caught:
        parse([*arguments, "--help"])
    assert caught.value.code == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("command", [[], ["demo"], ["config"], ["provision"], ["undo"]])
def test_help_names_every_exit_code(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    text = _help(command, capsys)
    for code, meaning in EXIT_CODES.items():
        assert re.search(rf"^  {code} +{re.escape(meaning)}$", text, re.MULTILINE)


def test_the_demos_help_names_every_scenario(capsys: pytest.CaptureFixture[str]) -> None:
    text = _help(["demo"], capsys)
    for scenario in SCENARIOS.values():
        assert f"{scenario.name}" in text
        assert scenario.summary in text


def test_the_documentation_names_every_exit_code() -> None:
    rows = re.findall(r"^\| (\d+) \| (.*?) \|", DOCUMENTATION.read_text("utf-8"), re.MULTILINE)
    documented = {int(code): meaning for code, meaning in rows}
    assert {code: documented.get(code) for code in EXIT_CODES} == EXIT_CODES
    assert set(documented) == {*EXIT_CODES, 129, 130, 143}


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
    monkeypatch.setattr("walconsole.runtime.stop.Stop.install", lambda stop: None)
    assert main(["hosst\x1b[2J"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("walconsole: opening ")
    assert printed.err.count("\n") == 1
    assert "\x1b" not in printed.err


def test_the_page_on_provisioning_names_every_option_and_step(capsys: pytest.CaptureFixture[str]) -> None:
    page = (DOCUMENTATION.parent / "provisioning.md").read_text("utf-8")
    general = set(re.findall(r"--[a-z-]+", _help([], capsys)))
    for option in set(re.findall(r"--[a-z-]+", _help(["provision"], capsys))) - general:
        assert f"`{option}" in page
    for kind in KINDS:
        assert f"| {kind.title} |" in page

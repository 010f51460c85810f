"""The unit that systemd is given to run a watcher: what stands in it, what is asked, what is told."""

import shutil
import subprocess
from pathlib import Path

import pytest

from walconsole.cli import main
from walconsole.errors import BusyError, RefusedError, UsageError
from walconsole.session.service_unit import SYSTEM_CONFIG, program
from walconsole.session.watch_unit import UNIT, UnitWish, install, unit_lines


@pytest.mark.parametrize("system", [False, True], ids=["user", "system"])
def test_the_unit_is_one_that_systemd_takes(system: bool, tmp_path: Path) -> None:
    wish = UnitWish(("db", "a b$%"), None, system)
    lines = list(unit_lines(wish, ["HOOK"]))
    config = f" --config {SYSTEM_CONFIG}" if system else ""
    assert f'ExecStart={" ".join(program())} watch{config} -- db "a b$$%%"' in lines
    assert ("DynamicUser=yes" in lines) == system
    assert ("LoadCredential=HOOK:/etc/walconsole/credentials/HOOK" in lines) == system
    assert {"Type=notify", "WatchdogSec=180", "NoNewPrivileges=yes", "RestartPreventExitStatus=2 3"} <= set(
        lines
    )
    not_again = next(line for line in lines if line.startswith("RestartPreventExitStatus="))
    assert str(BusyError.exit_code) not in not_again.partition("=")[2].split(), "what is held is free one day"
    unit = tmp_path / UNIT
    unit.write_text("\n".join(line for line in lines if not line.startswith("Documentation")) + "\n")
    verify = shutil.which("systemd-analyze")
    if verify is not None:
        done = subprocess.run([verify, "verify", str(unit)], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")


def test_a_file_that_is_named_from_here_is_found_from_the_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    lines = list(unit_lines(UnitWish(config=Path("here.toml")), []))
    assert f"ExecStart={' '.join(program())} watch --config {tmp_path}/here.toml" in lines


@pytest.mark.parametrize("hidden", ["/root/.local/bin", "/home/me/venv/bin", "/tmp/x"])  # as pipx has it
def test_a_unit_of_the_system_that_could_not_start_is_told_and_not_written(
    hidden: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("walconsole.session.watch_unit.write", lambda _: None)
    for seen in ("/opt/venv/bin/walconsole", f"{hidden}/walconsole"):
        monkeypatch.setattr("walconsole.session.service_unit.program", lambda seen=seen: (seen,))
        monkeypatch.setattr("walconsole.session.service_unit.sys.executable", "/usr/bin/python3")
        code = main(["watch", "--install", "--system", "--confirm", UNIT, "--config", "/etc/none.toml"])
        said = capsys.readouterr()
        assert (f"it would NOT start: {hidden}/walconsole is hidden from it" in said.out) == (hidden in seen)
        assert code == (UsageError.exit_code if hidden in seen else 0), said.err
        assert (f"hidden from such a service: {hidden}/walconsole" in said.err) == (hidden in seen)


def test_it_is_shown_asked_about_and_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    path = tmp_path / "config" / "systemd" / "user" / UNIT
    assert main(["watch", "--install", "--plan", "db"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"# {path}\n[Unit]\n")
    assert "systemctl --user daemon-reload" in shown
    assert main(["watch", "--install", "db"]) == RefusedError.exit_code
    assert f"add --confirm {UNIT}" in capsys.readouterr().err
    assert main(["watch", "--install", "db", "--confirm", "other"]) == UsageError.exit_code
    assert not path.exists()
    assert main(["watch", "--install", "db", "--confirm", UNIT]) == 0
    assert path.read_text() in shown


def test_the_secrets_that_the_service_needs_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "config.toml"
    config.write_text(
        '[profiles.db]\nhost = "db.example.org"\nnotify = { webhook_env = "HOOK", ping_env = "PING" }\n'
        '[profiles.other]\nhost = "other.example.org"\nnotify = { pagerduty_env = "KEY" }\n'
    )
    assert main(["watch", "--install", "--plan", "--system", "--config", str(config), "db"]) == 0
    shown = capsys.readouterr().out
    assert "LoadCredential=HOOK:" in shown
    assert "LoadCredential=PING:" in shown
    assert "KEY" not in shown
    assert "smtp" not in shown
    config.write_text(config.read_text().replace('"KEY"', '"KEY", mail_to = ["a@example.org"]'))
    install(UnitWish((), config, system=True), plan=True, confirm="")
    shown = capsys.readouterr().out
    assert "LoadCredential=KEY:" in shown
    assert 'smtp = "127.0.0.1:25"' in shown

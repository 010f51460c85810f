"""The wheel holds all that the program reads, and runs where there is no checkout."""

import subprocess
import zipfile
from pathlib import Path

from tests.servers.wheel import ROOT, Installed

DATA = {".sql", ".tcss", ".sh", ".toml", ".conf", ".json"}


def names_in(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def files_under(folder: Path, suffixes: set[str]) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.suffix in suffixes}


def said(folder: Path, *command: str | Path) -> str:
    """What `command` prints on standard output; nothing may come on standard error."""
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    assert run.stderr == ""
    return run.stdout.strip()


def test_every_module_and_data_file_is_in_the_wheel(installed: Installed) -> None:
    expected = files_under(ROOT / "src", DATA | {".py"})
    expected |= {f"walconsole/themes/{name}" for name in files_under(ROOT / "themes", {".toml"})}
    assert expected - names_in(installed.wheel) == set()


def test_nothing_else_is_in_the_wheel(installed: Installed) -> None:
    ours = ("walconsole/", "walconsole-")
    assert {name for name in names_in(installed.wheel) if not name.startswith(ours)} == set()


def test_the_installed_package_is_the_wheels(installed: Installed, tmp_path: Path) -> None:
    where = said(tmp_path, installed.python, "-c", "import walconsole; print(walconsole.__file__)")
    assert Path(where).is_relative_to(installed.python.parents[1])


def test_the_installed_program_says_its_version(installed: Installed, tmp_path: Path) -> None:
    assert (
        said(tmp_path, installed.program, "--version") == f"walconsole {installed.wheel.name.split('-')[1]}"
    )


def test_the_installation_has_the_man_page(installed: Installed) -> None:
    page = installed.python.parents[1] / "share" / "man" / "man1" / "walconsole.1"
    assert page.read_bytes() == (ROOT / "docs" / "man" / "walconsole.1").read_bytes()


def test_the_installed_program_makes_completion(installed: Installed, tmp_path: Path) -> None:
    assert "complete -o" in said(tmp_path, installed.program, "completion", "bash")

"""walconsole as a user gets it: built as a wheel, and installed from that wheel."""

import os
import shutil
import site
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

from tests.servers.workspace import Workspace

ROOT = Path(__file__).parents[2]
SOURCES = ("src", "themes", "docs", "pyproject.toml", "README.md")


@dataclass(frozen=True, slots=True)
class Installed:
    """An installation from a wheel: its `walconsole` program and its Python."""

    program: Path
    python: Path
    wheel: Path


def installed_wheel(workspace: Workspace) -> Installed:
    """The wheel and an installation of it, built once for all workers: it takes twelve seconds."""

    def make(folder: Path) -> None:
        (folder / "build").mkdir()
        install_wheel(build_wheel(folder / "build"), folder / "installed")

    folder = workspace.shared("walconsole", make)
    (wheel,) = (folder / "build" / "dist").glob("*.whl")
    return _installation(folder / "installed", wheel)


def build_wheel(folder: Path) -> Path:
    """Build the wheel in this folder from a copy of the sources: two runs at once do not meet in build/."""
    for name in SOURCES:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)
    _run([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", "dist", "."], folder)
    (wheel,) = (folder / "dist").glob("*.whl")
    return wheel


def install_wheel(wheel: Path, folder: Path) -> Installed:
    """Install it without its dependencies, which are looked up in the environment that runs the tests.

    The wheel's own package comes first on the path, so the sources of the checkout are not seen.
    """
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps"]
    _run([*pip, "--no-index", str(wheel)], folder)
    library = next((folder / "lib").glob("python3*")) / "site-packages"
    (library / "dependencies.pth").write_text("".join(f"{path}\n" for path in site.getsitepackages()))
    return _installation(folder, wheel)


def _installation(folder: Path, wheel: Path) -> Installed:
    return Installed(folder / "bin" / "walconsole", folder / "bin" / "python", wheel)


def _run(command: list[str], cwd: Path) -> None:
    environment = os.environ | {"PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        cwd=cwd,
        env=environment,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: exit status {done.returncode}\n{done.stdout}{done.stderr}")

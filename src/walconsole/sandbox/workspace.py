"""The one temporary folder that everything lives in, laid out like a droplet's root."""

import errno
import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from walconsole.domain.records import record
from walconsole.errors import SandboxError
from walconsole.sandbox.host.process import Account

PREFIX = "walconsole-demo-"
_REMEDY = "set TMPDIR to a folder with space, where programs may run and others may enter"
LOCK = "lock"
CLUSTER = "main"

# A Unix socket's path has at most 103 bytes on macOS and 107 on Linux, and ours are 60 at most.
_LONGEST_TEMPORARY_FOLDER = 40


@record
class Workspace:
    """Paths below `root`. `version` is PostgreSQL's major version."""

    root: Path
    version: str = ""

    @property
    def bin(self) -> Path:
        return self.root / "usr/bin"

    @property
    def home(self) -> Path:
        return self.root / "home"

    @property
    def client(self) -> Path:
        """What belongs to the console's side: its SSH key. Readable by no other user."""
        return self.root / "client"

    @property
    def etc(self) -> Path:
        return self.root / "etc"

    @property
    def config_dir(self) -> Path:
        return self.etc / "postgresql" / self.version / CLUSTER

    @property
    def config_file(self) -> Path:
        return self.config_dir / "postgresql.conf"

    @property
    def data(self) -> Path:
        return self.root / "var/lib/postgresql" / self.version / CLUSTER

    @property
    def dead_data(self) -> Path:
        """Where the templated configuration of the incident lies, that no server reads."""
        return self.root / "data/pgdata"

    @property
    def socket_dir(self) -> Path:
        return self.root / "run/postgresql"

    @property
    def postgres_log(self) -> Path:
        return self.root / f"var/log/postgresql/postgresql-{self.version}-{CLUSTER}.log"

    @property
    def archive(self) -> Path:
        """The folder of an archive that needs no bucket."""
        return self.root / "srv/wal"

    @property
    def journal(self) -> Path:
        return self.root / "var/log/journal"

    @property
    def timers_enabled(self) -> Path:
        """Where systemd's stand-in keeps which timers are enabled."""
        return self.etc / "systemd/system/timers.target.wants"

    @property
    def timers_active(self) -> Path:
        """And which of them run."""
        return self.root / "run/systemd/timers"

    def spaces(self, region: str) -> Path:
        """A region's buckets, a folder each."""
        return self.root / "spaces" / region


_FOLDERS = ("usr/bin", "usr/lib", "usr/local/bin", "home", "etc/logrotate.d", "etc/systemd/system",
            "lib/systemd/system", "run/postgresql", "run/systemd/system", "run/systemd/timers", "var/lib",
            "var/log/postgresql", "var/log/demo", "var/tmp", "spaces", "data/pgdata")  # fmt: skip


@contextmanager
def new_workspace(account: Account) -> Iterator[Path]:
    """A fresh folder, locked for as long as this process lives: `leftovers` leaves it alone.

    It stays when the context ends: removing it takes ending its processes first.
    """
    try:
        root = Path(tempfile.mkdtemp(prefix=PREFIX, dir=_temporary_folder(account))).resolve()
    except OSError as error:
        raise SandboxError("make a temporary folder for the embedded droplet", str(error), _REMEDY) from None
    with lock(root / LOCK):
        (root / "client").mkdir(mode=0o700)
        for name in _FOLDERS:
            (root / name).mkdir(parents=True, exist_ok=True)
        _hand_over(root, account)
        yield root


@contextmanager
def lock(path: Path) -> Iterator[None]:
    """Hold the lock file; raises BlockingIOError where a living process holds it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def temporary_folders() -> list[Path]:
    """Where a sandbox's folder may lie, the best place first."""
    return [Path(folder).resolve() for folder in (tempfile.gettempdir(), "/tmp", "/var/tmp")]  # noqa: S108


def _temporary_folder(account: Account) -> Path:
    complaints = []
    for folder in temporary_folders():
        if complaint := _unsuitable(folder, account):
            complaints.append(f"{folder} {complaint}")
        else:
            return folder
    raise SandboxError("make a temporary folder for the embedded droplet", ", ".join(complaints), _REMEDY)


def _unsuitable(folder: Path, account: Account) -> str:
    """Why a sandbox cannot lie there; empty where it can."""
    if len(os.fsencode(folder)) > _LONGEST_TEMPORARY_FOLDER:
        return "is too long for a Unix socket's path"
    if not os.access(folder, os.W_OK | os.X_OK):
        return "cannot be written"
    if os.statvfs(folder).f_flag & getattr(os, "ST_NOEXEC", 0):
        return "is mounted noexec"
    if account.drop and not all(each.stat().st_mode & 0o001 for each in (folder, *folder.parents)):
        return f"cannot be entered by {account.name}"
    return ""


def _hand_over(root: Path, account: Account) -> None:
    """Give what lies on the droplet to its user; the folder itself, its lock and `client` stay ours."""
    if not account.drop:
        return
    for folder, _, _ in os.walk(root):
        if Path(folder) not in (root, root / "client"):
            os.chown(folder, account.uid, account.gid)
    os.chown(root, -1, account.gid)
    root.chmod(0o710)


def write(path: Path, text: str, account: Account, mode: int = 0o644) -> None:
    """Write a file that belongs to the droplet's user; its folder is made where there is none."""
    make_folder(path.parent, account)
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    _own(path, account)


def make_folder(path: Path, account: Account) -> None:
    """Make a folder that belongs to the droplet's user, and those above it that are missing."""
    for missing in reversed([each for each in (path, *path.parents) if not each.exists()]):
        missing.mkdir(mode=0o755)
        _own(missing, account)


def _own(path: Path, account: Account) -> None:
    if account.drop:
        os.chown(path, account.uid, account.gid)


def explain(error: OSError) -> str:
    """Why a file operation failed, in words that help."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"no space left on the temporary folder's file system ({error.filename})"
    return str(error)

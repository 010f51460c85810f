"""What a sandbox leaves when it is killed: processes, a folder, a shared memory segment.

A process belongs to a sandbox when its HOME is that sandbox's (whose name is random), or when it is
one of PostgreSQL's in that sandbox's data directory: so neither a reused process id nor a stale file
can hit another's process. A folder whose lock is held belongs to a sandbox that lives.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from walconsole.sandbox.workspace import LOCK, PREFIX, lock, temporary_folders

_UNLOCKED_IS_NEW_S = 60.0
_PROC = Path("/proc")


def sweep() -> list[Path]:
    """Take away every dead sandbox of this user; returns the folders that were removed."""
    found = {path for folder in temporary_folders() for path in _candidates(folder)}
    return [root for root in sorted(found) if _take_away_dead(root)]


def take_away(root: Path) -> None:
    """End every process of the sandbox in `root`, then remove its folder."""
    end_processes(root)
    _remove_shared_memory(root)
    shutil.rmtree(root, ignore_errors=True)


def end_processes(root: Path, *, patience_s: float = 5.0) -> None:
    """Stop PostgreSQL at once but in order, then kill whatever else belongs to `root`."""
    postmasters = [pid for pid in processes(root) if _is_postmaster(pid, root)]
    _signal(postmasters, signal.SIGQUIT)
    _wait_until(lambda: not any(_alive(pid) for pid in postmasters), patience_s)
    for number in (signal.SIGTERM, signal.SIGKILL):
        _signal(processes(root), number)
        if _wait_until(lambda: not processes(root), patience_s / 5):
            return


def processes(root: Path) -> list[int]:
    """Ids of the processes that belong to the sandbox in `root`, but for this one."""
    if not _PROC.joinpath("self/environ").exists():
        return _listed_by_ps(root)
    pids = [int(entry.name) for entry in _PROC.iterdir() if entry.name.isdigit()]
    return [pid for pid in pids if pid != os.getpid() and _belongs(_PROC / str(pid), root)]


def _candidates(folder: Path) -> Iterable[Path]:
    for path in folder.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            status = path.lstat()
            if path.is_dir() and not path.is_symlink() and status.st_uid == os.geteuid():
                yield path


def _take_away_dead(root: Path) -> bool:
    with contextlib.suppress(OSError):
        if not (root / LOCK).exists() and time.time() - root.stat().st_mtime < _UNLOCKED_IS_NEW_S:
            return False  # between mkdtemp and its lock
        with lock(root / LOCK):
            take_away(root)
        return not root.exists()
    return False


def _belongs(process: Path, root: Path) -> bool:
    """Whether it is the sandbox's; False where it is another user's, or gone."""
    with contextlib.suppress(OSError):
        if _is_zombie(process):
            return False
        if _home(root) in (process / "environ").read_bytes().split(b"\0"):
            return True
        # A backend writes its title over its environment, and works in the data directory.
        title = (process / "cmdline").read_bytes()
        return title.startswith(b"postgres:") and process.joinpath("cwd").readlink().is_relative_to(root)
    return False


def _home(root: Path) -> bytes:
    return b"HOME=" + os.fsencode(root / "home")


def _is_zombie(process: Path) -> bool:
    # proc_pid_stat(5): the state follows the command's name, which stands in parentheses.
    return (process / "stat").read_bytes().rpartition(b")")[2].split()[:1] == [b"Z"]


def _listed_by_ps(root: Path) -> list[int]:
    """The same by ps with environments, for systems without /proc."""
    try:
        listed = subprocess.run(["ps", "axeww", "-o", "pid=,command="], capture_output=True, check=False)
    except OSError:
        return []
    rows = (line.split() for line in listed.stdout.splitlines())
    return [int(row[0]) for row in rows if _home(root) in row]


def _is_postmaster(pid: int, root: Path) -> bool:
    for file in root.glob("var/lib/postgresql/*/*/postmaster.pid"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            return int(file.read_text().splitlines()[0]) == pid
    return False


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return not (_PROC.joinpath("self").exists() and _zombie_or_gone(pid))


def _zombie_or_gone(pid: int) -> bool:
    try:
        return _is_zombie(_PROC / str(pid))
    except OSError:
        return True


def _signal(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def _wait_until(condition: Callable[[], bool], patience_s: float) -> bool:
    deadline = time.monotonic() + patience_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _remove_shared_memory(root: Path) -> None:
    """Remove the System V segment of a postmaster that was killed (line 7 of postmaster.pid: key, id).

    Only where the kernel still lists that id under that key with nobody attached: after a reboot
    the id may be another's.
    """
    for file in root.glob("var/lib/postgresql/*/*/postmaster.pid"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            key, segment = file.read_text().splitlines()[6].split()
            if _is_abandoned(key, segment):
                subprocess.run(["ipcrm", "-m", segment], capture_output=True, check=False)


def _is_abandoned(key: str, segment: str) -> bool:
    rows = (line.split() for line in (_PROC / "sysvipc/shm").read_text().splitlines()[1:])
    # sysvipc(5): key, shmid, perms, size, cpid, lpid, nattch, …; the key is signed there.
    return any(
        int(row[0]) & 0xFFFFFFFF == int(key) & 0xFFFFFFFF and row[1] == segment and row[6] == "0"
        for row in rows
    )

"""The run's private folder and the processes that work in it."""

import fcntl
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypedDict

from tests.servers.ports import wait_until
from tests.servers.reaper import Reaper, Ward, descendants, freeze_below, kill

COMMON = "WALCONSOLE_TESTS_COMMON"
"""The variable that names the folder of all workers of a run; not set where there are no workers."""


class Workspace:
    """A temporary folder that every user may enter (PostgreSQL does not run as root), removed at the end."""

    def __init__(self) -> None:
        self.reaper = Reaper()
        self.root = Path(tempfile.mkdtemp(prefix="walconsole-test-")).resolve()
        self.reaper.take(Ward("folder", str(self.root)))
        self.root.chmod(0o755)
        self._numbers = itertools.count(1)
        self._passing: list[Path] = []
        self._lasts = 0

    def folder(self, name: str, owner: str | None = None) -> Path:
        """A new folder whose name begins with `name`, belonging to `owner` where we are root."""
        path = self.root / f"{name}{next(self._numbers)}"
        path.mkdir(mode=0o755)
        if owner is not None and os.geteuid() == 0:
            shutil.chown(path, owner, pwd.getpwnam(owner).pw_gid)
        if not self._lasts:
            self._passing.append(path)
        return path

    @contextmanager
    def lasting(self) -> Iterator[None]:
        """Folders made within are for the whole run, and stay when a module of tests is done with."""
        self._lasts += 1
        try:
            yield
        finally:
            self._lasts -= 1

    def sweep(self) -> None:
        """Have what does not last taken away in the background.

        At the end of a run that were gigabytes, which kept every worker for a minute; what goes early is not
        even written to the disk.
        """
        for folder in self._passing:
            self.reaper.remove(folder)
        self._passing.clear()

    def shared(self, name: str, make: Callable[[Path], None]) -> Path:
        """The folder of that name, which is there once for all workers of a run: leave it as it is.

        Who needs it first makes it: `make` is given it, new and empty.
        """
        root = Path(os.environ.get(COMMON) or self.root)
        folder, made = root / name, root / f"{name}.made"
        with (root / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not made.exists():
                shutil.rmtree(folder, ignore_errors=True)  # where another could not make it
                folder.mkdir(mode=0o755)
                make(folder)
                made.touch()
        return folder

    def close(self) -> None:
        """Take everything away, now."""
        self.reaper.close()


class Daemon:
    """A server's process in the foreground, in a session of its own, its output in `log`."""

    def __init__(
        self,
        workspace: Workspace,
        name: str,
        argv: Sequence[str | Path],
        log: Path,
        env: Mapping[str, str] | None = None,
        user: str | None = None,
    ) -> None:
        self.name, self.log = name, log
        self._workspace, self._argv, self._env, self._user = workspace, [str(a) for a in argv], env, user
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        if self._process is None:
            raise RuntimeError(f"{self.name} is not running")
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self, ready: Callable[[], bool], timeout_s: float = 15.0) -> None:
        """Start it and wait until `ready`. Raises RuntimeError with its output when it ends before that."""
        with self.log.open("ab") as out:
            self._process = subprocess.Popen(
                self._argv,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=self._workspace.root,
                env=self._env,
                start_new_session=True,
                **identity(self._user),
            )
        self._workspace.reaper.take(self._ward)
        wait_until(lambda: ready() or not self.running, f"{self.name} answers", timeout_s)
        if not self.running:
            raise RuntimeError(f"{self.name} ended at once:\n{self.output()[-2000:]}")

    def stop(self, number: signal.Signals = signal.SIGTERM, *, children: bool = True) -> None:
        """End it, and with `children` all that it started. Returns when it is gone."""
        if self._process is None:
            return
        started = freeze_below(self.pid) if children else []
        if self._process.poll() is None:
            self._process.send_signal(number)
        kill(started)
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(timeout=10)
        self._workspace.reaper.release(self._ward)
        self._process = None

    def signal(self, number: signal.Signals) -> None:
        """Send `number` to it and its children (SIGSTOP and SIGCONT freeze and thaw the whole server)."""
        kill([self.pid, *descendants(self.pid)], number)

    def output(self) -> str:
        """All that it printed."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    @property
    def _ward(self) -> Ward:
        return Ward("pid", str(self.pid))


class Identity(TypedDict, total=False):
    """Arguments of subprocess that give a child another user."""

    user: int
    group: int
    extra_groups: Sequence[int]


def identity(user: str | None) -> Identity:
    """subprocess arguments to run as `user`: empty unless we are root and `user` is another."""
    if user is None or os.geteuid() != 0 or user == "root":
        return {}
    entry = pwd.getpwnam(user)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}

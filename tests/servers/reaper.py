"""Takes away what a test run started, even when the run itself is killed.

A small process of its own waits on a pipe. The run tells it which process groups, PID files and folders
are the run's; when the pipe closes, because the run ended or died, they are killed and removed.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, NamedTuple


class Ward(NamedTuple):
    """Something to take away: kind is `pid`, `pidfile` or `folder`."""

    kind: str
    name: str


class Reaper:
    """The run's end of the pipe."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
            text=True,
        )

    def take(self, ward: Ward) -> None:
        """From now on `ward` goes when the run does."""
        self._send("take", ward)

    def release(self, ward: Ward) -> None:
        """`ward` is gone already (a PID may be another's by then)."""
        self._send("release", ward)

    def remove(self, folder: Path) -> None:
        """`folder` goes now, with the servers whose PID files lie in it; not waited for."""
        self._send("remove", Ward("folder", str(folder)))

    def close(self) -> None:
        """Have everything taken away now, and wait for it."""
        self._pipe.close()
        self._process.wait(timeout=300)  # a busy disk takes its time for a worker's folders

    @property
    def _pipe(self) -> IO[str]:
        if self._process.stdin is None:
            raise RuntimeError("the reaper was started without a pipe")
        return self._process.stdin

    def _send(self, verb: str, ward: Ward) -> None:
        print(json.dumps([verb, *ward]), file=self._pipe, flush=True)


def descendants(pid: int) -> list[int]:
    """PIDs of all children of `pid`, and theirs. Without Linux's /proc none are found."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            after_name = stat.read_text(errors="replace").rpartition(")")[2].split()
        except OSError:
            continue  # ended meanwhile
        children.setdefault(int(after_name[1]), []).append(int(stat.parent.name))
    found = list(children.get(pid, ()))
    for child in found:
        found.extend(children.get(child, ()))
    return found


def pid_exists(pid: int) -> bool:
    """Whether there is such a process, be it a zombie."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def alive(pid: int) -> bool:
    """Whether the process runs; a zombie does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return pid_exists(pid) and not Path("/proc/self").exists()
    except OSError:
        return False
    return state not in {"Z", "X"}


def kill(pids: list[int], number: signal.Signals = signal.SIGKILL) -> None:
    """Send `number` to each that still exists."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def freeze_below(pid: int) -> list[int]:
    """SIGSTOP to all that `pid` started, and to what they start meanwhile; their PIDs.

    Killed one after the other, some would fork in between, and what lost its parent is found by nobody.
    """
    frozen: list[int] = []
    while new := [each for each in descendants(pid) if each not in frozen]:
        kill(new, signal.SIGSTOP)
        frozen += new
    return frozen


def main() -> None:
    """Read what to watch over until the pipe closes, then take it away."""
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    wards = _watched()
    for ward in wards:
        if ward.kind == "pid":
            _kill_tree(int(ward.name))
        elif ward.kind == "pidfile":
            _kill_by_file(Path(ward.name))
    for ward in wards:
        if ward.kind == "folder":
            _remove(Path(ward.name))


def _watched() -> dict[Ward, None]:
    """What there is to take away when the pipe closes; what goes before that is gone then."""
    wards: dict[Ward, None] = {}
    removing: list[subprocess.Popen[bytes]] = []
    for line in sys.stdin:
        verb, kind, name = json.loads(line)
        if verb == "take":
            wards[Ward(kind, name)] = None
        elif verb == "remove":
            _kill_within(Path(name), wards)
            removing = [each for each in removing if each.poll() is None]
            removing.append(subprocess.Popen(["rm", "-rf", "--", name], stdin=subprocess.DEVNULL))
        else:
            wards.pop(Ward(kind, name), None)
    for each in removing:
        each.wait()
    return wards


def _kill_within(folder: Path, wards: dict[Ward, None]) -> None:
    """The servers whose PID files lie in `folder`; they are no wards any more."""
    for ward in list(wards):
        if ward.kind == "pidfile" and Path(ward.name).is_relative_to(folder):
            _kill_by_file(Path(ward.name))
            del wards[ward]


def _kill_tree(pid: int) -> None:
    kill([pid], signal.SIGSTOP)
    kill([*freeze_below(pid), pid])


def _kill_by_file(pidfile: Path) -> None:
    try:
        first = pidfile.read_text().split()[:1]
    except FileNotFoundError:
        return
    if first and first[0].isdigit():
        _kill_tree(int(first[0]))


def _remove(folder: Path) -> None:
    """Processes that die this moment may still write into it: try for a second."""
    for _ in range(20):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(0.05)


if __name__ == "__main__":
    main()

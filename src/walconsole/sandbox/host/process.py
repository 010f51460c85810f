"""Starting the sandbox's programs: as its user, in its folder, with an environment of its own."""

import asyncio
import contextlib
import os
import pwd
import signal
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from walconsole.domain.records import record
from walconsole.errors import SandboxError

# -- Whom the sandbox's servers and sessions run as. PostgreSQL refuses to run as root.

# nobody first: whatever runs in a session of the sandbox must not own a real cluster's files.
_UNPRIVILEGED = ("nobody", "postgres", "daemon")


@record
class Account:
    """An operating system's user. `drop`: this process is root and starts others as that user."""

    name: str
    uid: int
    gid: int
    drop: bool


def choose_account() -> Account:
    """The user itself, or an unprivileged one when the user is root."""
    if os.geteuid() != 0:
        return _account(os.geteuid(), drop=False)
    for name in _UNPRIVILEGED:
        try:
            return _account(pwd.getpwnam(name).pw_uid, drop=True)
        except KeyError:
            continue
    raise SandboxError(
        "start the embedded droplet as root",
        f"PostgreSQL must not run as root, and none of the users {', '.join(_UNPRIVILEGED)} exists",
        "run it as an ordinary user",
    )


def _account(uid: int, *, drop: bool) -> Account:
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        raise SandboxError(
            f"start the embedded droplet as user {uid}",
            "that number has no name in the user database, and PostgreSQL needs one",
            "run it as a user who has a line in /etc/passwd",
        ) from None
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid, drop)


_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def environment(root: Path, account: Account) -> dict[str, str]:
    """What a session on the droplet sees. Nothing of this process's own environment is in it."""
    return {
        "PATH": f"{root}/usr/local/bin:{root}/usr/bin:{_SYSTEM_PATH}",
        "HOME": f"{root}/home",
        "USER": account.name,
        "LOGNAME": account.name,
        "SHELL": "/bin/sh",
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
    }


async def start(
    argv: Sequence[str | Path],
    root: Path,
    account: Account,
    *,
    stdin: int = DEVNULL,
    stdout: int = DEVNULL,
    stderr: int = DEVNULL,
    extra: Mapping[str, str] | None = None,
) -> Process:
    """Start a program in a session of its own, so that a signal reaches all that it starts."""
    who: dict[str, Any] = {}
    if account.drop:
        who = {"user": account.uid, "group": account.gid, "extra_groups": []}
    try:
        return await asyncio.create_subprocess_exec(
            *map(str, argv),
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            cwd=root / "home",
            env=environment(root, account) | dict(extra or {}),
            start_new_session=True,
            umask=0o022,
            **who,
        )
    except OSError as error:
        raise SandboxError(f"start {argv[0]}", str(error), "see that the program can run here") from None


async def run(argv: Sequence[str | Path], root: Path, account: Account, *, timeout_s: float = 60.0) -> str:
    """Run a program to its end; what it printed. Raises SandboxError with its last words."""
    process = await start(argv, root, account, stdout=PIPE, stderr=STDOUT)
    try:
        async with asyncio.timeout(timeout_s):
            output, _ = await process.communicate()
    except TimeoutError:
        raise SandboxError(f"run {argv[0]}", f"not done after {timeout_s:.0f} s") from None
    finally:
        if process.returncode is None:
            await end(process)
    text = output.decode("utf-8", "replace").strip()
    if process.returncode:
        last = " / ".join(text.splitlines()[-3:]) or "it printed nothing"
        raise SandboxError(f"run {argv[0]}", f"exit status {process.returncode}: {last}")
    return text


async def end(process: Process, *, patience_s: float = 2.0) -> None:
    """End a program and everything in its process group: TERM, then KILL."""
    signal_group(process, signal.SIGTERM)
    try:
        async with asyncio.timeout(patience_s):
            await process.wait()
    except TimeoutError:
        signal_group(process, signal.SIGKILL)
        await process.wait()
    finally:
        signal_group(process, signal.SIGKILL)  # what its leader left behind in the group
        _close_pipes(process)


def _close_pipes(process: Process) -> None:
    """Nobody reads them any more: while they are full their end is never seen, so that they would stay
    open until after the loop, and be complained about on standard error."""
    process._transport.close()  # type: ignore[attr-defined]  # asyncio has no other word for it


def signal_group(process: Process, number: int) -> None:
    """Send a signal to the group that the process leads."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)

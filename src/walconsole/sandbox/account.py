"""Whom the sandbox's servers and sessions run as. PostgreSQL refuses to run as root."""

import os
import pwd
from dataclasses import dataclass

from walconsole.errors import SandboxError

# nobody first: whatever runs in a session of the sandbox must not own a real cluster's files.
_UNPRIVILEGED = ("nobody", "postgres", "daemon")


@dataclass(frozen=True, slots=True)
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
